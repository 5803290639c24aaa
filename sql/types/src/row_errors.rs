//! What went wrong in single rows of a batch.
//!
//! A function that cannot compute one row makes that row null and calls [`report`]; the caller
//! that evaluates an expression wraps it in [`capture`] and logs what came (spec/semantics.md
//! §3.1). Kernels stay free of `Result` per row, and one bad row never fails a batch.
//!
//! ```text
//!   capture(|| expr.evaluate(batch))  ──►  (array, [RowError { message }])
//!                │
//!                └─ kernel: row 17 bad → null, report("Cannot cast 'x' to INTEGER")
//! ```

use std::cell::RefCell;

/// One failed row. The row's index is not known: kernels run on selections of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// What went wrong, in plain words.
    pub message: String,
}

/// At most so many errors are kept for one capture; the rest is counted only.
pub const MAX_KEPT: usize = 1024;

thread_local! {
    static SINK: RefCell<Option<Captured>> = const { RefCell::new(None) };
}

/// The errors of one capture.
#[derive(Debug, Default, Clone)]
pub struct Captured {
    /// The first [`MAX_KEPT`] errors, in the order they were reported.
    pub errors: Vec<RowError>,
    /// Errors in all.
    pub total: usize,
}

/// Reports that one row could not be computed (its result is null). Outside of [`capture`] the
/// report is dropped. The message is only built when somebody listens.
pub fn report(message: impl FnOnce() -> String) {
    SINK.with_borrow_mut(|sink| {
        if let Some(captured) = sink {
            captured.total += 1;
            if captured.errors.len() < MAX_KEPT {
                captured.errors.push(RowError { message: message() });
            }
        }
    });
}

/// Runs `work` and returns what it returned with the errors reported meanwhile on this thread.
/// Captures nest: the inner one takes its own.
pub fn capture<T>(work: impl FnOnce() -> T) -> (T, Captured) {
    let outer = SINK.replace(Some(Captured::default()));
    let result = work();
    let captured = SINK.replace(outer).unwrap_or_default();
    (result, captured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_capture_takes_its_own() {
        let ((), outer) = capture(|| {
            report(|| "a".into());
            let ((), inner) = capture(|| report(|| "b".into()));
            assert_eq!(inner.errors[0].message, "b");
        });
        assert_eq!(outer.total, 1);
        assert_eq!(outer.errors[0].message, "a");
    }
}
