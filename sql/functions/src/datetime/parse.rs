//! Reading by a compiled pattern: text to fields.
//!
//! The rules are those of a strict `DateTimeFormatter` that ignores case: each element takes as
//! much as it can, a failing optional section is skipped with all it read, and one field read
//! twice must have one value.

use super::pattern::{Element, FIELDS, Field, Number, NumberKind, OffsetStyle, Part, Sign};
use super::symbols::{Style, starts_with};
use super::zone::Zone;
use super::zone_names;

/// What a text says, before it is put together.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    values: [Option<i64>; FIELDS],
    pub(crate) zone: Option<Zone>,
}

impl Fields {
    fn new() -> Self {
        Self {
            values: [None; FIELDS],
            zone: None,
        }
    }

    pub(crate) fn get(&self, field: Field) -> Option<i64> {
        self.values.get(field as usize).copied().flatten()
    }

    /// Takes a field away, so that it does not count twice.
    pub(crate) fn take(&mut self, field: Field) -> Option<i64> {
        self.values.get_mut(field as usize)?.take()
    }

    /// Sets a field; false if it has another value already.
    pub(crate) fn set(&mut self, field: Field, value: i64) -> bool {
        match self.values.get_mut(field as usize) {
            Some(slot) => *slot.get_or_insert(value) == value,
            None => false,
        }
    }
}

/// Reads all of `text`.
pub(crate) fn parse(elements: &[Element], text: &str) -> Result<Fields, String> {
    let mut fields = Fields::new();
    let end = sequence(elements, text, 0, &mut fields)
        .map_err(|at| format!("Text '{text}' could not be parsed at index {at}"))?;
    if end < text.len() {
        return Err(format!(
            "Text '{text}' could not be parsed, unparsed text found at index {end}"
        ));
    }
    Ok(fields)
}

/// The end of what was read, or where reading failed.
type Read = Result<usize, usize>;

fn sequence(elements: &[Element], text: &str, mut at: usize, fields: &mut Fields) -> Read {
    for element in elements {
        at = read(element, text, at, fields)?;
    }
    Ok(at)
}

fn read(element: &Element, text: &str, at: usize, fields: &mut Fields) -> Read {
    let rest = text.get(at..).unwrap_or_default();
    match element {
        Element::Literal(c) => match rest.chars().next() {
            Some(found) if found == *c || same_letter(found, *c) => Ok(at + found.len_utf8()),
            _ => Err(at),
        },
        Element::Number(number) => read_number(number, rest, at, fields),
        Element::Text(field, named, style) => {
            let (value, length) = named.find(rest, *style, true).ok_or(at)?;
            store(fields, *field, value, at, at + length)
        }
        Element::Offset(style) => read_offset(*style, rest, at, fields),
        Element::LocalizedOffset(style) => read_localized_offset(*style, rest, at, fields),
        Element::ZoneId => read_zone_id(rest, at, fields),
        Element::ZoneName { style, .. } => {
            let by_name = zone_names::find(rest, *style, true);
            let mut by_id = fields.clone();
            let id_end = read_zone_id(rest, at, &mut by_id);
            match (by_name, id_end) {
                (Some((zone, length)), end)
                    if end.is_err() || end.is_ok_and(|e| e <= at + length) =>
                {
                    // GMT and UTC are ids of their own.
                    if end == Ok(at + length) {
                        *fields = by_id;
                    } else {
                        fields.zone = Some(zone);
                    }
                    Ok(at + length)
                }
                (_, Ok(end)) => {
                    *fields = by_id;
                    Ok(end)
                }
                (_, Err(_)) => Err(at),
            }
        }
        Element::Pad(width, inner) => {
            let end = rest
                .char_indices()
                .nth(*width)
                .map_or(rest.len(), |(i, _)| i);
            let window = rest.get(..end).unwrap_or_default();
            if window.chars().count() < *width {
                return Err(at);
            }
            let blanks = window.len() - window.trim_start_matches(' ').len();
            let whole = text.get(..at + end).unwrap_or_default();
            match read(inner, whole, at + blanks, fields)? {
                read if read == at + end => Ok(read),
                _ => Err(at + blanks),
            }
        }
        Element::Optional(section) => {
            let before = fields.clone();
            match sequence(section, text, at, fields) {
                Ok(end) => Ok(end),
                Err(_) => {
                    *fields = before;
                    Ok(at)
                }
            }
        }
    }
}

fn same_letter(a: char, b: char) -> bool {
    a.to_uppercase().eq(b.to_uppercase()) || a.to_lowercase().eq(b.to_lowercase())
}

fn store(fields: &mut Fields, field: Field, value: i64, start: usize, end: usize) -> Read {
    if fields.set(field, value) {
        Ok(end)
    } else {
        Err(start)
    }
}

