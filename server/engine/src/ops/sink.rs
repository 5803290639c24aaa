//! Writes the result to its topic: encodes keys (with their windows) and values, sets timestamps.
//!
//! A row without a value becomes a tombstone (or a stream record with a null value). A row whose
//! timestamp column cannot be read is not written (spec/semantics.md §1.4).

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int64Type;
use weir_formats::{EncodeError, Encoder, FormatError, window_key};
use weir_types::records::{EncodedBatch, EncodedColumn};
use weir_types::{WindowInfo, WindowKind};

use super::{Context, Operator, only};
use crate::batch::Batch;
use crate::timestamps::TimestampReader;
use crate::{EngineError, LogEntry};

/// See the module.
pub(crate) struct Sink {
    /// Index among the outputs.
    pub(crate) output: usize,
    pub(crate) topic: String,
    pub(crate) keys: usize,
    pub(crate) values: usize,
    /// Absent where the key has no columns.
    pub(crate) key_encoder: Option<Box<dyn Encoder>>,
    pub(crate) value_encoder: Box<dyn Encoder>,
    pub(crate) window: Option<WindowInfo>,
    /// Index of the timestamp column and how it is read.
    pub(crate) timestamp: Option<(usize, TimestampReader)>,
}

impl Sink {
    /// Sets timestamps from the timestamp column; drops rows that have none.
    fn stamp(&self, mut batch: Batch, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let Some((index, reader)) = &self.timestamp else {
            return Ok(batch);
        };
        let column = batch
            .columns
            .get(*index)
            .ok_or_else(|| EngineError::Plan("the timestamp column is not written".into()))?;
        let times = reader.read(column, &mut |_| {})?;
        let mut kept = Vec::with_capacity(batch.len());
        for (row, time) in times.into_iter().enumerate() {
            if batch.is_absent(row) {
                batch.ts[row] = ctx.time_at(batch.seq[row]);
                kept.push(row as u32);
                continue;
            }
            match time {
                Some(time) if time >= 0 => {
                    batch.ts[row] = time;
                    kept.push(row as u32);
                }
                _ => ctx.out.log.push(LogEntry::Processing {
                    context: "Sink".to_owned(),
                    message: "Error writing row with extracted timestamp".to_owned(),
                    cause: Vec::new(),
                }),
            }
        }
        ctx.out.counters.dropped += (batch.len() - kept.len()) as u64;
        batch.take(&kept)
    }

    /// Fails if a row could not be encoded; such a row stops the query.
    fn check(
        &self,
        result: Result<Vec<(usize, EncodeError)>, FormatError>,
        is_key: bool,
        ctx: &mut Context<'_>,
    ) -> Result<(), EngineError> {
        let failed = result.map_err(|error| EngineError::Internal(error.to_string()))?;
        let Some((_, error)) = failed.first() else {
            return Ok(());
        };
        let side = if is_key { "key" } else { "value" };
        let message = format!("Error serializing {side} to topic {}: {error}", self.topic);
        ctx.out.log.push(LogEntry::Serialization {
            context: "Sink".to_owned(),
            is_key,
            message: message.clone(),
            topic: self.topic.clone(),
        });
        Err(EngineError::Record(message))
    }

    /// Keys with the bounds of their windows.
    fn windowed(
        &self,
        window: WindowInfo,
        plain: &EncodedColumn,
        bounds: &[ArrayRef],
    ) -> Result<EncodedColumn, EngineError> {
        let misfit = || EngineError::Plan("a windowed sink has no window columns".into());
        let [start, end] = bounds else {
            return Err(misfit());
        };
        let start = start.as_primitive_opt::<Int64Type>().ok_or_else(misfit)?;
        let end = end.as_primitive_opt::<Int64Type>().ok_or_else(misfit)?;
        let mut keys = EncodedColumn::default();
        for row in 0..plain.len() {
            let Some(key) = plain
                .get(row)
                .filter(|_| start.is_valid(row) && end.is_valid(row))
            else {
                keys.push_null();
                continue;
            };
            keys.data.extend_from_slice(key);
            match window.kind {
                WindowKind::Session => {
                    window_key::append_session(&mut keys.data, start.value(row), end.value(row));
                }
                _ => window_key::append_time(&mut keys.data, start.value(row)),
            }
            keys.end_row();
        }
        Ok(keys)
    }
}

impl Operator for Sink {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let batch = self.stamp(only(inputs), ctx)?;
        let rows = batch.len();
        if rows == 0 {
            return Ok(Batch::default());
        }
        let mut columns = batch.columns;
        if columns.len() < self.keys + self.values {
            return Err(EngineError::Plan(format!(
                "too few columns for topic {}",
                self.topic
            )));
        }
        let bounds = columns.split_off(self.keys + self.values);
        let values = columns.split_off(self.keys);

        let mut keys = EncodedColumn::default();
        match &mut self.key_encoder {
            Some(encoder) => {
                let present: Option<NullBuffer> = batch
                    .null_key
                    .as_ref()
                    .map(|null| null.iter().map(|null| !null).collect());
                let failed = encoder.encode(&columns, present.as_ref(), &mut keys);
                self.check(failed, true, ctx)?;
            }
            None => (0..rows).for_each(|_| keys.push_null()),
        }
        let mut partition_keys = None;
        if let Some(window) = self.window {
            let windowed = self.windowed(window, &keys, &bounds)?;
            partition_keys = Some(std::mem::replace(&mut keys, windowed));
        }

        let present: Option<NullBuffer> = batch
            .absent
            .as_ref()
            .filter(|absent| absent.contains(&true))
            .map(|absent| absent.iter().map(|absent| !absent).collect());
        let mut encoded = EncodedColumn::default();
        let failed = if values.is_empty() {
            // No column to encode: the encoder cannot know how many rows there are.
            let mut one = EncodedColumn::default();
            let failed = self.value_encoder.encode(&values, None, &mut one);
            let empty = one.get(0).filter(|_| !one.is_empty()).map(<[u8]>::to_vec);
            for row in 0..rows {
                let absent = present.as_ref().is_some_and(|present| present.is_null(row));
                encoded.push(if absent { None } else { empty.as_deref() });
            }
            failed
        } else {
            self.value_encoder
                .encode(&values, present.as_ref(), &mut encoded)
        };
        self.check(failed, false, ctx)?;

        let headers = batch.headers.map_or_else(Vec::new, |headers| {
            headers
                .into_iter()
                .map(|headers| {
                    headers
                        .map(|headers| (*headers).clone())
                        .unwrap_or_default()
                })
                .collect()
        });
        ctx.out.counters.produced += rows as u64;
        ctx.out.records.push((
            self.output,
            EncodedBatch {
                keys,
                values: encoded,
                timestamps: batch.ts,
                headers,
                partitions: Vec::new(),
                partition_keys,
            },
        ));
        Ok(Batch::default())
    }
}
