//! Records of internal topics: many rows in one Kafka record.
//!
//! ```text
//!  frame    version 01 | count (LEB128) | rows
//!  row      flags | ts (i64 LE) | [new row] | [old row] | [headers]
//!  flags    1 new row follows   2 it is absent (null value, tombstone)
//!           4 old row follows   8 headers follow
//!  headers  count | per header: name length, name, 0 or value length + 1, value
//! ```
//!
//! Rows are those of `weir_state::codec::row`. A row with an old part only is the removal of that
//! old row (spec/semantics.md §4.2).
//!
//! Invariant: the form changes only with a new version; the golden test holds every released one.

use std::sync::Arc;

use arrow::datatypes::DataType;
use weir_state::codec::{CodecError, ColumnView, RowReader, write_row, write_varint};
use weir_types::records::{EncodedBatch, FetchedBatch, RecordHeaders};

use crate::batch::{Batch, Headers, OldRows};
use crate::input::{Chunk, Place, ReadContext, RecordReader};
use crate::{EngineError, LogEntry};

/// The version that is written.
const FRAME_VERSION: u8 = 1;
/// Frames are closed above so many bytes.
const FRAME_BYTES: usize = 64 * 1024;
const NEW: u8 = 1;
const ABSENT: u8 = 2;
const OLD: u8 = 4;
const HEADERS: u8 = 8;

/// One row to be framed: index into the columns of the new and of the old rows.
#[derive(Clone, Copy)]
pub(crate) struct FrameRow<'a> {
    pub(crate) new: Option<usize>,
    pub(crate) absent: bool,
    pub(crate) old: Option<usize>,
    pub(crate) ts: i64,
    pub(crate) headers: Option<&'a RecordHeaders>,
}

/// Rows of one target partition on their way into a frame.
#[derive(Default)]
struct FrameWriter {
    rows: Vec<u8>,
    count: u64,
    /// Greatest timestamp in the frame.
    max_ts: i64,
}

impl FrameWriter {
    fn push(&mut self, row: FrameRow<'_>, new: &[ColumnView<'_>], old: &[ColumnView<'_>]) {
        let headers = row.headers.filter(|headers| !headers.is_empty());
        let mut flags = 0;
        flags |= if row.new.is_some() { NEW } else { 0 };
        flags |= if row.absent { ABSENT } else { 0 };
        flags |= if row.old.is_some() { OLD } else { 0 };
        flags |= if headers.is_some() { HEADERS } else { 0 };
        self.rows.push(flags);
        self.rows.extend_from_slice(&row.ts.to_le_bytes());
        if let Some(index) = row.new {
            write_row(new, index, &mut self.rows);
        }
        if let Some(index) = row.old {
            write_row(old, index, &mut self.rows);
        }
        if let Some(headers) = headers {
            write_varint(headers.len() as u64, &mut self.rows);
            for (name, value) in headers {
                write_varint(name.len() as u64, &mut self.rows);
                self.rows.extend_from_slice(name.as_bytes());
                let value = value.as_deref();
                write_varint(
                    value.map_or(0, |value| value.len() as u64 + 1),
                    &mut self.rows,
                );
                self.rows.extend_from_slice(value.unwrap_or_default());
            }
        }
        self.max_ts = if self.count == 0 {
            row.ts
        } else {
            self.max_ts.max(row.ts)
        };
        self.count += 1;
    }

    /// Appends the frame to `out` and is empty again.
    fn finish(&mut self, out: &mut Vec<u8>) {
        out.push(FRAME_VERSION);
        write_varint(self.count, out);
        out.append(&mut self.rows);
        self.count = 0;
    }
}

