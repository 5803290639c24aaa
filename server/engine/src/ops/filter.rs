//! WHERE over a stream: keeps the rows for which the predicate is true.
//!
//! Rows without a value are dropped (spec/semantics.md §1.2); a predicate that fails counts as
//! false and is logged.

use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::Batch;
use crate::expr::{Exprs, log_failures};

/// See the module.
pub(crate) struct Filter {
    pub(crate) predicate: Exprs,
    /// The predicate as text, for the processing log.
    pub(crate) text: String,
}

impl Operator for Filter {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let batch = only(inputs);
        let log = &mut ctx.out.log;
        let present = batch.present();
        let matches = self.predicate.matches(
            &batch.columns,
            batch.len(),
            present.as_deref(),
            &mut |_, captured| log_predicate(log, "WhereFilter", &self.text, captured),
        )?;
        let rows: Vec<u32> = (0..batch.len())
            .filter(|row| matches[*row])
            .map(|row| row as u32)
            .collect();
        batch.take(&rows)
    }
}

/// Logs that a predicate failed in some rows.
pub(crate) fn log_predicate(
    log: &mut Vec<crate::LogEntry>,
    context: &str,
    text: &str,
    captured: weir_types::row_errors::Captured,
) {
    log_failures(
        log,
        context,
        |message| format!("Error evaluating predicate {text}: {message}"),
        captured,
    );
}
