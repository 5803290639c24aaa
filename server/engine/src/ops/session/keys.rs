//! How sessions lie in their store.
//!
//! | Entry | Key | Value |
//! |---|---|---|
//! | session | `00`, segment of the end, group key, end, start | states, timestamp |
//! | index | `01`, end, start, group key | nothing |
//!
//! A segment is a stretch of time as long as half the retention, so that expiry is one range
//! delete. Only EMIT FINAL, which goes by the end of sessions, keeps the index.

use std::ops::{Bound, ControlFlow};

use weir_state::codec::key::{from_ordered_i64, ordered_i64, prefix_end};
use weir_state::{KvStore, Result};

const SESSION: u8 = 0;
const INDEX: u8 = 1;

/// Bytes of a session's key before its group key.
pub(crate) const GROUP_AT: usize = 9;

/// Length of a segment, ms.
pub(crate) fn segment_ms(retention_ms: i64) -> i64 {
    (retention_ms / 2).max(60_000)
}

/// Where the sessions of a segment begin.
pub(crate) fn segment_prefix(segment: i64) -> Vec<u8> {
    let mut prefix = vec![SESSION];
    prefix.extend_from_slice(&ordered_i64(segment));
    prefix
}

/// The key of a session.
pub(crate) fn session_key(segment_ms: i64, group: &[u8], start: i64, end: i64, key: &mut Vec<u8>) {
    key.clear();
    key.push(SESSION);
    key.extend_from_slice(&ordered_i64(end.div_euclid(segment_ms)));
    key.extend_from_slice(group);
    key.extend_from_slice(&ordered_i64(end));
    key.extend_from_slice(&ordered_i64(start));
}

/// Start and end of a session, from its entry's key.
pub(crate) fn session_bounds(entry: &[u8]) -> Option<(i64, i64)> {
    let (rest, start) = entry.split_last_chunk::<8>()?;
    let (_, end) = rest.split_last_chunk::<8>()?;
    Some((from_ordered_i64(*start), from_ordered_i64(*end)))
}

/// Where the index of sessions that end at `end` begins.
pub(crate) fn index_prefix(end: i64) -> Vec<u8> {
    let mut prefix = vec![INDEX];
    prefix.extend_from_slice(&ordered_i64(end));
    prefix
}

/// The index entry of a session.
pub(crate) fn index_key(group: &[u8], start: i64, end: i64, key: &mut Vec<u8>) {
    key.clear();
    key.push(INDEX);
    key.extend_from_slice(&ordered_i64(end));
    key.extend_from_slice(&ordered_i64(start));
    key.extend_from_slice(group);
}

/// Start, end and group key of an index entry.
pub(crate) fn index_parts(entry: &[u8]) -> Option<(i64, i64, &[u8])> {
    let (end, rest) = entry.get(1..)?.split_first_chunk::<8>()?;
    let (start, key) = rest.split_first_chunk::<8>()?;
    Some((from_ordered_i64(*start), from_ordered_i64(*end), key))
}

/// A time after the end of every stored session; `None`: there is none.
pub(crate) fn after_all(store: &dyn KvStore, segment_ms: i64) -> Result<Option<i64>> {
    let Some(greatest) = store.upper_bound()? else {
        return Ok(None);
    };
    let parts = greatest.split_first();
    let number = parts.and_then(|(tag, rest)| Some((*tag, rest.first_chunk::<8>()?)));
    Ok(Some(match number {
        Some((SESSION, segment)) => from_ordered_i64(*segment)
            .saturating_add(1)
            .saturating_mul(segment_ms),
        Some((_, end)) => from_ordered_i64(*end).saturating_add(1),
        None => i64::MAX,
    }))
}

/// Visits the stored sessions of a group that end at `from` or later, in ascending order of their
/// ends, with start, end and value.
pub(crate) fn visit_group(
    store: &dyn KvStore,
    segment_ms: i64,
    group: &[u8],
    from: i64,
    visit: &mut dyn FnMut(&[u8], i64, i64, &[u8]) -> ControlFlow<()>,
) -> Result<()> {
    let mut next = from.div_euclid(segment_ms);
    // From each segment that is there straight to the group within it.
    while let Some(segment) = first_segment(store, next)? {
        let mut low = segment_prefix(segment);
        low.extend_from_slice(group);
        let high = prefix_end(&low).unwrap_or_default();
        low.extend_from_slice(&ordered_i64(from));
        let mut stop = false;
        store.range(
            Bound::Included(&low),
            Bound::Excluded(&high),
            &mut |key, value| {
                let Some((start, end)) = session_bounds(key) else {
                    return Ok(ControlFlow::Continue(()));
                };
                let flow = visit(key, start, end, value);
                stop |= flow.is_break();
                Ok(flow)
            },
        )?;
        let Some(after) = segment.checked_add(1).filter(|_| !stop) else {
            break;
        };
        next = after;
    }
    Ok(())
}

/// The least segment from `from` on that has sessions.
fn first_segment(store: &dyn KvStore, from: i64) -> Result<Option<i64>> {
    let mut found = None;
    store.range(
        Bound::Included(&segment_prefix(from)),
        Bound::Excluded(&[INDEX]),
        &mut |key, _| {
            let segment = key.get(1..).and_then(<[u8]>::first_chunk::<8>);
            found = segment.map(|segment| from_ordered_i64(*segment));
            Ok(ControlFlow::Break(()))
        },
    )?;
    Ok(found)
}

/// Bounds of all sessions of a store.
pub(crate) fn all_sessions() -> (Bound<&'static [u8]>, Bound<&'static [u8]>) {
    (Bound::Unbounded, Bound::Excluded(&[INDEX]))
}