/// Frames rows by target partition, in order; a frame is closed above [`FRAME_BYTES`].
pub(crate) fn frame_rows<'a>(
    rows: impl IntoIterator<Item = (u32, FrameRow<'a>)>,
    partitions: u32,
    new: &[ColumnView<'_>],
    old: &[ColumnView<'_>],
) -> EncodedBatch {
    let mut writers: Vec<FrameWriter> = Vec::new();
    writers.resize_with(partitions.max(1) as usize, FrameWriter::default);
    let mut out = EncodedBatch::default();
    let close = |partition: usize, writer: &mut FrameWriter, out: &mut EncodedBatch| {
        if writer.count == 0 {
            return;
        }
        out.timestamps.push(writer.max_ts.max(0));
        writer.finish(&mut out.values.data);
        out.values.end_row();
        out.keys.push_null();
        out.partitions.push(partition as i32);
    };
    for (partition, row) in rows {
        let partition = partition as usize;
        if let Some(writer) = writers.get_mut(partition) {
            writer.push(row, new, old);
            if writer.rows.len() >= FRAME_BYTES {
                close(partition, writer, &mut out);
            }
        }
    }
    for (partition, writer) in writers.iter_mut().enumerate() {
        close(partition, writer, &mut out);
    }
    out
}

/// Reads frames.
pub(crate) struct FrameReader {
    new: RowReader,
    old: RowReader,
    is_table: bool,
    ts: Vec<i64>,
    absent: Vec<bool>,
    present: Vec<bool>,
    headers: Vec<Headers>,
    places: Vec<Place>,
    topic: String,
}

impl FrameReader {
    /// A reader of rows of these types; with `is_table` rows have an old part.
    pub(crate) fn new(
        topic: String,
        types: &[DataType],
        is_table: bool,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            new: RowReader::new(types)?,
            old: RowReader::new(types)?,
            is_table,
            ts: Vec::new(),
            absent: Vec::new(),
            present: Vec::new(),
            headers: Vec::new(),
            places: Vec::new(),
            topic,
        })
    }

    fn read_row<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], CodecError> {
        let short = CodecError::Corrupt("a frame ends too early");
        let (flags, rest) = bytes.split_first().ok_or(short.clone())?;
        let (ts, mut rest) = rest.split_first_chunk::<8>().ok_or(short)?;
        let before = rest;
        if flags & NEW != 0 {
            rest = self.new.read(rest)?;
        } else if flags & OLD != 0 {
            self.new.read(before)?;
        } else {
            self.new.push_null();
        }
        if flags & OLD != 0 {
            rest = self.old.read(rest)?;
        } else {
            self.old.push_null();
        }
        let headers = if flags & HEADERS != 0 {
            let (headers, after) = read_headers(rest)?;
            rest = after;
            Some(Arc::new(headers))
        } else {
            None
        };
        self.ts.push(i64::from_le_bytes(*ts));
        self.absent.push(flags & ABSENT != 0);
        self.present.push(flags & OLD != 0);
        self.headers.push(headers);
        Ok(rest)
    }

    fn read_frame(&mut self, frame: &[u8], offset: i64) -> Result<(), CodecError> {
        let (version, rest) = frame
            .split_first()
            .ok_or(CodecError::Corrupt("a frame is empty"))?;
        if *version != FRAME_VERSION {
            return Err(CodecError::Version(*version));
        }
        let (count, mut rest) = read_varint(rest)?;
        for index in 0..count {
            rest = self.read_row(rest)?;
            self.places.push(Place {
                offset,
                index: index as u32,
            });
        }
        Ok(())
    }
}

impl RecordReader for FrameReader {
    fn push(
        &mut self,
        fetched: &FetchedBatch,
        index: usize,
        skip: u32,
        ctx: &mut ReadContext<'_>,
    ) -> Result<(), EngineError> {
        let Some(record) = fetched.records.get(index) else {
            return Ok(());
        };
        let Some(frame) = fetched.value(index) else {
            return Ok(());
        };
        self.read_frame(frame, record.offset).map_err(|error| {
            let message = format!(
                "internal topic {}, offset {}: {error}",
                self.topic, record.offset
            );
            ctx.log.push(LogEntry::Processing {
                context: "Repartition".to_owned(),
                message: message.clone(),
                cause: Vec::new(),
            });
            EngineError::Record(message)
        })?;
        if skip > 0 {
            // Rows taken before a restart are marked and dropped at the end of the chunk.
            let first = self
                .places
                .iter()
                .rposition(|place| place.index == 0)
                .unwrap_or(0);
            for place in self.places.iter_mut().skip(first).take(skip as usize) {
                place.offset = -1;
            }
        }
        Ok(())
    }

    fn rows(&self) -> usize {
        self.ts.len()
    }

    fn finish(&mut self, ctx: &mut ReadContext<'_>) -> Result<Chunk, EngineError> {
        let rows = self.ts.len();
        let present = std::mem::take(&mut self.present);
        let old_columns = self.old.finish()?;
        let headers = std::mem::take(&mut self.headers);
        let absent = std::mem::take(&mut self.absent);
        let mut batch = Batch {
            columns: self.new.finish()?,
            seq: vec![0; rows],
            ts: std::mem::take(&mut self.ts),
            absent: absent.contains(&true).then_some(absent),
            null_key: None,
            headers: headers.iter().any(Option::is_some).then_some(headers),
            old: self.is_table.then(|| OldRows {
                columns: old_columns,
                present,
                ts: vec![-1; rows],
            }),
        };
        let mut places = std::mem::take(&mut self.places);
        if places.iter().any(|place| place.offset < 0) {
            let kept: Vec<u32> = (0..rows as u32)
                .filter(|row| {
                    places
                        .get(*row as usize)
                        .is_some_and(|place| place.offset >= 0)
                })
                .collect();
            batch = batch.take(&kept)?;
            places.retain(|place| place.offset >= 0);
        }
        ctx.counters.consumed += places.len() as u64;
        Ok(Chunk { batch, places })
    }
}

fn read_varint(bytes: &[u8]) -> Result<(usize, &[u8]), CodecError> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value =
                usize::try_from(value).map_err(|_| CodecError::Corrupt("a length is too large"))?;
            return Ok((value, &bytes[index + 1..]));
        }
    }
    Err(CodecError::Corrupt("a length does not end"))
}

