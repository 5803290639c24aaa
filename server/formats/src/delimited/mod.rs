//! The DELIMITED format: one line of separated values (spec/formats.md §1.8).

use crate::error::FormatError;

/// The character between two values: one UTF-16 unit that is neither a quote nor a line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(pub(crate) char);

impl Delimiter {
    /// What separates values if nothing else is said.
    pub const DEFAULT: Self = Self(',');

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
