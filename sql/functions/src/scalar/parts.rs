//! Parts of texts and bytes: INSTR, SPLIT, SPLIT_TO_MAP, SUBSTRING (spec/sql.md §7.1 String,
//! bytes).

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, ListBuilder, MapBuilder, StringBuilder};
use datafusion::common::Result;
use indexmap::IndexMap;
use weir_types::surrogates::{stand_in, unit_count, units as units_of};

use crate::kernel::Call;
use crate::registry::{Category, Function, Param, Type, Variant};

use super::string::string_lists;
use super::text;

const TEXT: Param = Param::new("text", Type::String, "the text");
const BYTES: Param = Param::new("bytes", Type::Bytes, "the bytes");
const PART: Param = Param::new("part", Type::String, "the text to find");
const FROM: Param = Param::new(
    "position",
    Type::Integer,
    "where to begin, from 1; backwards from the end if negative",
);
const STR: Param = Param::new("str", Type::String, "the text");
const START: Param = Param::new(
    "pos",
    Type::Integer,
    "where to begin, from 1; from the end if negative",
);
const COUNT: Param = Param::new("length", Type::Integer, "how much to take");

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "INSTR",
        Category::String,
        "The position, from 1, of a text in another; 0 if it does not occur.",
        &[
            Variant::new(&[TEXT, PART], Type::Integer, instr),
            Variant::new(&[TEXT, PART, FROM], Type::Integer, instr),
            Variant::new(
                &[
                    TEXT,
                    PART,
                    FROM,
                    Param::new(
                        "occurrence",
                        Type::Integer,
                        "which of the occurrences, from 1",
                    ),
                ],
                Type::Integer,
                instr,
            ),
        ],
    ),
    Function::scalar(
        "SPLIT",
        Category::String,
        "The parts between a delimiter; each character if the delimiter is empty.",
        &[
            Variant::new(
                &[
                    TEXT,
                    Param::new("delimiter", Type::String, "what separates the parts"),
                ],
                Type::Array(&Type::String),
                |call| {
                    let (text, delimiter) = (call.strings(0)?, call.strings(1)?);
                    string_lists(call, |row, out| {
                        split_text(text.get(row)?, delimiter.get(row)?, |part| {
                            out.values().append_value(part);
                        });
                        Some(())
                    })
                },
            ),
            Variant::new(
                &[
                    BYTES,
                    Param::new("delimiter", Type::Bytes, "what separates the parts"),
                ],
                Type::Array(&Type::Bytes),
                split_bytes,
            ),
        ],
    ),
    Function::scalar(
        "SPLIT_TO_MAP",
        Category::String,
        "A map of the entries of a text such as a=1;b=2.",
        &[Variant::new(
            &[
                TEXT,
                Param::new("entryDelimiter", Type::String, "what separates entries"),
                Param::new("kvDelimiter", Type::String, "what separates key and value"),
            ],
            Type::Map(&Type::String, &Type::String),
            split_to_map,
        )],
    ),
    Function::scalar(
        "SUBSTRING",
        Category::String,
        "A part of a text or of bytes.",
        &[
            Variant::new(&[STR, START, COUNT], Type::String, substring),
            Variant::new(&[BYTES, START, COUNT], Type::Bytes, substring_bytes),
            Variant::new(&[BYTES, START], Type::Bytes, substring_bytes),
            Variant::new(&[STR, START], Type::String, substring),
        ],
    ),
];

fn instr(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, part) = (call.strings(0)?, call.strings(1)?);
    let position = if call.has(2) {
        Some(call.ints(2)?)
    } else {
        None
    };
    let occurrence = if call.has(3) {
        Some(call.ints(3)?)
    } else {
        None
    };
    call.to_ints(|row| {
        let (Some(text), Some(part)) = (text.get(row), part.get(row)) else {
            return Some(0);
        };
        let position = match position {
            Some(position) => position.get(row)?,
            None => 1,
        };
        let occurrence = match occurrence {
            Some(occurrence) => occurrence.get(row)?,
            None => 1,
        };
        if text.is_ascii() && part.is_ascii() {
            return Some(find_nth(
                text.as_bytes(),
                part.as_bytes(),
                position,
                occurrence,
            ));
        }
        let units = |text: &str| units_of(text).collect::<Vec<u16>>();
        Some(find_nth(&units(text), &units(part), position, occurrence))
    })
}

