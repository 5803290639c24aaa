//! Record formats: bytes to Arrow columns and back (spec/formats.md).
//!
//! ```text
//!              ┌────────────── Decoder ──────────────┐
//!  payload ──► │ scanner ──► one builder per column  │ ──finish──► Vec<ArrayRef>
//!              └─────────────────────────────────────┘
//!              ┌────────────── Encoder ──────────────┐
//!  columns ──► │ row by row into one reusable buffer │ ──────────► EncodedColumn
//!              └─────────────────────────────────────┘
//!  window_key   the bounds of a window after a key
//!  check        which schemas a format can hold
//! ```
//!
//! Invariant: a record that cannot be read leaves the builders as they were, so that one bad
//! record is dropped alone; no payload, however broken, makes a decoder panic.

mod check;
mod columns;
mod delimited;
mod error;
mod json;
mod kafka;
mod numbers;
mod view;
pub mod window_key;

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use weir_types::records::EncodedColumn;
use weir_types::{FormatKind, SqlType, ValueFormat};

use delimited::{DelimitedDecoder, DelimitedEncoder};
use json::{JsonDecoder, JsonEncoder};
use kafka::{KafkaDecoder, KafkaEncoder};

pub use check::check;
pub use delimited::Delimiter;
pub use error::{DecodeError, EncodeError, FormatError};

/// Which part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The record key.
    Key,
    /// The record value.
    Value,
}

impl Side {
    /// `key` or `value`, for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }
}

/// What one payload was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A row; each of its columns may still be null.
    Row,
    /// No row: a tombstone or a null key. Nulls were appended to every column.
    Null,
}

/// Turns payloads of one side of a source into columns.
pub trait Decoder: Send {
    /// Appends one row to the projected columns. On an error the columns are as before.
    fn decode(&mut self, payload: Option<&[u8]>) -> Result<Decoded, DecodeError>;

    /// Rows appended since the last [`finish`](Self::finish).
    fn len(&self) -> usize;

    /// Whether no row was appended since the last [`finish`](Self::finish).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The projected columns, in the order of the projection. The decoder is empty afterwards.
    fn finish(&mut self) -> Vec<ArrayRef>;
}

/// Turns columns into payloads of one side of a sink.
pub trait Encoder: Send {
    /// Appends every row of `columns` (all declared columns of the side, in order) to `out`.
    ///
    /// A row that is not valid in `absent` is written as null (a tombstone or a null key), as is
    /// a row that cannot be encoded; the latter is reported with its index. A side without columns
    /// has as many rows as `absent`. An error is returned if `columns` are not of the declared
    /// types; nothing is appended then.
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        absent: Option<&NullBuffer>,
        out: &mut EncodedColumn,
    ) -> Result<Vec<(usize, EncodeError)>, FormatError>;
}

/// A decoder of `format` for a side with these columns; `projection` holds the indices of the
/// columns that [`Decoder::finish`] returns. Columns that are not projected are still checked:
/// a value that cannot be converted drops its record (spec/formats.md §1.4).
///
/// Fails if the format cannot hold the columns.
pub fn decoder(
    format: &ValueFormat,
    side: Side,
    columns: &[(String, SqlType)],
    projection: &[usize],
) -> Result<Box<dyn Decoder>, FormatError> {
    check(format, side, columns)?;
    if projection.iter().any(|i| *i >= columns.len()) {
        return Err(FormatError::new(format!(
            "The projection {projection:?} names a column beyond the {} of the {}",
            columns.len(),
            side.word()
        )));
    }
    let unwrapped = is_unwrapped(format, side, columns.len());
    Ok(match format.format.kind {
        FormatKind::None | FormatKind::Kafka => {
            Box::new(KafkaDecoder::new(side, columns, projection))
        }
        FormatKind::Json => Box::new(JsonDecoder::new(side, columns, projection, unwrapped)),
        FormatKind::Delimited => {
            Box::new(DelimitedDecoder::new(format, side, columns, projection)?)
        }
        kind => return Err(not_supported(kind)),
    })
}

/// An encoder of `format` for a side with these columns.
///
/// Fails if the format cannot hold the columns.
pub fn encoder(
    format: &ValueFormat,
    side: Side,
    columns: &[(String, SqlType)],
) -> Result<Box<dyn Encoder>, FormatError> {
    check(format, side, columns)?;
    let unwrapped = is_unwrapped(format, side, columns.len());
    Ok(match format.format.kind {
        FormatKind::None | FormatKind::Kafka => Box::new(KafkaEncoder::new(columns)),
        FormatKind::Json => Box::new(JsonEncoder::new(side, columns, unwrapped)),
        FormatKind::Delimited => Box::new(DelimitedEncoder::new(format, columns)?),
        kind => return Err(not_supported(kind)),
    })
}

fn not_supported(kind: FormatKind) -> FormatError {
    FormatError::new(format!("The {kind} format cannot be read or written yet"))
}

/// Whether the single column of a side stands bare, without a surrounding object
/// (spec/formats.md §1.3). False for any other number of columns.
pub fn is_unwrapped(format: &ValueFormat, side: Side, columns: usize) -> bool {
    if columns != 1 {
        return false;
    }
    let kind = format.format.kind;
    if !kind.can_wrap() {
        return true;
    }
    match format.wrap_single {
        Some(wrap) => !wrap && kind.can_unwrap(),
        None => side == Side::Key && kind.can_unwrap(),
    }
}
