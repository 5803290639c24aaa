//! Values of a node together with the rows that failed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::nullif;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::PhysicalExpr;

use super::call::CallExpr;
use super::lazy::LazyExpr;

/// What a node gave for a batch.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The values; NULL where failed.
    pub value: ColumnarValue,
    /// Set for the rows that failed; `None` if none did.
    pub failed: Option<BooleanBuffer>,
}

/// Evaluates `expr` and tells the failed rows.
pub(crate) fn evaluate(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<Outcome> {
    if let Some(call) = expr.downcast_ref::<CallExpr>() {
        return call.outcome(batch);
    }
    if let Some(lazy) = expr.downcast_ref::<LazyExpr>() {
        return lazy.outcome(batch);
    }
    Ok(Outcome {
        value: expr.evaluate(batch)?,
        failed: None,
    })
}

/// The rows in either set.
pub(super) fn union(
    left: Option<BooleanBuffer>,
    right: Option<BooleanBuffer>,
) -> Option<BooleanBuffer> {
    match (left, right) {
        (Some(left), Some(right)) => Some(&left | &right),
        (left, right) => left.or(right),
    }
}

/// `array` with NULL in the `failed` rows.
pub(super) fn without(array: &ArrayRef, failed: &BooleanBuffer) -> Result<ArrayRef> {
    Ok(nullif(array, &BooleanArray::new(failed.clone(), None))?)
}

/// The rows in which `array` is NULL; `None` if there are none.
pub(super) fn null_rows(array: &dyn Array) -> Option<BooleanBuffer> {
    if array.null_count() == 0 {
        return None;
    }
    array.logical_nulls().map(|nulls| !nulls.inner())
}
