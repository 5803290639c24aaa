//! Deleting old segments: by time, by size, by request.
//!
//! Removing a large file takes the system a while, so the segments that go are handed out, and the caller removes their
//! files when it no longer holds the log's lock.

use super::data::SegmentData;
use super::log::{Log, ReadError};
use super::segment::Segment;
use crate::config::TopicSettings;
use std::io;

impl Log {
    /// Moves the log start to `offset` (-1: to the end). Returns it with the segments that lie below.
    pub(crate) fn delete_records(&mut self, offset: i64) -> Result<(i64, Vec<Segment>), ReadError> {
        let to = if offset == -1 { self.next } else { offset };
        if to < 0 || to > self.next {
            return Err(ReadError::OutOfRange);
        }
        if to <= self.start {
            return Ok((self.start, Vec::new()));
        }
        self.start = to;
        Ok((to, self.take_below_start()?))
    }

    /// Applies `retention.ms` and `retention.bytes`. Time goes by the largest timestamp in a segment, and takes the active
    /// one too. Records that a transaction holds back stay. Returns the segments that go.
    pub(crate) fn retain(
        &mut self,
        settings: &TopicSettings,
        now: i64,
    ) -> io::Result<Vec<Segment>> {
        if !settings.delete || self.size() == 0 {
            return Ok(Vec::new());
        }
        let stable = self.last_stable();
        let mut left = self.size();
        let mut to = self.start;
        for segment in &self.segments {
            // Records without a time count by that of their arrival.
            let newest = match segment.max_timestamp {
                time if time >= 0 => Some(time),
                _ => segment.started,
            };
            let old = settings.retention_ms >= 0
                && newest.is_some_and(|t| now.saturating_sub(t) > settings.retention_ms);
            let large = u64::try_from(settings.retention_bytes)
                .is_ok_and(|limit| left.saturating_sub(segment.size) >= limit);
            let only_markers = segment.max_timestamp == i64::MIN && segment.next < self.next;
            if segment.size == 0 || segment.next > stable || !(old || large || only_markers) {
                break;
            }
            left -= segment.size;
            to = segment.next;
        }
        if to <= self.start {
            return Ok(Vec::new());
        }
        self.start = to;
        self.take_below_start()
    }

    /// Takes out the segments of which nothing may be read any more.
    fn take_below_start(&mut self) -> io::Result<Vec<Segment>> {
        let active_is_below = self
            .segments
            .back()
            .is_some_and(|s| s.size > 0 && s.next <= self.start);
        if active_is_below {
            self.roll()?;
        }
        let mut gone = Vec::new();
        while self.segments.len() > 1 && self.segments.front().is_some_and(|s| s.next <= self.start)
        {
            let Some(segment) = self.segments.pop_front() else {
                break;
            };
            if let SegmentData::File(slot) = &segment.data {
                self.unsynced.retain(|s| s.path() != slot.path());
            }
            gone.push(segment);
        }
        self.compacted_to = self.compacted_to.max(self.start);
        Ok(gone)
    }
}
