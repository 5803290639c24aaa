//! Dates, times and timestamps from and to texts (spec/sql.md §4.5).

use std::fmt::Write;

use super::number::trim;

const MS_PER_SECOND: i64 = 1000;
const MS_PER_MINUTE: i64 = 60 * MS_PER_SECOND;
const MS_PER_HOUR: i64 = 60 * MS_PER_MINUTE;
/// Milliseconds of a day.
pub const MS_PER_DAY: i64 = 24 * MS_PER_HOUR;

/// Days since the epoch of a day of the proleptic Gregorian calendar.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last of a year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day since the epoch.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads a text from the left.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn eat(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// A number of `min` to `max` ASCII digits, 0 of none, and how many there were.
    fn digits(&mut self, min: usize, max: usize) -> Option<(i64, usize)> {
        let count = self
            .0
            .bytes()
            .take(max)
            .take_while(u8::is_ascii_digit)
            .count();
        if count < min {
            return None;
        }
        let (number, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        let number = if count > 0 { number.parse().ok()? } else { 0 };
        Some((number, count))
    }

    /// A number of exactly two digits up to `max`.
    fn two(&mut self, max: i64) -> Option<i64> {
        self.digits(2, 2)
            .map(|(number, _)| number)
            .filter(|number| *number <= max)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Year, month and day; a year of more than four digits has a sign, one of four may have a `-`.
    fn date(&mut self) -> Option<(i64, i64, i64)> {
        let negative = self.eat('-');
        let long = !negative && self.eat('+');
        let (year, count) = self.digits(4, 9)?;
        if (count > 4) != long && !negative || negative && year == 0 || !self.eat('-') {
            return None;
        }
        let month = self.two(12).filter(|month| *month >= 1)?;
        if !self.eat('-') {
            return None;
        }
        let day = self.two(31).filter(|day| *day >= 1)?;
        Some((if negative { -year } else { year }, month, day))
    }

    /// The fraction of a second in milliseconds, of at most `max` digits.
    fn millis(&mut self, max: usize) -> Option<i64> {
        let (fraction, count) = self.digits(0, max)?;
        let exponent = count as i32;
        Some(if exponent <= 3 {
            fraction * 10i64.pow((3 - exponent) as u32)
        } else {
            fraction / 10i64.pow((exponent - 3) as u32)
        })
    }
}

/// The date with the month and the day that it lacks, by the number of its parts.
fn completed_date(date: &str) -> String {
    // As Java splits, without empty parts at the end.
    let missing = match date.trim_end_matches('-').split('-').count() {
        1 => "-01-01",
        2 => "-01",
        _ => "",
    };
    format!("{date}{missing}")
}

/// A DATE from `yyyy[-MM[-dd]]`: days since the epoch.
///
/// # Errors
/// The message for the user, if `text` is none.
pub fn parse_date(text: &str) -> Result<i32, String> {
    let parse = || {
        let date = completed_date(trim(text));
        let mut cursor = Cursor(&date);
        let (year, month, day) = cursor.date()?;
        if !cursor.is_empty() || day > days_in_month(year, month) {
            return None;
        }
        i32::try_from(days_from_civil(year, month, day)).ok()
    };
    parse().ok_or_else(|| {
        format!("Failed to parse date string '{text}'. Required format is: \"yyyy-MM-dd\"")
    })
}

/// A TIME from `HH:mm[:ss[.SSS]]`: milliseconds of the day.
///
/// # Errors
/// The message for the user, if `text` is none.
pub fn parse_time(text: &str) -> Result<i32, String> {
    let parse = || {
        let mut cursor = Cursor(trim(text));
        let hour = cursor.two(23)?;
        if !cursor.eat(':') {
            return None;
        }
        let minute = cursor.two(59)?;
        let (mut second, mut millis) = (0, 0);
        if cursor.eat(':') {
            second = cursor.two(59)?;
            if cursor.eat('.') {
                millis = cursor.millis(9)?;
            }
        }
        let time = hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * MS_PER_SECOND + millis;
        cursor.is_empty().then_some(time as i32)
    };
    parse().ok_or_else(|| {
        format!("Failed to parse time string '{text}'. Required format is: \"HH:mm:ss.SSS\"")
    })
}

/// A time of day with all that may be left out of its end.
const WHOLE_TIME: &str = "00:00:00.000";

/// A TIMESTAMP from a text that may end early and may carry a zone, UTC if not (spec/sql.md
/// §4.5): milliseconds since the epoch. What is missing at the end is taken from `00:00:00.000`,
/// wherever the text ends, so that `T1` is ten o'clock; a day beyond its month's end is the last.
///
/// # Errors
/// The message for the user, if `text` is none.
pub fn parse_timestamp(text: &str) -> Result<i64, String> {
    let parse = || {
        let (date, rest) = trim(text).split_once('T').unwrap_or((trim(text), ""));
        let zone_at = rest.find('+').or(rest.find('-'));
        let zone_at = zone_at.or(rest.strip_suffix('Z').map(str::len));
        let (time, zone) = rest.split_at_checked(zone_at.unwrap_or(rest.len()))?;
        let date = completed_date(date);
        let mut cursor = Cursor(&date);
        let (year, month, day) = cursor.date()?;
        // Years are those of the common era.
        if !cursor.is_empty() || year < 1 {
            return None;
        }
        let day = day.min(days_in_month(year, month));
        let time = format!("{time}{}", WHOLE_TIME.get(time.len()..).unwrap_or_default());
        let local = days_from_civil(year, month, day)
            .checked_mul(MS_PER_DAY)?
            .checked_add(whole_time(&time)?)?;
        local.checked_sub(if zone.is_empty() { 0 } else { offset(zone)? })
    };
    parse().ok_or_else(|| {
        format!(
            "Failed to parse timestamp '{text}'. Required format is: \
             \"yyyy-MM-dd'T'HH:mm:ss.SSS\", with an optional numeric timezone of form '+|-NNNN'"
        )
    })
}

/// Milliseconds of `HH:mm:ss.SSS`, up to 24 o'clock.
fn whole_time(text: &str) -> Option<i64> {
    let mut cursor = Cursor(text);
    let hour = cursor.two(24)?;
    let minute = cursor.eat(':').then(|| cursor.two(59))??;
    let second = cursor.eat(':').then(|| cursor.two(59))??;
    let (millis, _) = cursor.eat('.').then(|| cursor.digits(3, 3))??;
    let time = hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * MS_PER_SECOND + millis;
    (cursor.is_empty() && time <= MS_PER_DAY).then_some(time)
}

/// A zone as Java writes offsets, `Z`, `±h`, `±hh[[:]mm[[:]ss]]` up to 18 hours, in milliseconds.
fn offset(text: &str) -> Option<i64> {
    let mut cursor = Cursor(text);
    if cursor.eat('Z') {
        return cursor.is_empty().then_some(0);
    }
    let negative = cursor.eat('-');
    if !negative && !cursor.eat('+') {
        return None;
    }
    if cursor.0.len() == 1 {
        let (hours, _) = cursor.digits(1, 1)?;
        return Some(hours * MS_PER_HOUR * if negative { -1 } else { 1 });
    }
    let mut size = cursor.two(18)? * MS_PER_HOUR;
    if !cursor.is_empty() {
        let colons = cursor.eat(':');
        size += cursor.two(59)? * MS_PER_MINUTE;
        if !cursor.is_empty() {
            if cursor.eat(':') != colons {
                return None;
            }
            size += cursor.two(59)? * MS_PER_SECOND;
        }
    }
    let offset = if negative { -size } else { size };
    (cursor.is_empty() && size <= 18 * MS_PER_HOUR).then_some(offset)
}

/// Appends a year the way Java pads it: four digits, a `+` before more.
fn write_year(year: i64, out: &mut String) {
    // Writing to a String cannot fail, here and below.
    let _ = if year > 9999 {
        write!(out, "+{year}")
    } else if year < 0 {
        write!(out, "-{:04}", -year)
    } else {
        write!(out, "{year:04}")
    };
}

/// Appends a DATE: `2020-02-29`.
pub fn write_date(days: i32, out: &mut String) {
    let (year, month, day) = civil_from_days(days.into());
    write_year(year, out);
    let _ = write!(out, "-{month:02}-{day:02}");
}

/// Appends a TIME: `HH:mm`, and the seconds if there are any; milliseconds are lost.
pub fn write_time(millis: i32, out: &mut String) {
    let seconds = i64::from(millis) / MS_PER_SECOND;
    let _ = write!(out, "{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
    if seconds % 60 != 0 {
        let _ = write!(out, ":{:02}", seconds % 60);
    }
}

/// Appends a TIMESTAMP: `2020-02-29T12:34:56.789`; the year is that of its era.
pub fn write_timestamp(millis: i64, out: &mut String) {
    let (year, month, day) = civil_from_days(millis.div_euclid(MS_PER_DAY));
    write_year(if year <= 0 { 1 - year } else { year }, out);
    let time = millis.rem_euclid(MS_PER_DAY);
    let _ = write!(
        out,
        "-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}",
        time / MS_PER_HOUR,
        time / MS_PER_MINUTE % 60,
        time / MS_PER_SECOND % 60,
        time % MS_PER_SECOND
    );
}

/// Appends a TIMESTAMP as `java.sql.Timestamp` prints it: `1970-01-01 00:00:01.0`.
pub fn write_java_timestamp(millis: i64, out: &mut String) {
    let (year, month, day) = civil_from_days(millis.div_euclid(MS_PER_DAY));
    let time = millis.rem_euclid(MS_PER_DAY);
    let _ = write!(
        out,
        "{:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.",
        if year <= 0 { 1 - year } else { year },
        time / MS_PER_HOUR,
        time / MS_PER_MINUTE % 60,
        time / MS_PER_SECOND % 60
    );
    let fraction = format!("{:03}", time % MS_PER_SECOND);
    let trimmed = fraction.trim_end_matches('0');
    out.push_str(if trimmed.is_empty() { "0" } else { trimmed });
}

/// Appends a TIME as `java.sql.Time` prints it: `00:00:01`.
pub fn write_java_time(millis: i32, out: &mut String) {
    let seconds = i64::from(millis) / MS_PER_SECOND;
    let _ = write!(
        out,
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("2020-02-29", Some(18321)),
            (" 2020-02-29 ", Some(18321)),
            ("2020-02", Some(18293)),
            ("2020", Some(18262)),
            ("0000-01-01", Some(-719_528)),
            ("-2020-01-01", Some(-1_457_318)),
            ("9999-12-31", Some(2_932_896)),
            ("10000-01-01", None),
            ("+2020-01-01", None),
            ("20-01-01", None),
            ("2020-2-9", None),
            ("2021-02-29", None),
            ("2020-13-01", None),
            ("2020-00-01", None),
            ("2020-", None),
            ("-2020", None),
            ("-2020-01", None),
            ("-0000-01-01", None),
            ("+10000-01", Some(2_932_897)),
            ("2020-02-29T00:00", None),
            ("", None),
        ] {
            assert_eq!(parse_date(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("12:00", Some(43_200_000)),
            ("00:00:01", Some(1000)),
            ("00:00:01.5", Some(1500)),
            ("12", None),
            ("24:00", None),
            ("1:2", None),
            ("00:00:01.", Some(1000)),
            ("00:01.5", None),
            ("00:00:01.123456789", Some(1123)),
            ("00:00:01.1234567890", None),
        ] {
            assert_eq!(parse_time(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("2020-02-29T12:34:56.789", Some(1_582_979_696_789)),
            ("2020-02-29T12:34:56.7", Some(1_582_979_696_700)),
            ("2020-02-29T12", Some(1_582_977_600_000)),
            ("2020-02-29T", Some(1_582_934_400_000)),
            ("2020-02", Some(1_580_515_200_000)),
            ("2020", Some(1_577_836_800_000)),
            ("2020-02-29T12:34:56.789Z", Some(1_582_979_696_789)),
            ("2020-02-29T12:34:56+0900", Some(1_582_947_296_000)),
            ("2020-02-29T12:34:56-0530", Some(1_582_999_496_000)),
            ("2020-02-29T12:34+09", Some(1_582_947_240_000)),
            ("2020-02-29T12:34:56+09:00", Some(1_582_947_296_000)),
            ("2021-02-29T00:00", Some(1_614_470_400_000)),
            ("2020-02-29T24:00", Some(1_583_020_800_000)),
            ("2020-02-29T24:01", None),
            ("2020-02-29Z", None),
            ("2020-02-29+0100", None),
            ("2020-02-29 12:34", None),
            ("2020-02-29T12:34:56.7891", None),
            ("-2020-01-01", None),
            ("10000-01-01", None),
            ("+10000-01-01", Some(253_402_300_800_000)),
            ("0000-01-01", None),
            ("2020-02-29T1", Some(1_582_970_400_000)),
            ("2020-02-29T12:3", Some(1_582_979_400_000)),
            ("2020-02-29T12:34:", Some(1_582_979_640_000)),
            ("2020-02-29T1:2:3", None),
            ("2020-02-29T+9", Some(1_582_902_000_000)),
            ("2020-02-29T12:34+09:00:01", Some(1_582_947_239_000)),
            ("2020-02-29T12:34+0900:01", None),
            ("2020-02-29T12:34-1801", None),
            ("2020-02-29T12:34+", None),
            ("+999999999-01-01", None),
            ("12:34", None),
            ("", None),
        ] {
            assert_eq!(parse_timestamp(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn texts() {
        let timestamp = |millis| {
            let mut out = String::new();
            write_timestamp(millis, &mut out);
            out
        };
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999");
        assert_eq!(timestamp(253_402_300_800_000), "+10000-01-01T00:00:00.000");
        assert_eq!(timestamp(-62_167_219_200_001), "0002-12-31T23:59:59.999");
        let mut out = String::new();
        write_java_timestamp(1_050, &mut out);
        out.push(' ');
        write_time(3_600_999, &mut out);
        out.push(' ');
        write_time(59_999, &mut out);
        assert_eq!(out, "1970-01-01 00:00:01.05 01:00 00:00:59");
    }

    proptest! {
        #[test]
        fn calendar_round_trip(days in -10_000_000i64..10_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert!((1..=12).contains(&month) && day <= days_in_month(year, month));
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
