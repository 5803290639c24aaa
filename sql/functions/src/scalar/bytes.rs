//! Bytes and their texts: ENCODE, TO_BYTES, FROM_BYTES, numbers from bytes, MD5, UUID
//! (spec/sql.md §7.1 String, bytes).

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use arrow::array::ArrayRef;
use datafusion::common::Result;
use md5::{Digest, Md5};
use std::borrow::Cow;
use std::fmt::Write;
use uuid::Uuid;
use weir_types::surrogates::{may_have_halves, write_utf8};

use crate::convert::base64;
use crate::kernel::{Call, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

const ENCODING: &str = "hex, utf8, ascii or base64";
const BYTES: Param = Param::new("bytes", Type::Bytes, "the bytes");
const ORDER: Param = Param::new(
    "order",
    Type::String,
    "BIG_ENDIAN (default) or LITTLE_ENDIAN",
);

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "ENCODE",
        Category::String,
        "A text of bytes in one encoding, written in another.",
        &[Variant::new(
            &[
                Param::new("text", Type::String, "the text"),
                Param::new("inputEncoding", Type::String, ENCODING),
                Param::new("outputEncoding", Type::String, ENCODING),
            ],
            Type::String,
            |call| {
                let (text, from, to) = (call.strings(0)?, call.strings(1)?, call.strings(2)?);
                call.to_strings(|row| {
                    let (text, from, to) = (text.get(row)?, from.get(row)?, to.get(row)?);
                    let (from, to) = (encoding(from)?, encoding(to)?);
                    if from == to {
                        return row_error(|| "ENCODE: both encodings are the same".to_owned());
                    }
                    let bytes = decode_leniently(text, from)?;
                    Some(write(&bytes, to, false))
                })
            },
        )],
    ),
    Function::scalar(
        "TO_BYTES",
        Category::String,
        "The bytes that a text stands for.",
        &[Variant::new(
            &[
                Param::new("text", Type::String, "the text"),
                Param::new("encoding", Type::String, ENCODING),
            ],
            Type::Bytes,
            |call| {
                let (text, from) = (call.strings(0)?, call.strings(1)?);
                call.to_binaries(|row| {
                    let (text, from) = (text.get(row)?, from.get(row)?);
                    decode_strictly(text, encoding(from)?)
                })
            },
        )],
    ),
    Function::scalar(
        "FROM_BYTES",
        Category::String,
        "A text of bytes.",
        &[Variant::new(
            &[BYTES, Param::new("encoding", Type::String, ENCODING)],
            Type::String,
            |call| {
                let (bytes, to) = (call.binaries(0)?, call.strings(1)?);
                call.to_strings(|row| {
                    let (bytes, to) = (bytes.get(row)?, to.get(row)?);
                    Some(write(bytes, encoding(to)?, true))
                })
            },
        )],
    ),
    Function::scalar(
        "INT_FROM_BYTES",
        Category::String,
        "The INTEGER held in 4 bytes.",
        &[
            Variant::new(&[BYTES], Type::Integer, int_from_bytes),
            Variant::new(&[BYTES, ORDER], Type::Integer, int_from_bytes),
        ],
    ),
    Function::scalar(
        "BIGINT_FROM_BYTES",
        Category::String,
        "The BIGINT held in 8 bytes.",
        &[
            Variant::new(&[BYTES], Type::Bigint, bigint_from_bytes),
            Variant::new(&[BYTES, ORDER], Type::Bigint, bigint_from_bytes),
        ],
    ),
    Function::scalar(
        "DOUBLE_FROM_BYTES",
        Category::String,
        "The DOUBLE held in 8 bytes.",
        &[
            Variant::new(&[BYTES], Type::Double, double_from_bytes),
            Variant::new(&[BYTES, ORDER], Type::Double, double_from_bytes),
        ],
    ),
    Function::scalar(
        "MD5",
        Category::String,
        "The MD5 digest of a text's UTF-8 bytes, in hex.",
        &[Variant::new(
            &[Param::new("text", Type::String, "the text")],
            Type::String,
            |call| {
                let text = call.strings(0)?;
                call.write_strings(|row, out| {
                    write_hex(
                        &Md5::digest(plain_bytes(text.get(row)?, Encoding::Utf8)),
                        false,
                        out,
                    );
                    Some(())
                })
            },
        )],
    ),
    Function::scalar(
        "UUID",
        Category::String,
        "A random UUID, or the UUID held in 16 bytes.",
        &[
            Variant::new(&[], Type::String, |call| {
                call.to_strings(|_| Some(Uuid::new_v4().to_string()))
            }),
            Variant::new(&[BYTES], Type::String, |call| {
                let bytes = call.binaries(0)?;
                call.to_strings(|row| {
                    Some(
                        Uuid::from_slice(bytes.get(row)?)
                            .ok()?
                            .hyphenated()
                            .to_string(),
                    )
                })
            }),
        ],
    )
    .volatile(),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Hex,
    Utf8,
    Ascii,
    Base64,
}

