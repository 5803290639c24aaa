//! Decompression with a limit, so that a small hostile batch cannot fill the memory.

use super::header::BatchError;
use bytes::Bytes;
use kafka_protocol::compression::{Compressor, Gzip, Lz4, Snappy, Zstd};
use std::io::Read;

/// A batch that grows beyond this when decompressed is refused.
const MAX_DECOMPRESSED: usize = 100 << 20;
/// Frame magic of snappy-java, in which Java clients wrap blocks; other clients send one raw block.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_LEN: usize = 16;

/// Compression of a batch, by its number in the attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Plain,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// The codec with this number; unknown ones are refused.
    pub(crate) fn from_number(number: i16) -> Result<Self, BatchError> {
        Ok(match number {
            0 => Self::Plain,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return Err(BatchError::Compression("unknown codec")),
        })
    }

    /// Compresses records; `None` where the codec fails, and the caller stores them plain.
    pub(crate) fn compress(self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(plain.len() / 2 + 64);
        let fill = |buf: &mut bytes::BytesMut| {
            buf.extend_from_slice(plain);
            Ok(())
        };
        let mut target = bytes::BytesMut::new();
        match self {
            Self::Plain => return None,
            Self::Gzip => Gzip::compress(&mut target, fill),
            Self::Snappy => Snappy::compress(&mut target, fill),
            Self::Lz4 => Lz4::compress(&mut target, fill),
            Self::Zstd => Zstd::compress(&mut target, fill),
        }
        .ok()?;
        out.extend_from_slice(&target);
        Some(out)
    }
}

/// The plain bytes of `data`.
pub(crate) fn decompress(codec: Codec, data: &Bytes) -> Result<Bytes, BatchError> {
    match codec {
        Codec::Plain => Ok(data.clone()),
        Codec::Gzip => drain(flate2::read::MultiGzDecoder::new(&data[..])),
        Codec::Lz4 => {
            drain(lz4::Decoder::new(&data[..]).map_err(|_| BatchError::Compression("lz4"))?)
        }
        Codec::Zstd => drain(
            zstd::stream::read::Decoder::new(&data[..])
                .map_err(|_| BatchError::Compression("zstd"))?,
        ),
        Codec::Snappy => snappy(data),
    }
}

fn drain(reader: impl Read) -> Result<Bytes, BatchError> {
    let mut out = Vec::new();
    reader
        .take(MAX_DECOMPRESSED as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|_| BatchError::Compression("the compressed data is corrupt"))?;
    if out.len() > MAX_DECOMPRESSED {
        return Err(BatchError::Compression("it expands beyond 100 MiB"));
    }
    Ok(out.into())
}

fn snappy(data: &[u8]) -> Result<Bytes, BatchError> {
    let mut out = Vec::new();
    if !data.starts_with(XERIAL_MAGIC) {
        snappy_block(data, &mut out)?;
        return Ok(out.into());
    }
    let mut rest = data.get(XERIAL_HEADER_LEN..).ok_or(BatchError::Truncated)?;
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk::<4>().ok_or(BatchError::Truncated)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, tail) = tail.split_at_checked(length).ok_or(BatchError::Truncated)?;
        snappy_block(block, &mut out)?;
        rest = tail;
    }
    Ok(out.into())
}

fn snappy_block(block: &[u8], out: &mut Vec<u8>) -> Result<(), BatchError> {
    let corrupt = |_| BatchError::Compression("the snappy data is corrupt");
    let length = snap::raw::decompress_len(block).map_err(corrupt)?;
    if out.len().saturating_add(length) > MAX_DECOMPRESSED {
        return Err(BatchError::Compression("it expands beyond 100 MiB"));
    }
    let at = out.len();
    out.resize(at + length, 0);
    let target = out.get_mut(at..).unwrap_or_default();
    snap::raw::Decoder::new()
        .decompress(block, target)
        .map_err(corrupt)?;
    Ok(())
}
