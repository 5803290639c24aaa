//! Batches as a producer would send them, for tests of every room.

use super::build::rebuild;
use super::header::{BatchHeader, HEADER_LEN};
use bytes::Bytes;

/// A batch under construction.
#[derive(Clone, Debug)]
pub(crate) struct TestBatch {
    pub(crate) header: BatchHeader,
    body: Vec<u8>,
    count: i32,
}

pub(crate) fn varint(value: i64, out: &mut Vec<u8>) {
    let mut z = ((value << 1) ^ (value >> 63)) as u64;
    while z >= 0x80 {
        out.push(z as u8 | 0x80);
        z >>= 7;
    }
    out.push(z as u8);
}

impl TestBatch {
    /// An empty batch whose records have times from `base_timestamp` on.
    pub(crate) fn at(base_timestamp: i64) -> Self {
        let header = BatchHeader {
            base_offset: 0,
            size: HEADER_LEN,
            crc: 0,
            attributes: 0,
            last_offset_delta: 0,
            base_timestamp,
            max_timestamp: base_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        Self {
            header,
            body: Vec::new(),
            count: 0,
        }
    }

    /// Adds a record `delta` ms after the batch's base time, with two headers of the same name.
    pub(crate) fn record(mut self, key: Option<&str>, value: Option<&str>, delta: i64) -> Self {
        let mut record = vec![0];
        varint(delta, &mut record);
        varint(i64::from(self.count), &mut record);
        for field in [key, value] {
            match field {
                None => varint(-1, &mut record),
                Some(text) => {
                    varint(text.len() as i64, &mut record);
                    record.extend_from_slice(text.as_bytes());
                }
            }
        }
        varint(2, &mut record);
        for value in ["1", "2"] {
            varint(1, &mut record);
            record.push(b'h');
            varint(1, &mut record);
            record.extend_from_slice(value.as_bytes());
        }
        varint(record.len() as i64, &mut self.body);
        self.body.extend_from_slice(&record);
        self.count += 1;
        self.header.last_offset_delta = self.count - 1;
        let time = self.header.base_timestamp + delta;
        self.header.max_timestamp = self.header.max_timestamp.max(time);
        self
    }

    pub(crate) fn producer(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = sequence;
        self
    }

    pub(crate) fn transactional(mut self) -> Self {
        self.header.attributes |= 0x10;
        self
    }

    pub(crate) fn codec(mut self, number: i16) -> Self {
        self.header.attributes |= number;
        self
    }

    pub(crate) fn build(&self) -> Bytes {
        rebuild(&self.header, &self.body, self.count)
    }
}

/// One record with this key and value at time `at`.
pub(crate) fn one(key: &str, value: &str, at: i64) -> Bytes {
    TestBatch::at(at).record(Some(key), Some(value), 0).build()
}
