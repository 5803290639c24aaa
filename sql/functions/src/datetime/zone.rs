//! Time zones by Java's ids.
//!
//! ```text
//!   "America/Los_Angeles" ─► region      rules of the time zone database
//!   "+02:00" "Z"          ─► offset      ZoneOffset
//!   "UTC" "GMT+2"         ─► named offset, keeps its own id
//! ```

use std::borrow::Cow;
use std::str::FromStr;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::calendar::{civil_from_days, day_of_week, days_from_civil, is_leap};

const SECONDS_PER_DAY: i64 = 86_400;

/// Offsets beyond 18 hours do not exist.
const MAX_OFFSET: i64 = 18 * 3600;

/// Ids of the time zone database that Java leaves out.
const NOT_IN_JAVA: [&str; 4] = ["EST", "HST", "MST", "ROC"];

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Region(Tz),
    /// Seconds east of Greenwich.
    Offset(i64),
    /// `UTC`, `GMT`, `UT`, with an offset or not.
    Named(String, i64),
}

impl Zone {
    /// GMT, the default of most functions.
    pub fn gmt() -> Self {
        Self(Kind::Named("GMT".to_owned(), 0))
    }

    /// The zone of the server's process: `TZ` if it names one, else UTC.
    pub fn of_server() -> Self {
        std::env::var("TZ")
            .ok()
            .and_then(|id| Self::parse(id.trim_start_matches(':')).ok())
            .unwrap_or_else(|| Self(Kind::Named("UTC".to_owned(), 0)))
    }

    /// A fixed offset in seconds; `None` beyond 18 hours.
    pub(crate) fn offset(seconds: i64) -> Option<Self> {
        (seconds.abs() <= MAX_OFFSET).then_some(Self(Kind::Offset(seconds)))
    }

    /// Reads an id as Java's `ZoneId.of` does: case counts, short ids as `PST` are unknown.
    ///
    /// # Errors
    /// When the id is malformed or no such zone is known; the text says so.
    pub fn parse(id: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "Unknown time zone: '{id}'. Give an id such as 'Europe/Berlin', 'UTC' or '+02:00'."
            )
        };
        if id == "Z" {
            return Ok(Self(Kind::Offset(0)));
        }
        if id.starts_with(['+', '-']) {
            return parse_offset(id).and_then(Self::offset).ok_or_else(unknown);
        }
        for prefix in ["UTC", "GMT", "UT"] {
            if id == prefix {
                return Ok(Self(Kind::Named(id.to_owned(), 0)));
            }
            if let Some(offset) = id.strip_prefix(prefix)
                && offset.starts_with(['+', '-'])
            {
                let seconds = parse_offset(offset)
                    .filter(|s| s.abs() <= MAX_OFFSET)
                    .ok_or_else(unknown)?;
                let mut name = prefix.to_owned();
                if seconds != 0 {
                    push_offset_id(seconds, &mut name);
                }
                return Ok(Self(Kind::Named(name, seconds)));
            }
        }
        match Tz::from_str(id) {
            Ok(tz) if !NOT_IN_JAVA.contains(&id) => Ok(Self(Kind::Region(tz))),
            _ => Err(unknown()),
        }
    }

    /// The id as Java prints it: `Z` for the offset zero.
    pub fn id(&self) -> Cow<'_, str> {
        match &self.0 {
            Kind::Region(tz) => Cow::Borrowed(tz.name()),
            Kind::Offset(seconds) => {
                let mut id = String::new();
                push_offset_id(*seconds, &mut id);
                Cow::Owned(id)
            }
            Kind::Named(name, _) => Cow::Borrowed(name),
        }
    }

    /// Whether the zone is nothing but an offset.
    pub(crate) fn is_offset(&self) -> bool {
        matches!(self.0, Kind::Offset(_))
    }

    /// Seconds east of Greenwich at an instant (seconds since the epoch).
    pub fn offset_at(&self, seconds: i64) -> i64 {
        match &self.0 {
            Kind::Offset(offset) | Kind::Named(_, offset) => *offset,
            Kind::Region(tz) => self.region_offset(*tz, seconds),
        }
    }

    fn region_offset(&self, tz: Tz, seconds: i64) -> i64 {
        instant(seconds).map_or(0, |at| {
            let offset = tz.offset_from_utc_datetime(&at.naive_utc());
            i64::from(offset.fix().local_minus_utc())
        })
    }

    /// Whether daylight saving time holds at an instant.
    pub(crate) fn is_daylight(&self, seconds: i64) -> bool {
        use chrono_tz::OffsetComponents;
        let Kind::Region(tz) = &self.0 else {
            return false;
        };
        let Some(at) = instant(seconds) else {
            return false;
        };
        let offset = tz.offset_from_utc_datetime(&at.naive_utc());
        match offset.dst_offset().num_seconds() {
            0 => {
                // Where the database has a negative winter time, Java has summer time instead.
                let negative = match tz {
                    Tz::Europe__Dublin | Tz::Eire => -37_238_400..i64::MAX,
                    Tz::Africa__Casablanca | Tz::Africa__El_Aaiun => 1_540_692_000..i64::MAX,
                    Tz::Africa__Windhoek => 764_200_800..i64::MAX,
                    _ => return false,
                };
                let base = match tz {
                    Tz::Africa__Windhoek => 3600,
                    _ => 0,
                };
                negative.contains(&seconds)
                    && i64::from(offset.fix().local_minus_utc()) == base + 3600
            }
            saving => saving > 0,
        }
    }

    /// Seconds since the epoch of a local time (seconds since 1970-01-01T00:00 of the clock on
    /// the wall). A time that the clocks skip is moved on by the gap; of a time that comes twice
    /// the first one is taken.
    pub fn local_to_utc(&self, local: i64) -> i64 {
        // The offsets that hold a day before and after; a change lies between them if they differ.
        let before = self.offset_at(local - SECONDS_PER_DAY);
        let after = self.offset_at(local + SECONDS_PER_DAY);
        for offset in [before, after] {
            if self.offset_at(local - offset) == offset {
                return local - offset;
            }
        }
        // Neither holds at that time: it is in the gap, or offsets change twice within two days.
        let middle = self.offset_at(local - before);
        if self.offset_at(local - middle) == middle {
            return local - middle;
        }
        local - before
    }
}

