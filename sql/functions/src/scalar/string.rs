//! Functions of text, several of them of bytes too (spec/sql.md §7.1 String, bytes).

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, ListBuilder, MapBuilder, StringBuilder};
use datafusion::common::Result;
use indexmap::IndexMap;

use crate::kernel::{Binaries, Call, Strings, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

use super::text;

const TEXT: Param = Param::new("text", Type::String, "the text");
const BYTES: Param = Param::new("bytes", Type::Bytes, "the bytes");

/// A function of one text that gives a text; `$write` appends it to a buffer.
macro_rules! of_text {
    ($name:literal, $description:literal, $write:expr) => {
        Function::scalar(
            $name,
            Category::String,
            $description,
            &[Variant::new(&[TEXT], Type::String, |call| {
                let text = call.strings(0)?;
                call.write_strings(|row, out| {
                    let write: fn(&str, &mut String) = $write;
                    write(text.get(row)?, out);
                    Some(())
                })
            })],
        )
    };
}

/// LPAD or RPAD.
macro_rules! padding {
    ($name:literal, $description:literal, $left:literal) => {
        Function::scalar(
            $name,
            Category::String,
            $description,
            &[
                Variant::new(
                    &[
                        TEXT,
                        Param::new("length", Type::Integer, LENGTH),
                        Param::new("padding", Type::String, "what to pad with"),
                    ],
                    Type::String,
                    |call| pad_text(call, $left),
                ),
                Variant::new(
                    &[
                        BYTES,
                        Param::new("length", Type::Integer, LENGTH),
                        Param::new("padding", Type::Bytes, "what to pad with"),
                    ],
                    Type::Bytes,
                    |call| pad_bytes(call, $left),
                ),
            ],
        )
    };
}
const LENGTH: &str = "length of the result";
const POSITION: &str = "where to begin, from 1; from the end if negative";

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    of_text!("LCASE", "The text in lower case.", |text, out| out
        .push_str(&text.to_lowercase())),
    of_text!("UCASE", "The text in upper case.", |text, out| out
        .push_str(&text.to_uppercase())),
    of_text!(
        "TRIM",
        "The text without blanks and control characters at both ends.",
        |text, out| {
            out.push_str(text.trim_matches(|c| c <= ' '));
        }
    ),
    of_text!(
        "INITCAP",
        "The text with each word capitalised and the rest in lower case.",
        init_cap
    ),
    Function::scalar(
        "LEN",
        Category::String,
        "The length of a text or of bytes.",
        &[
            Variant::new(&[TEXT], Type::Integer, |call| {
                let text = call.strings(0)?;
                call.to_ints(|row| Some(text::length(text.get(row)?) as i32))
            }),
            Variant::new(&[BYTES], Type::Integer, |call| {
                let bytes = call.binaries(0)?;
                call.to_ints(|row| Some(bytes.get(row)?.len() as i32))
            }),
        ],
    ),
    Function::scalar(
        "CHR",
        Category::String,
        "The character of a code point, or of escapes such as \\u0041.",
        &[
            Variant::new(
                &[Param::new("code", Type::Integer, "the code point")],
                Type::String,
                |call| {
                    let code = call.ints(0)?;
                    call.to_strings(|row| {
                        let code = u32::try_from(code.get(row)?).ok()?;
                        char::from_u32(code).map(String::from)
                    })
                },
            ),
            Variant::new(
                &[Param::new("escapes", Type::String, "the escapes")],
                Type::String,
                |call| {
                    let escapes = call.strings(0)?;
                    call.to_strings(|row| unescape(escapes.get(row)?))
                },
            ),
        ],
    ),
    Function::scalar(
        "CONCAT",
        Category::String,
        "The arguments joined; NULLs are skipped.",
        &[
            Variant::new(
                &[Param::variadic("texts", Type::String, "the parts")],
                Type::String,
                |call| {
                    let parts = all_strings(call, 0)?;
                    call.write_strings(|row, out| {
                        parts
                            .iter()
                            .filter_map(|part| part.get(row))
                            .for_each(|p| out.push_str(p));
                        Some(())
                    })
                },
            ),
            Variant::new(
                &[Param::variadic("bytes", Type::Bytes, "the parts")],
                Type::Bytes,
                |call| {
                    let parts = all_binaries(call, 0)?;
                    call.to_binaries(|row| {
                        let parts: Vec<&[u8]> =
                            parts.iter().filter_map(|part| part.get(row)).collect();
                        Some(parts.concat())
                    })
                },
            ),
        ],
    ),
    Function::scalar(
        "CONCAT_WS",
        Category::String,
        "The arguments joined with a separator; NULLs are skipped.",
        &[
            Variant::new(
                &[
                    Param::new("separator", Type::String, "what stands between"),
                    Param::variadic("texts", Type::String, "the parts"),
                ],
                Type::String,
                |call| {
                    let separator = call.strings(0)?;
                    let parts = all_strings(call, 1)?;
                    call.write_strings(|row, out| {
                        let separator = separator.get(row)?;
                        if parts.is_empty() {
                            return None;
                        }
                        let present = parts.iter().filter_map(|part| part.get(row));
                        for (i, part) in present.enumerate() {
                            if i > 0 {
                                out.push_str(separator);
                            }
                            out.push_str(part);
                        }
                        Some(())
                    })
                },
            ),
            Variant::new(
                &[
                    Param::new("separator", Type::Bytes, "what stands between"),
                    Param::variadic("bytes", Type::Bytes, "the parts"),
                ],
                Type::Bytes,
                |call| {
                    let separator = call.binaries(0)?;
                    let parts = all_binaries(call, 1)?;
                    call.to_binaries(|row| {
                        let separator = separator.get(row)?;
                        let present: Vec<&[u8]> =
                            parts.iter().filter_map(|part| part.get(row)).collect();
                        (!parts.is_empty()).then(|| present.join(separator))
                    })
                },
            ),
        ],
    ),
    Function::scalar(
        "ELT",
        Category::String,
        "The n-th of the texts.",
        &[Variant::new(
            &[
                Param::new("n", Type::Integer, "which, from 1"),
                Param::variadic("texts", Type::String, "the texts"),
            ],
            Type::String,
            |call| {
                let n = call.ints(0)?;
                let texts = all_strings(call, 1)?;
                call.to_strings(|row| {
                    let index = usize::try_from(n.get(row)?).ok()?.checked_sub(1)?;
                    texts.get(index)?.get(row)
                })
            },
        )],
    ),
    Function::scalar(
        "FIELD",
        Category::String,
        "Which of the texts, from 1, equals the first; 0 if none does.",
        &[Variant::new(
            &[
                TEXT,
                Param::variadic("texts", Type::String, "the texts to search"),
            ],
            Type::Integer,
            |call| {
                let wanted = call.strings(0)?;
                let texts = all_strings(call, 1)?;
                call.to_ints(|row| {
                    let found = wanted.get(row).and_then(|wanted| {
                        texts.iter().position(|text| text.get(row) == Some(wanted))
                    });
                    Some(found.map_or(0, |index| index as i32 + 1))
                })
            },
        )],
    ),
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
    padding!("LPAD", "Padded at the left, or cut, to a length.", true),
    padding!("RPAD", "Padded at the right, or cut, to a length.", false),
    Function::scalar(
        "REPLACE",
        Category::String,
        "The text with each occurrence of a part replaced.",
        &[Variant::new(
            &[
                TEXT,
                Param::new("old", Type::String, "the part to replace"),
                Param::new("new", Type::String, "what takes its place"),
            ],
            Type::String,
            |call| {
                let (text, old, new) = (call.strings(0)?, call.strings(1)?, call.strings(2)?);
                call.to_strings(|row| {
                    let (text, old, new) = (text.get(row)?, old.get(row)?, new.get(row)?);
                    Some(text.replace(old, new))
                })
            },
        )],
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
            Variant::new(&[TEXT, START], Type::String, substring),
            Variant::new(&[TEXT, START, COUNT], Type::String, substring),
            Variant::new(&[BYTES, START], Type::Bytes, substring_bytes),
            Variant::new(&[BYTES, START, COUNT], Type::Bytes, substring_bytes),
        ],
    ),
];

