//! Foreign-key join, the task of the left table (spec/semantics.md §8.3).
//!
//! ```text
//!  change of a left row ─► subscriptions to the old and the new foreign key ─► right task
//!  response of the right task ─► is the left row still what it was asked for? ─► result
//! ```
//!
//! A row whose foreign key is null is answered here, since no right row can match it.
//!
//! Invariant: a response counts only if the left row as of that moment is the one that it was
//! asked for, told by a hash of the row; otherwise a newer response is on its way. An inner join
//! does not answer every change, so that a stale response without a right row may be the last
//! one: it counts where the row has no foreign key any more, and is asked for again elsewhere.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int32Array, new_null_array};
use arrow::datatypes::DataType;
use weir_formats::Encoder;
use weir_planner::stream::JoinType;
use weir_state::codec::{ColumnView, KeyReader, write_row};
use weir_types::partition::partition_of;
use weir_types::records::EncodedColumn;

use super::lookup::{Found, Lookup, Overlay};
use super::table_table::merge;
use super::{Context, Operator};
use crate::EngineError;
use crate::batch::{Batch, Keys, project, take_columns};
use crate::frames::{FrameRow, frame_rows};

/// What the right task is to do with a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// Forget it.
    Remove = 0,
    /// Forget it and answer that there is no right row; the answer's timestamp covers the right
    /// row that is there.
    RemoveAndAnswer = 1,
    /// Keep it and answer in any case.
    Answer = 2,
    /// Keep it and answer if there is a right row.
    AnswerIfFound = 3,
    /// As [`Self::RemoveAndAnswer`], with the left row's timestamp.
    RemoveAndAnswerAsLeft = 4,
}

impl Instruction {
    pub(crate) fn from_code(code: i32) -> Option<Self> {
        [
            Self::Remove,
            Self::RemoveAndAnswer,
            Self::Answer,
            Self::AnswerIfFound,
            Self::RemoveAndAnswerAsLeft,
        ]
        .into_iter()
        .find(|instruction| *instruction as i32 == code)
    }
}

/// Columns of a subscription after the foreign key: primary key bytes, the primary key as its
/// format writes it (subscribers are answered in that order), hash of the left row (null: none),
/// instruction, partition of the left task.
pub(crate) const SUBSCRIPTION_TYPES: [DataType; 5] = [
    DataType::Binary,
    DataType::Binary,
    DataType::Binary,
    DataType::Int32,
    DataType::Int32,
];

/// Columns of a response before the right row: primary key bytes, hash, whether there is a row.
pub(crate) const RESPONSE_TYPES: [DataType; 3] =
    [DataType::Binary, DataType::Binary, DataType::Boolean];

/// What the join is; shared by its tasks.
pub(crate) struct FkLeftSpec {
    pub(crate) join_type: JoinType,
    pub(crate) foreign_key: usize,
    pub(crate) primary_key: Vec<usize>,
    pub(crate) left_types: Vec<DataType>,
    pub(crate) right_types: Vec<DataType>,
    pub(crate) left: Lookup,
    /// Index of the subscription topic among the outputs.
    pub(crate) output: usize,
}

/// See the module.
pub(crate) struct FkLeft {
    pub(crate) spec: Arc<FkLeftSpec>,
    /// Encodes foreign keys as the right table's keys are, for the choice of the partition.
    pub(crate) encoder: Box<dyn Encoder>,
    /// Encodes primary keys of the left table.
    pub(crate) primary_encoder: Box<dyn Encoder>,
    pub(crate) partition: u32,
}

/// A stable 128-bit hash of bytes (FNV-1a).
fn hash(bytes: &[u8]) -> [u8; 16] {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut state = OFFSET;
    for byte in bytes {
        state = (state ^ u128::from(*byte)).wrapping_mul(PRIME);
    }
    state.to_be_bytes()
}

/// Subscriptions to be sent, column by column.
#[derive(Default)]
struct Subscriptions {
    /// Row of the changes that holds the foreign key, and whether in its old part.
    key: Vec<(usize, bool)>,
    row: Vec<usize>,
    instruction: Vec<i32>,
}

impl Subscriptions {
    fn push(&mut self, row: usize, old: bool, instruction: Instruction) {
        self.key.push((row, old));
        self.row.push(row);
        self.instruction.push(instruction as i32);
    }
}

impl FkLeft {
    /// Hashes of rows; `None` where there is none.
    fn hashes(
        columns: &[ArrayRef],
        ts: &dyn Fn(usize) -> i64,
        present: &dyn Fn(usize) -> bool,
        rows: usize,
    ) -> Result<Vec<Option<[u8; 16]>>, EngineError> {
        let views = ColumnView::all(columns)?;
        let mut bytes = Vec::new();
        Ok((0..rows)
            .map(|row| {
                present(row).then(|| {
                    bytes.clear();
                    write_row(&views, row, &mut bytes);
                    bytes.extend_from_slice(&ts(row).to_le_bytes());
                    hash(&bytes)
                })
            })
            .collect())
    }