fn encoding(name: &str) -> Option<Encoding> {
    for (known, encoding) in [
        ("hex", Encoding::Hex),
        ("utf8", Encoding::Utf8),
        ("ascii", Encoding::Ascii),
        ("base64", Encoding::Base64),
    ] {
        if name.eq_ignore_ascii_case(known) {
            return Some(encoding);
        }
    }
    row_error(|| format!("Unknown encoding '{name}': supported are {ENCODING}"))
}

/// The bytes of a text as ENCODE reads it.
fn decode_leniently(text: &str, from: Encoding) -> Option<Cow<'_, [u8]>> {
    match from {
        Encoding::Hex => {
            let quoted = text.strip_prefix("X'").or_else(|| text.strip_prefix("x'"));
            let digits = match quoted.and_then(|rest| rest.strip_suffix('\'')) {
                Some(digits) => digits,
                None => text.strip_prefix("0x").unwrap_or(text),
            };
            read_hex(digits).map(Cow::Owned)
        }
        Encoding::Base64 => Some(Cow::Owned(skim_base64(text))),
        Encoding::Utf8 | Encoding::Ascii => Some(plain_bytes(text, from)),
    }
}

/// The bytes of a text as TO_BYTES reads it.
fn decode_strictly(text: &str, from: Encoding) -> Option<Cow<'_, [u8]>> {
    match from {
        Encoding::Hex => read_hex(text).map(Cow::Owned),
        Encoding::Base64 => match base64::decode(text) {
            Ok(bytes) => Some(Cow::Owned(bytes)),
            Err(cause) => row_error(|| format!("'{text}' is no base64 text: {cause}")),
        },
        Encoding::Utf8 | Encoding::Ascii => Some(plain_bytes(text, from)),
    }
}

/// The bytes of a text; what has none in the encoding is `?`.
fn plain_bytes(text: &str, encoding: Encoding) -> Cow<'_, [u8]> {
    if text.is_ascii() || (encoding == Encoding::Utf8 && !may_have_halves(text)) {
        return Cow::Borrowed(text.as_bytes());
    }
    if encoding == Encoding::Utf8 {
        let mut out = Vec::with_capacity(text.len());
        write_utf8(text, &mut out);
        return Cow::Owned(out);
    }
    Cow::Owned(
        text.chars()
            .map(|c| if c.is_ascii() { c as u8 } else { b'?' })
            .collect(),
    )
}

fn read_hex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let pairs = digits.as_bytes().chunks_exact(2);
    let bytes = if pairs.remainder().is_empty() {
        pairs
            .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
            .collect()
    } else {
        None
    };
    match bytes {
        Some(bytes) => Some(bytes),
        None => row_error(|| format!("'{digits}' is no hexadecimal text")),
    }
}

/// Base64 as ENCODE takes it: both alphabets, other characters skipped, up to the first padding.
fn skim_base64(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

/// Bytes as text; what is no character of the encoding is written as U+FFFD.
fn write(bytes: &[u8], to: Encoding, upper: bool) -> String {
    match to {
        Encoding::Hex => {
            let mut out = String::with_capacity(bytes.len() * 2);
            write_hex(bytes, upper, &mut out);
            out
        }
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Encoding::Ascii => bytes
            .iter()
            .map(|byte| {
                if byte.is_ascii() {
                    char::from(*byte)
                } else {
                    '\u{fffd}'
                }
            })
            .collect(),
        Encoding::Base64 => STANDARD.encode(bytes),
    }
}

fn write_hex(bytes: &[u8], upper: bool, out: &mut String) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = if upper {
            write!(out, "{byte:02X}")
        } else {
            write!(out, "{byte:02x}")
        };
    }
}

