//! `LIKE` (spec/sql.md §6).

use weir_types::SqlType;

use super::{STRICT, call_of};
use crate::api::ScalarCall;
use crate::kernel::{Call, row_error};
use crate::registry::Udf;

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// This text.
    Text(String),
    /// `_`: one character.
    One,
    /// `%`: any characters.
    Any,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
struct Pattern(Vec<Piece>);

/// Whether a wildcard stands for `c`: not for the ends of lines.
fn is_wild(c: char) -> bool {
    !matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

impl Pattern {
    fn compile(text: &str, escape: Option<char>) -> Result<Self, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let literal = if Some(c) == escape {
                chars.next().ok_or_else(|| {
                    format!("LIKE pattern must not end with the escape character: '{text}'")
                })?
            } else if c == '%' {
                if pieces.last() != Some(&Piece::Any) {
                    pieces.push(Piece::Any);
                }
                continue;
            } else if c == '_' {
                pieces.push(Piece::One);
                continue;
            } else {
                c
            };
            match pieces.last_mut() {
                Some(Piece::Text(known)) => known.push(literal),
                _ => pieces.push(Piece::Text(literal.to_string())),
            }
        }
        Ok(Self(pieces))
    }

    fn matches(&self, text: &str) -> bool {
        // The last `%` met and where its text ends; on a mismatch it takes one character more.
        let mut retry: Option<(usize, &str)> = None;
        let mut rest = text;
        let mut at = 0;
        loop {
            let advanced = match self.0.get(at) {
                None if rest.is_empty() => return true,
                None => None,
                Some(Piece::Any) => {
                    retry = Some((at + 1, rest));
                    Some(rest)
                }
                Some(Piece::One) => {
                    let mut chars = rest.chars();
                    chars.next().filter(|c| is_wild(*c)).map(|_| chars.as_str())
                }
                Some(Piece::Text(literal)) => rest.strip_prefix(literal.as_str()),
            };
            if let Some(next) = advanced {
                rest = next;
                at += 1;
                continue;
            }
            let Some((piece, from)) = retry else {
                return false;
            };
            let mut chars = from.chars();
            match chars.next() {
                Some(c) if is_wild(c) => {
                    rest = chars.as_str();
                    at = piece;
                    retry = Some((piece, rest));
                }
                _ => return false,
            }
        }
    }
}

/// `text LIKE pattern [ESCAPE escape]`; without `escape` no character is one.
pub fn like(escape: Option<char>) -> ScalarCall {
    let body = move |call: &Call<'_>| {
        let (text, pattern) = (call.strings(0)?, call.strings(1)?);
        let null = |what: &'static str| row_error(|| format!("LIKE was given a NULL {what}"));
        // Patterns of this batch; the same one as a rule.
        let mut compiled: Option<(&str, Result<Pattern, String>)> = None;
        call.to_booleans(|row| {
            let text = text.get(row).or_else(|| null("text"))?;
            let pattern = pattern.get(row).or_else(|| null("pattern"))?;
            if compiled.as_ref().is_none_or(|(known, _)| *known != pattern) {
                compiled = Some((pattern, Pattern::compile(pattern, escape)));
            }
            match &compiled {
                Some((_, Ok(pattern))) => Some(pattern.matches(text)),
                Some((_, Err(message))) => row_error(|| message.clone()),
                None => None,
            }
        })
    };
    let udf = Udf::new("LIKE", vec![SqlType::String; 2], SqlType::Boolean, body);
    call_of(
        udf.tagged(escape.map(String::from).unwrap_or_default())
            .with_traits(STRICT),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns() {
        for (text, pattern, escape, expected) in [
            ("abc", "abc", None, true),
            ("abc", "a%", None, true),
            ("abc", "%c", None, true),
            ("abc", "%b%", None, true),
            ("abc", "_b_", None, true),
            ("abc", "", None, false),
            ("", "", None, true),
            ("", "%", None, true),
            ("", "_", None, false),
            ("abcabd", "%ab_", None, true),
            ("aXbXc", "a%X%c", None, true),
            ("mississippi", "%iss%ip%i", None, true),
            ("mississippi", "%iss%ipx%", None, false),
            ("😀", "_", None, true),
            ("line1\nline2", "line1%", None, false),
            ("line1\nline2", "line1\nline2", None, true),
            ("a%c", "a!%c", Some('!'), true),
            ("abc", "a!%c", Some('!'), false),
            ("a!c", "a!!c", Some('!'), true),
            ("a\\c", "a\\c", None, true),
            ("a", "[abc]", None, false),
        ] {
            let compiled = Pattern::compile(pattern, escape).unwrap();
            assert_eq!(compiled.matches(text), expected, "{text:?} {pattern:?}");
        }
        assert!(Pattern::compile("a!", Some('!')).is_err());
    }
}
