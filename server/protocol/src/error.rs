//! Error bodies (spec/api.md §1.1).

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use weir_types::{ErrorCode, SqlError};

/// An error as the API shows it. `statement` makes it a `statement_error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Code; the HTTP status follows from it.
    pub code: ErrorCode,
    /// Plain words.
    pub message: String,
    /// `statementText`, of a `statement_error`.
    pub statement: Option<String>,
}

impl ApiError {
    /// A `generic_error`.
    pub fn generic(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            statement: None,
        }
    }

    /// A `statement_error` about `text`.
    pub fn statement(code: ErrorCode, message: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            statement: Some(text.into()),
        }
    }

    /// The refusal of a statement: bad statements become `statement_error`s about the failing
    /// part (or all of `text`), bad requests `generic_error`s.
    pub fn from_sql(error: SqlError, text: &str) -> Self {
        let generic = matches!(
            error.code,
            ErrorCode::BadRequest | ErrorCode::AssertionFailed | ErrorCode::TooManyRequests
        );
        Self {
            code: error.code,
            message: error.placed_message(),
            statement: (!generic).then(|| error.statement.unwrap_or_else(|| text.to_owned())),
        }
    }

    /// The HTTP status.
    pub fn http_status(&self) -> u16 {
        self.code.http_status()
    }
}

impl Serialize for ApiError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let kind = if self.statement.is_some() {
            "statement_error"
        } else {
            "generic_error"
        };
        map.serialize_entry("@type", kind)?;
        map.serialize_entry("error_code", &self.code.code())?;
        map.serialize_entry("message", &self.message)?;
        if let Some(text) = &self.statement {
            map.serialize_entry("statementText", text)?;
            // Entities of earlier statements: always sent empty (spec/api.md §3.2).
            map.serialize_entry("entities", &[(); 0])?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_comes_first() {
        let error = ApiError::statement(ErrorCode::BadStatement, "no", "X;");
        let text = serde_json::to_string(&error).unwrap_or_default();
        assert_eq!(
            text,
            r#"{"@type":"statement_error","error_code":40001,"message":"no","statementText":"X;","entities":[]}"#
        );
    }
}
