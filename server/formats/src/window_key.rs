//! Keys of windowed records: the plain key followed by the bounds of its window
//! (spec/formats.md §1.6).
//!
//! ```text
//!  time window      K ++ start (int64, big endian)
//!  session window   K ++ end (int64) ++ start (int64)
//! ```
//!
//! Invariant: `split_*` after `append_*` gives the same key and bounds. A window's bounds are
//! milliseconds since the epoch; a time window's end is not stored but follows from its size.

use crate::error::DecodeError;

/// A windowed key taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowedKey<'a> {
    /// The serialised key without its window.
    pub key: &'a [u8],
    /// Start of the window.
    pub start: i64,
    /// End of the window.
    pub end: i64,
}

/// Appends the window of a tumbling or hopping key whose bytes `out` ends with.
pub fn append_time(out: &mut Vec<u8>, start: i64) {
    out.extend_from_slice(&start.to_be_bytes());
}

/// Appends the window of a session key whose bytes `out` ends with.
pub fn append_session(out: &mut Vec<u8>, start: i64, end: i64) {
    out.extend_from_slice(&end.to_be_bytes());
    out.extend_from_slice(&start.to_be_bytes());
}

/// Takes a tumbling or hopping key apart; its window is `size` milliseconds long (an end beyond
/// the range of a timestamp is `i64::MAX`). `None`: an absent or empty key.
pub fn split_time(bytes: Option<&[u8]>, size: i64) -> Result<Option<WindowedKey<'_>>, DecodeError> {
    let Some(bytes) = bytes.filter(|b| !b.is_empty()) else {
        return Ok(None);
    };
    let (key, start) = split_last(bytes)?;
    let end = start.checked_add(size).unwrap_or(i64::MAX);
    Ok(Some(WindowedKey { key, start, end }))
}

/// Takes a session key apart. `None`: an absent or empty key.
pub fn split_session(bytes: Option<&[u8]>) -> Result<Option<WindowedKey<'_>>, DecodeError> {
    let Some(bytes) = bytes.filter(|b| !b.is_empty()) else {
        return Ok(None);
    };
    let (rest, start) = split_last(bytes)?;
    let (key, end) = split_last(rest)?;
    Ok(Some(WindowedKey { key, start, end }))
}

/// The bytes before the last int64, and that number.
fn split_last(bytes: &[u8]) -> Result<(&[u8], i64), DecodeError> {
    match bytes.split_last_chunk::<8>() {
        Some((rest, last)) => Ok((rest, i64::from_be_bytes(*last))),
        None => Err(DecodeError::new(format!(
            "A windowed key ends with the bounds of its window, 8 bytes each; {} bytes are too few",
            bytes.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn time_layout() {
        let mut key = 7i64.to_be_bytes().to_vec();
        append_time(&mut key, 60_000);
        assert_eq!(key, [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0xEA, 0x60]);
        let split = split_time(Some(&key), 5).unwrap().unwrap();
        assert_eq!(
            (split.key, split.start, split.end),
            (&key[..8], 60_000, 60_005)
        );
        assert_eq!(
            split_time(Some(&key), i64::MAX).unwrap().unwrap().end,
            i64::MAX
        );
    }

    #[test]
    fn session_layout_has_the_end_first() {
        let mut key = b"k".to_vec();
        append_session(&mut key, 5, 9);
        assert_eq!(key, [0x6B, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5]);
        let split = split_session(Some(&key)).unwrap().unwrap();
        assert_eq!((split.key, split.start, split.end), (&b"k"[..], 5, 9));
    }

    #[test]
    fn absent_and_short_keys() {
        assert_eq!(split_time(None, 1).unwrap(), None);
        assert_eq!(split_session(Some(b"")).unwrap(), None);
        assert!(split_time(Some(&[0; 7]), 1).is_err());
        assert!(split_session(Some(&[0; 15])).is_err());
    }
}
