//! Foreign-key join, the task of the right table: keeps who asked for which key and answers
//! (spec/semantics.md §8.3).
//!
//! ```text
//!  subscription       ─► store, right row as of now ─► response to the left task
//!  change of the right─► all subscribers of the key, by left primary key ─► responses
//! ```
//!
//! | Store | Key | Value |
//! |---|---|---|
//! | subscriptions | foreign key, left primary key as its format writes it | partition of the left task (i32 LE), hash of the left row (16 bytes), left primary key |

use std::ops::{Bound, ControlFlow};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, new_null_array};
use arrow::datatypes::{DataType, Int32Type};
use weir_state::codec::ColumnView;
use weir_state::codec::key::prefix_end;

use super::fk_left::Instruction;
use super::lookup::{Found, Lookup, Overlay};
use super::{Context, Operator};
use crate::EngineError;
use crate::batch::{Batch, Headers, Keys, project};
use crate::frames::{FrameRow, frame_rows};

/// See the module.
pub(crate) struct FkRight {
    /// Key column of the right table.
    pub(crate) key: usize,
    pub(crate) types: Vec<DataType>,
    pub(crate) right: Lookup,
    /// Index of the subscription store.
    pub(crate) store: usize,
    /// Index of the response topic among the outputs.
    pub(crate) output: usize,
}

/// Responses to be sent, column by column.
#[derive(Default)]
struct Responses {
    primary: Vec<Vec<u8>>,
    hash: Vec<Option<Vec<u8>>>,
    row: Vec<Found>,
    partition: Vec<u32>,
    ts: Vec<i64>,
    headers: Vec<Headers>,
}

impl Responses {
    fn push(
        &mut self,
        primary: &[u8],
        hash: Option<&[u8]>,
        row: Found,
        partition: i32,
        ts: i64,
        headers: Headers,
    ) {
        self.primary.push(primary.to_vec());
        self.hash.push(hash.map(<[u8]>::to_vec));
        self.row.push(row);
        self.partition.push(partition.max(0) as u32);
        self.ts.push(ts);
        self.headers.push(headers);
    }
}

impl FkRight {
    fn subscription_key(key: &[u8], primary: &[u8]) -> Vec<u8> {
        [key, primary].concat()
    }
}

impl Operator for FkRight {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut inputs = inputs.into_iter();
        let asked = inputs.next().unwrap_or_default();
        let mut right = inputs.next().unwrap_or_default();
        if right.is_empty() {
            right.columns = self.types.iter().map(|t| new_null_array(t, 0)).collect();
        }
        let misfit = || EngineError::Internal("a subscription has the wrong columns".into());
        let no_key = new_null_array(&DataType::Binary, 0);
        let no_number = new_null_array(&DataType::Int32, 0);
        let (foreign, columns) = match &asked.columns[..] {
            [foreign, primary, written, hash, instruction, partition] => (
                Some(foreign),
                [primary, written, hash, instruction, partition],
            ),
            [] => (None, [&no_key, &no_key, &no_key, &no_number, &no_number]),
            _ => return Err(misfit()),
        };
        let [primary, written, hash, instruction, partition] = columns;
        let written = written.as_binary_opt::<i32>().ok_or_else(misfit)?;
        let primary = primary.as_binary_opt::<i32>().ok_or_else(misfit)?;
        let hash = hash.as_binary_opt::<i32>().ok_or_else(misfit)?;
        let instruction = instruction
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(misfit)?;
        let partition = partition
            .as_primitive_opt::<Int32Type>()
            .ok_or_else(misfit)?;
        let foreign_keys = match foreign {
            Some(foreign) => Keys::of(std::slice::from_ref(foreign), asked.len())?,
            None => Keys::default(),
        };
        let right_keys = Keys::of(&project(&right.columns, &[self.key]), right.len())?;

