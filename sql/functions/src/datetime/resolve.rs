//! Fields to a date and a time, by Java's smart rules.
//!
//! ```text
//!   year of era, month, day │ year, day of year │ weeks of a year or a month  ──►  days
//!   hour, minute, second, nano │ clock hours, AM and PM │ milli of day        ──►  nanos
//! ```
//!
//! Invariant: every field that was read is either used or agrees with what came out; otherwise
//! the text is refused. Smart means: 31 April is 30 April, 24:00 is midnight of the next day.

use super::calendar::{days_from_civil, is_leap, month_length, week_start};
use super::format::{date_field, time_field};
use super::parse::Fields;
use super::pattern::Field;
use super::zone::Zone;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// What a text means.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// Days since the epoch.
    pub(crate) days: Option<i64>,
    /// Nanoseconds of the day.
    pub(crate) nanos: Option<i64>,
    /// The zone or offset that the text names.
    pub(crate) zone: Option<Zone>,
    /// Fields that are part of neither.
    pub(crate) rest: Fields,
}

/// Fields of a date.
const DATE_FIELDS: [Field; 14] = [
    Field::DayOfWeek,
    Field::LocalDayOfWeek,
    Field::AlignedDayOfWeek,
    Field::DayOfMonth,
    Field::DayOfYear,
    Field::ModifiedJulianDay,
    Field::WeekOfMonth,
    Field::WeekOfYear,
    Field::WeekBasedYear,
    Field::MonthOfYear,
    Field::QuarterOfYear,
    Field::YearOfEra,
    Field::Year,
    Field::Era,
];

/// Fields of a time with their least and greatest value.
const TIME_FIELDS: [(Field, i64, i64); 8] = [
    (Field::NanoOfSecond, 0, NANOS_PER_SECOND - 1),
    (Field::SecondOfMinute, 0, 59),
    (Field::MinuteOfHour, 0, 59),
    (Field::HourOfHalf, 0, 11),
    (Field::ClockHourOfHalf, 0, 12),
    (Field::HourOfDay, 0, 23),
    (Field::ClockHourOfDay, 0, 24),
    (Field::HalfOfDay, 0, 1),
];

impl Resolved {
    /// Whether any field of a date was read.
    pub(crate) fn has_date(&self) -> bool {
        self.days.is_some() || DATE_FIELDS.iter().any(|f| self.rest.get(*f).is_some())
    }
}

/// Puts the fields together.
pub(crate) fn resolve(mut fields: Fields) -> Result<Resolved, String> {
    let offset = fields.get(Field::OffsetSeconds);
    let zone = match (fields.zone.take(), offset) {
        (Some(zone), _) => Some(zone),
        (None, Some(seconds)) => Some(
            Zone::offset(seconds)
                .ok_or_else(|| format!("The zone offset of {seconds} seconds is out of range"))?,
        ),
        (None, None) => None,
    };
    let mut days = date(&mut fields)?;
    let (mut nanos, mut next_day) = (None, 0);
    if let Some((of_day, extra)) = time(&mut fields)? {
        nanos = Some(of_day);
        next_day = extra;
    }
    check_agreement(&fields, days, nanos)?;
    if nanos.is_some() {
        days = days.map(|d| d + next_day);
    }
    Ok(Resolved {
        days,
        nanos,
        zone,
        rest: fields,
    })
}

/// An error unless `value` lies within the bounds.
fn within(field: Field, value: i64, least: i64, most: i64) -> Result<i64, String> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!(
        "Invalid value for {field:?} (valid values {least} - {most}): {value}"
    ))
}

/// Sets a field that follows from others.
fn derive(fields: &mut Fields, field: Field, value: i64) -> Result<(), String> {
    if fields.set(field, value) {
        return Ok(());
    }
    Err(format!(
        "Conflict found: {field:?} is both {:?} and {value}",
        fields.get(field)
    ))
}

