//! Reads the records of a declared source into rows.
//!
//! ```text
//!  record ─► value decoder ─► window of the key ─► key decoder ─► row numbers of both
//!  chunk  ─► timestamp column ─► drop negative ─► columns as the plan's Source lists them
//! ```
//!
//! Invariant: a record that cannot be read (or a table's record without a key) is dropped alone;
//! all but null keys are logged (spec/semantics.md §1.2, §1.4, §11).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Int32Array, Int64Array, ListBuilder, StringBuilder,
    StructBuilder, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Fields, Int64Type, TimestampMillisecondType};
use weir_formats::{DecodeError, Decoded, Decoder, Side, window_key};
use weir_parser::ast::SourceKind;
use weir_planner::stream::{Source, SourceColumn};
use weir_types::records::{FetchedBatch, RecordHeaders};
use weir_types::row_errors::Captured;
use weir_types::{SqlType, WindowKind};

use crate::batch::{Batch, Headers, is_null_key, take_columns};
use crate::expr::Exprs;
use crate::input::{Chunk, Place, ReadContext, RecordReader};
use crate::timestamps::TimestampReader;
use crate::{EngineError, LogEntry};

/// What the decoders of one source are made from; shared by its tasks.
pub(crate) struct SourceSpec {
    pub(crate) source: Source,
    pub(crate) timestamp: Option<(SourceColumn, Option<Exprs>)>,
    pub(crate) context: String,
}

/// See the module.
pub(crate) struct SourceReader {
    spec: Arc<SourceSpec>,
    partition: i32,
    key: Option<Box<dyn Decoder>>,
    value: Box<dyn Decoder>,
    /// Value columns that the decoder gives: indices among the source's value columns.
    value_projection: Vec<usize>,
    timestamp: Option<TimestampReader>,
    rows: Vec<ReadRow>,
    headers: Vec<Headers>,
    wants_headers: bool,
}

/// Key bytes without their window, and the bounds of the window.
type SplitKey<'a> = (Option<&'a [u8]>, Option<(i64, i64)>);

/// A record that could be read.
struct ReadRow {
    offset: i64,
    ts: i64,
    key_row: u32,
    value_row: u32,
    absent: bool,
    null_key: bool,
    window: Option<(i64, i64)>,
}

impl SourceReader {
    /// A reader for one partition.
    pub(crate) fn new(spec: &Arc<SourceSpec>, partition: u32) -> Result<Self, EngineError> {
        let source = &spec.source;
        let plan = |error: weir_formats::FormatError| EngineError::Plan(error.to_string());
        let keys: Vec<_> = source
            .declared
            .keys()
            .map(|c| (c.name.clone(), c.sql_type.clone()))
            .collect();
        let values: Vec<_> = source
            .declared
            .values()
            .map(|c| (c.name.clone(), c.sql_type.clone()))
            .collect();
        let timestamp_column = spec.timestamp.as_ref().map(|(column, _)| column);
        let mut value_projection: Vec<usize> = source
            .columns
            .iter()
            .chain(timestamp_column)
            .filter_map(|column| match column {
                SourceColumn::Value(index) => Some(*index),
                _ => None,
            })
            .collect();
        value_projection.sort_unstable();
        value_projection.dedup();
        let all_keys: Vec<usize> = (0..keys.len()).collect();
        let key = if keys.is_empty() {
            None
        } else {
            Some(
                weir_formats::decoder(&source.key_format, Side::Key, &keys, &all_keys)
                    .map_err(plan)?,
            )
        };
        let value = weir_formats::decoder(
            &source.value_format,
            Side::Value,
            &values,
            &value_projection,
        )
        .map_err(plan)?;
        let timestamp = spec
            .timestamp
            .as_ref()
            .map(|(column, exprs)| TimestampReader::new(column.clone(), exprs.clone()));
        Ok(Self {
            spec: Arc::clone(spec),
            partition: partition as i32,
            key,
            value,
            value_projection,
            timestamp,
            rows: Vec::new(),
            headers: Vec::new(),
            wants_headers: false,
        })
    }

    fn split_key<'a>(&self, bytes: Option<&'a [u8]>) -> Result<SplitKey<'a>, DecodeError> {
        let Some(window) = self.spec.source.window else {
            return Ok((bytes, None));
        };
        let split = match (window.kind, window.size_ms) {
            (WindowKind::Session, _) => window_key::split_session(bytes)?,
            (_, size) => window_key::split_time(bytes, size.unwrap_or(i64::MAX))?,
        };
        Ok(match split {
            Some(split) => (Some(split.key), Some((split.start, split.end))),
            None => (None, None),
        })
    }

    /// Reads key and value; `None` if the record is dropped.
    fn read(
        &mut self,
        fetched: &FetchedBatch,
        index: usize,
    ) -> Result<ReadRow, (Side, DecodeError)> {
        let value_row = self.value.len() as u32;
        let (key, window) = self
            .split_key(fetched.key(index))
            .map_err(|error| (Side::Key, error))?;
        let value = self
            .value
            .decode(fetched.value(index))
            .map_err(|error| (Side::Value, error))?;
        let (key_row, null_key) = match &mut self.key {
            Some(decoder) => {
                let row = decoder.len() as u32;
                let decoded = decoder.decode(key).map_err(|error| (Side::Key, error))?;
                (row, decoded == Decoded::Null)
            }
            None => (0, false),
        };
        Ok(ReadRow {
            offset: 0,
            ts: 0,
            key_row,
            value_row,
            absent: value == Decoded::Null,
            null_key,
            window,
        })
    }
}

