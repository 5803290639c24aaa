//! Query errors: whose fault they are, how long to wait before the next try (spec/semantics.md
//! §11.3).

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use weir_engine::EngineError;
use weir_kafka::{ErrorKind, KafkaError};

/// Whose fault an error is, as the API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The user's: a missing topic, a record too large, no access.
    User,
    /// The operator's, by configured pattern.
    System,
    /// Nobody knows.
    Unknown,
}

impl ErrorClass {
    /// `USER`, `SYSTEM`, `UNKNOWN`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::System => "SYSTEM",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One error of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// When, ms since the epoch.
    pub timestamp: i64,
    /// What went wrong.
    pub message: String,
    /// Whose fault it is.
    pub class: ErrorClass,
}

impl QueryError {
    /// An error of this class, now.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            timestamp: now_ms(),
            message: message.into(),
            class,
        }
    }

    /// An error that stopped a task.
    pub fn of_engine(error: &EngineError) -> Self {
        let class = match error {
            EngineError::Record(_) => ErrorClass::User,
            EngineError::Plan(_) | EngineError::State(_) | EngineError::Internal(_) => {
                ErrorClass::Unknown
            }
        };
        Self::new(class, error.to_string())
    }

    /// An error of Kafka that concerns one query.
    pub fn of_kafka(error: &KafkaError) -> Self {
        let class = match error.kind {
            ErrorKind::NotFound | ErrorKind::Unauthorized | ErrorKind::TooLarge => ErrorClass::User,
            _ => ErrorClass::Unknown,
        };
        Self::new(class, error.to_string())
    }
}

/// Milliseconds since the epoch.
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64)
}

/// Errors kept for a query.
const KEPT: usize = 10;
/// For how long.
const KEPT_MS: i64 = 60 * 60 * 1000;

/// The last errors of a query, and when it may try again.
#[derive(Debug, Default)]
pub struct Failures {
    errors: VecDeque<QueryError>,
    count: u32,
}

impl Failures {
    /// Adds an error. Gives the time to wait before the next try: it doubles from `initial` (the
    /// first wait is twice that) and is not reset by success.
    pub fn add(&mut self, error: QueryError, initial: Duration, max: Duration) -> Duration {
        self.note(error);
        self.count = self.count.saturating_add(1);
        initial
            .saturating_mul(1u32.checked_shl(self.count.min(31)).unwrap_or(u32::MAX))
            .min(max)
    }

    /// Keeps an error without changing when to try again.
    pub fn note(&mut self, error: QueryError) {
        self.errors.push_back(error);
        if self.errors.len() > KEPT {
            self.errors.pop_front();
        }
    }

    /// The errors of the last hour before `now_ms`, oldest first.
    pub fn recent(&self, now_ms: i64) -> Vec<QueryError> {
        self.errors
            .iter()
            .filter(|e| e.timestamp > now_ms - KEPT_MS)
            .cloned()
            .collect()
    }
}

/// A moment to try again at.
pub fn after(wait: Duration) -> Instant {
    Instant::now() + wait
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_errors_age() {
        let mut failures = Failures::default();
        let second = Duration::from_secs(1);
        let mut add = |timestamp| {
            let error = QueryError {
                timestamp,
                message: "m".into(),
                class: ErrorClass::User,
            };
            failures.add(error, 15 * second, 900 * second).as_secs()
        };
        let waits: Vec<_> = (0..12).map(&mut add).collect();
        assert_eq!(
            waits,
            [30, 60, 120, 240, 480, 900, 900, 900, 900, 900, 900, 900]
        );
        assert_eq!(failures.recent(11).len(), 10);
        assert_eq!(failures.recent(KEPT_MS + 10).len(), 1);
        assert!(failures.recent(KEPT_MS + 11).is_empty());
    }
}
