//! Walking the batches of a segment from a known position.

use super::data::SegmentData;
use crate::records::{BatchError, BatchHeader, HEADER_LEN};
use bytes::Bytes;
use std::io;

/// Bytes read at once when only headers are looked at.
const HEADER_WINDOW: usize = 8 << 10;
/// Bytes read at once when whole batches are.
const BATCH_WINDOW: usize = 1 << 20;

/// What a step of a scan found.
#[derive(Debug)]
pub(crate) enum Step {
    /// A whole batch with a good checksum (or only its header, see [`Scanner::next_header`]).
    Batch(u64, BatchHeader, Bytes),
    /// The end of the range.
    End,
    /// Bytes at this position that are no whole batch.
    Torn(u64, BatchError),
}

/// Steps through `data` from `position` up to `end`.
pub(crate) struct Scanner<'a> {
    data: &'a SegmentData,
    position: u64,
    end: u64,
    window: Bytes,
    window_at: u64,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(data: &'a SegmentData, position: u64, end: u64) -> Self {
        Self {
            data,
            position,
            end,
            window: Bytes::new(),
            window_at: position,
        }
    }

    /// The next batch's position and header. Bytes that are no batch are an error: the caller trusts the range.
    pub(crate) fn next_header(&mut self) -> io::Result<Option<(u64, BatchHeader)>> {
        let at = self.position;
        match self.header(HEADER_WINDOW)? {
            Step::End => Ok(None),
            Step::Torn(at, e) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("position {at}: {e}"),
            )),
            Step::Batch(_, header, _) => {
                self.position = at + header.size as u64;
                Ok(Some((at, header)))
            }
        }
    }

    /// The next batch, its checksum checked.
    pub(crate) fn next_batch(&mut self) -> io::Result<Step> {
        let at = self.position;
        let Step::Batch(_, header, _) = self.header(BATCH_WINDOW)? else {
            return self.header(BATCH_WINDOW);
        };
        let bytes = self.bytes(at, header.size, BATCH_WINDOW)?;
        Ok(match BatchHeader::parse_whole(&bytes) {
            Ok(header) => {
                self.position = at + header.size as u64;
                Step::Batch(at, header, bytes)
            }
            Err(e) => Step::Torn(at, e),
        })
    }

    fn header(&mut self, window: usize) -> io::Result<Step> {
        let at = self.position;
        let left = self.end.saturating_sub(at);
        if left == 0 {
            return Ok(Step::End);
        }
        let head = self.bytes(at, HEADER_LEN.min(left as usize), window)?;
        Ok(match BatchHeader::parse(&head) {
            Ok(header) if header.size as u64 <= left => Step::Batch(at, header, head),
            Ok(_) => Step::Torn(at, BatchError::Truncated),
            Err(e) => Step::Torn(at, e),
        })
    }

    fn bytes(&mut self, at: u64, length: usize, window: usize) -> io::Result<Bytes> {
        let inside = |w: &Bytes, w_at: u64| {
            let skip = usize::try_from(at.checked_sub(w_at)?).ok()?;
            (skip + length <= w.len()).then(|| w.slice(skip..skip + length))
        };
        if let Some(found) = inside(&self.window, self.window_at) {
            return Ok(found);
        }
        let left = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        self.window = self.data.read(at, length.max(window).min(left))?;
        self.window_at = at;
        Ok(inside(&self.window, at).unwrap_or_default())
    }
}
