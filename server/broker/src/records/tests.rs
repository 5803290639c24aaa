#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::codec::Codec;
use super::testing::TestBatch;
use super::*;
use bytes::Bytes;
use proptest::prelude::*;

fn three(codec: i16) -> Bytes {
    TestBatch::at(1000)
        .record(Some("a"), Some("1"), 0)
        .record(None, Some("2"), 30)
        .record(Some("a"), None, 20)
        .codec(codec)
        .build()
}

#[test]
fn every_codec_gives_the_same_records() {
    for codec in 0..=4 {
        let batch = three(codec);
        let header = BatchHeader::parse_whole(&batch).unwrap();
        assert_eq!(header.codec(), codec);
        let body = body_of(&header, &batch).unwrap();
        let found: Vec<_> = records(&header, &body).map(Result::unwrap).collect();
        let seen: Vec<_> = found
            .iter()
            .map(|r| (r.offset, r.timestamp, r.key, r.has_value))
            .collect();
        let a: &[u8] = b"a";
        assert_eq!(
            seen,
            [
                (0, 1000, Some(a), true),
                (1, 1030, None, true),
                (2, 1020, Some(a), false)
            ],
            "codec {codec}"
        );
    }
}

#[test]
fn snappy_is_read_raw_and_in_xerial_framing() {
    let plain = b"twice the same, twice the same, twice the same".as_slice();
    let raw = snap::raw::Encoder::new().compress_vec(plain).unwrap();
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for half in [&plain[..20], &plain[20..]] {
        let block = snap::raw::Encoder::new().compress_vec(half).unwrap();
        framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
        framed.extend_from_slice(&block);
    }
    for data in [raw, framed] {
        let read = codec::decompress(Codec::Snappy, &data.into()).unwrap();
        assert_eq!(&read[..], plain);
    }
}

#[test]
fn a_batch_that_expands_beyond_the_limit_is_refused() {
    let zeros = vec![0u8; (100 << 20) + 1];
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd, Codec::Snappy] {
        let small = codec.compress(&zeros).unwrap();
        assert!(small.len() < 8 << 20);
        assert!(
            matches!(
                codec::decompress(codec, &small.into()),
                Err(BatchError::Compression(_))
            ),
            "{codec:?}"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_behind_the_epoch_fails_the_checksum() {
    let batch = three(0);
    for at in 21..batch.len() {
        let mut bad = batch.to_vec();
        bad[at] ^= 0x04;
        assert!(BatchHeader::parse_whole(&bad).is_err(), "byte {at}");
    }
}

#[test]
fn rebuilt_batches_keep_offsets_times_and_raw_records() {
    for codec in [0, 4] {
        let batch = three(codec);
        let header = BatchHeader::parse(&batch).unwrap();
        let body = body_of(&header, &batch).unwrap();
        let last = records(&header, &body).nth(2).unwrap().unwrap();
        let rebuilt = rebuild(&header, last.raw, 1);
        let header = BatchHeader::parse_whole(&rebuilt).unwrap();
        let body = body_of(&header, &rebuilt).unwrap();
        let kept: Vec<_> = records(&header, &body).map(Result::unwrap).collect();
        assert_eq!((header.base_offset, header.next_offset()), (0, 3));
        assert_eq!(kept, [last]);
    }
}

#[test]
fn markers_say_what_they_are() {
    for commit in [true, false] {
        let marker = control_marker(7, 3, commit, 99);
        let header = BatchHeader::parse_whole(&marker).unwrap();
        assert!(header.is_control() && header.is_transactional());
        assert_eq!(
            (
                header.producer_id,
                header.producer_epoch,
                header.max_timestamp
            ),
            (7, 3, 99)
        );
        assert_eq!(is_commit_marker(&header, &marker), commit);
    }
}

#[test]
fn records_that_lie_are_refused() {
    let header = BatchHeader::parse(&three(0)).unwrap();
    let whole = body_of(&header, &three(0)).unwrap();
    let cut = &whole[..whole.len() - 1];
    let mut longer = whole.to_vec();
    longer.push(0);
    for (what, body) in [("cut", cut), ("longer", &longer), ("empty", &[])] {
        assert!(check_plain_records(&header, body, false).is_err(), "{what}");
    }
    assert_eq!(
        check_plain_records(&header, &whole, false),
        Ok((1000, 1030))
    );
    assert!(
        check_plain_records(&header, &whole, true).is_err(),
        "a record has no key"
    );
    let fewer = BatchHeader {
        record_count: 2,
        ..header
    };
    assert!(check_plain_records(&fewer, &whole, false).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(header) = BatchHeader::parse(&bytes) {
            let _ = body_of(&header, &Bytes::from(bytes.clone()));
        }
    }

    #[test]
    fn damaged_batches_are_walked_without_panic(
        codec in 0i16..8, damage in prop::collection::vec((21usize..120, any::<u8>()), 1..6),
    ) {
        let mut bytes = three(codec % 5).to_vec();
        let length = bytes.len();
        for (at, value) in damage {
            bytes[at % (length - 21) + 21] = value;
        }
        let bytes = Bytes::from(bytes);
        if let Ok(header) = BatchHeader::parse(&bytes) && let Ok(body) = body_of(&header, &bytes) {
            let walked = records(&header, &body).count();
            prop_assert!(walked <= header.record_count as usize);
            let _ = check_plain_records(&header, &body, true);
        }
    }
}
