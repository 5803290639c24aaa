//! The DELIMITED format: one line of separated values (spec/formats.md §1.8).
//!
//! ```text
//!   payload ──token──► text of each field ──decode──► builders
//!   columns ──encode──► text, quoted where a reader needs it
//! ```
//!
//! Invariant: a row that the encoder writes is read back as the same values, but for an empty
//! text, which reads as null.

mod decode;
mod encode;
mod token;

use weir_types::ValueFormat;

use crate::error::FormatError;

pub(crate) use decode::DelimitedDecoder;
pub(crate) use encode::DelimitedEncoder;

/// The character between two values: one UTF-16 unit that is neither a quote nor a line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(pub(crate) char);

impl Delimiter {
    /// What separates values if nothing else is said.
    pub const DEFAULT: Self = Self(',');

    /// The delimiter of a format.
    pub(crate) fn of(format: &ValueFormat) -> Result<Self, FormatError> {
        match format.format.properties.get("delimiter") {
            Some(text) => Self::parse(text),
            None => Ok(Self::DEFAULT),
        }
    }

    /// Reads the text of `KEY_DELIMITER` or `VALUE_DELIMITER`: one character, `TAB` or `SPACE`.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        match text {
            "TAB" => return Ok(Self('\t')),
            "SPACE" => return Ok(Self(' ')),
            _ => {}
        }
        if text.trim().is_empty() {
            return Err(FormatError::new(
                "The delimiter is empty. For a tab or a space write the word 'TAB' or 'SPACE'; \
                 any other single character stands for itself, as in ';'.",
            ));
        }
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c.len_utf16() == 1 && !matches!(c, '"' | '\r' | '\n') => Ok(Self(c)),
            _ => Err(FormatError::new(format!(
                "The delimiter '{text}' is not valid: give one character that is neither a quote \
                 nor a line break, as in ';', or the word 'TAB' or 'SPACE'."
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn delimiters() {
        for (text, expected) in [
            (",", Some(',')),
            ("TAB", Some('\t')),
            ("SPACE", Some(' ')),
            ("$", Some('$')),
            ("é", Some('é')),
            ("", None),
            (" ", None),
            ("\t", None),
            ("tab", None),
            (";;", None),
            ("\u{1F600}", None),
            ("\"", None),
        ] {
            assert_eq!(
                Delimiter::parse(text).ok().map(|d| d.0),
                expected,
                "{text:?}"
            );
        }
    }
}
