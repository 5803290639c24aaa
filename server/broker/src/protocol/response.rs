//! A response on its way out: pieces that are written with one call, records among them without having been copied.
//!
//! ```text
//! encode ─► Sink: small fields ─► buffer ┐
//!                 records      ─► shared ┴─► [length][fields][records][fields]… ─► writev
//! ```

use super::memory::Lease;
use bytes::buf::UninitSlice;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::buf::ByteBufMut;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

/// Records below this size are copied: a piece of their own costs more.
const SHARE_FROM: usize = 4 << 10;

/// What the encoder of `kafka-protocol` writes into. It is handed records as plain slices; those that are one of the
/// `shared` buffers, in their order, become pieces of the response as they are.
pub(crate) struct Sink {
    pieces: VecDeque<Bytes>,
    buffer: BytesMut,
    shared: VecDeque<Bytes>,
    /// Bytes in `pieces`.
    sealed: usize,
    lease: Lease,
}

impl Sink {
    /// A sink that will meet the `shared` buffers in this order.
    pub(crate) fn new(shared: impl IntoIterator<Item = Bytes>) -> Self {
        let shared = shared.into_iter();
        Self {
            pieces: VecDeque::new(),
            buffer: BytesMut::with_capacity(256),
            shared: shared.filter(|b| b.len() >= SHARE_FROM).collect(),
            sealed: 0,
            lease: Lease::default(),
        }
    }

    /// Keeps the room that the shared buffers take until the response is gone.
    pub(crate) fn holding(self, lease: Lease) -> Self {
        Self { lease, ..self }
    }

    /// The frame: everything that was written, with its length in front.
    pub(crate) fn finish(mut self) -> Response {
        let length = self.sealed + self.buffer.len();
        if !self.buffer.is_empty() {
            self.pieces.push_back(self.buffer.freeze());
        }
        let prefix = (length as i32).to_be_bytes();
        self.pieces.push_front(Bytes::copy_from_slice(&prefix));
        Response {
            pieces: self.pieces,
            _lease: self.lease,
        }
    }
}

// SAFETY: all of the contract is `BytesMut`'s, to which each method goes through; shared pieces are added only between
// calls, and none of the memory handed out is touched by that.
unsafe impl BufMut for Sink {
    fn remaining_mut(&self) -> usize {
        self.buffer.remaining_mut()
    }
    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller has initialized `count` bytes of `chunk_mut`, as this function demands as well.
        unsafe { self.buffer.advance_mut(count) }
    }
    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.buffer.chunk_mut()
    }
    fn put_slice(&mut self, source: &[u8]) {
        let next = self.shared.front();
        if next.is_some_and(|b| b.as_ptr() == source.as_ptr() && b.len() == source.len())
            && let Some(piece) = self.shared.pop_front()
        {
            let before = self.buffer.split().freeze();
            self.sealed += before.len() + piece.len();
            self.pieces.push_back(before);
            self.pieces.push_back(piece);
        } else {
            self.buffer.put_slice(source);
        }
    }
}

/// Messages are written from front to back, so only the present buffer is ever looked back at.
impl ByteBufMut for Sink {
    fn offset(&self) -> usize {
        self.buffer.offset()
    }
    fn seek(&mut self, offset: usize) {
        self.buffer.seek(offset);
    }
    fn range(&mut self, range: Range<usize>) -> &mut [u8] {
        self.buffer.range(range)
    }
}

/// A whole response frame.
#[derive(Debug)]
pub(crate) struct Response {
    pieces: VecDeque<Bytes>,
    /// The room that the pieces take, until they are gone.
    _lease: Lease,
}

impl Buf for Response {
    fn remaining(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
    fn chunk(&self) -> &[u8] {
        let filled = self.pieces.iter().find(|piece| !piece.is_empty());
        filled.map_or(&[], |piece| piece)
    }
    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.pieces.front_mut() {
            let step = count.min(first.len());
            first.advance(step);
            count -= step;
            if !first.is_empty() {
                return;
            }
            self.pieces.pop_front();
        }
    }
    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = self.pieces.iter().filter(|piece| !piece.is_empty());
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(filled) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }
}
