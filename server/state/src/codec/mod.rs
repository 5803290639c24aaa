//! Rows and keys as bytes, for stores, changelogs and internal topics.
//!
//! ```text
//!  columns ──ColumnView──► key::write_key   order-preserving, self-delimiting
//!                 └──────► row::write_row   compact, versioned, self-delimiting
//!  bytes ──► RowReader / KeyReader ──ColumnBuilder──► columns
//!       └──► scalar::read_row / read_key ──► Scalars of one row
//! ```
//!
//! Invariant: the bytes are a format on disk. They change only with a new version, and the golden
//! tests of each codec hold every version that was ever released.

pub mod builder;
pub mod key;
pub mod row;
pub mod scalar;
pub mod view;

pub use builder::ColumnBuilder;
pub use key::{KeyReader, write_key};
pub use row::{ROW_VERSION, RowReader, write_row};
pub use scalar::{Scalar, ScalarType};
pub use view::ColumnView;

/// Why bytes cannot be read, or a type not be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end too early or contradict themselves.
    #[error("corrupt row: {0}")]
    Corrupt(&'static str),
    /// Written by a version that this program does not know.
    #[error("row of unknown version {0}: written by a newer Weir?")]
    Version(u8),
    /// A column type that is not stored.
    #[error("columns of type {0} cannot be stored")]
    Unsupported(String),
}

/// Reads bytes from the front of a slice.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(CodecError::Corrupt("it ends too early")),
        }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, CodecError> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn varint(&mut self) -> Result<usize, CodecError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value)
                    .map_err(|_| CodecError::Corrupt("a length is too large"));
            }
        }
        Err(CodecError::Corrupt("a length does not end"))
    }
}

/// Appends an unsigned LEB128.
pub fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests;
