//! WHERE and HAVING over a table (spec/semantics.md §3.2).
//!
//! ```text
//!  p(new)              ─► the row
//!  !p(new), p(old)     ─► a tombstone
//!  !p(new), !p(old)    ─► nothing
//!  !p(new), old unknown─► a tombstone, every time
//! ```

use arrow::array::UInt32Array;

use super::filter::log_predicate;
use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::{Batch, take_columns};
use crate::expr::Exprs;

/// See the module.
pub(crate) struct TableFilter {
    pub(crate) predicate: Exprs,
    /// The predicate as text, for the processing log.
    pub(crate) text: String,
    /// Step context of the processing log.
    pub(crate) context: String,
    /// Columns that a tombstone keeps: the key and the window.
    pub(crate) kept: Vec<bool>,
}

impl Operator for TableFilter {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let batch = only(inputs);
        let log = &mut ctx.out.log;
        let new = self.predicate.matches(
            &batch.columns,
            batch.len(),
            batch.present().as_deref(),
            &mut |_, captured| log_predicate(log, &self.context, &self.text, captured),
        )?;
        let old = match &batch.old {
            Some(old) => Some(self.predicate.matches(
                &old.columns,
                batch.len(),
                Some(&old.present),
                &mut |_, _| {},
            )?),
            None => None,
        };
        let rows: Vec<u32> = (0..batch.len())
            .filter(|row| new[*row] || old.as_ref().is_none_or(|old| old[*row]))
            .map(|row| row as u32)
            .collect();
        let mut kept = batch.take(&rows)?;
        let absent: Vec<bool> = rows.iter().map(|row| !new[*row as usize]).collect();
        if absent.contains(&true) {
            kept.columns = self.blank(&kept, &absent)?;
            kept.absent = Some(absent);
        } else {
            kept.absent = None;
        }
        if let (Some(old_rows), Some(old)) = (&mut kept.old, old) {
            old_rows.present = rows.iter().map(|row| old[*row as usize]).collect();
        }
        Ok(kept)
    }
}

impl TableFilter {
    /// The columns with those of tombstones emptied but for the key.
    fn blank(
        &self,
        batch: &Batch,
        absent: &[bool],
    ) -> Result<Vec<arrow::array::ArrayRef>, EngineError> {
        let indices: UInt32Array = absent
            .iter()
            .enumerate()
            .map(|(row, absent)| (!absent).then_some(row as u32))
            .collect();
        let blanked = take_columns(&batch.columns, &indices)?;
        Ok(batch
            .columns
            .iter()
            .zip(blanked)
            .enumerate()
            .map(|(index, (whole, blank))| {
                if self.kept.get(index).copied().unwrap_or(false) {
                    whole.clone()
                } else {
                    blank
                }
            })
            .collect())
    }
}
