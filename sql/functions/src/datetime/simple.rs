//! The lenient patterns of PARSE_DATE: Java's `SimpleDateFormat` over a calendar that was Julian
//! before 1582-10-15.
//!
//! Fields may overflow (`2021-02-29` is 1 March), text after the match is ignored, missing fields
//! are as of 1970-01-01.

use super::calendar::{civil_from_days, day_of_week, days_from_historic, week_start};
use super::symbols::Style;
use super::symbols::{DAYS, MONTHS, starts_with};
use super::zone::Zone;
use super::zone_names;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// A compiled `SimpleDateFormat` pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleDatePattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(char),
    /// A letter and how often it stands.
    Letter(char, usize),
}

/// What was read; the numbers beside fields of a date say which was read last.
#[derive(Debug, Default)]
struct Read {
    era: Option<i64>,
    year: Option<i64>,
    week_year: Option<i64>,
    month: Option<(i64, usize)>,
    day_of_month: Option<(i64, usize)>,
    day_of_year: Option<(i64, usize)>,
    week_of_year: Option<(i64, usize)>,
    week_of_month: Option<(i64, usize)>,
    week_in_month: Option<(i64, usize)>,
    /// 1 is Sunday.
    day_of_week: Option<(i64, usize)>,
    hour_of_day: Option<i64>,
    hour_of_half: Option<i64>,
    half: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    milli: Option<i64>,
    offset: Option<i64>,
}

impl SimpleDatePattern {
    /// Compiles a pattern such as `dd MMM yyyy`.
    ///
    /// # Errors
    /// When Java would refuse the pattern.
    pub fn compile(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut chars = pattern.chars().peekable();
        let mut quoted = false;
        while let Some(c) = chars.next() {
            if c == '\'' {
                if chars.next_if_eq(&'\'').is_some() {
                    parts.push(Part::Literal('\''));
                } else {
                    quoted = !quoted;
                }
            } else if quoted || !c.is_ascii_alphabetic() {
                parts.push(Part::Literal(c));
            } else if "GyYMLwWDdFEuaHkKhmsSzZX".contains(c) {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                if c == 'X' && count > 3 {
                    return Err("invalid ISO 8601 format: at most three 'X'".to_owned());
                }
                parts.push(Part::Letter(c, count));
            } else {
                return Err(format!("Illegal pattern character '{c}'"));
            }
        }
        if quoted {
            return Err("Unterminated quote".to_owned());
        }
        Ok(Self { parts })
    }

    /// Reads a date: days since the epoch. `today` (days since the epoch) places two-digit years
    /// within 80 years before it and 20 after it.
    ///
    /// # Errors
    /// When the text does not match, or says a time other than midnight.
    pub fn parse(&self, text: &str, today: i64) -> Result<i32, String> {
        let fail = |at: usize| format!("Unparseable date: \"{text}\" at index {at}");
        let mut read = Read::default();
        let mut at = 0;
        let mut century = false;
        for (i, part) in self.parts.iter().enumerate() {
            match part {
                Part::Literal(c) => {
                    if text.get(at..).is_none_or(|rest| !rest.starts_with(*c)) {
                        return Err(fail(at));
                    }
                    at += c.len_utf8();
                }
                Part::Letter(letter, count) => {
                    // A number right before another one takes no more digits than letters.
                    let most = match self.parts.get(i + 1) {
                        Some(Part::Letter('M' | 'L', 3..)) => None,
                        Some(Part::Letter('G' | 'a' | 'E' | 'z' | 'Z' | 'X', _)) => None,
                        Some(Part::Letter(..)) => Some(*count),
                        _ => None,
                    };
                    let (end, two_digits) = read
                        .field(*letter, *count, most, text, at, i, today)
                        .ok_or_else(|| fail(at))?;
                    at = end;
                    century |= two_digits;
                }
            }
        }
        let mut millis = read.millis();
        if century && millis < century_start(today) * MILLIS_PER_DAY {
            read.year = read.year.map(|y| y + 100);
            millis = read.millis();
        }
        if millis % MILLIS_PER_DAY != 0 {
            return Err("Date format contains time field.".to_owned());
        }
        Ok((millis / MILLIS_PER_DAY) as i32)
    }
}

/// 80 years before `today`.
fn century_start(today: i64) -> i64 {
    let (year, month, day) = civil_from_days(today);
    days_from_historic(year - 80, month, day)
}

