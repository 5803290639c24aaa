//! Deleting old segments: by time, by size, by request.

use super::log::{Log, ReadError};
use crate::config::TopicSettings;
use std::io;

impl Log {
    /// Moves the log start to `offset` (-1: to the end) and removes the segments below it.
    pub(crate) fn delete_records(&mut self, offset: i64) -> Result<i64, ReadError> {
        let to = if offset == -1 { self.next } else { offset };
        if to < 0 || to > self.next {
            return Err(ReadError::OutOfRange);
        }
        if to > self.start {
            self.start = to;
            self.drop_below_start()?;
        }
        Ok(self.start)
    }

    /// Applies `retention.ms` and `retention.bytes`. Time goes by the largest timestamp in a segment, and takes the active
    /// one too. Records that a transaction holds back stay. Returns whether anything was deleted.
    pub(crate) fn retain(&mut self, settings: &TopicSettings, now: i64) -> io::Result<bool> {
        if !settings.delete || self.size() == 0 {
            return Ok(false);
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
            return Ok(false);
        }
        self.start = to;
        self.drop_below_start()?;
        Ok(true)
    }

    /// Removes segments of which nothing may be read any more.
    fn drop_below_start(&mut self) -> io::Result<()> {
        let active_is_below = self
            .segments
            .back()
            .is_some_and(|s| s.size > 0 && s.next <= self.start);
        if active_is_below {
            self.roll()?;
        }
        while self.segments.len() > 1 && self.segments.front().is_some_and(|s| s.next <= self.start)
        {
            if let Some(gone) = self.segments.pop_front() {
                gone.delete_files();
                if let super::data::SegmentData::File(slot) = &gone.data {
                    self.unsynced.retain(|s| s.path() != slot.path());
                }
            }
        }
        self.compacted_to = self.compacted_to.max(self.start);
        Ok(())
    }
}
