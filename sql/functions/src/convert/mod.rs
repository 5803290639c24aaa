//! Conversions of single values between types and texts (spec/sql.md §4.5).

pub mod base64;
pub mod decimal;
pub mod number;
pub mod temporal;

mod text;

pub use temporal::parse_timestamp;
pub use text::{to_text, write_element};
