//! A dry run of decoding that refuses array lengths which the frame cannot hold.
//!
//! The decoder of `kafka-protocol` reserves room for as many elements as an array announces, before it reads one: a
//! request of 20 bytes could ask for gigabytes. Its decoder cannot be told otherwise, but its buffer can: [`Guard`] is a
//! buffer that shortens every 32-bit number beyond what is left to just more elements than that could hold. A number that is no array length
//! may be wrong then, which a dry run does not mind; an array whose length lies runs out of bytes and fails. Lengths in
//! compact form are varints, and those that exceed what is left are refused as they are read.
//!
//! What is honest may still be dear: an element of two bytes becomes a hundred once decoded. So the dry run also counts the
//! fields that it reads, and gives up beyond [`MAX_FIELDS`]; as an array reserves its room at once, requests other than
//! Produce are small ([`super::dispatch`]). Produce has a look over it of its own ([`super::produce_walk`]).

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::ByteBuf;

/// No element of an array takes fewer bytes than this in the encoding with 32-bit lengths.
const MIN_ELEMENT: usize = 2;
/// Fields of a request at most; a metadata request for a hundred thousand topics has three times as many.
const MAX_FIELDS: u32 = 1 << 19;

/// Whether `body` can be decoded as `T` without reserving more elements than it has bytes.
pub(crate) fn is_honest<T: Decodable>(body: &Bytes, version: i16) -> bool {
    let mut guard = Guard {
        bytes: body.clone(),
        varint: 0,
        shift: 0,
        fields: 0,
    };
    T::decode(&mut guard, version).is_ok()
}

struct Guard {
    bytes: Bytes,
    /// Value so far and width of the varint that may be under way.
    varint: u64,
    shift: u32,
    fields: u32,
}

impl Guard {
    /// Follows single bytes as if each run with the high bit set were a varint. A signed byte field can look like the start
    /// of one; that only makes the value larger. A value of one byte is harmless as an array length.
    fn follow(&mut self, byte: u8) -> Result<u8, TryGetError> {
        self.varint |= u64::from(byte & 0x7f) << self.shift;
        let long = self.shift > 0;
        let more = byte & 0x80 != 0 && self.shift < 28;
        if long && self.varint > self.bytes.remaining() as u64 + 1 {
            return Err(self.refusal());
        }
        (self.varint, self.shift) = if more {
            (self.varint, self.shift + 7)
        } else {
            (0, 0)
        };
        Ok(byte)
    }

    fn count(&mut self) -> Result<(), TryGetError> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(self.refusal());
        }
        Ok(())
    }

    fn refusal(&self) -> TryGetError {
        TryGetError {
            requested: usize::MAX,
            available: self.bytes.remaining(),
        }
    }
}

impl Buf for Guard {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }
    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }
    fn advance(&mut self, count: usize) {
        (self.varint, self.shift) = (0, 0);
        self.bytes.advance(count);
    }
    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        self.count()?;
        let byte = self.bytes.try_get_u8()?;
        self.follow(byte)
    }
    fn try_get_i16(&mut self) -> Result<i16, TryGetError> {
        self.count()?;
        (self.varint, self.shift) = (0, 0);
        self.bytes.try_get_i16()
    }
    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        self.count()?;
        (self.varint, self.shift) = (0, 0);
        let value = self.bytes.try_get_i32()?;
        let left = self.bytes.remaining();
        if usize::try_from(value).is_ok_and(|length| length > left) {
            return Ok(i32::try_from(left / MIN_ELEMENT + 1).unwrap_or(i32::MAX));
        }
        Ok(value)
    }
}

impl ByteBuf for Guard {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.slice(range)
    }
    fn get_bytes(&mut self, size: usize) -> Bytes {
        (self.varint, self.shift) = (0, 0);
        self.bytes.split_to(size)
    }
}
