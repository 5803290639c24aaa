//! Length-prefixed frames.

use super::memory::{FREE, Lease, Memory};
use bytes::{Bytes, BytesMut};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A frame up to this size gets its buffer at once; a larger one as its bytes arrive, so that a length alone costs nothing.
const TRUSTED: usize = 1 << 20;
/// Key, version and correlation id: no request is shorter.
const MIN_REQUEST: usize = 8;
/// A large frame must be there after this time, and a second for each [`TRUSTED`] bytes: until then it keeps others from
/// sending.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request as it came, with the room that it takes.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    pub(crate) lease: Lease,
}

/// Reads one frame of at most `limit` bytes, when `memory` has room for it; `None` when the peer has closed the connection
/// between frames.
pub(crate) async fn read(
    socket: &mut (impl AsyncRead + Unpin),
    limit: usize,
    memory: &Memory,
) -> io::Result<Option<Frame>> {
    let length = match socket.read_i32().await {
        Ok(length) => length,
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if !(MIN_REQUEST..=limit).contains(&length) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes; {MIN_REQUEST} to {limit} are possible"),
        ));
    }
    let lease = memory.lease(length).await;
    let bytes = if length <= FREE {
        body(socket, length).await?
    } else {
        let limit = PATIENCE + Duration::from_secs((length / TRUSTED) as u64);
        tokio::time::timeout(limit, body(socket, length)).await??
    };
    Ok(Some(Frame { bytes, lease }))
}

async fn body(socket: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Bytes> {
    let mut frame = BytesMut::with_capacity(length.min(TRUSTED));
    let mut rest = socket.take(length as u64);
    while frame.len() < length {
        if frame.capacity() == frame.len() {
            frame.reserve(frame.len().clamp(1, length - frame.len()));
        }
        if rest.read_buf(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame.freeze())
}
