//! Conversions of single values: decimals, numbers, texts.

pub mod decimal;
