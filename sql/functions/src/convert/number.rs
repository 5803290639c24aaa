//! Numbers from texts, as Java's parsers read them.

use arrow::datatypes::i256;
use num_bigint::BigInt;
use weir_types::java;

use super::decimal;

/// First digits (zeros) of the runs of decimal digits below U+10000.
const ZEROS: [u32; 36] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

/// The value of a decimal digit of any script.
fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.to_digit(10).map(|d| d as u8);
    }
    let code = u32::from(c);
    ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))
        .map(|zero| (code - zero) as u8)
}

/// `text` without the characters up to U+0020 at both ends.
pub fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// An integer of at most 64 bits.
///
/// # Errors
/// The message for the user, if `text` is none.
pub fn parse_integer(text: &str, min: i64, max: i64) -> Result<i64, String> {
    let invalid = || format!("For input string: \"{text}\"");
    let trimmed = trim(text);
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    if digits.is_empty() {
        return Err(invalid());
    }
    // Negative numbers reach one farther.
    let mut value: i64 = 0;
    for c in digits.chars() {
        let digit = i64::from(digit(c).ok_or_else(invalid)?);
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_sub(digit))
            .ok_or_else(invalid)?;
    }
    let value = if negative {
        Some(value)
    } else {
        value.checked_neg()
    };
    value
        .filter(|v| (min..=max).contains(v))
        .ok_or_else(invalid)
}

/// A DOUBLE; no NaN, no infinity.
///
/// # Errors
/// The message for the user, if `text` is none.
pub fn parse_double(text: &str) -> Result<f64, String> {
    let invalid = || format!("For input string: \"{text}\"");
    java::parse_double(text)
        .filter(|value| value.is_finite())
        .ok_or_else(invalid)
}

/// A decimal of any scale: unscaled value and scale, which may be negative.
pub(crate) fn parse_big_decimal(text: &str) -> Option<(BigInt, i64)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => {
            let exponent = &text[at + 1..];
            (
                &text[..at],
                parse_integer(exponent, i32::MIN.into(), i32::MAX.into()).ok()?,
            )
        }
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let mut digits = Vec::with_capacity(unsigned.len());
    let mut scale = None;
    for c in unsigned.chars() {
        if c == '.' && scale.is_none() {
            scale = Some(0i64);
        } else {
            digits.push(b'0' + digit(c)?);
            scale = scale.map(|s| s + 1);
        }
    }
    let unscaled = BigInt::parse_bytes(&digits, 10)?;
    Some((
        if negative { -unscaled } else { unscaled },
        scale.unwrap_or(0) - exponent,
    ))
}

/// A DECIMAL(`precision`, `scale`), rounded half up: its unscaled value.
///
/// # Errors
/// The message for the user, if `text` is none or too large.
pub fn parse_decimal(text: &str, precision: u32, scale: u32) -> Result<i256, String> {
    let (unscaled, from) = parse_big_decimal(trim(text)).ok_or_else(|| {
        format!("Character array is missing \"exponent\" or not a number: \"{text}\"")
    })?;
    decimal::fit_big(&unscaled, from, precision, scale)
        .ok_or_else(|| decimal::overflow(precision, scale, trim(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, expected) in [
            ("+1", Some(1)),
            (" 42 ", Some(42)),
            ("\t5\n", Some(5)),
            ("007", Some(7)),
            ("-0", Some(0)),
            ("\u{661}", Some(1)),
            ("\u{ff11}", Some(1)),
            ("2147483647", Some(2_147_483_647)),
            ("-2147483648", Some(-2_147_483_648)),
            ("2147483648", None),
            ("99999999999999999999", None),
            ("1.0", None),
            ("1.", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("1_000", None),
            ("1d", None),
        ] {
            let parsed = parse_integer(text, i32::MIN.into(), i32::MAX.into());
            assert_eq!(parsed.ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn doubles() {
        for (text, expected) in [
            ("1", Some(1.0)),
            (" 42 ", Some(42.0)),
            ("1.", Some(1.0)),
            (".5", Some(0.5)),
            ("1e3", Some(1000.0)),
            ("1E-3", Some(0.001)),
            ("1d", Some(1.0)),
            ("1f", Some(1.0)),
            ("1L", None),
            ("", None),
            (".", None),
            ("d", None),
            ("NaN", None),
            ("Infinity", None),
            ("inf", None),
            ("1e999", None),
            ("\u{661}", None),
            ("0x10", None),
            ("0x1p3", Some(8.0)),
            ("-0X.8P+1d", Some(-1.0)),
            ("0x1.fffffffffffff8p0", Some(2.0)),
            ("0x1.00000000000008p0", Some(1.0)),
            (
                "0x1.000000000000080000000000001p0",
                Some(1.0000000000000002),
            ),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p-1075", Some(0.0)),
            ("0x1.8p-1075", Some(5e-324)),
            ("0x0p99999999999999999999", Some(0.0)),
            ("0x1p1024", None),
            ("0x1p", None),
            ("0xp1", None),
            ("0x1p+-1", None),
            ("0x1p1p1", None),
        ] {
            assert_eq!(parse_double(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn decimals() {
        for (text, precision, scale, expected) in [
            ("1.5", 38, 0, Some(2)),
            ("-1.5", 38, 0, Some(-2)),
            (".5", 38, 0, Some(1)),
            ("1.", 4, 2, Some(100)),
            ("1e3", 38, 0, Some(1000)),
            ("1E-3", 38, 0, Some(0)),
            ("99.999", 4, 2, Some(10_000)),
            ("100", 4, 2, None),
            ("1e2000000000", 4, 2, None),
            ("1e-2000000000", 4, 2, Some(0)),
            ("\u{661}", 4, 2, Some(100)),
            ("", 4, 2, None),
            ("1d", 4, 2, None),
            ("1.2.3", 4, 2, None),
        ] {
            let parsed = parse_decimal(text, precision, scale).ok();
            assert_eq!(parsed, expected.map(i256::from_i128), "{text:?}");
        }
    }
}