    /// Sends subscriptions for left changes; gives the rows that are answered here.
    fn changes(&mut self, left: &Batch, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let spec = Arc::clone(&self.spec);
        let plan = || EngineError::Plan("a foreign-key join has no key column".into());
        let new_key = left.columns.get(spec.foreign_key).ok_or_else(plan)?;
        let none = new_null_array(new_key.data_type(), left.len());
        let old_key = left
            .old
            .as_ref()
            .and_then(|old| old.columns.get(spec.foreign_key))
            .unwrap_or(&none);
        let new_keys = Keys::of(std::slice::from_ref(new_key), left.len())?;
        let old_keys = Keys::of(std::slice::from_ref(old_key), left.len())?;
        let left_join = spec.join_type == JoinType::Left;
        let mut sent = Subscriptions::default();
        let mut answered: Vec<u32> = Vec::new();
        for row in 0..left.len() {
            let was = left.old.as_ref().is_some_and(|old| old.present[row]);
            let is = !left.is_absent(row);
            let old_fk = was && old_key.is_valid(row);
            let new_fk = is && new_key.is_valid(row);
            let same = old_fk && new_fk && old_keys.get(row) == new_keys.get(row);
            if !is && !was {
                continue;
            }
            if old_fk && !same {
                sent.push(
                    row,
                    true,
                    match (left_join || new_fk, is) {
                        (true, _) => Instruction::Remove,
                        (false, true) => Instruction::RemoveAndAnswerAsLeft,
                        (false, false) => Instruction::RemoveAndAnswer,
                    },
                );
            }
            if new_fk {
                let if_found = !left_join && (same || !was);
                sent.push(
                    row,
                    false,
                    if if_found {
                        Instruction::AnswerIfFound
                    } else {
                        Instruction::Answer
                    },
                );
            } else if left_join {
                answered.push(row as u32);
            }
        }
        self.send(left, new_key, old_key, &sent, ctx)?;
        let mut here = left.take(&answered)?;
        here.old = None;
        for right in &spec.right_types {
            here.columns.push(new_null_array(right, here.seq.len()));
        }
        Ok(here)
    }

    fn send(
        &mut self,
        left: &Batch,
        new_key: &ArrayRef,
        old_key: &ArrayRef,
        sent: &Subscriptions,
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        if sent.row.is_empty() {
            return Ok(());
        }
        let picks: Vec<(usize, usize)> = sent
            .key
            .iter()
            .map(|(row, old)| (usize::from(*old), *row))
            .collect();
        let key = arrow::compute::interleave(&[new_key.as_ref(), old_key.as_ref()], &picks)?;
        let primary_columns = project(&left.columns, &self.spec.primary_key);
        let primary = Keys::of(&primary_columns, left.len())?;
        let hashes = Self::hashes(
            &left.columns,
            &|row| left.ts[row],
            &|row| !left.is_absent(row),
            left.len(),
        )?;
        let partitions = ctx
            .options
            .output_partitions
            .get(self.spec.output)
            .copied()
            .unwrap_or(1);
        let mut encoded = EncodedColumn::default();
        if partitions > 1 {
            self.encoder
                .encode(std::slice::from_ref(&key), None, &mut encoded)
                .map_err(|error| EngineError::Internal(error.to_string()))?;
        }
        let mut written = EncodedColumn::default();
        self.primary_encoder
            .encode(&primary_columns, None, &mut written)
            .map_err(|error| EngineError::Internal(error.to_string()))?;
        let columns: Vec<ArrayRef> = vec![
            key,
            Arc::new(
                sent.row
                    .iter()
                    .map(|row| Some(primary.get(*row)))
                    .collect::<BinaryArray>(),
            ),
            Arc::new(
                sent.row
                    .iter()
                    .map(|row| Some(written.get(*row).unwrap_or_default()))
                    .collect::<BinaryArray>(),
            ),
            Arc::new(
                sent.row
                    .iter()
                    .map(|row| hashes[*row])
                    .collect::<BinaryArray>(),
            ),
            Arc::new(Int32Array::from(sent.instruction.clone())),
            Arc::new(Int32Array::from(vec![
                self.partition as i32;
                sent.row.len()
            ])),
        ];
        let views = ColumnView::all(&columns)?;
        let rows = sent.row.iter().enumerate().map(|(index, row)| {
            let partition = match partitions {
                0 | 1 => 0,
                _ => encoded
                    .get(index)
                    .map_or(0, |key| partition_of(key, partitions)),
            };
            let row = FrameRow {
                new: Some(index),
                absent: false,
                old: None,
                ts: left.ts[*row],
                headers: left
                    .headers
                    .as_ref()
                    .and_then(|headers| headers[*row].as_deref()),
            };
            (partition, row)
        });
        let out = frame_rows(rows, partitions, &views, &[]);
        ctx.out.counters.produced += out.timestamps.len() as u64;
        ctx.out.records.push((self.spec.output, out));
        Ok(())
    }

