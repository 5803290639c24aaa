//! Functions of text, several of them of bytes too (spec/sql.md §7.1 String, bytes).

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use datafusion::common::Result;
use weir_types::surrogates::{from_units, stand_in, unit_count, units as units_of};

use crate::kernel::{Binaries, Call, Strings, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

use super::text;

/// The longest text that a function makes of shorter ones: more than any record holds, less than
/// would exhaust the memory.
pub(super) const MAX_TEXT: usize = 64 << 20;

/// The error of a text beyond [`MAX_TEXT`].
pub(super) fn too_long<T>() -> Option<T> {
    row_error(|| format!("The result is longer than {MAX_TEXT} bytes"))
}

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

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    of_text!("LCASE", "The text in lower case.", |text, out| out
        .push_str(&text::lower_case(text))),
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
                        let half = (0xD800..0xE000).contains(&code);
                        let c = if half {
                            stand_in(code)
                        } else {
                            char::from_u32(code)
                        };
                        c.map(String::from)
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
                &[Param::variadic("inputs", Type::String, "the parts")],
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
                &[Param::variadic("inputs", Type::Bytes, "the parts")],
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
                call.to_strings(|row| replace(text.get(row)?, old.get(row)?, new.get(row)?))
            },
        )],
    ),
];

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
    let lower = text::lower_case(text);
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

/// The text with its escapes replaced as those of Java source: `\uXXXX`, octal, `\n` and its like;
/// any other backslash is dropped. It must begin with a `\uXXXX`.
fn unescape(text: &str) -> Option<String> {
    if !text.starts_with("\\u") || text.len() < 6 {
        return row_error(|| format!("CHR needs an escape such as \\u0041, but got '{text}'"));
    }
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        units.extend(units_of(plain));
        let (unit, after) = if escape.starts_with('u') {
            let Some(read) = unicode_escape(escape) else {
                return row_error(|| {
                    format!("CHR: '{text}' holds an escape without four hex digits")
                });
            };
            read
        } else if let Some(read) = octal_escape(escape) {
            read
        } else {
            let control = match escape.bytes().next() {
                Some(b'b') => 8,
                Some(b't') => 9,
                Some(b'n') => 10,
                Some(b'f') => 12,
                Some(b'r') => 13,
                Some(c @ (b'\\' | b'"' | b'\'')) => u16::from(c),
                _ => {
                    rest = escape;
                    continue;
                }
            };
            (control, &escape[1..])
        };
        units.push(unit);
        rest = after;
    }
    units.extend(units_of(rest));
    Some(from_units(units))
}

/// The unit of `uXXXX` (with any number of `u`, and a `+` if one likes), and what follows.
fn unicode_escape(escape: &str) -> Option<(u16, &str)> {
    let digits = escape.trim_start_matches('u');
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (hex, after) = digits.split_at_checked(4)?;
    let valid = hex.bytes().all(|b| b.is_ascii_hexdigit());
    let unit = u16::from_str_radix(hex, 16).ok().filter(|_| valid)?;
    Some((unit, after))
}

/// The unit of up to three octal digits, of three only below 400, and what follows.
fn octal_escape(escape: &str) -> Option<(u16, &str)> {
    let octal = |b: &u8| (b'0'..=b'7').contains(b);
    let most = if escape.starts_with(['0', '1', '2', '3']) {
        3
    } else {
        2
    };
    let count = escape.bytes().take(most).take_while(octal).count();
    let (digits, after) = escape.split_at(count);
    Some((u16::from_str_radix(digits, 8).ok()?, after))
}

/// `text` with each `old` replaced. An empty one is found around every UTF-16 unit.
fn replace(text: &str, old: &str, new: &str) -> Option<String> {
    let found = text.len().checked_div(old.len()).unwrap_or(text.len() + 1);
    if found.saturating_mul(new.len()) > MAX_TEXT
        && text.matches(old).count().saturating_mul(new.len()) > MAX_TEXT
    {
        return too_long();
    }
    if !old.is_empty() || text.chars().all(|c| unit_count(c) == 1) {
        return Some(text.replace(old, new));
    }
    let new: Vec<u16> = units_of(new).collect();
    let pieces = units_of(text).flat_map(|unit| std::iter::once(unit).chain(new.iter().copied()));
    Some(from_units(new.iter().copied().chain(pieces)))
}

/// `value` padded or cut to `length` units.
fn pad<U: Copy>(value: &[U], length: i32, padding: &[U], left: bool) -> Option<Vec<U>> {
    let length = usize::try_from(length).ok()?;
    if padding.is_empty() {
        return None;
    }
    if length > MAX_TEXT {
        return too_long();
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
        let units = |text: &str| units_of(text).collect::<Vec<u16>>();
        let padded = pad(&units(text), length, &units(padding), left)?;
        Some(from_units(padded))
    })
}

fn pad_bytes(call: &Call<'_>, left: bool) -> Result<ArrayRef> {
    let (bytes, length, padding) = (call.binaries(0)?, call.ints(1)?, call.binaries(2)?);
    call.to_binaries(|row| pad(bytes.get(row)?, length.get(row)?, padding.get(row)?, left))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn replacing() {
        for (text, old, new, expected) in [
            ("aXbX", "X", "--", Some("a--b--")),
            ("ab", "", "-", Some("-a-b-")),
            ("😀", "", "-", Some("-\u{10F83D}-\u{10FE00}-")),
            ("", "", "-", Some("-")),
        ] {
            assert_eq!(replace(text, old, new).as_deref(), expected, "{text} {old}");
        }
        let long = "x".repeat(1 << 14);
        assert_eq!(replace(&long, "", &long), None);
        assert_eq!(pad(b"", i32::MAX, b"x", true), None);
    }

    #[test]
    fn escapes() {
        for (text, expected) in [
            ("\\u004b", Some("K")),
            ("\\uD83D\\uDE00x", Some("😀x")),
            ("\\u0041\\101\\n\\q\\\\\\47x\\", Some("AA\nq\\'x")),
            ("\\uu+0041", Some("A")),
            ("\\uD83D", Some("\u{10F83D}")),
            ("\\u004", None),
            ("\\u0041\\u1", None),
            ("K", None),
        ] {
            assert_eq!(unescape(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn words() {
        let mut out = String::new();
        init_cap("  the   Quick br0wn-fOx ", &mut out);
        assert_eq!(out, "The   Quick Br0wn-fox ");
    }
}