/// A number at `at`, an optional minus sign included; digits of any script.
fn number(text: &str, at: usize, most: Option<usize>) -> Option<(i64, usize, usize)> {
    let rest = text.get(at..)?;
    let digits = rest.strip_prefix('-');
    let sign = usize::from(digits.is_some());
    let mut value = 0i64;
    let mut count = 0;
    let mut end = at + sign;
    let limit = most.map_or(usize::MAX, |most| most.saturating_sub(sign));
    for c in digits.unwrap_or(rest).chars().take(limit) {
        let Some(digit) = digit_of(c) else { break };
        value = value.saturating_mul(10).saturating_add(digit);
        count += 1;
        end += c.len_utf8();
    }
    if count == 0 {
        return None;
    }
    // Java narrows to 32 bits.
    let value = (if sign > 0 { -value } else { value }) as i32;
    Some((i64::from(value), end, count))
}

/// The value of a decimal digit; full-width and the common Indic and Arabic ones included.
fn digit_of(c: char) -> Option<i64> {
    const ZEROS: [u32; 14] = [
        0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xE50,
        0xFF10,
    ];
    let code = u32::from(c);
    ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))
        .map(|zero| i64::from(code - zero))
}

/// The longest of `names` that `text` begins with, any case: index and length.
fn name(text: &str, names: impl Iterator<Item = &'static str>) -> Option<(i64, usize)> {
    names
        .enumerate()
        .filter(|(_, name)| starts_with(text, name, true))
        .map(|(i, name)| (i as i64, name.len()))
        .max_by_key(|(_, length)| *length)
}

/// A whole name, else its first three letters.
fn name_or_short(text: &str, names: &'static [&'static str]) -> Option<(i64, usize)> {
    name(text, names.iter().copied())
        .or_else(|| name(text, names.iter().map(|n| n.get(..3).unwrap_or(n))))
}