fn date(fields: &mut Fields) -> Result<Option<i64>, String> {
    const MOST_YEARS: i64 = 999_999_999;
    if let Some(of_era) = fields.take(Field::YearOfEra) {
        within(Field::YearOfEra, of_era, 1, MOST_YEARS)?;
        let year = match fields.take(Field::Era) {
            Some(0) => 1 - of_era,
            Some(_) => of_era,
            None if fields.get(Field::Year).is_none_or(|year| year > 0) => of_era,
            None => 1 - of_era,
        };
        derive(fields, Field::Year, year)?;
    }
    if let Some(day) = fields.take(Field::ModifiedJulianDay) {
        return Ok(Some(day - 40_587));
    }
    if let Some(year) = fields.get(Field::Year) {
        within(Field::Year, year, -MOST_YEARS, MOST_YEARS)?;
        if let (Some(month), Some(day)) = (
            fields.get(Field::MonthOfYear),
            fields.get(Field::DayOfMonth),
        ) {
            within(Field::MonthOfYear, month, 1, 12)?;
            within(Field::DayOfMonth, day, 1, 31)?;
            let day = day.min(month_length(year, month));
            for used in [Field::Year, Field::MonthOfYear, Field::DayOfMonth] {
                fields.take(used);
            }
            return Ok(Some(days_from_civil(year, month, day)));
        }
        if let Some(day) = fields.get(Field::DayOfYear) {
            within(
                Field::DayOfYear,
                day,
                1,
                if is_leap(year) { 366 } else { 365 },
            )?;
            for used in [Field::Year, Field::DayOfYear] {
                fields.take(used);
            }
            return Ok(Some(days_from_civil(year, 1, day)));
        }
    }
    let of_week = fields
        .get(Field::LocalDayOfWeek)
        .or_else(|| fields.get(Field::DayOfWeek).map(|day| day % 7 + 1));
    if let (Some(year), Some(week), Some(day)) = (
        fields.get(Field::WeekBasedYear),
        fields.get(Field::WeekOfYear),
        of_week,
    ) {
        within(Field::WeekOfYear, week, 1, 53)?;
        within(Field::LocalDayOfWeek, day, 1, 7)?;
        let first = week_start(days_from_civil(year, 1, 1));
        return Ok(Some(first + (week - 1) * 7 + day - 1));
    }
    if let (Some(year), Some(month), Some(week), Some(day)) = (
        fields.get(Field::Year),
        fields.get(Field::MonthOfYear),
        fields.get(Field::WeekOfMonth),
        of_week,
    ) {
        within(Field::MonthOfYear, month, 1, 12)?;
        within(Field::WeekOfMonth, week, 0, 6)?;
        within(Field::LocalDayOfWeek, day, 1, 7)?;
        for used in [Field::Year, Field::MonthOfYear, Field::WeekOfMonth] {
            fields.take(used);
        }
        let first = week_start(days_from_civil(year, month, 1));
        return Ok(Some(first + (week - 1) * 7 + day - 1));
    }
    Ok(None)
}

