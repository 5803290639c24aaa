//! PARTITION BY, and joins on another column: puts new key columns before the others.
//!
//! A key expression that is null or fails gives a null key part and the row goes on
//! (spec/semantics.md §3.3). For rows without a value only expressions over key columns are
//! computed.

use arrow::array::{Array, ArrayRef};

use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::{Batch, is_null_key};
use crate::expr::{Exprs, log_failures};

/// See the module.
pub(crate) struct SelectKey {
    /// Key expressions, each compiled alone with whether it reads key columns only.
    pub(crate) keys: Vec<(Exprs, bool)>,
    /// The expressions as text, for the processing log.
    pub(crate) texts: Vec<String>,
}

impl Operator for SelectKey {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut batch = only(inputs);
        let present = batch.present();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.keys.len() + batch.columns.len());
        for ((key, only_keys), text) in self.keys.iter().zip(&self.texts) {
            let log = &mut ctx.out.log;
            let mask = if *only_keys { None } else { present.as_deref() };
            let result = key.evaluate(&batch.columns, batch.len(), mask, &mut |_, captured| {
                log_failures(
                    log,
                    "PartitionBy",
                    |message| {
                        format!("Error computing expression {text} of the new key: {message}")
                    },
                    captured,
                );
            })?;
            columns.extend(result);
        }
        debug_assert!(columns.iter().all(|column| column.len() == batch.len()));
        let null_key: Vec<bool> = (0..batch.len())
            .map(|row| is_null_key(&columns, row))
            .collect();
        batch.null_key = null_key.contains(&true).then_some(null_key);
        columns.append(&mut batch.columns);
        batch.columns = columns;
        Ok(batch)
    }
}
