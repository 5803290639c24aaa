//! Expressions over batches: compiled once, evaluated on whole columns.
//!
//! ```text
//!  Expr ──functions::compile──► PhysicalExpr
//!  columns ─► rows with a value ─► evaluate, capturing row errors ─► scatter back ─► columns
//!                                          └──► processing log
//! ```
//!
//! Invariant: rows without a value are never computed (their results are null), so they never
//! report errors; plain column references pass through for them too, which keeps keys.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::datatypes::SchemaRef;
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use weir_types::row_errors::{self, Captured};

use crate::batch::take_columns;
use crate::{EngineError, LogEntry};

/// One compiled expression.
#[derive(Clone)]
struct Compiled {
    expr: Arc<dyn PhysicalExpr>,
    /// Set if the expression is just that column.
    column: Option<usize>,
}

/// Expressions over one input schema.
#[derive(Clone)]
pub(crate) struct Exprs {
    schema: SchemaRef,
    exprs: Vec<Compiled>,
}

impl Exprs {
    /// Compiles expressions over rows of `schema`.
    pub(crate) fn new<'a>(
        exprs: impl IntoIterator<Item = &'a Expr>,
        schema: &DFSchema,
    ) -> Result<Self, EngineError> {
        let exprs = exprs
            .into_iter()
            .map(|expr| {
                let expr = weir_functions::compile::physical(expr, schema)
                    .map_err(|error| EngineError::Plan(error.to_string()))?;
                let column = (expr.as_ref() as &dyn std::any::Any)
                    .downcast_ref::<Column>()
                    .map(Column::index);
                Ok(Compiled { expr, column })
            })
            .collect::<Result<_, EngineError>>()?;
        Ok(Self {
            schema: Arc::clone(schema.inner()),
            exprs,
        })
    }

    /// The columns that the expressions are, if each is just a column.
    pub(crate) fn as_columns(&self) -> Option<Vec<usize>> {
        self.exprs.iter().map(|compiled| compiled.column).collect()
    }

    /// Evaluates all expressions; `present` masks the rows to compute. Errors of rows go to
    /// `failed` with the index of the expression.
    pub(crate) fn evaluate(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        present: Option<&[bool]>,
        failed: &mut dyn FnMut(usize, Captured),
    ) -> Result<Vec<ArrayRef>, EngineError> {
        let all_columns = self.exprs.iter().all(|compiled| compiled.column.is_some());
        let scatter = match present {
            Some(present) if !all_columns && present.contains(&false) => {
                Some(Scatter::new(present, columns)?)
            }
            _ => None,
        };
        let mut input = None;
        let mut results = Vec::with_capacity(self.exprs.len());
        for (index, compiled) in self.exprs.iter().enumerate() {
            if let Some(column) = compiled.column {
                let column = columns
                    .get(column)
                    .ok_or_else(|| EngineError::Internal(format!("no column {column}")))?;
                results.push(Arc::clone(column));
                continue;
            }
            let batch = match &input {
                Some(batch) => batch,
                None => {
                    let (columns, rows) = match &scatter {
                        Some(scatter) => (scatter.columns.clone(), scatter.rows),
                        None => (columns.to_vec(), rows),
                    };
                    input.insert(record_batch(&self.schema, columns, rows)?)
                }
            };
            let (value, captured) =
                row_errors::capture(|| compiled.expr.evaluate(batch)?.into_array(batch.num_rows()));
            if captured.total > 0 {
                failed(index, captured);
            }
            let value = value?;
            results.push(match &scatter {
                Some(scatter) => scatter.back(value)?,
                None => value,
            });
        }
        Ok(results)
    }

    /// Evaluates one Boolean expression: whether it is true for a row. Null counts as false.
    pub(crate) fn matches(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        present: Option<&[bool]>,
        failed: &mut dyn FnMut(usize, Captured),
    ) -> Result<Vec<bool>, EngineError> {
        let results = self.evaluate(columns, rows, present, failed)?;
        let mask: &BooleanArray = results
            .first()
            .and_then(|result| result.as_boolean_opt())
            .ok_or_else(|| EngineError::Internal("a predicate is not Boolean".into()))?;
        let pass = |row: usize| present.is_none_or(|present| present[row]);
        Ok((0..rows)
            .map(|row| mask.is_valid(row) && mask.value(row) && pass(row))
            .collect())
    }
}

/// A batch of these columns, whose types need not be named as in the schema.
fn record_batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, EngineError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

/// The rows that have a value, and the way back.
struct Scatter {
    columns: Vec<ArrayRef>,
    rows: usize,
    back: UInt32Array,
}

impl Scatter {
    fn new(present: &[bool], columns: &[ArrayRef]) -> Result<Self, EngineError> {
        let kept: UInt32Array = present
            .iter()
            .enumerate()
            .filter_map(|(row, present)| present.then_some(row as u32))
            .collect();
        let mut next = 0;
        let back = present
            .iter()
            .map(|present| {
                present.then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        Ok(Self {
            columns: take_columns(columns, &kept)?,
            rows: kept.len(),
            back,
        })
    }

    fn back(&self, value: ArrayRef) -> Result<ArrayRef, EngineError> {
        Ok(arrow::compute::take(value.as_ref(), &self.back, None)?)
    }
}

/// Writes what failed in rows to the processing log.
pub(crate) fn log_failures(
    log: &mut Vec<LogEntry>,
    context: &str,
    what: impl Fn(&str) -> String,
    captured: Captured,
) {
    for error in captured.errors {
        log.push(LogEntry::Processing {
            context: context.to_owned(),
            message: what(&error.message),
            cause: vec![error.message],
        });
    }
}
