//! A checksummed frame around a payload: length, CRC-32C, bytes.

use bytes::BufMut;

/// Bytes before the payload.
const PREFIX: usize = 8;
/// A longer payload is taken for garbage.
const MAX_PAYLOAD: usize = 256 << 20;

/// Appends `payload` as a frame to `out`.
pub(crate) fn encode(payload: &[u8], out: &mut Vec<u8>) {
    out.put_u32(payload.len() as u32);
    out.put_u32(crc32c::crc32c(payload));
    out.put_slice(payload);
}

/// The payload of the frame at the start of `bytes` and the frame's length, or `None` when it is not whole and sound.
pub(crate) fn decode(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    // Nothing is empty here: eight zero bytes, as a crash may leave them, would pass for an empty frame.
    if length == 0 || length > MAX_PAYLOAD {
        return None;
    }
    let payload = rest.get(..length)?;
    (crc32c::crc32c(payload) == u32::from_be_bytes(*crc)).then_some((payload, PREFIX + length))
}
