//! Finding offsets by time.

use super::log::Log;
use super::segment::Segment;
use crate::records::{BatchHeader, body_of, records};
use std::io;

/// What ListOffsets asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeTarget {
    /// First record with at least this timestamp.
    AtLeast(i64),
    /// First record with the largest timestamp.
    Largest,
}

impl Log {
    /// Offset and timestamp of the record looked for, `None` when there is none.
    pub(crate) fn find_time(&self, target: TimeTarget) -> io::Result<Option<(i64, i64)>> {
        let wanted = match target {
            TimeTarget::AtLeast(timestamp) => timestamp,
            TimeTarget::Largest => {
                let largest = self.segments.iter().map(|s| s.max_timestamp).max();
                match largest {
                    Some(largest) if largest != i64::MIN => largest,
                    _ => return Ok(None),
                }
            }
        };
        for segment in &self.segments {
            if segment.max_timestamp < wanted || segment.next <= self.start {
                continue;
            }
            let mut scanner = segment.scan_from_time(&self.env, wanted)?;
            while let Some((position, header)) = scanner.next_header()? {
                let candidate = !header.is_control()
                    && header.max_timestamp >= wanted
                    && header.next_offset() > self.start;
                if candidate
                    && let Some(found) = self.find_in(segment, position, &header, wanted)?
                {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn find_in(
        &self,
        segment: &Segment,
        position: u64,
        header: &BatchHeader,
        wanted: i64,
    ) -> io::Result<Option<(i64, i64)>> {
        let batch = segment.data.read(position, header.size)?;
        let invalid = |e: crate::records::BatchError| {
            io::Error::new(io::ErrorKind::InvalidData, e.to_string())
        };
        let body = body_of(header, &batch).map_err(invalid)?;
        for record in records(header, &body) {
            let record = record.map_err(invalid)?;
            if record.timestamp >= wanted && record.offset >= self.start {
                return Ok(Some((record.offset, record.timestamp)));
            }
        }
        Ok(None)
    }
}