const PART: Param = Param::new("part", Type::String, "the text to find");
const FROM: Param = Param::new(
    "position",
    Type::Integer,
    "where to begin, from 1; backwards from the end if negative",
);
const START: Param = Param::new("position", Type::Integer, POSITION);
const COUNT: Param = Param::new("length", Type::Integer, "how much to take");

/// The arguments from `first` on, as texts.
fn all_strings<'a>(call: &'a Call<'_>, first: usize) -> Result<Vec<Strings<'a>>> {
    (first..call.args.len())
        .map(|index| call.strings(index))
        .collect()
}

/// The arguments from `first` on, as bytes.
fn all_binaries<'a>(call: &'a Call<'_>, first: usize) -> Result<Vec<Binaries<'a>>> {
    (first..call.args.len())
        .map(|index| call.binaries(index))
        .collect()
}

/// A column of ARRAY<STRING>; `write` appends a row's items, `None` makes the row NULL.
pub(super) fn string_lists(
    call: &Call<'_>,
    mut write: impl FnMut(usize, &mut ListBuilder<StringBuilder>) -> Option<()>,
) -> Result<ArrayRef> {
    let mut out = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let written = write(row, &mut out);
        out.append(written.is_some());
    }
    Ok(Arc::new(out.finish()))
}

/// Java's white space of `\s`.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

fn init_cap(text: &str, out: &mut String) {
    let lower = text.to_lowercase();
    let mut in_word = false;
    for c in lower.trim_start_matches(is_blank).chars() {
        if is_blank(c) {
            in_word = false;
            out.push(c);
        } else if in_word || c.len_utf16() > 1 {
            in_word = true;
            out.push(c);
        } else {
            in_word = true;
            out.extend(c.to_uppercase());
        }
    }
}

