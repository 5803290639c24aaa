//! The end of a push query: hands rows to the client.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::Batch;

/// See the module.
pub(crate) struct Output {
    /// The columns of the result and the tombstone flag.
    pub(crate) schema: SchemaRef,
    /// Whether the result is a table: rows without a value are tombstones there, and are not
    /// shown for a stream.
    pub(crate) is_table: bool,
}

impl Output {
    /// The schema that results have whose columns are `fields`.
    pub(crate) fn schema(fields: &Schema) -> SchemaRef {
        let mut fields: Vec<Arc<Field>> = fields.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new("tombstone", DataType::Boolean, false)));
        Arc::new(Schema::new(fields))
    }
}

impl Operator for Output {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut batch = only(inputs);
        if !self.is_table && batch.absent.is_some() {
            let shown: Vec<u32> = (0..batch.len() as u32)
                .filter(|row| !batch.is_absent(*row as usize))
                .collect();
            batch = batch.take(&shown)?;
        }
        if batch.is_empty() {
            return Ok(Batch::default());
        }
        let rows = batch.len();
        let tombstone = BooleanArray::from(batch.absent.unwrap_or_else(|| vec![false; rows]));
        let mut columns: Vec<ArrayRef> = batch.columns;
        columns.push(Arc::new(tombstone));
        ctx.out.counters.produced += rows as u64;
        ctx.out
            .rows
            .push(RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        Ok(Batch::default())
    }
}
