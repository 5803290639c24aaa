//! SQL types, schemas, identifiers, error codes and Java's text forms: the vocabulary that every
//! other crate speaks.
//!
//! ```text
//!  SqlType ── Column ── Schema          what a row looks like
//!     │
//!     └── to_arrow / from_arrow         one Arrow type for each SQL type, and back
//!  FormatSpec, WindowInfo               how a row lies on a topic
//!  format_check                         which columns a format can hold
//!  SqlError { code, message, position } what a user is told
//!  row_errors                           what went wrong in one row of a batch
//!  java                                 numbers, dates and decimals as Java prints them
//!  own_scale                            decimals of less scale than their column
//!  surrogates                           text that UTF-8 cannot hold
//! ```
//!
//! Invariant: this crate knows no I/O, no clock and no DataFusion; it depends on Arrow alone.

pub mod error;
pub mod format;
pub mod format_check;
pub mod ident;
pub mod java;
mod java_digits;
pub mod own_scale;
pub mod partition;
pub mod records;
pub mod row_errors;
pub mod schema;
pub mod sql_type;
pub mod surrogates;

pub use error::{ErrorCode, Position, SqlError};
pub use format::{FormatKind, FormatSpec, ValueFormat, WindowInfo, WindowKind};
pub use schema::{Column, ColumnRole, Schema};
pub use sql_type::{SqlType, StructField};
