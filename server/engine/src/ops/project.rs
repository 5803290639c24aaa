//! SELECT: computes columns from columns, of new rows and of old ones.
//!
//! A row without a value stays one; an expression that fails in a row gives null there and is
//! logged (spec/semantics.md §3.1).

use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::{Batch, OldRows};
use crate::expr::{Exprs, log_failures};

/// See the module.
pub(crate) struct Project {
    pub(crate) exprs: Exprs,
    /// Text and output name of each expression, for the processing log.
    pub(crate) texts: Vec<(String, String)>,
    /// Whether somebody behind reads old rows.
    pub(crate) want_old: bool,
}

impl Operator for Project {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut batch = only(inputs);
        let log = &mut ctx.out.log;
        let texts = &self.texts;
        let present = batch.present();
        let columns = self.exprs.evaluate(
            &batch.columns,
            batch.len(),
            present.as_deref(),
            &mut |index, captured| {
                let (text, name) = texts.get(index).map_or(("", ""), |(t, n)| (t, n));
                log_failures(
                    log,
                    "Project",
                    |message| {
                        format!(
                            "Error computing expression {text} for column {name} with index \
                             {index}: {message}"
                        )
                    },
                    captured,
                );
            },
        )?;
        batch.old = match batch.old {
            Some(old) if self.want_old => Some(OldRows {
                columns: self.exprs.evaluate(
                    &old.columns,
                    batch.seq.len(),
                    Some(&old.present),
                    &mut |_, _| {},
                )?,
                present: old.present,
                ts: old.ts,
            }),
            _ => None,
        };
        batch.columns = columns;
        Ok(batch)
    }
}
