//! Responses made of pieces.

use crate::protocol::response::Sink;
use bytes::{Buf, BufMut, Bytes};
use std::io::IoSlice;

#[test]
fn shared_records_are_pieces_and_small_ones_copies() {
    let large = Bytes::from(vec![7; 5000]);
    let small = Bytes::from_static(b"small");
    let mut sink = Sink::new([small.clone(), large.clone()]);
    sink.put_i32(1);
    sink.put_slice(&small);
    sink.put_slice(&large);
    sink.put_slice(&large[1..]);
    sink.put_u8(2);
    let expected = [
        &(4 + 5 + 5000 + 4999 + 1i32).to_be_bytes()[..],
        &[0, 0, 0, 1],
        b"small",
        &large,
        &large[1..],
        &[2],
    ]
    .concat();
    let mut response = sink.finish();
    let mut slices = [IoSlice::new(&[]); 8];
    let count = response.chunks_vectored(&mut slices);
    assert!(
        slices[..count].iter().any(|s| s.as_ptr() == large.as_ptr()),
        "not copied"
    );
    let joined: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
    assert_eq!(joined, expected);
    // As a socket takes it: in steps that end anywhere.
    let mut taken = Vec::new();
    for step in [1, 3, 9, 4000, 5000].into_iter().cycle() {
        if !response.has_remaining() {
            break;
        }
        let step = step.min(response.remaining());
        taken.extend_from_slice(&response.copy_to_bytes(step));
    }
    assert_eq!(taken, expected);
}
