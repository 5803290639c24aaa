//! Writes rows to an internal topic, framed by target partition.
//!
//! ```text
//!  stream row               ─► one row, by its key
//!  table change, same key   ─► one row with old and new part
//!  table change, other key  ─► old part to the old key, then new part to the new key
//! ```
//!
//! Images of a table that have a null key part of a single-column key are left out
//! (spec/semantics.md §4.2); null keys of streams are kept (§7.4).

use arrow::array::Array;
use arrow::array::ArrayRef;
use weir_formats::Encoder;
use weir_state::codec::ColumnView;
use weir_types::partition::partition_of;
use weir_types::records::EncodedColumn;

use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::{Batch, Keys, is_null_key, project};
use crate::frames::{FrameRow, frame_rows};

/// See the module.
pub(crate) struct Repartition {
    /// Index among the outputs.
    pub(crate) output: usize,
    /// Indices of the key columns.
    pub(crate) key: Vec<usize>,
    /// Encodes keys for the choice of the partition.
    pub(crate) encoder: Box<dyn Encoder>,
    /// Whether images without a group are left out: GROUP BY on a table.
    pub(crate) grouping: bool,
    spread: u32,
}

impl Repartition {
    pub(crate) fn new(
        output: usize,
        key: Vec<usize>,
        encoder: Box<dyn Encoder>,
        grouping: bool,
    ) -> Self {
        Self {
            output,
            key,
            encoder,
            grouping,
            spread: 0,
        }
    }

    /// Partition of each row.
    fn partitions(
        &mut self,
        key: &[ArrayRef],
        rows: usize,
        partitions: u32,
    ) -> Result<Vec<u32>, EngineError> {
        // Without GROUP BY all rows are one group, which has no key columns.
        if partitions <= 1 || key.is_empty() {
            return Ok(vec![0; rows]);
        }
        let mut encoded = EncodedColumn::default();
        self.encoder
            .encode(key, None, &mut encoded)
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        Ok((0..rows)
            .map(|row| match encoded.get(row) {
                Some(bytes) => partition_of(bytes, partitions),
                None => {
                    self.spread = self.spread.wrapping_add(1);
                    self.spread % partitions
                }
            })
            .collect())
    }
}

impl Operator for Repartition {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let batch = only(inputs);
        let rows = batch.len();
        let partitions = ctx
            .options
            .output_partitions
            .get(self.output)
            .copied()
            .unwrap_or(1);

        let new_key = project(&batch.columns, &self.key);
        let new_partition = self.partitions(&new_key, rows, partitions)?;
        let views = ColumnView::all(&batch.columns)?;
        let mut framed: Vec<(u32, FrameRow<'_>)> = Vec::with_capacity(rows);
        let frame = |row: usize, new, old| FrameRow {
            new,
            absent: new.is_none() || batch.is_absent(row),
            old,
            ts: batch.ts[row],
            headers: batch
                .headers
                .as_ref()
                .and_then(|headers| headers[row].as_deref()),
        };
        let old_views;
        match &batch.old {
            None => {
                old_views = Vec::new();
                framed
                    .extend((0..rows).map(|row| (new_partition[row], frame(row, Some(row), None))));
            }
            Some(old) => {
                old_views = ColumnView::all(&old.columns)?;
                let old_key = project(&old.columns, &self.key);
                let old_partition = self.partitions(&old_key, rows, partitions)?;
                let new_bytes = Keys::of(&new_key, rows)?;
                let old_bytes = Keys::of(&old_key, rows)?;
                let grouped = |key: &[ArrayRef], row: usize| {
                    if self.grouping {
                        key.iter().all(|column| column.is_valid(row))
                    } else {
                        !is_null_key(key, row)
                    }
                };
                for row in 0..rows {
                    let has_new = !batch.is_absent(row) && grouped(&new_key, row);
                    let has_old = old.present[row] && grouped(&old_key, row);
                    if has_new && has_old && new_bytes.get(row) == old_bytes.get(row) {
                        framed.push((new_partition[row], frame(row, Some(row), Some(row))));
                        continue;
                    }
                    if has_old {
                        framed.push((old_partition[row], frame(row, None, Some(row))));
                    }
                    if has_new {
                        framed.push((new_partition[row], frame(row, Some(row), None)));
                    }
                }
            }
        }
        let out = frame_rows(framed, partitions, &views, &old_views);
        ctx.out.counters.produced += out.timestamps.len() as u64;
        if !out.timestamps.is_empty() {
            ctx.out.records.push((self.output, out));
        }
        Ok(Batch::default())
    }
}