    /// Asks for the right rows of left rows that have a foreign key, to be answered in any case.
    fn ask(&mut self, left: &Batch, ctx: &mut Context<'_>) -> Result<(), EngineError> {
        let mut sent = Subscriptions::default();
        for row in 0..left.len() {
            sent.push(row, false, Instruction::Answer);
        }
        let key = left.columns.get(self.spec.foreign_key).cloned();
        let key =
            key.ok_or_else(|| EngineError::Plan("a foreign-key join has no key column".into()))?;
        self.send(left, &key, &key, &sent, ctx)
    }

    /// The results of responses.
    fn responses(
        &mut self,
        left: &Batch,
        responses: &Batch,
        ctx: &mut Context<'_>,
    ) -> Result<Batch, EngineError> {
        let spec = Arc::clone(&self.spec);
        let misfit = || EngineError::Internal("a response has the wrong columns".into());
        let [primary, hashes, found, right @ ..] = &responses.columns[..] else {
            return Err(misfit());
        };
        let primary = primary.as_binary_opt::<i32>().ok_or_else(misfit)?;
        let asked = hashes.as_binary_opt::<i32>().ok_or_else(misfit)?;
        let has_right = found.as_boolean_opt().ok_or_else(misfit)?;
        let overlay = Overlay::new(left, &spec.primary_key)?;
        let wanted: Vec<(&[u8], u64)> = (0..responses.len())
            .map(|row| (primary.value(row), responses.seq[row]))
            .collect();
        let resolved = overlay.resolve(&wanted, &spec.left, ctx)?;
        let mut columns = overlay.columns(&resolved.found, &resolved.fetched)?;
        let mut reader = KeyReader::new(
            &spec
                .primary_key
                .iter()
                .filter_map(|index| spec.left_types.get(*index).cloned())
                .collect::<Vec<_>>(),
        )?;
        for row in 0..responses.len() {
            reader.read(primary.value(row))?;
        }
        for (index, column) in spec.primary_key.iter().zip(reader.finish()?) {
            if let Some(slot) = columns.get_mut(*index) {
                *slot = column;
            }
        }
        let present = |row: usize| resolved.found[row] != Found::Nothing;
        let ts = |row: usize| overlay.ts(resolved.found[row], &resolved.fetched);
        let current = Self::hashes(&columns, &ts, &present, responses.len())?;

        let key = columns.get(spec.foreign_key).ok_or_else(misfit)?;
        let mut rows: Vec<u32> = Vec::new();
        let mut absent = Vec::new();
        let mut again = Vec::new();
        for (row, current) in current.iter().enumerate() {
            let asked = asked.is_valid(row).then(|| asked.value(row));
            if asked != current.as_ref().map(|hash| &hash[..]) {
                if spec.join_type == JoinType::Left || has_right.value(row) {
                    continue;
                }
                if present(row) && key.is_valid(row) {
                    again.push(row);
                    continue;
                }
            }
            rows.push(row as u32);
            absent.push(match spec.join_type {
                JoinType::Left => !present(row),
                _ => !has_right.value(row) || !present(row),
            });
        }
        if !again.is_empty() {
            let indices = again.iter().map(|row| Some(*row as u32)).collect();
            let current = Batch {
                columns: take_columns(&columns, &indices)?,
                seq: again.iter().map(|row| responses.seq[*row]).collect(),
                ts: again.iter().map(|row| ts(*row)).collect(),
                ..Batch::default()
            };
            self.ask(&current, ctx)?;
        }
        columns.extend(right.iter().cloned());
        let indices = rows.iter().map(|row| Some(*row)).collect();
        let mut out = Batch {
            columns: Vec::new(),
            old: None,
            ..responses.take(&rows)?
        };
        out.columns = take_columns(&columns, &indices)?;
        out.absent = absent.contains(&true).then_some(absent);
        Ok(out)
    }
}

impl Operator for FkLeft {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut inputs = inputs.into_iter();
        let mut left = inputs.next().unwrap_or_default();
        let responses = inputs.next().unwrap_or_default();
        if left.is_empty() {
            left.columns = self
                .spec
                .left_types
                .iter()
                .map(|data_type| new_null_array(data_type, 0))
                .collect();
        }
        let here = if left.is_empty() {
            Batch::default()
        } else {
            self.changes(&left, ctx)?
        };
        let answered = if responses.is_empty() {
            Batch::default()
        } else {
            self.responses(&left, &responses, ctx)?
        };
        merge(here, answered)
    }
}