fn read_number(number: &Number, rest: &str, at: usize, fields: &mut Fields) -> Read {
    let bytes = rest.as_bytes();
    let fixed = number.min == number.max;
    let (negative, positive) = match bytes.first() {
        Some(b'-') => (true, false),
        Some(b'+') => (false, true),
        Some(_) => (false, false),
        None => return Err(at),
    };
    let sign_fits = match number.sign {
        Sign::Normal => !positive,
        Sign::ExceedsPad => true,
        Sign::NotNegative => false,
    };
    if (negative || positive) && !sign_fits {
        return Err(at);
    }
    let start = usize::from(negative || positive);
    let available = bytes
        .get(start..)
        .unwrap_or_default()
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    if available < number.min {
        return Err(at);
    }
    // What follows without a separator needs its own digits.
    let read = available.min(number.max + number.reserved);
    let count = if number.reserved > 0 {
        read.min(number.min.max(read.saturating_sub(number.reserved)))
    } else {
        read
    };
    let end = start + count;
    let digits = rest.get(start..end).unwrap_or_default();
    let magnitude: i64 = digits.parse().map_err(|_| at)?;
    match number.sign {
        _ if negative && magnitude == 0 => return Err(at),
        Sign::ExceedsPad if positive && count <= number.min => return Err(at),
        Sign::ExceedsPad if !positive && !negative && count > number.min => return Err(at),
        _ => {}
    }
    let value = match number.kind {
        NumberKind::Plain if negative => -magnitude,
        NumberKind::Plain => magnitude,
        NumberKind::TwoDigitYear if fixed => 2000 + magnitude,
        NumberKind::TwoDigitYear => magnitude,
        NumberKind::Fraction => (count..9).fold(magnitude, |value, _| value * 10),
    };
    store(fields, number.field, value, at, at + end)
}

/// Two digits up to 59 (hours: up to 99, checked later).
fn two_digits(rest: &str, at: usize, most: i64) -> Option<i64> {
    let digits = rest.get(at..at + 2)?;
    let value: i64 = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())??;
    (value <= most).then_some(value)
}

fn read_offset(style: OffsetStyle, rest: &str, at: usize, fields: &mut Fields) -> Read {
    if starts_with(rest, style.zero, true) {
        return store(fields, Field::OffsetSeconds, 0, at, at + style.zero.len());
    }
    let negative = match rest.as_bytes().first() {
        Some(b'-') => true,
        Some(b'+') => false,
        _ => return Err(at),
    };
    let mut end = 1;
    let mut total = two_digits(rest, end, 23).ok_or(at)? * 3600;
    end += 2;
    for (part, unit) in [(style.minutes, 60), (style.seconds, 1)] {
        if part == Part::Never {
            break;
        }
        let digits = if style.colon {
            if rest.get(end..=end) == Some(":") {
                end + 1
            } else {
                usize::MAX
            }
        } else {
            end
        };
        let value = (digits != usize::MAX)
            .then(|| two_digits(rest, digits, 59))
            .flatten();
        match value {
            Some(value) => {
                total += value * unit;
                end = digits + 2;
            }
            None if part == Part::Always => return Err(at),
            None => break,
        }
    }
    let offset = if negative { -total } else { total };
    store(fields, Field::OffsetSeconds, offset, at, at + end)
}

fn read_localized_offset(style: Style, rest: &str, at: usize, fields: &mut Fields) -> Read {
    if !starts_with(rest, "GMT", true) {
        return Err(at);
    }
    let mut end = 3;
    let negative = match rest.as_bytes().get(end) {
        Some(b'-') => true,
        Some(b'+') => false,
        _ => return store(fields, Field::OffsetSeconds, 0, at, at + end),
    };
    end += 1;
    let hours = if style == Style::Full {
        two_digits(rest, end, 23).ok_or(at)?
    } else {
        match two_digits(rest, end, 23) {
            Some(hours) => hours,
            None => {
                let digit = rest
                    .as_bytes()
                    .get(end)
                    .filter(|b| b.is_ascii_digit())
                    .ok_or(at)?;
                end -= 1;
                i64::from(digit - b'0')
            }
        }
    };
    end += 2;
    let mut total = hours * 3600;
    for unit in [60, 1] {
        match (rest.as_bytes().get(end), two_digits(rest, end + 1, 59)) {
            (Some(b':'), Some(value)) => {
                total += value * unit;
                end += 3;
            }
            _ if style == Style::Full && unit == 60 => return Err(at),
            _ => break,
        }
    }
    let offset = if negative { -total } else { total };
    store(fields, Field::OffsetSeconds, offset, at, at + end)
}

/// Reads the longest zone id at the start of `rest`.
fn read_zone_id(rest: &str, at: usize, fields: &mut Fields) -> Read {
    let length = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || "/_+-:.~".contains(c)))
        .unwrap_or(rest.len());
    for end in (1..=length).rev() {
        let id = rest.get(..end).unwrap_or_default();
        let zone = Zone::parse(id).ok().or_else(|| region_of_any_case(id));
        if let Some(zone) = zone {
            fields.zone = Some(zone);
            return Ok(at + end);
        }
    }
    Err(at)
}

fn region_of_any_case(id: &str) -> Option<Zone> {
    if id.eq_ignore_ascii_case("z") {
        return Zone::parse("Z").ok();
    }
    if ["utc", "gmt", "ut"]
        .iter()
        .any(|name| id.eq_ignore_ascii_case(name))
    {
        return Zone::parse(&id.to_ascii_uppercase()).ok();
    }
    chrono_tz::TZ_VARIANTS
        .iter()
        .find(|tz| tz.name().eq_ignore_ascii_case(id))
        .and_then(|tz| Zone::parse(tz.name()).ok())
}
