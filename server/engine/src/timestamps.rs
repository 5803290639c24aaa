//! Timestamp columns of sources and sinks (spec/semantics.md §1.4).

use arrow::array::{Array, ArrayRef};
use weir_planner::stream::SourceColumn;
use weir_types::row_errors::Captured;

use crate::EngineError;
use crate::expr::Exprs;
use crate::source::milliseconds;

/// Reads a column as timestamps.
pub(crate) struct TimestampReader {
    column: SourceColumn,
    /// Turns text into BIGINT milliseconds; `None` where the column holds milliseconds itself.
    parse: Option<Exprs>,
}

impl TimestampReader {
    pub(crate) fn new(column: SourceColumn, parse: Option<Exprs>) -> Self {
        Self { column, parse }
    }

    pub(crate) fn column(&self) -> &SourceColumn {
        &self.column
    }

    /// The timestamp of each row; `None` where it is null or cannot be read.
    pub(crate) fn read(
        &self,
        column: &ArrayRef,
        failed: &mut dyn FnMut(Captured),
    ) -> Result<Vec<Option<i64>>, EngineError> {
        let parsed = match &self.parse {
            Some(parse) => parse
                .evaluate(
                    std::slice::from_ref(column),
                    column.len(),
                    None,
                    &mut |_, captured| {
                        failed(captured);
                    },
                )?
                .into_iter()
                .next()
                .ok_or_else(|| EngineError::Internal("no timestamp was computed".into()))?,
            None => ArrayRef::clone(column),
        };
        milliseconds(parsed.as_ref()).ok_or_else(|| {
            EngineError::Plan(format!(
                "a column of type {} is no timestamp",
                parsed.data_type()
            ))
        })
    }
}
