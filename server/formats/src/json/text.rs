//! JSON strings: escapes out and in, and values of any kind as text.

use weir_types::surrogates::{half_of, stand_in};

use super::Fail;
use super::scan::{RawString, Scanner, deeper};
use crate::numbers::Decimal;

/// Appends the content of a string with its escapes resolved.
#[inline]
pub(crate) fn unescape(string: RawString<'_>, out: &mut String) {
    if string.escaped {
        resolve_escapes(string.raw, out);
    } else {
        out.push_str(string.raw);
    }
}

fn resolve_escapes(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        let mut length = 2;
        match escape.as_bytes().get(1) {
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(b'u') => {
                length = 6;
                let unit = unicode_unit(escape).unwrap_or_default();
                match (unit, escape.get(6..).and_then(unicode_unit)) {
                    (0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
                        length = 12;
                        let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        out.extend(char::from_u32(code));
                    }
                    (0xD800..0xE000, _) => out.extend(stand_in(unit)),
                    _ => out.extend(char::from_u32(unit)),
                }
            }
            Some(other) => out.push(char::from(*other)),
            None => {}
        }
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// The UTF-16 unit of a `\uXXXX` at the start of `text`.
fn unicode_unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Appends `text` as a JSON string with its quotes. Characters beyond U+FFFF become two escapes.
#[inline]
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    if needs_no_escape(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaped(text, true, out);
    }
    out.push(b'"');
}

/// Whether no byte is a quote, a backslash, a control character or begins a character of four
/// bytes.
#[inline]
fn needs_no_escape(bytes: &[u8]) -> bool {
    // No early exit, so that the compiler makes vector instructions of it.
    !bytes.iter().fold(false, |found, b| {
        found | (*b < 0x20) | (*b == b'"') | (*b == b'\\') | (*b >= 0xF0)
    })
}

/// Appends `text` escaped. `wide`: characters beyond U+FFFF as two escapes, else as they are.
fn write_escaped(text: &str, wide: bool, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let unit = |out: &mut Vec<u8>, unit: u16| {
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            out.push(HEX[usize::from(unit >> shift & 0xF)]);
        }
    };
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..='\x1f' => unit(out, c as u16),
            '\u{10000}'.. if half_of(c).is_some() => {
                half_of(c).into_iter().for_each(|half| unit(out, half));
            }
            '\u{10000}'.. if wide => {
                c.encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|u| unit(out, *u));
            }
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Appends a value of any kind as the text that a STRING column takes (spec/formats.md §1.9):
/// scalars as their text, an object as compact JSON, an array as `[a, b]`.
pub(crate) fn value_as_text(
    scanner: &mut Scanner<'_>,
    depth: u32,
    out: &mut String,
) -> Result<(), Fail> {
    match scanner.value_start()? {
        b'"' => unescape(scanner.string()?, out),
        b'-' | b'0'..=b'9' => number_as_text(scanner, out)?,
        b't' => literal(scanner, "true", out)?,
        b'f' => literal(scanner, "false", out)?,
        b'n' => literal(scanner, "null", out)?,
        b'[' => {
            let depth = deeper(depth)?;
            scanner.pos += 1;
            out.push('[');
            if !scanner.empty(b']')? {
                loop {
                    value_as_text(scanner, depth, out)?;
                    if !scanner.another(b']')? {
                        break;
                    }
                    out.push_str(", ");
                }
            }
            out.push(']');
        }
        b'{' => Node::read(scanner, depth)?.write(out),
        _ => return Err(scanner.unexpected()),
    }
    Ok(())
}

fn literal(scanner: &mut Scanner<'_>, word: &str, out: &mut String) -> Result<(), Fail> {
    scanner.literal(word)?;
    out.push_str(word);
    Ok(())
}

fn number_as_text(scanner: &mut Scanner<'_>, out: &mut String) -> Result<(), Fail> {
    let number = scanner.number()?;
    if number.integral {
        out.push_str(if number.text == "-0" {
            "0"
        } else {
            number.text
        });
    } else {
        decimal(number.text)?.write(out);
    }
    Ok(())
}

/// The decimal that a JSON number's text is; its exponent may be too large.
pub(crate) fn decimal(text: &str) -> Result<Decimal<'_>, Fail> {
    Decimal::parse(text)
        .ok_or_else(|| Fail::syntax("the exponent of a number is out of range".to_owned()))
}

