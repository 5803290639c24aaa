//! What GROUP BY is, with or without windows: group columns, arguments, which rows count.
//!
//! ```text
//!  rows ─► group expressions ─► rows with a value and a whole group ─► arguments of the functions
//! ```
//!
//! Invariant: a row that fails or gives null in a group expression is left out and logged; it
//! changes no state and no stream time (spec/semantics.md §4.1, §5.1).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use weir_functions::aggregate::Aggregate as AggregateFunction;
use weir_planner::stream::WindowSpec;

use crate::expr::{Exprs, log_failures};
use crate::{EngineError, LogEntry};

/// What an aggregate computes; shared by the tasks of a sub-topology.
pub(crate) struct AggregateSpec {
    pub(crate) group: Exprs,
    /// Arrow types of the group columns.
    pub(crate) group_types: Vec<arrow::datatypes::DataType>,
    pub(crate) functions: Vec<Arc<dyn AggregateFunction>>,
    /// Arguments of each function.
    pub(crate) args: Vec<Exprs>,
    pub(crate) window: Option<WindowSpec>,
    pub(crate) input_is_table: bool,
    pub(crate) want_old: bool,
    pub(crate) store: usize,
}

impl AggregateSpec {
    /// Arguments of every function, for rows that were accepted.
    pub(crate) fn args(
        &self,
        columns: &[ArrayRef],
        accepted: &[bool],
        log: Option<&mut Vec<LogEntry>>,
    ) -> Result<Vec<Vec<ArrayRef>>, EngineError> {
        let mut entries = Vec::new();
        let args = self
            .args
            .iter()
            .map(|args| {
                args.evaluate(
                    columns,
                    accepted.len(),
                    Some(accepted),
                    &mut |_, captured| {
                        log_failures(
                            &mut entries,
                            "Aggregate",
                            |message| format!("Error computing an aggregate's argument: {message}"),
                            captured,
                        );
                    },
                )
            })
            .collect();
        if let Some(log) = log {
            log.append(&mut entries);
        }
        args
    }
}

/// Group columns of rows, and which rows have a group: those with a value and no null group
/// column.
pub(crate) fn accept(
    group: &Exprs,
    columns: &[ArrayRef],
    present: Option<&[bool]>,
    rows: usize,
    log: Option<&mut Vec<LogEntry>>,
) -> Result<(Vec<ArrayRef>, Vec<bool>), EngineError> {
    let mut entries = Vec::new();
    let group = group.evaluate(columns, rows, present, &mut |index, captured| {
        log_failures(
            &mut entries,
            "GroupBy",
            |message| format!("Error calculating group-by column with index {index}: {message}"),
            captured,
        );
    })?;
    let mut accepted = present.map_or_else(|| vec![true; rows], <[bool]>::to_vec);
    for (index, column) in group.iter().enumerate().filter(|(_, c)| c.null_count() > 0) {
        for (row, accepted) in accepted.iter_mut().enumerate() {
            if *accepted && column.is_null(row) {
                *accepted = false;
                entries.push(LogEntry::Processing {
                    context: "GroupBy".to_owned(),
                    message: format!(
                        "Group-by column with index {index} resolved to null. The source row will \
                         be excluded from the table."
                    ),
                    cause: Vec::new(),
                });
            }
        }
    }
    if let Some(log) = log {
        log.append(&mut entries);
    }
    Ok((group, accepted))
}

/// WINDOWSTART and WINDOWEND.
pub(crate) fn window_columns(bounds: impl Iterator<Item = (i64, i64)>) -> Vec<ArrayRef> {
    let (starts, ends): (Vec<i64>, Vec<i64>) = bounds.unzip();
    vec![
        Arc::new(Int64Array::from(starts)),
        Arc::new(Int64Array::from(ends)),
    ]
}
