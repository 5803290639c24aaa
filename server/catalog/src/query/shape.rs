//! Statements that differ in one literal alone: their common text, and the literal.
//!
//! ```text
//!  SELECT C FROM T WHERE ID = 7; ─► `SELECT C FROM T WHERE ID = ?;` + 7
//! ```
//!
//! Invariant: what this scan understands the parser understands in the same way; where only the
//! parser knows (comments, signs, variables, quoted names), there is no shape.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};
use weir_state::codec::key::{write_i32, write_i64, write_text};
use weir_types::SqlType;
use weir_types::surrogates::write_utf8;

/// A statement without its literal.
pub(super) struct Shape {
    pub(super) text: String,
    pub(super) literal: Literal,
}

/// The only literal of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Number(i64),
}

impl Shape {
    /// Takes the literal out of a statement. `None`: there is none, there are several, or there is
    /// something in it that only the parser understands.
    pub(super) fn of(sql: &str) -> Option<Self> {
        let bytes = sql.as_bytes();
        let mut text = String::with_capacity(sql.len());
        let mut literal = None;
        let mut copied = 0;
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\'' | b'0'..=b'9' => {
                    let (found, end) = if *byte == b'\'' {
                        quoted(sql, at)?
                    } else {
                        number(bytes, at)?
                    };
                    if literal.replace(found).is_some() {
                        return None;
                    }
                    text.push_str(sql.get(copied..at)?);
                    text.push(if *byte == b'\'' { '\'' } else { '?' });
                    (at, copied) = (end, end);
                }
                // A name, with the digits in it.
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    let rest = bytes.get(at..)?;
                    let length = rest
                        .iter()
                        .position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'));
                    at += length.unwrap_or(rest.len());
                }
                b'`' => {
                    let length = bytes.get(at + 1..)?.iter().position(|b| *b == b'`')?;
                    at += length + 2;
                }
                // Comments, signs, variables, quoted names of the other kind, odd characters.
                b'-' | b'/' | b'$' | b'"' | b'@' | b'\\' | b'+' | b'.' | 0x80.. => {
                    // `alias.column` is a name; what follows decides about a number.
                    if *byte != b'.' || bytes.get(at + 1).is_none_or(u8::is_ascii_digit) {
                        return None;
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
        text.push_str(sql.get(copied..)?);
        Some(Self {
            text,
            literal: literal?,
        })
    }
}

/// A text literal that begins at `at`, and where it ends; `''` stands for a quote.
fn quoted(sql: &str, at: usize) -> Option<(Literal, usize)> {
    let mut value = String::new();
    let mut from = at + 1;
    loop {
        let rest = sql.get(from..)?;
        let length = rest.find('\'')?;
        value.push_str(rest.get(..length)?);
        from += length + 1;
        if sql.as_bytes().get(from) != Some(&b'\'') {
            break;
        }
        value.push('\'');
        from += 1;
    }
    // `${name}` inside of a literal is a variable, too.
    (!value.contains('$')).then_some((Literal::Text(value), from))
}

/// A whole number that begins at `at`, and where it ends.
fn number(bytes: &[u8], at: usize) -> Option<(Literal, usize)> {
    let rest = bytes.get(at..)?;
    let length = rest.iter().position(|b| !b.is_ascii_digit());
    let length = length.unwrap_or(rest.len());
    let behind = rest.get(length);
    if behind.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')) {
        return None;
    }
    let digits = std::str::from_utf8(rest.get(..length)?).ok()?;
    Some((Literal::Number(digits.parse().ok()?), at + length))
}

impl Literal {
    /// The key that the literal is in a store whose one key column has this type, appended.
    /// `None`: it is no literal of that type.
    pub(super) fn write_store_key(&self, key_type: &SqlType, out: &mut Vec<u8>) -> Option<()> {
        match (key_type, self) {
            (SqlType::String, Self::Text(text)) => write_text(text, out),
            (SqlType::Integer, Self::Number(number)) => {
                write_i32(i32::try_from(*number).ok()?, out);
            }
            (SqlType::Bigint, Self::Number(number)) => write_i64(*number, out),
            _ => return None,
        }
        Some(())
    }

    /// The record key that the literal is in the KAFKA format (spec/formats.md §1.5), appended.
    pub(super) fn write_kafka_key(&self, key_type: &SqlType, out: &mut Vec<u8>) -> Option<()> {
        match (key_type, self) {
            (SqlType::String, Self::Text(text)) => write_utf8(text, out),
            (SqlType::Integer, Self::Number(number)) => {
                out.extend_from_slice(&i32::try_from(*number).ok()?.to_be_bytes());
            }
            (SqlType::Bigint, Self::Number(number)) => out.extend_from_slice(&number.to_be_bytes()),
            _ => return None,
        }
        Some(())
    }

    /// The literal as a key column of one row.
    pub(super) fn column(&self, key_type: &SqlType) -> Option<ArrayRef> {
        Some(match (key_type, self) {
            (SqlType::String, Self::Text(text)) => Arc::new(StringArray::from(vec![text.as_str()])),
            (SqlType::Integer, Self::Number(number)) => {
                Arc::new(Int32Array::from(vec![i32::try_from(*number).ok()?]))
            }
            (SqlType::Bigint, Self::Number(number)) => Arc::new(Int64Array::from(vec![*number])),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shapes_of_statements() {
        let text = |value: &str| Literal::Text(value.to_owned());
        for (sql, shape, literal) in [
            (
                "SELECT C FROM T WHERE ID = 17;",
                "SELECT C FROM T WHERE ID = ?;",
                Literal::Number(17),
            ),
            (
                "select T1.C, `a 1` from T1 where 'it''s' = K",
                "select T1.C, `a 1` from T1 where ' = K",
                text("it's"),
            ),
            (
                "SELECT * FROM T WHERE K='é'",
                "SELECT * FROM T WHERE K='",
                text("é"),
            ),
        ] {
            let found = Shape::of(sql).unwrap();
            assert_eq!(
                (found.text.as_str(), found.literal),
                (shape, literal),
                "{sql}"
            );
        }
    }

    #[test]
    fn what_only_the_parser_understands_has_no_shape() {
        for sql in [
            "",
            "SELECT * FROM T;",
            "SELECT * FROM T WHERE ID = 1 LIMIT 2;",
            "SELECT * FROM T WHERE ID = -1;",
            "SELECT * FROM T WHERE ID = 1.5;",
            "SELECT * FROM T WHERE ID = 1e3;",
            "SELECT * FROM T WHERE ID = 99999999999999999999;",
            "SELECT * FROM T WHERE ID = .5;",
            "SELECT * FROM T WHERE ID = 1 -- one",
            "SELECT * FROM T /* t */ WHERE ID = 1",
            "SELECT * FROM ${t} WHERE ID = 1",
            "SELECT * FROM T WHERE ID = '${id}'",
            "SELECT * FROM T WHERE ID = 'open",
            "SELECT * FROM `T WHERE ID = 1",
            "SELECT \"C\" FROM T WHERE ID = 1",
        ] {
            assert!(Shape::of(sql).is_none(), "{sql}");
        }
    }
}