/// A small tree. Of two members with one name the last value counts, at the first one's place.
enum Node {
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn read(scanner: &mut Scanner<'_>, depth: u32) -> Result<Self, Fail> {
        let mut text = String::new();
        Ok(match scanner.value_start()? {
            b'"' => {
                let mut content = String::new();
                unescape(scanner.string()?, &mut content);
                write_json_text(&content, &mut text);
                Self::Text(text)
            }
            b'[' => {
                let depth = deeper(depth)?;
                scanner.pos += 1;
                let mut items = Vec::new();
                if !scanner.empty(b']')? {
                    loop {
                        items.push(Self::read(scanner, depth)?);
                        if !scanner.another(b']')? {
                            break;
                        }
                    }
                }
                Self::Array(items)
            }
            b'{' => {
                let depth = deeper(depth)?;
                scanner.pos += 1;
                let mut members: Vec<(String, Node)> = Vec::new();
                if !scanner.empty(b'}')? {
                    loop {
                        scanner.value_start()?;
                        let mut name = String::new();
                        unescape(scanner.string()?, &mut name);
                        scanner.expect(b':')?;
                        let value = Self::read(scanner, depth)?;
                        match members.iter_mut().find(|(n, _)| *n == name) {
                            Some((_, old)) => *old = value,
                            None => members.push((name, value)),
                        }
                        if !scanner.another(b'}')? {
                            break;
                        }
                    }
                }
                Self::Object(members)
            }
            _ => {
                value_as_text(scanner, depth, &mut text)?;
                Self::Text(text)
            }
        })
    }

    /// Appends the value as compact JSON.
    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_json_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Appends `content` as a JSON string; characters beyond U+FFFF stay as they are.
fn write_json_text(content: &str, out: &mut String) {
    let mut bytes = Vec::with_capacity(content.len() + 2);
    bytes.push(b'"');
    write_escaped(content, false, &mut bytes);
    bytes.push(b'"');
    out.push_str(&String::from_utf8_lossy(&bytes));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn text_of(json: &str) -> String {
        let mut out = String::new();
        value_as_text(&mut Scanner::new(json.as_bytes()), 0, &mut out).unwrap();
        out
    }

    #[test]
    fn values_as_text() {
        for (json, expected) in [
            (r#""a\"b""#, "a\"b"),
            ("42.000", "42.000"),
            ("-0", "0"),
            ("1e2", "1E+2"),
            ("12345678901234567890", "12345678901234567890"),
            ("true", "true"),
            (
                r#"[1, "x",null,[2,{"a":1.50}]]"#,
                r#"[1, x, null, [2, {"a":1.50}]]"#,
            ),
            (
                r#"{ "b" : 1, "a":[2, "q\"\u00e9"], "b":{"c":null} }"#,
                r#"{"b":{"c":null},"a":[2,"q\"é"]}"#,
            ),
            (r#"{"a":"😀","b":1e2}"#, r#"{"a":"😀","b":1E+2}"#),
            ("{}", "{}"),
            ("[]", "[]"),
        ] {
            assert_eq!(text_of(json), expected, "{json}");
        }
    }

    #[test]
    fn strings_are_escaped_as_the_reference_does() {
        for (content, expected) in [
            ("q\"q", r#""q\"q""#),
            ("/", r#""/""#),
            ("\u{8}\u{c}\n\r\t", r#""\b\f\n\r\t""#),
            ("\u{1}\u{1f}\u{7f}", "\"\\u0001\\u001F\u{7f}\""),
            ("\u{2028}é\u{ffff}", "\"\u{2028}é\u{ffff}\""),
            ("x\u{1F600}", r#""x\uD83D\uDE00""#),
        ] {
            let mut out = Vec::new();
            write_string(content, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn half_pairs_go_through() {
        for json in [
            r#""\uD83D""#,
            r#""\uDC00x""#,
            r#""\uD83D\uD83D\uDE00""#,
            r#""\uD800A""#,
        ] {
            let mut out = Vec::new();
            write_string(&text_of(json), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), json);
        }
    }

    proptest! {
        #[test]
        fn strings_read_back(content in "\\PC*|[\\x00-\\x7f]*") {
            let mut out = Vec::new();
            write_string(&content, &mut out);
            prop_assert_eq!(text_of(std::str::from_utf8(&out).unwrap()), content);
        }
    }
}