/// Nanoseconds of the day, and 1 if the text says 24:00.
fn time(fields: &mut Fields) -> Result<Option<(i64, i64)>, String> {
    if let Some(hour) = fields.take(Field::ClockHourOfDay) {
        within(Field::ClockHourOfDay, hour, 0, 24)?;
        derive(fields, Field::HourOfDay, hour % 24)?;
    }
    if let Some(hour) = fields.take(Field::ClockHourOfHalf) {
        within(Field::ClockHourOfHalf, hour, 0, 12)?;
        derive(fields, Field::HourOfHalf, hour % 12)?;
    }
    if let Some(hour) = fields.get(Field::HourOfHalf) {
        let half = fields.get(Field::HalfOfDay).or_else(|| {
            // A named part of the day tells the half of it.
            let minute = fields.get(Field::DayPeriod)?;
            let later = minute >= 720 && !(minute >= 1260 && hour < 6);
            Some(i64::from(later))
        });
        if let Some(half) = half {
            within(Field::HalfOfDay, half, 0, 1)?;
            within(Field::HourOfHalf, hour, 0, 11)?;
            fields.take(Field::HourOfHalf);
            fields.take(Field::HalfOfDay);
            fields.take(Field::DayPeriod);
            derive(fields, Field::HourOfDay, half * 12 + hour)?;
        }
    }
    if let Some(nanos) = fields.take(Field::NanoOfDay) {
        return Ok(Some((
            within(Field::NanoOfDay, nanos, 0, NANOS_PER_DAY - 1)?,
            0,
        )));
    }
    if let Some(millis) = fields.take(Field::MilliOfDay) {
        within(Field::MilliOfDay, millis, 0, 86_399_999)?;
        return Ok(Some((millis * 1_000_000, 0)));
    }
    let minute = fields.get(Field::MinuteOfHour);
    let second = fields.get(Field::SecondOfMinute);
    let nano = fields.get(Field::NanoOfSecond);
    let hour = fields.get(Field::HourOfDay);
    if hour.or(minute).or(second).or(nano).is_none()
        && let Some(minute) = middle(fields)
    {
        return Ok(Some((minute * 60 * NANOS_PER_SECOND, 0)));
    }
    if let Some(hour) = hour {
        let gap = (minute.is_none() && (second.is_some() || nano.is_some()))
            || (second.is_none() && nano.is_some());
        if !gap {
            let end_of_day = hour == 24
                && [minute, second, nano]
                    .iter()
                    .all(|part| part.is_none_or(|v| v == 0));
            let hour = if end_of_day {
                0
            } else {
                within(Field::HourOfDay, hour, 0, 23)?
            };
            let minute = within(Field::MinuteOfHour, minute.unwrap_or(0), 0, 59)?;
            let second = within(Field::SecondOfMinute, second.unwrap_or(0), 0, 59)?;
            let nano = nano.unwrap_or(0);
            for used in [
                Field::HourOfDay,
                Field::MinuteOfHour,
                Field::SecondOfMinute,
                Field::NanoOfSecond,
            ] {
                fields.take(used);
            }
            let nanos = (hour * 3600 + minute * 60 + second) * NANOS_PER_SECOND + nano;
            return Ok(Some((nanos, i64::from(end_of_day))));
        }
    }
    for (field, least, most) in TIME_FIELDS {
        if let Some(value) = fields.get(field) {
            within(field, value, least, most)?;
        }
    }
    Ok(None)
}

/// The middle, in minutes, of the part of the day or half of it that is all that the text says.
fn middle(fields: &mut Fields) -> Option<i64> {
    if let Some(part) = fields.take(Field::DayPeriod) {
        return Some(match part {
            0 | 720 => part,
            360..720 => 9 * 60,
            721..1080 => 15 * 60,
            1080..1260 => 19 * 60 + 30,
            // The night goes on until six.
            _ => 90,
        });
    }
    let half = fields.get(Field::HalfOfDay)?;
    if fields.get(Field::HourOfHalf).is_some() || !(0..=1).contains(&half) {
        return None;
    }
    fields.take(Field::HalfOfDay);
    Some((half * 12 + 6) * 60)
}

/// Fields that are left over must say the same as the date and the time.
fn check_agreement(fields: &Fields, days: Option<i64>, nanos: Option<i64>) -> Result<(), String> {
    let conflict = |field: Field, said: i64, is: i64| {
        Err(format!(
            "Conflict found: {field:?} is {said} in the text but {is} follows from the rest"
        ))
    };
    if let Some(days) = days {
        for field in DATE_FIELDS {
            if let (Some(said), Some(is)) = (fields.get(field), date_field(days, field))
                && said != is
            {
                return conflict(field, said, is);
            }
        }
    }
    if let Some(nanos) = nanos {
        for (field, ..) in TIME_FIELDS {
            if let (Some(said), Some(is)) = (fields.get(field), time_field(nanos, field))
                && said != is
            {
                return conflict(field, said, is);
            }
        }
    }
    Ok(())
}