/// The text with each `\uXXXX` replaced; it must begin with one.
fn unescape(text: &str) -> Option<String> {
    if !text.starts_with("\\u") {
        return row_error(|| format!("CHR needs an escape such as \\u0041, but got '{text}'"));
    }
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        units.extend(rest[..at].encode_utf16());
        let digits = rest[at + 1..].trim_start_matches('u');
        let digits = digits.strip_prefix('+').unwrap_or(digits);
        let unit = digits
            .get(..4)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let Some(unit) = unit else {
            return row_error(|| format!("CHR: '{text}' holds an escape without four hex digits"));
        };
        units.push(unit);
        rest = digits.get(4..).unwrap_or_default();
    }
    units.extend(rest.encode_utf16());
    Some(String::from_utf16_lossy(&units))
}

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
        let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
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

/// `value` padded or cut to `length` units.
fn pad<U: Copy>(value: &[U], length: i32, padding: &[U], left: bool) -> Option<Vec<U>> {
    let length = usize::try_from(length).ok()?;
    if padding.is_empty() {
        return None;
    }
    let kept = &value[..value.len().min(length)];
    let fill = padding.iter().copied().cycle().take(length - kept.len());
    Some(if left {
        fill.chain(kept.iter().copied()).collect()
    } else {
        kept.iter().copied().chain(fill).collect()
    })
}

fn pad_text(call: &Call<'_>, left: bool) -> Result<ArrayRef> {
    let (text, length, padding) = (call.strings(0)?, call.ints(1)?, call.strings(2)?);
    call.to_strings(|row| {
        let (text, length, padding) = (text.get(row)?, length.get(row)?, padding.get(row)?);
        if text.is_ascii() && padding.is_ascii() {
            let padded = pad(text.as_bytes(), length, padding.as_bytes(), left)?;
            return String::from_utf8(padded).ok();
        }
        let units = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
        let padded = pad(&units(text), length, &units(padding), left)?;
        Some(String::from_utf16_lossy(&padded))
    })
}

fn pad_bytes(call: &Call<'_>, left: bool) -> Result<ArrayRef> {
    let (bytes, length, padding) = (call.binaries(0)?, call.ints(1)?, call.binaries(2)?);
    call.to_binaries(|row| pad(bytes.get(row)?, length.get(row)?, padding.get(row)?, left))
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
        if c.len_utf16() == 1 {
            part(c.encode_utf8(&mut [0; 4]));
        } else {
            // The halves of a surrogate pair stand alone, and are no characters.
            part("\u{fffd}");
            part("\u{fffd}");
        }
    }
}

fn split_bytes(call: &Call<'_>) -> Result<ArrayRef> {
    let (bytes, delimiter) = (call.binaries(0)?, call.binaries(1)?);
    let mut out = ListBuilder::new(BinaryBuilder::new());
    for row in 0..call.rows {
        let (Some(mut rest), Some(delimiter)) = (bytes.get(row), delimiter.get(row)) else {
            out.append(false);
            continue;
        };
        if delimiter.is_empty() && !rest.is_empty() {
            rest.chunks(1)
                .for_each(|byte| out.values().append_value(byte));
        } else if rest.is_empty() {
            out.values().append_value(rest);
        } else {
            let finder = memchr::memmem::Finder::new(delimiter);
            while let Some(at) = finder.find(rest) {
                out.values().append_value(&rest[..at]);
                rest = &rest[at + delimiter.len()..];
            }
            out.values().append_value(rest);
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
        Some(count) => (start + i64::from(count)).clamp(start, length),
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
            (2, Some(i32::MAX), (1, 6)),
        ] {
            assert_eq!(range(6, position, count), expected, "{position} {count:?}");
        }
    }

    #[test]
    fn padding_repeats_and_cuts() {
        for (length, left, expected) in [
            (5, true, Some("xyabc")),
            (6, false, Some("abcxyx")),
            (2, true, Some("ab")),
            (-1, true, None),
        ] {
            let padded = pad(b"abc", length, b"xy", left);
            assert_eq!(
                padded.as_deref(),
                expected.map(str::as_bytes),
                "{length} {left}"
            );
        }
        assert_eq!(pad(b"abc", 3, b"", true), None);
    }

    #[test]
    fn escapes() {
        for (text, expected) in [
            ("\\u004b", Some("K")),
            ("\\uD83D\\uDE00x", Some("😀x")),
            ("\\u004", None),
            ("K", None),
        ] {
            assert_eq!(unescape(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn words_and_parts() {
        let mut out = String::new();
        init_cap("  the   Quick br0wn-fOx ", &mut out);
        assert_eq!(out, "The   Quick Br0wn-fox ");
        for (text, delimiter, expected) in [
            (",a,,", ",", vec!["", "a", "", ""]),
            ("", ",", vec![""]),
            ("", "", vec![""]),
            ("aé", "", vec!["a", "é"]),
            ("aaa", "aa", vec!["", "a"]),
        ] {
            let mut parts = vec![];
            split_text(text, delimiter, |part| parts.push(part.to_owned()));
            assert_eq!(parts, expected, "{text} by {delimiter}");
        }
    }
}