impl Read {
    /// Reads one field; the end of it, and whether it was a two-digit year on the century's edge.
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of one loop, not an interface"
    )]
    fn field(
        &mut self,
        letter: char,
        count: usize,
        most: Option<usize>,
        text: &str,
        at: usize,
        order: usize,
        today: i64,
    ) -> Option<(usize, bool)> {
        let rest = text.get(at..)?;
        // Blanks in front of a number are skipped, but count as some of its digits; names do not
        // follow blanks.
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let most = match most {
            Some(most) => Some(most.checked_sub(blanks)?),
            None => None,
        };
        if rest.len() == blanks {
            return None;
        }
        let named = |found: Option<(i64, usize)>| found.map(|(value, length)| (value, at + length));
        let (value, end) = match letter {
            'G' => named(name(rest, ["BC", "AD"].into_iter()))?,
            'a' => named(name(rest, ["AM", "PM"].into_iter()))?,
            'E' => {
                let (day, end) = named(name_or_short(rest, &DAYS))?;
                ((day + 1) % 7 + 1, end)
            }
            'M' | 'L' if count > 2 => named(name_or_short(rest, &MONTHS))?,
            'z' | 'Z' | 'X' => zone(rest).map(|(offset, length)| (offset, at + length))?,
            _ => {
                let (value, end, digits) = number(text, at + blanks, most)?;
                if matches!(letter, 'y' | 'Y') && count <= 2 && digits == 2 && value >= 0 {
                    let (start, ..) = civil_from_days(century_start(today));
                    let pivot = start.rem_euclid(100);
                    let year = value + start - pivot + if value < pivot { 100 } else { 0 };
                    if letter == 'y' {
                        self.year = Some(year);
                    } else {
                        self.week_year = Some(year);
                    }
                    return Some((end, value == pivot));
                }
                (value, end)
            }
        };
        let stamped = Some((value, order));
        match letter {
            'G' => self.era = Some(value),
            'y' => self.year = Some(value),
            'Y' => self.week_year = Some(value),
            'M' | 'L' if count > 2 => self.month = Some((value + 1, order)),
            'M' | 'L' => self.month = stamped,
            'd' => self.day_of_month = stamped,
            'D' => self.day_of_year = stamped,
            'w' => self.week_of_year = stamped,
            'W' => self.week_of_month = stamped,
            'F' => self.week_in_month = stamped,
            'E' => self.day_of_week = stamped,
            // Recorded: other numbers of a day of the week do not match.
            'u' if !(1..=7).contains(&value) => return None,
            'u' => self.day_of_week = Some((value % 7 + 1, order)),
            'H' => self.hour_of_day = Some(value),
            'k' => self.hour_of_day = Some(if value == 24 { 0 } else { value }),
            'K' => self.hour_of_half = Some(value),
            'h' => self.hour_of_half = Some(if value == 12 { 0 } else { value }),
            'a' => self.half = Some(value),
            'm' => self.minute = Some(value),
            's' => self.second = Some(value),
            'S' => self.milli = Some(value),
            _ => self.offset = Some(value),
        }
        Some((end, false))
    }

    /// Milliseconds since the epoch.
    fn millis(&self) -> i64 {
        let hour = self
            .hour_of_day
            .unwrap_or_else(|| self.half.unwrap_or(0) * 12 + self.hour_of_half.unwrap_or(0));
        let seconds = hour * 3600 + self.minute.unwrap_or(0) * 60 + self.second.unwrap_or(0)
            - self.offset.unwrap_or(0);
        self.days() * MILLIS_PER_DAY + seconds * 1000 + self.milli.unwrap_or(0)
    }

    fn days(&self) -> i64 {
        let of_era = self.year.or(self.week_year).unwrap_or(1970);
        let year = if self.era == Some(0) {
            1 - of_era
        } else {
            of_era
        };
        let month = self.month.map_or(1, |(month, _)| month);
        let weekday = self.day_of_week;
        let first = days_from_historic(year, month, 1);
        let value = |field: Option<(i64, usize)>, default: i64| field.map_or(default, |(v, _)| v);
        // Days after Sunday.
        let after_sunday = value(weekday, 1) - 1;
        match self.day_by() {
            DayBy::WeekOfMonth => {
                week_start(first) + (value(self.week_of_month, 1) - 1) * 7 + after_sunday
            }
            DayBy::WeekdayInMonth => {
                let first_sunday_based = day_of_week(first) % 7;
                let ahead = (after_sunday - first_sunday_based).rem_euclid(7);
                first + ahead + (value(self.week_in_month, 1) - 1) * 7
            }
            DayBy::DayOfYear => days_from_historic(year, 1, value(self.day_of_year, 1)),
            DayBy::WeekOfYear => {
                let start = week_start(days_from_historic(year, 1, 1));
                start + (value(self.week_of_year, 1) - 1) * 7 + after_sunday
            }
            DayBy::DayOfMonth => days_from_historic(year, month, value(self.day_of_month, 1)),
        }
    }

    /// Of competing fields those that were read last count; a week counts with its weekday.
    fn day_by(&self) -> DayBy {
        // 0 is not read at all.
        let stamp = |field: Option<(i64, usize)>| field.map_or(0, |(_, order)| order + 1);
        let weekday = stamp(self.day_of_week);
        let (of_month, in_month) = (stamp(self.week_of_month), stamp(self.week_in_month));
        let of_year = stamp(self.week_of_year);
        let complete = |week: usize| {
            if week.min(weekday) > 0 {
                week.max(weekday)
            } else {
                0
            }
        };
        let (day, day_of_year) = (stamp(self.day_of_month), stamp(self.day_of_year));
        let mut weeks = [complete(of_month), complete(in_month), complete(of_year)];
        let newest = |weeks: [usize; 3]| weeks.into_iter().max().unwrap_or(0);
        let mut best = newest(weeks).max(day).max(day_of_year);
        if best == 0 {
            // A week alone, or a weekday alone.
            weeks = [of_month, in_month.max(weekday), of_year];
            best = newest(weeks);
        }
        let [by_week, by_weekday, _] = weeks;
        if best == day {
            DayBy::DayOfMonth
        } else if best == by_week && of_month >= of_year
            || best == by_weekday && in_month >= of_year
        {
            match by_week == by_weekday {
                true if of_month >= in_month => DayBy::WeekOfMonth,
                false if best == by_week => DayBy::WeekOfMonth,
                _ => DayBy::WeekdayInMonth,
            }
        } else if best == day_of_year {
            DayBy::DayOfYear
        } else {
            DayBy::WeekOfYear
        }
    }
}

/// Which fields say the day within the year.
enum DayBy {
    DayOfMonth,
    WeekOfMonth,
    WeekdayInMonth,
    DayOfYear,
    WeekOfYear,
}

/// A zone at the start of `rest`: offset in seconds and length.
fn zone(rest: &str) -> Option<(i64, usize)> {
    if rest.starts_with(['Z', 'z']) {
        return Some((0, 1));
    }
    let prefix = if starts_with(rest, "GMT", true) { 3 } else { 0 };
    let tail = rest.get(prefix..)?;
    if tail.starts_with(['+', '-']) {
        let length = tail
            .find(|c: char| !(c.is_ascii_digit() || "+-:".contains(c)))
            .unwrap_or(tail.len());
        return (1..=length).rev().find_map(|end| {
            let zone = Zone::parse(tail.get(..end)?).ok()?;
            Some((zone.offset_at(0), prefix + end))
        });
    }
    if prefix > 0 || starts_with(rest, "UTC", true) {
        return Some((0, 3));
    }
    let (zone, length) = zone_names::find(rest, Style::Short, true)
        .or_else(|| zone_names::find(rest, Style::Full, true))?;
    Some((zone.offset_at(0), length))
}