fn read_headers(bytes: &[u8]) -> Result<(RecordHeaders, &[u8]), CodecError> {
    let short = || CodecError::Corrupt("headers end too early");
    let (count, mut rest) = read_varint(bytes)?;
    let mut headers = RecordHeaders::new();
    for _ in 0..count {
        let (len, after) = read_varint(rest)?;
        let (name, after) = after.split_at_checked(len).ok_or_else(short)?;
        let name = String::from_utf8(name.to_vec())
            .map_err(|_| CodecError::Corrupt("a header name is not UTF-8"))?;
        let (len, after) = read_varint(after)?;
        let (value, after) = after
            .split_at_checked(len.saturating_sub(1))
            .ok_or_else(short)?;
        headers.push((name, (len > 0).then(|| value.to_vec())));
        rest = after;
    }
    Ok((headers, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use arrow::array::{ArrayRef, Int32Array, StringArray};
    use weir_types::records::RecordMeta;

    use super::*;
    use crate::{Counters, TaskOptions};

    fn columns(keys: &[Option<&str>], values: &[Option<i32>]) -> Vec<ArrayRef> {
        vec![
            Arc::new(StringArray::from(keys.to_vec())),
            Arc::new(Int32Array::from(values.to_vec())),
        ]
    }

    fn frame() -> EncodedBatch {
        let new = columns(&[Some("a"), None], &[Some(1), None]);
        let old = columns(&[Some("b"), Some("a")], &[Some(2), Some(3)]);
        let headers: RecordHeaders = vec![("h".into(), Some(vec![7])), ("n".into(), None)];
        let row = |new, absent, old, ts| FrameRow {
            new,
            absent,
            old,
            ts,
            headers: None,
        };
        frame_rows(
            [
                (
                    0,
                    FrameRow {
                        headers: Some(&headers),
                        ..row(Some(0), false, Some(1), 5)
                    },
                ),
                (1, row(Some(1), true, None, 6)),
                (0, row(None, true, Some(0), 4)),
            ],
            2,
            &ColumnView::all(&new).unwrap(),
            &ColumnView::all(&old).unwrap(),
        )
    }

    /// The bytes of version 1. Topics in the world hold them: never change these lines.
    #[test]
    fn golden_frames_of_version_1() {
        let batch = frame();
        let hex = |row| -> String {
            batch
                .values
                .get(row)
                .unwrap()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect()
        };
        assert_eq!(
            hex(0),
            "0102\
             0d0500000000000000\
             0103016101000000\
             0103016103000000\
             02016802070\
             16e00\
             060400000000000000\
             0103016202000000"
        );
        assert_eq!(hex(1), "01010306000000000000000100");
        assert_eq!(batch.partitions, [0, 1]);
        assert_eq!(batch.timestamps, [5, 6]);
    }

    fn read(bytes: &[u8], skip: u32) -> Result<Chunk, EngineError> {
        let types = [DataType::Utf8, DataType::Int32];
        let mut reader = FrameReader::new("t".into(), &types, true).unwrap();
        let value = Some(0..bytes.len() as u32);
        let fetched = FetchedBatch {
            arena: Arc::new(bytes.to_vec()),
            records: vec![RecordMeta {
                offset: 9,
                value,
                ..RecordMeta::default()
            }],
            headers: vec![],
        };
        let (mut log, mut counters) = (Vec::new(), Counters::default());
        let mut ctx = ReadContext {
            options: &TaskOptions::default(),
            log: &mut log,
            counters: &mut counters,
        };
        reader.push(&fetched, 0, skip, &mut ctx)?;
        reader.finish(&mut ctx)
    }

    #[test]
    fn frames_read_back() {
        let batch = frame();
        let chunk = read(batch.values.get(0).unwrap(), 0).unwrap();
        assert_eq!(
            chunk.batch.columns,
            columns(&[Some("a"), Some("b")], &[Some(1), Some(2)])
        );
        assert_eq!(chunk.batch.ts, [5, 4]);
        assert_eq!(chunk.batch.absent, Some(vec![false, true]));
        let old = chunk.batch.old.unwrap();
        assert_eq!(
            old.columns,
            columns(&[Some("a"), Some("b")], &[Some(3), Some(2)])
        );
        assert_eq!(old.present, [true, true]);
        let headers = chunk.batch.headers.unwrap();
        assert_eq!(headers[0].as_ref().unwrap()[1], ("n".to_owned(), None));
        assert_eq!(
            chunk.places[1],
            Place {
                offset: 9,
                index: 1
            }
        );
    }

    #[test]
    fn rows_taken_before_a_restart_are_skipped() {
        let chunk = read(frame().values.get(0).unwrap(), 1).unwrap();
        assert_eq!(chunk.batch.ts, [4]);
        assert_eq!(
            chunk.places,
            [Place {
                offset: 9,
                index: 1
            }]
        );
    }

    #[test]
    fn broken_frames_are_errors() {
        let batch = frame();
        let whole = batch.values.get(0).unwrap();
        for len in 0..whole.len() {
            assert!(read(&whole[..len], 0).is_err(), "{len} bytes");
        }
    }
}
