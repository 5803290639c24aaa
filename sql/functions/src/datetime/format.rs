//! Printing by a compiled pattern.

use super::calendar::{civil_from_days, day_of_week, day_of_year, week_of_month, week_of_year};
use super::pattern::{Element, Field, Number, NumberKind, OffsetStyle, Part, Sign};
use super::symbols::Style;
use super::zone::{Zone, split_offset};
use super::zone_names;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// What there is to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    /// Days since the epoch, local.
    pub(crate) days: Option<i64>,
    /// Nanoseconds of the local day.
    pub(crate) nanos: Option<i64>,
    /// Zone, offset from Greenwich in seconds, and seconds since the epoch.
    pub(crate) zone: Option<(&'a Zone, i64, i64)>,
}

impl Moment<'_> {
    /// The value of a field, or why there is none.
    pub(crate) fn field(&self, field: Field) -> Result<i64, String> {
        let missing = || format!("The pattern asks for {field:?}, which the value does not have");
        if field == Field::OffsetSeconds {
            return self.zone.map(|(_, offset, _)| offset).ok_or_else(missing);
        }
        if let Some(value) = self.nanos.and_then(|nanos| time_field(nanos, field)) {
            return Ok(value);
        }
        self.days
            .and_then(|days| date_field(days, field))
            .ok_or_else(missing)
    }
}

/// A field of a time of day in nanoseconds.
pub(crate) fn time_field(nanos: i64, field: Field) -> Option<i64> {
    let second = nanos / NANOS_PER_SECOND;
    let hour = second / 3600;
    Some(match field {
        Field::NanoOfSecond => nanos % NANOS_PER_SECOND,
        Field::NanoOfDay => nanos,
        Field::MilliOfDay => nanos / 1_000_000,
        Field::SecondOfMinute => second % 60,
        Field::MinuteOfHour => second / 60 % 60,
        Field::HourOfHalf => hour % 12,
        Field::ClockHourOfHalf => (hour + 11) % 12 + 1,
        Field::HourOfDay => hour,
        Field::ClockHourOfDay => (hour + 23) % 24 + 1,
        Field::HalfOfDay => hour / 12,
        Field::DayPeriod => second / 60,
        _ => return None,
    })
}

/// A field of a day since the epoch.
pub(crate) fn date_field(days: i64, field: Field) -> Option<i64> {
    let (year, month, day) = civil_from_days(days);
    Some(match field {
        Field::DayOfWeek => day_of_week(days),
        Field::LocalDayOfWeek => day_of_week(days) % 7 + 1,
        Field::AlignedDayOfWeek => (day - 1) % 7 + 1,
        Field::DayOfMonth => day,
        Field::DayOfYear => day_of_year(days),
        Field::ModifiedJulianDay => days + 40_587,
        Field::WeekOfMonth => week_of_month(days),
        Field::WeekOfYear => week_of_year(days).1,
        Field::WeekBasedYear => week_of_year(days).0,
        Field::MonthOfYear => month,
        Field::QuarterOfYear => (month + 2) / 3,
        Field::YearOfEra => {
            if year > 0 {
                year
            } else {
                1 - year
            }
        }
        Field::Year => year,
        Field::Era => i64::from(year > 0),
        _ => return None,
    })
}

/// Appends `moment` as the elements say.
pub(crate) fn format(
    elements: &[Element],
    moment: &Moment<'_>,
    out: &mut String,
) -> Result<(), String> {
    elements
        .iter()
        .try_for_each(|element| print(element, moment, out))
}

fn print(element: &Element, moment: &Moment<'_>, out: &mut String) -> Result<(), String> {
    let no_zone = || "The pattern asks for a zone, which the value does not have".to_owned();
    match element {
        Element::Literal(c) => out.push(*c),
        Element::Number(number) => print_number(number, moment.field(number.field)?, out)?,
        Element::Text(field, named, style) => {
            let value = moment.field(*field)?;
            match named.name(value, *style) {
                Some(name) => out.push_str(name),
                None => out.push_str(&value.to_string()),
            }
        }
        Element::Offset(style) => print_offset(*style, moment.field(Field::OffsetSeconds)?, out),
        Element::LocalizedOffset(style) => {
            print_localized_offset(*style, moment.field(Field::OffsetSeconds)?, out);
        }
        Element::ZoneId => out.push_str(&moment.zone.ok_or_else(no_zone)?.0.id()),
        Element::ZoneName { style, generic } => {
            let (zone, _, at) = moment.zone.ok_or_else(no_zone)?;
            zone_names::write_name(zone, (!generic).then_some(at), *style, out);
        }
        Element::Pad(width, inner) => {
            let start = out.len();
            print(inner, moment, out)?;
            let length = out.get(start..).map_or(0, |text| text.chars().count());
            if length > *width {
                return Err(format!(
                    "The value is wider than the {width} characters to pad to"
                ));
            }
            out.insert_str(start, &" ".repeat(width - length));
        }
        Element::Optional(section) => {
            let start = out.len();
            if format(section, moment, out).is_err() {
                out.truncate(start);
            }
        }
    }
    Ok(())
}

fn print_number(number: &Number, value: i64, out: &mut String) -> Result<(), String> {
    match number.kind {
        NumberKind::Fraction => {
            let digits = format!("{value:09}");
            out.push_str(digits.get(..number.max).unwrap_or(&digits));
            return Ok(());
        }
        NumberKind::TwoDigitYear => {
            out.push_str(&format!("{:02}", value.unsigned_abs() % 100));
            return Ok(());
        }
        NumberKind::Plain => {}
    }
    let digits = value.unsigned_abs().to_string();
    if digits.len() > number.max {
        return Err(format!(
            "{value} has more than the {} digits of the pattern",
            number.max
        ));
    }
    match (number.sign, value < 0) {
        (Sign::NotNegative, true) => {
            return Err(format!(
                "{value} is negative, which the pattern does not allow"
            ));
        }
        (_, true) => out.push('-'),
        (Sign::ExceedsPad, false) if digits.len() > number.min => out.push('+'),
        _ => {}
    }
    (digits.len()..number.min).for_each(|_| out.push('0'));
    out.push_str(&digits);
    Ok(())
}

fn print_offset(style: OffsetStyle, offset: i64, out: &mut String) {
    let (hours, minutes, seconds) = split_offset(offset);
    let start = out.len();
    out.push(if offset < 0 { '-' } else { '+' });
    out.push_str(&format!("{hours:02}"));
    let mut shown = hours;
    let colon = if style.colon { ":" } else { "" };
    if style.minutes == Part::Always || minutes > 0 {
        out.push_str(&format!("{colon}{minutes:02}"));
        shown += minutes;
        if style.seconds == Part::IfNotZero && seconds > 0 {
            out.push_str(&format!("{colon}{seconds:02}"));
            shown += seconds;
        }
    }
    if shown == 0 {
        out.truncate(start);
        out.push_str(style.zero);
    }
}

fn print_localized_offset(style: Style, offset: i64, out: &mut String) {
    out.push_str("GMT");
    if offset == 0 {
        return;
    }
    let (hours, minutes, seconds) = split_offset(offset);
    out.push(if offset < 0 { '-' } else { '+' });
    if style == Style::Full {
        out.push_str(&format!("{hours:02}:{minutes:02}"));
    } else {
        out.push_str(&hours.to_string());
        if minutes != 0 || seconds != 0 {
            out.push_str(&format!(":{minutes:02}"));
        }
    }
    if seconds != 0 {
        out.push_str(&format!(":{seconds:02}"));
    }
}