/// Position, from 1, of the `occurrence`-th match of `part` from `position` on, backwards in the
/// first part of the text if `position` is negative; 0 if there is none.
fn find_nth<U: PartialEq>(text: &[U], part: &[U], position: i32, occurrence: i32) -> i32 {
    let Ok(occurrence) = usize::try_from(occurrence) else {
        return 0;
    };
    let Some(skipped) = occurrence.checked_sub(1) else {
        return 0;
    };
    let matches = |at: &usize| text.get(*at..).is_some_and(|rest| rest.starts_with(part));
    let found = if position > 0 {
        (position as usize - 1..text.len())
            .filter(matches)
            .nth(skipped)
    } else if position < 0 {
        let end = text.len() as i64 + i64::from(position) + 1;
        let last = end - part.len() as i64;
        if last < 0 {
            None
        } else {
            (0..=last as usize).rev().filter(matches).nth(skipped)
        }
    } else {
        None
    };
    found.map_or(0, |at| at as i32 + 1)
}

/// Calls `part` with each part of `text`.
fn split_text(text: &str, delimiter: &str, mut part: impl FnMut(&str)) {
    if !delimiter.is_empty() || text.is_empty() {
        // An empty text is one empty part, whatever the delimiter.
        let delimiter = if text.is_empty() { "\0" } else { delimiter };
        text.split(delimiter).for_each(part);
        return;
    }
    for c in text.chars() {
        let mut write = |c: char| part(c.encode_utf8(&mut [0; 4]));
        if unit_count(c) == 1 {
            write(c);
        } else {
            // The halves of a surrogate pair stand alone.
            let mut pair = [0; 2];
            let halves = c.encode_utf16(&mut pair).iter();
            halves
                .filter_map(|half| stand_in(u32::from(*half)))
                .for_each(&mut write);
        }
    }
}

/// Where ksqlDB finds `delimiter` (not empty) in `bytes` from `from` on. It compares the first byte
/// rightly, but the rest at its place in `bytes`: position `i` of both, as far as the delimiter
/// reaches. A delimiter of several bytes is so found only where the text repeats it, and, from its
/// own length on, wherever its first byte is.
fn find_delimiter(bytes: &[u8], delimiter: &[u8], from: usize) -> Option<usize> {
    let length = delimiter.len();
    (from..(bytes.len() + 1).saturating_sub(length)).find(|&at| {
        let compared = at.min(length)..length;
        bytes[at] == delimiter[0] && bytes[compared.clone()] == delimiter[compared]
    })
}

fn split_bytes(call: &Call<'_>) -> Result<ArrayRef> {
    let (bytes, delimiter) = (call.binaries(0)?, call.binaries(1)?);
    let mut out = ListBuilder::new(BinaryBuilder::new());
    for row in 0..call.rows {
        let (Some(rest), Some(delimiter)) = (bytes.get(row), delimiter.get(row)) else {
            out.append(false);
            continue;
        };
        if delimiter.is_empty() && !rest.is_empty() {
            rest.chunks(1)
                .for_each(|byte| out.values().append_value(byte));
        } else if rest.is_empty() {
            out.values().append_value(rest);
        } else {
            let mut from = 0;
            while let Some(at) = find_delimiter(rest, delimiter, from) {
                out.values().append_value(&rest[from..at]);
                from = at + delimiter.len();
            }
            out.values().append_value(&rest[from..]);
        }
        out.append(true);
    }
    Ok(Arc::new(out.finish()))
}

fn split_to_map(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, entries, pairs) = (call.strings(0)?, call.strings(1)?, call.strings(2)?);
    let mut out = MapBuilder::new(
        Some(super::map_names()),
        StringBuilder::new(),
        StringBuilder::new(),
    );
    for row in 0..call.rows {
        let map = (|| {
            let (text, entries, pairs) = (text.get(row)?, entries.get(row)?, pairs.get(row)?);
            if entries.is_empty() || pairs.is_empty() || entries == pairs {
                return None;
            }
            let mut map = IndexMap::new();
            for entry in text.split(entries) {
                let mut parts = entry.split(pairs);
                if let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                    map.insert(key, value);
                }
            }
            Some(map)
        })();
        for (key, value) in map.iter().flatten() {
            out.keys().append_value(key);
            out.values().append_value(value);
        }
        out.append(map.is_some())?;
    }
    Ok(Arc::new(out.finish()))
}

