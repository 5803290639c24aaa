//! The sparse index of a segment: offset and time to byte position.
//!
//! ```text
//! BASE.index:  entry entry entry … │ aborted aborted … │ footer (sealed segments only)
//! ```
//! Entries of the active segment are appended at each checkpoint, which holds their number and checksum.

use super::log::AbortedTransaction;
use bytes::{Buf, BufMut};

/// Bytes of an entry on disk.
pub(crate) const ENTRY_LEN: usize = 24;
const ABORTED_LEN: usize = 32;
/// Bytes of the footer.
pub(crate) const FOOTER_LEN: usize = 64;
const FOOTER_MAGIC: u64 = u64::from_be_bytes(*b"weiridx1");

/// A batch that can be found without scanning the segment from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// Base offset of the batch.
    pub(crate) offset: i64,
    /// Its position in the file.
    pub(crate) position: u64,
    /// Largest timestamp of all batches before it in the segment, `i64::MIN` for none.
    pub(crate) max_before: i64,
}

/// Position from which a scan for `offset` starts.
pub(crate) fn floor_offset(entries: &[IndexEntry], offset: i64) -> u64 {
    let after = entries.partition_point(|e| e.offset <= offset);
    at(entries, after)
}

/// Position from which a scan for the first batch with a timestamp of at least `timestamp` starts.
pub(crate) fn floor_time(entries: &[IndexEntry], timestamp: i64) -> u64 {
    let after = entries.partition_point(|e| e.max_before < timestamp);
    at(entries, after)
}

fn at(entries: &[IndexEntry], after: usize) -> u64 {
    after
        .checked_sub(1)
        .and_then(|i| entries.get(i))
        .map_or(0, |e| e.position)
}

/// Appends the entries' bytes to `out`.
pub(crate) fn encode_entries(entries: &[IndexEntry], out: &mut Vec<u8>) {
    for e in entries {
        out.put_i64(e.offset);
        out.put_u64(e.position);
        out.put_i64(e.max_before);
    }
}

/// Reads entries back; trailing bytes short of an entry are ignored.
pub(crate) fn decode_entries(mut bytes: &[u8]) -> Vec<IndexEntry> {
    let mut out = Vec::with_capacity(bytes.len() / ENTRY_LEN);
    while bytes.len() >= ENTRY_LEN {
        out.push(IndexEntry {
            offset: bytes.get_i64(),
            position: bytes.get_u64(),
            max_before: bytes.get_i64(),
        });
    }
    out
}

/// What a sealed segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Length of the log file that the index belongs to.
    pub(crate) log_size: u64,
    /// Offset after the segment.
    pub(crate) next: i64,
    /// Largest timestamp, `i64::MIN` for none.
    pub(crate) max_timestamp: i64,
    /// Since when (plus its delete retention) compaction may drop the segment's tombstones; `i64::MAX`: never compacted.
    pub(crate) horizon: i64,
    pub(crate) entries: u32,
    pub(crate) aborted: u32,
}

/// The whole index file of a sealed segment.
pub(crate) fn encode_sealed(
    entries: &[IndexEntry],
    aborted: &[AbortedTransaction],
    footer: Footer,
) -> Vec<u8> {
    let mut out =
        Vec::with_capacity(entries.len() * ENTRY_LEN + aborted.len() * ABORTED_LEN + FOOTER_LEN);
    encode_entries(entries, &mut out);
    for a in aborted {
        out.put_i64(a.producer_id);
        out.put_i64(a.first_offset);
        out.put_i64(a.last_offset);
        out.put_i64(a.stable_after);
    }
    let body_crc = crc32c::crc32c(&out);
    let start = out.len();
    out.put_u64(footer.log_size);
    out.put_i64(footer.next);
    out.put_i64(footer.max_timestamp);
    out.put_i64(footer.horizon);
    out.put_u32(footer.entries);
    out.put_u32(footer.aborted);
    out.put_u32(body_crc);
    out.put_u64(0);
    let footer_crc = crc32c::crc32c(out.get(start..).unwrap_or_default());
    out.put_u32(footer_crc);
    out.put_u64(FOOTER_MAGIC);
    out
}

/// Parses the last [`FOOTER_LEN`] bytes of an index file. Also returns the checksum of what precedes it.
pub(crate) fn decode_footer(bytes: &[u8]) -> Option<(Footer, u32)> {
    if bytes.len() != FOOTER_LEN {
        return None;
    }
    let covered = bytes.get(..FOOTER_LEN - 12)?;
    let mut tail = bytes.get(FOOTER_LEN - 12..)?;
    if tail.get_u32() != crc32c::crc32c(covered) || tail.get_u64() != FOOTER_MAGIC {
        return None;
    }
    let mut b = covered;
    let footer = Footer {
        log_size: b.get_u64(),
        next: b.get_i64(),
        max_timestamp: b.get_i64(),
        horizon: b.get_i64(),
        entries: b.get_u32(),
        aborted: b.get_u32(),
    };
    Some((footer, b.get_u32()))
}

/// Parses the part before the footer, checked against `crc`.
pub(crate) fn decode_body(
    bytes: &[u8],
    footer: &Footer,
    crc: u32,
) -> Option<(Vec<IndexEntry>, Vec<AbortedTransaction>)> {
    let split = footer.entries as usize * ENTRY_LEN;
    if bytes.len() != split + footer.aborted as usize * ABORTED_LEN || crc32c::crc32c(bytes) != crc
    {
        return None;
    }
    let (entries, mut rest) = bytes.split_at_checked(split)?;
    let mut aborted = Vec::with_capacity(footer.aborted as usize);
    while rest.len() >= ABORTED_LEN {
        aborted.push(AbortedTransaction {
            producer_id: rest.get_i64(),
            first_offset: rest.get_i64(),
            last_offset: rest.get_i64(),
            stable_after: rest.get_i64(),
        });
    }
    Some((decode_entries(entries), aborted))
}