/// Exactly `N` bytes, in big-endian order.
fn ordered<const N: usize>(bytes: &[u8], order: Option<&str>) -> Option<[u8; N]> {
    let Ok(mut bytes) = <[u8; N]>::try_from(bytes) else {
        let len = bytes.len();
        return row_error(|| format!("{N} bytes are needed for the number, but {len} were given"));
    };
    match order {
        Some(name) if name.eq_ignore_ascii_case("LITTLE_ENDIAN") => bytes.reverse(),
        Some(name) if !name.eq_ignore_ascii_case("BIG_ENDIAN") => {
            return row_error(|| {
                format!("Byte order must be BIG_ENDIAN or LITTLE_ENDIAN, but was '{name}'")
            });
        }
        _ => {}
    }
    Some(bytes)
}

/// The bytes of the row in order, if nothing is NULL.
fn number_bytes<const N: usize>(call: &Call<'_>) -> Result<impl FnMut(usize) -> Option<[u8; N]>> {
    let bytes = call.binaries(0)?;
    let order = if call.has(1) {
        Some(call.strings(1)?)
    } else {
        None
    };
    Ok(move |row| {
        let order = match order {
            Some(order) => Some(order.get(row)?),
            None => None,
        };
        ordered(bytes.get(row)?, order)
    })
}

fn int_from_bytes(call: &Call<'_>) -> Result<ArrayRef> {
    let mut bytes = number_bytes(call)?;
    call.to_ints(|row| bytes(row).map(i32::from_be_bytes))
}

fn bigint_from_bytes(call: &Call<'_>) -> Result<ArrayRef> {
    let mut bytes = number_bytes(call)?;
    call.to_bigints(|row| bytes(row).map(i64::from_be_bytes))
}

fn double_from_bytes(call: &Call<'_>) -> Result<ArrayRef> {
    let mut bytes = number_bytes(call)?;
    call.to_doubles(|row| bytes(row).map(f64::from_be_bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hex_texts() {
        for (text, expected) in [
            ("4142", Some(&b"AB"[..])),
            ("0x4142", Some(b"AB")),
            ("X'4142'", Some(b"AB")),
            ("x''", Some(b"")),
            ("0X41", None),
            ("x'41", None),
            ("414", None),
            ("4é", None),
        ] {
            assert_eq!(
                decode_leniently(text, Encoding::Hex).as_deref(),
                expected,
                "{text}"
            );
        }
        assert_eq!(decode_strictly("0x41", Encoding::Hex), None);
    }

    #[test]
    fn lenient_base64() {
        for (text, expected) in [
            ("YWI=", &b"ab"[..]),
            ("YWI", b"ab"),
            ("Y", b""),
            (" YQ==", b"a"),
            ("8J-YgA==", "\u{1F600}".as_bytes()),
            ("!!", b""),
        ] {
            assert_eq!(skim_base64(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_need_their_bytes_and_an_order() {
        assert_eq!(ordered::<4>(&[0, 0, 0, 1], None), Some([0, 0, 0, 1]));
        assert_eq!(
            ordered::<4>(&[1, 0, 0, 0], Some("little_endian")),
            Some([0, 0, 0, 1])
        );
        assert_eq!(ordered::<4>(&[1], None), None);
        assert_eq!(ordered::<4>(&[0; 4], Some("LE")), None);
    }

    #[test]
    fn texts_of_bytes() {
        assert_eq!(write(&[0xff, 0x41], Encoding::Ascii, false), "\u{fffd}A");
        assert_eq!(write(&[0xed, 0x95], Encoding::Hex, true), "ED95");
        assert_eq!(&*plain_bytes("aé😀", Encoding::Ascii), b"a??");
        assert_eq!(&*plain_bytes("a\u{10F83D}", Encoding::Utf8), b"a?");
    }
}