/// The range of units that SUBSTRING takes of `length` units.
fn range(length: usize, position: i32, count: Option<i32>) -> (usize, usize) {
    let length = length as i64;
    let position = i64::from(position);
    let start = match position {
        0 => 0,
        1.. => (position - 1).min(length),
        _ => (length + position).max(0),
    };
    let end = match count {
        // Java adds in 32 bits: a count that leads beyond them takes nothing.
        Some(count) => i64::from((start as i32).wrapping_add(count)).clamp(start, length),
        None => length,
    };
    (start as usize, end as usize)
}

fn substring(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, position) = (call.strings(0)?, call.ints(1)?);
    let count = if call.has(2) {
        Some(call.ints(2)?)
    } else {
        None
    };
    call.to_strings(|row| {
        let (text, position) = (text.get(row)?, position.get(row)?);
        let count = match count {
            Some(count) => Some(count.get(row)?),
            None => None,
        };
        let (start, end) = range(text::length(text), position, count);
        Some(text::slice(text, start, end))
    })
}

fn substring_bytes(call: &Call<'_>) -> Result<ArrayRef> {
    let (bytes, position) = (call.binaries(0)?, call.ints(1)?);
    let count = if call.has(2) {
        Some(call.ints(2)?)
    } else {
        None
    };
    call.to_binaries(|row| {
        let (bytes, position) = (bytes.get(row)?, position.get(row)?);
        let count = match count {
            Some(count) => Some(count.get(row)?),
            None => None,
        };
        let (start, end) = range(bytes.len(), position, count);
        bytes.get(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occurrences_forwards_and_backwards() {
        for (text, part, position, occurrence, expected) in [
            ("corporate floor", "or", 1, 1, 2),
            ("corporate floor", "or", 4, 2, 14),
            ("corporate floor", "or", 15, 1, 0),
            ("corporate floor", "or", -1, 1, 14),
            ("corporate floor", "or", -2, 1, 5),
            ("corporate floor", "or", -4, 2, 2),
            ("corporate floor", "or", -14, 1, 0),
            ("corporate floor", "or", i32::MIN, 1, 0),
            ("corporate floor", "or", 0, 1, 0),
            ("corporate floor", "or", 1, 0, 0),
            ("aaaa", "aa", -1, 1, 3),
            ("abc", "", 2, 1, 2),
        ] {
            let found = find_nth(text.as_bytes(), part.as_bytes(), position, occurrence);
            assert_eq!(found, expected, "{text} {part} {position} {occurrence}");
        }
    }

    #[test]
    fn ranges_of_substrings() {
        for (position, count, expected) in [
            (0, Some(1), (0, 1)),
            (3, None, (2, 6)),
            (7, Some(9), (6, 6)),
            (100, Some(1), (6, 6)),
            (-3, Some(1), (3, 4)),
            (-9, None, (0, 6)),
            (2, Some(-1), (1, 1)),
            (1, Some(i32::MAX), (0, 6)),
            (2, Some(i32::MAX), (1, 1)),
        ] {
            assert_eq!(range(6, position, count), expected, "{position} {count:?}");
        }
    }

    #[test]
    fn delimiters_of_bytes() {
        for (bytes, delimiter, from, expected) in [
            (&b"a,b"[..], &b","[..], 0, Some(1)),
            (b"a,b,", b",", 2, Some(3)),
            (b"bc", b"bc", 0, Some(0)),
            (b"abc", b"bc", 0, None),
            // From its own length on, the first byte decides.
            (b"xxbz", b"bc", 0, Some(2)),
            (b"xxb", b"bc", 0, None),
            (b"b", b"bc", 0, None),
        ] {
            assert_eq!(
                find_delimiter(bytes, delimiter, from),
                expected,
                "{bytes:?} {from}"
            );
        }
    }

    #[test]
    fn parts_of_texts() {
        for (text, delimiter, expected) in [
            (",a,,", ",", vec!["", "a", "", ""]),
            ("", ",", vec![""]),
            ("", "", vec![""]),
            ("aé", "", vec!["a", "é"]),
            ("😀", "", vec!["\u{10F83D}", "\u{10FE00}"]),
            ("aaa", "aa", vec!["", "a"]),
        ] {
            let mut parts = vec![];
            split_text(text, delimiter, |part| parts.push(part.to_owned()));
            assert_eq!(parts, expected, "{text} by {delimiter}");
        }
    }
}