/// An instant within the range of the database's rules; later ones are mapped to a year of the
/// same shape, since its rules end in 2100.
fn instant(seconds: i64) -> Option<DateTime<chrono::Utc>> {
    const LAST_YEAR: i64 = 2090;
    let days = seconds.div_euclid(SECONDS_PER_DAY);
    let (year, ..) = civil_from_days(days);
    let mapped = if year > LAST_YEAR {
        // Same first weekday and length: found among any 28 years in a row without a gap.
        let first = days_from_civil(year, 1, 1);
        let alike = (2040..2068).find(|candidate| {
            is_leap(*candidate) == is_leap(year)
                && day_of_week(days_from_civil(*candidate, 1, 1)) == day_of_week(first)
        })?;
        seconds + (days_from_civil(alike, 1, 1) - first) * SECONDS_PER_DAY
    } else {
        // Before the first rule the local mean time holds, as far back as one likes.
        seconds.max(-62_135_596_800)
    };
    DateTime::from_timestamp(mapped, 0)
}

/// Reads `±h`, `±hh`, `±hh:mm`, `±hhmm`, `±hh:mm:ss`, `±hhmmss`.
fn parse_offset(text: &str) -> Option<i64> {
    let negative = text.starts_with('-');
    let digits = text.get(1..)?;
    if !digits.bytes().all(|b| b.is_ascii_digit() || b == b':') {
        return None;
    }
    let part = |range: std::ops::Range<usize>| -> Option<i64> { digits.get(range)?.parse().ok() };
    let colon = |at: usize| digits.as_bytes().get(at) == Some(&b':');
    let (hours, minutes, seconds) = match digits.len() {
        1 => (part(0..1)?, 0, 0),
        2 => (part(0..2)?, 0, 0),
        4 => (part(0..2)?, part(2..4)?, 0),
        5 if colon(2) => (part(0..2)?, part(3..5)?, 0),
        6 => (part(0..2)?, part(2..4)?, part(4..6)?),
        8 if colon(2) && colon(5) => (part(0..2)?, part(3..5)?, part(6..8)?),
        _ => return None,
    };
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let total = hours * 3600 + minutes * 60 + seconds;
    Some(if negative { -total } else { total })
}

/// `+hh:mm`, with seconds if there are any; `Z` for zero.
fn push_offset_id(seconds: i64, out: &mut String) {
    use std::fmt::Write;
    if seconds == 0 {
        out.push('Z');
        return;
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, minutes, rest) = split_offset(seconds);
    // Writing to a String cannot fail.
    let _ = write!(out, "{sign}{hours:02}:{minutes:02}");
    if rest != 0 {
        let _ = write!(out, ":{rest:02}");
    }
}

/// Hours, minutes and seconds of an offset, without its sign.
pub(crate) fn split_offset(seconds: i64) -> (i64, i64, i64) {
    let seconds = seconds.abs();
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn ids() {
        for (text, id, offset) in [
            ("UTC", Some("UTC"), 0),
            ("Z", Some("Z"), 0),
            ("+9", Some("+09:00"), 32_400),
            ("-0530", Some("-05:30"), -19_800),
            ("+00:00", Some("Z"), 0),
            ("GMT+9", Some("GMT+09:00"), 32_400),
            ("UTC+0", Some("UTC"), 0),
            ("+18:00", Some("+18:00"), 64_800),
            ("+18:01", None, 0),
            ("+1:30", None, 0),
            ("+01:60", None, 0),
            ("Asia/Seoul", Some("Asia/Seoul"), 32_400),
            ("asia/seoul", None, 0),
            ("PST", None, 0),
            ("EST", None, 0),
            ("", None, 0),
            ("Nowhere", None, 0),
        ] {
            let zone = Zone::parse(text);
            assert_eq!(zone.as_ref().ok().map(Zone::id).as_deref(), id, "{text}");
            if let Ok(zone) = zone {
                assert_eq!(zone.offset_at(1_600_000_000), offset, "{text}");
            }
        }
    }

    #[test]
    fn local_times_in_gaps_and_overlaps() {
        let zone = Zone::parse("America/Los_Angeles").unwrap();
        let local = |days: i64, h: i64, m: i64| days * 86_400 + h * 3600 + m * 60;
        let spring = days_from_civil(2021, 3, 14);
        let autumn = days_from_civil(2021, 11, 7);
        for (at, expected) in [
            (local(spring, 1, 59), 1_615_715_940),
            (local(spring, 2, 30), 1_615_717_800),
            (local(spring, 3, 0), 1_615_716_000),
            (local(autumn, 1, 30), 1_636_273_800),
            (local(autumn, 2, 0), 1_636_279_200),
        ] {
            assert_eq!(zone.local_to_utc(at), expected);
        }
    }

    #[test]
    fn rules_go_on_after_the_database_ends() {
        let zone = Zone::parse("Europe/London").unwrap();
        for (date, offset) in [
            ((2500, 7, 1), 3600),
            ((2500, 1, 1), 0),
            ((9999, 7, 1), 3600),
        ] {
            let seconds = days_from_civil(date.0, date.1, date.2) * 86_400;
            assert_eq!(zone.offset_at(seconds), offset, "{date:?}");
        }
    }
}
