//! Values of expressions that read no columns.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{ColumnarValue, Expr as PlanExpr};
use datafusion::scalar::ScalarValue;
use weir_functions::compile;
use weir_types::row_errors;

/// The value of `expr`.
///
/// # Errors
/// The message for the user: what could not be computed.
pub(crate) fn evaluate(expr: &PlanExpr) -> Result<ScalarValue, String> {
    if let PlanExpr::Literal(value, _) = expr {
        return Ok(value.clone());
    }
    let physical = compile::physical(expr, &DFSchema::empty()).map_err(|e| e.to_string())?;
    let one_row = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &one_row)
        .map_err(|e| e.to_string())?;
    let (value, captured) = row_errors::capture(|| physical.evaluate(&batch));
    if let Some(error) = captured.errors.into_iter().next() {
        return Err(error.message);
    }
    match value.map_err(|e| e.to_string())? {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(array) => {
            ScalarValue::try_from_array(&array, 0).map_err(|e| e.to_string())
        }
    }
}