impl RecordReader for SourceReader {
    fn push(
        &mut self,
        fetched: &FetchedBatch,
        index: usize,
        _skip: u32,
        ctx: &mut ReadContext<'_>,
    ) -> Result<(), EngineError> {
        let Some(record) = fetched.records.get(index) else {
            return Ok(());
        };
        ctx.counters.consumed += 1;
        let row = match self.read(fetched, index) {
            Ok(row) => row,
            Err((side, error)) => {
                ctx.counters.dropped += 1;
                let source = &self.spec.source;
                let message = format!(
                    "Error deserializing {} from topic {}: {}",
                    side.word(),
                    source.topic,
                    error.message
                );
                ctx.log.push(LogEntry::Deserialization {
                    context: self.spec.context.clone(),
                    is_key: side == Side::Key,
                    message: message.clone(),
                    cause: error.causes,
                    topic: source.topic.clone(),
                    record: match side {
                        Side::Key => fetched.key(index),
                        Side::Value => fetched.value(index),
                    }
                    .map(<[u8]>::to_vec),
                });
                return match ctx.options.fail_on_bad_record {
                    true => Err(EngineError::Record(message)),
                    false => Ok(()),
                };
            }
        };
        // A table takes neither a record without a key nor one whose bytes stand for no row; only
        // a value without bytes is a tombstone.
        let no_row = row.absent && fetched.value(index).is_some();
        if self.spec.source.kind == SourceKind::Table && (row.null_key || no_row) {
            ctx.counters.dropped += 1;
            return Ok(());
        }
        self.rows.push(ReadRow {
            offset: record.offset,
            ts: record.timestamp,
            ..row
        });
        let headers = if record.headers.is_empty() {
            None
        } else {
            let range = record.headers.start as usize..record.headers.end as usize;
            let headers: RecordHeaders = fetched
                .headers
                .get(range)
                .unwrap_or_default()
                .iter()
                .map(|(name, value)| {
                    let name = String::from_utf8_lossy(fetched.slice(name)).into_owned();
                    (
                        name,
                        value.as_ref().map(|value| fetched.slice(value).to_vec()),
                    )
                })
                .collect();
            self.wants_headers = true;
            Some(Arc::new(headers))
        };
        self.headers.push(headers);
        Ok(())
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn finish(&mut self, ctx: &mut ReadContext<'_>) -> Result<Chunk, EngineError> {
        let mut rows = std::mem::take(&mut self.rows);
        let mut headers = std::mem::take(&mut self.headers);
        let decoded_keys = self.key.as_ref().map_or(0, |key| key.len());
        let decoded_values = self.value.len();
        let mut keys = self
            .key
            .as_mut()
            .map(|key| key.finish())
            .unwrap_or_default();
        let mut values = self.value.finish();
        // The decoders hold rows of records that were dropped afterwards.
        if self.key.is_some() && decoded_keys != rows.len() {
            let indices: UInt32Array = rows.iter().map(|row| row.key_row).collect();
            keys = take_columns(&keys, &indices)?;
        }
        if decoded_values != rows.len() {
            let indices: UInt32Array = rows.iter().map(|row| row.value_row).collect();
            values = take_columns(&values, &indices)?;
        }

        let mut keep: Vec<bool> = vec![true; rows.len()];
        if self.spec.source.kind == SourceKind::Table {
            for (row, keep) in keep.iter_mut().enumerate() {
                *keep = !is_null_key(&keys, row);
            }
        }
        if let Some(reader) = &self.timestamp {
            let column = match reader.column() {
                SourceColumn::Key(index) => keys.get(*index),
                SourceColumn::Value(index) => self
                    .value_projection
                    .iter()
                    .position(|projected| projected == index)
                    .and_then(|position| values.get(position)),
                _ => None,
            }
            .ok_or_else(|| EngineError::Plan("the timestamp column is not read".into()))?;
            let mut messages: Vec<String> = Vec::new();
            let times = reader.read(column, &mut |captured: Captured| {
                messages.extend(captured.errors.into_iter().map(|error| error.message));
            })?;
            for (row, time) in times.iter().enumerate() {
                match time {
                    Some(time) => rows[row].ts = *time,
                    None if keep[row] => {
                        keep[row] = false;
                        let message = "Failed to extract timestamp from row".to_owned();
                        if ctx.options.fail_on_bad_timestamp {
                            return Err(EngineError::Record(message));
                        }
                        ctx.log.push(LogEntry::Processing {
                            context: self.spec.context.clone(),
                            message,
                            cause: messages.first().cloned().into_iter().collect(),
                        });
                    }
                    None => {}
                }
            }
        }
        for (row, keep) in rows.iter().zip(&mut keep) {
            *keep &= row.ts >= 0;
        }
        if keep.contains(&false) {
            let kept: Vec<u32> = keep
                .iter()
                .enumerate()
                .filter_map(|(row, keep)| keep.then_some(row as u32))
                .collect();
            ctx.counters.dropped += (rows.len() - kept.len()) as u64;
            let indices = UInt32Array::from(kept);
            keys = take_columns(&keys, &indices)?;
            values = take_columns(&values, &indices)?;
            let mut flags = keep.iter();
            rows.retain(|_| *flags.next().unwrap_or(&false));
            let mut flags = keep.iter();
            headers.retain(|_| *flags.next().unwrap_or(&false));
        }

        let columns = self.columns(&rows, &headers, &keys, &values)?;
        let absent: Vec<bool> = rows.iter().map(|row| row.absent).collect();
        let null_key: Vec<bool> = rows.iter().map(|row| row.null_key).collect();
        Ok(Chunk {
            places: rows
                .iter()
                .map(|row| Place {
                    offset: row.offset,
                    index: 0,
                })
                .collect(),
            batch: Batch {
                columns,
                seq: vec![0; rows.len()],
                ts: rows.iter().map(|row| row.ts).collect(),
                absent: absent.contains(&true).then_some(absent),
                null_key: null_key.contains(&true).then_some(null_key),
                headers: std::mem::take(&mut self.wants_headers).then_some(headers),
                old: None,
            },
        })
    }
}

impl SourceReader {
    fn columns(
        &self,
        rows: &[ReadRow],
        headers: &[Headers],
        keys: &[ArrayRef],
        values: &[ArrayRef],
    ) -> Result<Vec<ArrayRef>, EngineError> {
        let missing = || EngineError::Plan("a source column does not exist".into());
        let longs = |get: &dyn Fn(&ReadRow) -> Option<i64>| -> ArrayRef {
            Arc::new(rows.iter().map(get).collect::<Int64Array>())
        };
        self.spec
            .source
            .columns
            .iter()
            .map(|column| {
                Ok(match column {
                    SourceColumn::Key(index) => keys.get(*index).cloned().ok_or_else(missing)?,
                    SourceColumn::Value(index) => self
                        .value_projection
                        .iter()
                        .position(|projected| projected == index)
                        .and_then(|position| values.get(position).cloned())
                        .ok_or_else(missing)?,
                    SourceColumn::Headers => all_headers(headers, rows),
                    SourceColumn::Header(name) => last_header(headers, rows, name),
                    SourceColumn::RowTime => longs(&|row| (!row.absent).then_some(row.ts)),
                    SourceColumn::RowPartition => Arc::new(
                        rows.iter()
                            .map(|row| (!row.absent).then_some(self.partition))
                            .collect::<Int32Array>(),
                    ),
                    SourceColumn::RowOffset => longs(&|row| (!row.absent).then_some(row.offset)),
                    SourceColumn::WindowStart => longs(&|row| row.window.map(|window| window.0)),
                    SourceColumn::WindowEnd => longs(&|row| row.window.map(|window| window.1)),
                })
            })
            .collect()
    }
}

/// `ARRAY<STRUCT<KEY STRING, VALUE BYTES>>` of the headers of each row.
fn all_headers(headers: &[Headers], rows: &[ReadRow]) -> ArrayRef {
    let fields = Fields::from(vec![
        Field::new("KEY", DataType::Utf8, true),
        Field::new("VALUE", DataType::Binary, true),
    ]);
    let item = Field::new("item", DataType::Struct(fields.clone()), true);
    let mut builder =
        ListBuilder::new(StructBuilder::from_fields(fields, 0)).with_field(Arc::new(item));
    for (row, headers) in rows.iter().zip(headers) {
        if row.absent {
            builder.append_null();
            continue;
        }
        for (name, value) in headers.iter().flat_map(|headers| headers.iter()) {
            let item = builder.values();
            if let Some(names) = item.field_builder::<StringBuilder>(0) {
                names.append_value(name);
            }
            if let Some(values) = item.field_builder::<BinaryBuilder>(1) {
                values.append_option(value.as_deref());
            }
            item.append(true);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// The last header of that name of each row.
fn last_header(headers: &[Headers], rows: &[ReadRow], name: &str) -> ArrayRef {
    let mut builder = BinaryBuilder::new();
    for (row, headers) in rows.iter().zip(headers) {
        let last = headers
            .iter()
            .flat_map(|headers| headers.iter())
            .rfind(|(header, _)| header == name && !row.absent);
        builder.append_option(last.and_then(|(_, value)| value.as_deref()));
    }
    Arc::new(builder.finish())
}

/// The milliseconds of a BIGINT or TIMESTAMP column.
pub(crate) fn milliseconds(column: &dyn Array) -> Option<Vec<Option<i64>>> {
    match SqlType::from_arrow(column.data_type())? {
        SqlType::Bigint => Some(column.as_primitive::<Int64Type>().iter().collect()),
        SqlType::Timestamp => Some(
            column
                .as_primitive::<TimestampMillisecondType>()
                .iter()
                .collect(),
        ),
        _ => None,
    }
}