        let overlay = Overlay::new(&right, &[self.key])?;
        let wanted: Vec<(&[u8], u64)> = (0..asked.len())
            .map(|row| (foreign_keys.get(row), asked.seq[row]))
            .collect();
        let resolved = overlay.resolve(&wanted, &self.right, ctx)?;
        let mut responses = Responses::default();
        let (mut next_asked, mut next_right) = (0, 0);
        while next_asked < asked.len() || next_right < right.len() {
            let subscription = match (asked.seq.get(next_asked), right.seq.get(next_right)) {
                (Some(a), Some(r)) => a < r,
                (a, _) => a.is_some(),
            };
            if !subscription {
                let row = next_right;
                next_right += 1;
                let key = right_keys.get(row);
                let end = prefix_end(key);
                let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let now = if right.is_absent(row) {
                    Found::Nothing
                } else {
                    Found::New(row)
                };
                ctx.store(self.store)?
                    .range(Bound::Included(key), to, &mut |_, value| {
                        if let Some((partition, rest)) = value.split_first_chunk::<4>()
                            && let Some((hash, primary)) = rest.split_first_chunk::<16>()
                        {
                            let partition = i32::from_le_bytes(*partition);
                            responses.push(
                                primary,
                                Some(hash),
                                now,
                                partition,
                                right.ts[row],
                                right.header(row),
                            );
                        }
                        Ok(ControlFlow::Continue(()))
                    })?;
                continue;
            }
            let row = next_asked;
            next_asked += 1;
            let Some(instruction) = Instruction::from_code(instruction.value(row)) else {
                return Err(misfit());
            };
            let own_hash = hash.is_valid(row).then(|| hash.value(row));
            let key = Self::subscription_key(foreign_keys.get(row), written.value(row));
            let found = resolved.found[row];
            let store = ctx.store(self.store)?;
            match instruction {
                Instruction::Answer | Instruction::AnswerIfFound => {
                    let mut value = partition.value(row).to_le_bytes().to_vec();
                    value.extend_from_slice(own_hash.unwrap_or(&[0; 16]));
                    value.extend_from_slice(primary.value(row));
                    store.put(&key, Some(&value), asked.ts[row])?;
                }
                _ => store.put(&key, None, asked.ts[row])?,
            }
            let with_right = overlay.ts(found, &resolved.fetched).max(asked.ts[row]);
            let (answer, ts) = match instruction {
                Instruction::Remove => continue,
                Instruction::AnswerIfFound if found == Found::Nothing => continue,
                Instruction::Answer | Instruction::AnswerIfFound => (found, with_right),
                Instruction::RemoveAndAnswer => (Found::Nothing, with_right),
                Instruction::RemoveAndAnswerAsLeft => (Found::Nothing, asked.ts[row]),
            };
            responses.push(
                primary.value(row),
                own_hash,
                answer,
                partition.value(row),
                ts,
                asked.header(row),
            );
        }
        if responses.row.is_empty() {
            return Ok(Batch::default());
        }
        let mut columns: Vec<ArrayRef> = vec![
            std::sync::Arc::new(BinaryArray::from_iter_values(&responses.primary)),
            std::sync::Arc::new(
                responses
                    .hash
                    .iter()
                    .map(|h| h.as_deref())
                    .collect::<BinaryArray>(),
            ),
            std::sync::Arc::new(
                responses
                    .row
                    .iter()
                    .map(|row| Some(*row != Found::Nothing))
                    .collect::<BooleanArray>(),
            ),
        ];
        columns.extend(overlay.columns(&responses.row, &resolved.fetched)?);
        let views = ColumnView::all(&columns)?;
        let partitions = ctx
            .options
            .output_partitions
            .get(self.output)
            .copied()
            .unwrap_or(1);
        let rows = (0..responses.row.len()).map(|index| {
            let row = FrameRow {
                new: Some(index),
                absent: false,
                old: None,
                ts: responses.ts[index],
                headers: responses.headers[index].as_deref(),
            };
            (responses.partition[index], row)
        });
        let out = frame_rows(rows, partitions, &views, &[]);
        ctx.out.counters.produced += out.timestamps.len() as u64;
        ctx.out.records.push((self.output, out));
        Ok(Batch::default())
    }
}
