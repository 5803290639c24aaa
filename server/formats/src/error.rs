//! What can go wrong between bytes and columns.

use std::fmt;

use weir_types::{ErrorCode, SqlError};

/// A record that cannot be read. The record is skipped and logged (spec/formats.md §1.4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// What failed, with the path of the value (`$.FIELD[3]`).
    pub message: String,
    /// What led to it, outermost first; the last one is the root cause.
    pub causes: Vec<String>,
}

impl DecodeError {
    /// An error without causes.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: Vec::new(),
        }
    }

    /// An error whose root cause is `cause`.
    pub fn caused_by(message: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: vec![cause.into()],
        }
    }
}

/// A row that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EncodeError {
    /// What failed, with the column.
    pub message: String,
}

/// A format that cannot hold a schema, or a property that it cannot take. The text is what the
/// user is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FormatError {
    /// What is wrong and, where there is one, the remedy.
    pub message: String,
}

impl FormatError {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

impl From<FormatError> for SqlError {
    fn from(error: FormatError) -> Self {
        SqlError::new(ErrorCode::BadStatement, error.message)
    }
}
/// Text of a value in a message: at most 64 characters of it.
pub(crate) struct Excerpt<'a>(pub(crate) &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(64) {
            Some((end, _)) => write!(f, "'{}…'", &self.0[..end]),
            None => write!(f, "'{}'", self.0),
        }
    }
}
