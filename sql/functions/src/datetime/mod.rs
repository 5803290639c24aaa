//! Java's date and time patterns: printing and reading dates, times and timestamps.
//!
//! ```text
//!  pattern ──compile──► elements ──┬─ format ◄── date, time, zone
//!                                  └─ parse ──► fields ──resolve──► date, time, zone
//!  SimpleDatePattern               the older, lenient patterns of PARSE_DATE
//! ```
//!
//! Names are those of en_US, zone rules those of the time zone database. Errors are texts for the
//! log: the row becomes NULL. Invariant: nothing here knows the clock but the century of two-digit
//! years in [`SimpleDatePattern`].

mod calendar;
mod format;
mod parse;
mod pattern;
mod resolve;
mod simple;
mod symbols;
#[cfg(test)]
mod tests;
mod zone;
mod zone_names;

pub use simple::SimpleDatePattern;
pub use zone::Zone;

use calendar::days_from_civil;
use format::Moment;
use pattern::{Element, Field};
use resolve::Resolved;

const NANOS_PER_MILLI: i64 = 1_000_000;
const MILLIS_PER_DAY: i64 = 86_400_000;

/// A compiled `DateTimeFormatter` pattern that ignores case in reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JavaPattern {
    elements: Vec<Element>,
}

impl JavaPattern {
    /// Compiles a pattern such as `yyyy-MM-dd'T'HH:mm:ssX`.
    ///
    /// # Errors
    /// When Java would refuse the pattern; the text says why.
    pub fn compile(pattern: &str) -> Result<Self, String> {
        Ok(Self {
            elements: pattern::compile(pattern)?,
        })
    }

    /// Appends a timestamp (milliseconds since the epoch) as the clocks of `zone` show it.
    ///
    /// # Errors
    /// When the pattern asks for what cannot be printed; `out` may then hold a part.
    pub fn format_timestamp(
        &self,
        millis: i64,
        zone: &Zone,
        out: &mut String,
    ) -> Result<(), String> {
        let seconds = millis.div_euclid(1000);
        let offset = zone.offset_at(seconds);
        let local = seconds + offset;
        let moment = Moment {
            days: Some(local.div_euclid(86_400)),
            nanos: Some(
                (local.rem_euclid(86_400) * 1000 + millis.rem_euclid(1000)) * NANOS_PER_MILLI,
            ),
            zone: Some((zone, offset, seconds)),
        };
        format::format(&self.elements, &moment, out)
    }

    /// Appends a date (days since the epoch).
    ///
    /// # Errors
    /// When the pattern asks for a time or zone.
    pub fn format_date(&self, days: i32, out: &mut String) -> Result<(), String> {
        let moment = Moment {
            days: Some(i64::from(days)),
            nanos: None,
            zone: None,
        };
        format::format(&self.elements, &moment, out)
    }

    /// Appends a time (milliseconds of the day).
    ///
    /// # Errors
    /// When the pattern asks for a date or zone, or the time is not within a day.
    pub fn format_time(&self, millis: i32, out: &mut String) -> Result<(), String> {
        let millis = i64::from(millis);
        if !(0..MILLIS_PER_DAY).contains(&millis) {
            return Err(format!("{millis} milliseconds are not within a day"));
        }
        let moment = Moment {
            days: None,
            nanos: Some(millis * NANOS_PER_MILLI),
            zone: None,
        };
        format::format(&self.elements, &moment, out)
    }

    fn resolve(&self, text: &str) -> Result<Resolved, String> {
        resolve::resolve(parse::parse(&self.elements, text)?)
    }

    /// Reads a timestamp: milliseconds since the epoch. A zone in the text counts before `zone`;
    /// what the text does not say is as of 1970-01-01T00:00.
    ///
    /// # Errors
    /// When the text does not match or names no existing moment.
    pub fn parse_timestamp(&self, text: &str, zone: &Zone) -> Result<i64, String> {
        let resolved = self.resolve(text)?;
        let rest = |field: Field, default: i64| resolved.rest.get(field).unwrap_or(default);
        let days = match resolved.days {
            Some(days) => days,
            None => default_date(&resolved)
                .ok_or_else(|| format!("Text '{text}' names a day that 1970 does not have"))?,
        };
        let nanos = resolved.nanos.unwrap_or_else(|| {
            let hour =
                rest(Field::HourOfDay, rest(Field::HalfOfDay, 0) * 12) + rest(Field::HourOfHalf, 0);
            let second =
                hour * 3600 + rest(Field::MinuteOfHour, 0) * 60 + rest(Field::SecondOfMinute, 0);
            second * 1_000_000_000 + rest(Field::NanoOfSecond, 0)
        });
        let zone = resolved.zone.as_ref().unwrap_or(zone);
        let local = days
            .checked_mul(86_400)
            .and_then(|seconds| seconds.checked_add(nanos / 1_000_000_000));
        local
            .map(|local| zone.local_to_utc(local))
            .and_then(|utc| utc.checked_mul(1000))
            .and_then(|millis| millis.checked_add(nanos % 1_000_000_000 / NANOS_PER_MILLI))
            .ok_or_else(|| format!("Text '{text}' lies beyond the range of a TIMESTAMP"))
    }

    /// Reads a time: milliseconds of the day.
    ///
    /// # Errors
    /// When the text does not match, says no time, or says a date as well.
    pub fn parse_time(&self, text: &str) -> Result<i32, String> {
        let resolved = self.resolve(text)?;
        if resolved.has_date() {
            return Err("Time format contains date field.".to_owned());
        }
        match resolved.nanos {
            Some(nanos) => Ok((nanos / NANOS_PER_MILLI) as i32),
            None => Err(format!("Text '{text}' does not say a time of day")),
        }
    }

    /// Reads a date: days since the epoch.
    ///
    /// # Errors
    /// When the text does not match or says no whole date.
    pub fn parse_date(&self, text: &str) -> Result<i64, String> {
        self.resolve(text)?
            .days
            .ok_or_else(|| format!("Text '{text}' does not say a date"))
    }
}

/// A date of which only parts are known, the others as of 1970-01-01.
fn default_date(resolved: &Resolved) -> Option<i64> {
    let field = |field: Field, default: i64| resolved.rest.get(field).unwrap_or(default);
    let year = field(Field::Year, 1970);
    if let Some(day) = resolved.rest.get(Field::DayOfYear) {
        let length = if calendar::is_leap(year) { 366 } else { 365 };
        return (1..=length)
            .contains(&day)
            .then(|| days_from_civil(year, 1, day));
    }
    let (month, day) = (field(Field::MonthOfYear, 1), field(Field::DayOfMonth, 1));
    let fits =
        (1..=12).contains(&month) && (1..=calendar::month_length(year, month)).contains(&day);
    fits.then(|| days_from_civil(year, month, day))
}
