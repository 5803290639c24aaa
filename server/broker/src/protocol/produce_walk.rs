//! A look over a Produce request before it is decoded: the one request that may be large, and only by its records.
//!
//! The decoder of `kafka-protocol` reserves room for as many topics and partitions as their arrays announce. Walking over
//! them costs nothing beside their records, and shows that they are there and not too many.

use bytes::Buf;

/// Topics, partitions and tagged fields of a request at most, together.
const MAX_ELEMENTS: u32 = 1 << 17;
/// First version in the encoding with compact lengths and tagged fields.
const FLEXIBLE_FROM: i16 = 9;

/// Whether `body`, without the request's header, is a whole Produce request of this version with a bearable number of
/// elements.
pub(super) fn is_honest(body: &[u8], version: i16) -> bool {
    let mut walk = Walk {
        rest: body,
        flexible: version >= FLEXIBLE_FROM,
        left: MAX_ELEMENTS,
    };
    walk.request().is_some()
}

struct Walk<'a> {
    rest: &'a [u8],
    flexible: bool,
    left: u32,
}

impl Walk<'_> {
    fn request(&mut self) -> Option<()> {
        self.string()?;
        // acks and timeout_ms
        self.skip(2 + 4)?;
        for _ in 0..self.array()? {
            self.string()?;
            for _ in 0..self.array()? {
                // index
                self.skip(4)?;
                let records = self.length(Self::int)?;
                self.skip(records)?;
                self.tags()?;
            }
            self.tags()?;
        }
        self.tags()
    }

    /// The number of elements of an array; null is none.
    fn array(&mut self) -> Option<u32> {
        let count = u32::try_from(self.length(Self::int)?).ok()?;
        self.left = self.left.checked_sub(count)?;
        Some(count)
    }

    fn string(&mut self) -> Option<()> {
        let length = self.length(|walk| walk.rest.try_get_i16().ok().map(i64::from))?;
        self.skip(length)
    }

    fn int(&mut self) -> Option<i64> {
        self.rest.try_get_i32().ok().map(i64::from)
    }

    /// A length in the encoding of the version, `fixed` where lengths are not compact; -1 (null) counts as 0.
    fn length(&mut self, fixed: impl Fn(&mut Self) -> Option<i64>) -> Option<usize> {
        let length = if self.flexible {
            i64::from(self.varint()?) - 1
        } else {
            fixed(self)?
        };
        match length {
            -1 => Some(0),
            length => usize::try_from(length).ok(),
        }
    }

    fn tags(&mut self) -> Option<()> {
        if !self.flexible {
            return Some(());
        }
        let count = self.varint()?;
        self.left = self.left.checked_sub(count)?;
        for _ in 0..count {
            self.varint()?;
            let length = self.varint()?;
            self.skip(length as usize)?;
        }
        Some(())
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.rest.try_get_u8().ok()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).ok();
            }
        }
        None
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.rest = self.rest.get(length..)?;
        Some(())
    }
}
