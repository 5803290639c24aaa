//! Days and civil dates over the whole range of a DATE: years beyond what a calendar library
//! takes, so plain arithmetic on 64 bits.

/// Days from the epoch to the first day of the Gregorian calendar, 1582-10-15.
const GREGORIAN_START: i64 = -141_427;

/// Whether `year` (proleptic, 0 is 1 BC) has 366 days.
pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month, 1 to 12.
pub(crate) fn month_length(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the epoch of a proleptic Gregorian date; `day` may lie outside of the month.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last one.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468 + day - 1
}

/// Year, month and day of a day since the epoch.
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days since the epoch of a date in the calendar of its time: Julian before 1582-10-15. `month`
/// and `day` carry over, as in a lenient Java calendar.
pub(crate) fn days_from_historic(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (
        year + (month - 1).div_euclid(12),
        (month - 1).rem_euclid(12) + 1,
    );
    let gregorian = days_from_civil(year, month, 1) + day - 1;
    if gregorian >= GREGORIAN_START {
        return gregorian;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5;
    365 * shifted + shifted.div_euclid(4) + day_of_year + day - 1 - 719_470
}

/// Day of the week: 1 is Monday, 7 is Sunday.
pub(crate) fn day_of_week(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Day of the year, from 1.
pub(crate) fn day_of_year(days: i64) -> i64 {
    let (year, _, _) = civil_from_days(days);
    days - days_from_civil(year, 1, 1) + 1
}

/// The Sunday on or before a day: weeks begin on Sunday in en_US.
pub(crate) fn week_start(days: i64) -> i64 {
    days - day_of_week(days) % 7
}

/// Week-based year and week of it: week 1 holds 1 January.
pub(crate) fn week_of_year(days: i64) -> (i64, i64) {
    let start = week_start(days);
    let (year, _, _) = civil_from_days(start + 6);
    (
        year,
        (start - week_start(days_from_civil(year, 1, 1))) / 7 + 1,
    )
}

/// Week of the month: week 1 holds the first day.
pub(crate) fn week_of_month(days: i64) -> i64 {
    let (year, month, _) = civil_from_days(days);
    (week_start(days) - week_start(days_from_civil(year, month, 1))) / 7 + 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (18_321, (2020, 2, 29)),
            (-719_528, (0, 1, 1)),
            (2_932_897, (10_000, 1, 1)),
            (2_147_483_647, (5_881_580, 7, 11)),
            (-2_147_483_648, (-5_877_641, 6, 23)),
        ] {
            assert_eq!(civil_from_days(days), date);
        }
    }

    #[test]
    fn old_dates_are_julian() {
        for (date, days) in [
            ((1582, 10, 15), -141_427),
            ((1582, 10, 10), -141_422),
            ((1582, 10, 4), -141_428),
            ((1, 1, 1), -719_164),
            ((2020, 13, 1), 18_628),
            ((2020, 1, 32), 18_293),
        ] {
            assert_eq!(days_from_historic(date.0, date.1, date.2), days, "{date:?}");
        }
    }

    #[test]
    fn weeks() {
        for (days, week, of_month) in [
            (0, (1970, 1), 1),
            (-1, (1970, 1), 5),
            (18_321, (2020, 9), 5),
        ] {
            assert_eq!(
                (week_of_year(days), week_of_month(days)),
                (week, of_month),
                "{days}"
            );
        }
    }

    proptest! {
        #[test]
        fn dates_come_back(days in -4_000_000_000i64..4_000_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert!((1..=12).contains(&month) && (1..=month_length(year, month)).contains(&day));
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
