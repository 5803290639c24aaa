//! What a user is told when a statement is refused (spec/api.md §1.1, spec/sql.md §11).

use std::fmt;

/// ksqlDB's error codes; the HTTP status is the code divided by 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ErrorCode {
    /// Malformed request, missing field, bad property, refusal of the engine (generic_error).
    BadRequest = 40000,
    /// Parse, analysis or validation error (statement_error).
    BadStatement = 40001,
    /// SELECT or PRINT sent to the statement endpoint.
    QueryEndpoint = 40002,
    /// `ksql.max.push.queries` reached.
    TooManyPushQueries = 40003,
    /// The endpoint needs HTTP/2.
    Http2Only = 40004,
    /// Authentication failed.
    Unauthorized = 40100,
    /// Not allowed.
    Forbidden = 40300,
    /// Kafka refused access.
    KafkaForbidden = 40301,
    /// Not found.
    NotFound = 40400,
    /// ASSERT failed.
    AssertionFailed = 41700,
    /// A registry format without a registry.
    SchemaRegistryNotConfigured = 42801,
    /// Too many requests.
    TooManyRequests = 42900,
    /// Internal error.
    ServerError = 50000,
    /// Command topic not writable and the like.
    Unavailable = 50300,
    /// The wait for a command sequence number timed out.
    CommandQueueTimeout = 50301,
    /// Still starting.
    NotReady = 50302,
    /// Stopping.
    ShuttingDown = 50303,
    /// Stopped.
    ShutDown = 50304,
}

impl ErrorCode {
    /// The number in `error_code`.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// The HTTP status that goes with it.
    pub fn http_status(self) -> u16 {
        (self as u32 / 100) as u16
    }
}

/// A place in the text of a request, both counted from 1 for lines and 1 for columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}:{}", self.line, self.column)
    }
}

/// A refusal: what is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// ksqlDB's code.
    pub code: ErrorCode,
    /// Plain words: what is wrong, where, and the remedy. A cause chain is joined as
    /// `outer\nCaused by: inner`.
    pub message: String,
    /// Where in the request text, if it can be said.
    pub position: Option<Position>,
    /// The statement (or expression) that `statementText` of the answer shows; `None` means the
    /// whole failing statement.
    pub statement: Option<String>,
}

impl SqlError {
    /// A refusal with a code of its own.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            position: None,
            statement: None,
        }
    }

    /// A statement that cannot be accepted: 40001.
    pub fn statement(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadStatement, message)
    }

    /// A bad request that is no statement error: 40000.
    pub fn request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    /// A fault of ours: 50000.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ServerError, message)
    }

    /// The same error with its place.
    pub fn at(mut self, position: Position) -> Self {
        self.position.get_or_insert(position);
        self
    }

    /// The message with the place, where the message itself does not say it.
    pub fn placed_message(&self) -> String {
        let Some(Position { line, column }) = self.position else {
            return self.message.clone();
        };
        let said = [
            format!("{line}:{column}"),
            format!("Line: {line}, Col: {column}"),
        ];
        if said.iter().any(|place| self.message.contains(place)) {
            return self.message.clone();
        }
        format!("{}\nAt line {line}, column {column}.", self.message)
    }

    /// The same error with the text that `statementText` shows.
    pub fn in_statement(mut self, text: impl Into<String>) -> Self {
        self.statement.get_or_insert_with(|| text.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_once() {
        let at = |message: &str| {
            let place = Position { line: 2, column: 5 };
            SqlError::statement(message).at(place).placed_message()
        };
        assert_eq!(at("No."), "No.\nAt line 2, column 5.");
        for message in ["line 2:5: Syntax Error", "Line: 2, Col: 5: no column"] {
            assert_eq!(at(message), message);
        }
        assert_eq!(SqlError::statement("No.").placed_message(), "No.");
    }
}
