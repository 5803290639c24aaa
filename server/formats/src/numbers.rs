//! Numbers in text, by Java's rules (spec/formats.md §1.8, §1.9).
//!
//! ```text
//!   "  1.5e3"  ──► parse_double    Double.parseDouble: trims, NaN, Infinity, suffixes
//!   "-00120.50" ─► Decimal::parse  sign, digits, scale  ──► fit(precision, scale) ──► i256
//!                                                       ──► wrapping_i64          ──► i64
//!                                                       ──► write (BigDecimal.toString)
//! ```

use arrow::datatypes::i256;
use weir_types::sql_type::MAX_DECIMAL_PRECISION;

/// Reads an integer as Java's `Long.parseLong` does: an optional sign, digits, no blanks.
pub(crate) fn strict_i64(text: &str) -> Option<i64> {
    // Rust's own grammar is the same: one sign, at least one digit, in range.
    text.parse().ok()
}

/// Reads an integer as Java's `Integer.parseInt` does.
pub(crate) fn strict_i32(text: &str) -> Option<i32> {
    text.parse().ok()
}

/// A decimal number in text form: `±digits × 10^-scale`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    scale: i64,
}

impl<'a> Decimal<'a> {
    /// Reads what Java's `new BigDecimal(text)` takes: sign, digits with at most one point, an
    /// exponent of 32 bits; no blanks.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let (mantissa, exponent) = match rest.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => {
                let digits = text.get(text.len() - (rest.len() - at - 1)..)?;
                (rest.get(..at)?, i64::from(digits.parse::<i32>().ok()?))
            }
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.iter().position(|b| *b == b'.') {
            Some(at) => (mantissa.get(..at)?, mantissa.get(at + 1..)?),
            None => (mantissa, &[][..]),
        };
        let digits = || whole.iter().chain(fraction);
        if digits().next().is_none() || !digits().all(u8::is_ascii_digit) {
            return None;
        }
        Some(Self {
            negative,
            whole,
            fraction,
            scale: fraction.len() as i64 - exponent,
        })
    }

    /// All digits without leading zeros; none for zero.
    fn significant(&self) -> impl DoubleEndedIterator<Item = u8> + Clone + use<'a> {
        let (whole, fraction) = (self.whole, self.fraction);
        let zeros = |part: &[u8]| part.iter().take_while(|d| **d == b'0').count();
        let skip_whole = zeros(whole);
        let skip_fraction = if skip_whole == whole.len() {
            zeros(fraction)
        } else {
            0
        };
        let whole = whole.get(skip_whole..).unwrap_or_default();
        let fraction = fraction.get(skip_fraction..).unwrap_or_default();
        whole.iter().chain(fraction).copied()
    }

    /// Whether the number is zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.significant().next().is_none()
    }

    /// The unscaled value at `scale` if the number needs no rounding and at most `precision`
    /// digits (spec/formats.md §1.9: "must fit without rounding or overflow").
    pub(crate) fn fit(&self, precision: u32, scale: u32) -> Option<i256> {
        let digits = self.significant();
        let count = digits.clone().count() as i64;
        if count == 0 {
            return Some(i256::ZERO);
        }
        let trailing = digits.clone().rev().take_while(|d| *d == b'0').count() as i64;
        // Zeros to append (or, if negative, trailing zeros to drop) to reach the scale.
        let shift = i64::from(scale).checked_sub(self.scale)?;
        let width = count.checked_add(shift)?;
        let most = i64::from(precision.min(u32::from(MAX_DECIMAL_PRECISION)));
        if shift < -trailing || width > most {
            return None;
        }
        // Two halves of at most 38 digits each, so that each fits 128 bits.
        let (mut high, mut low, mut position) = (0i128, 0i128, width);
        let zeros = std::iter::repeat_n(b'0', shift.max(0) as usize);
        for digit in digits.chain(zeros).take(width as usize) {
            let half = if position > 38 { &mut high } else { &mut low };
            *half = *half * 10 + i128::from(digit - b'0');
            position -= 1;
        }
        let mut value = i256::from_i128(low);
        if high != 0 {
            let power = i256::from_i128(10i128.pow(38));
            value = i256::from_i128(high)
                .wrapping_mul(power)
                .wrapping_add(value);
        }
        Some(if self.negative {
            value.wrapping_neg()
        } else {
            value
        })
    }

    /// The number without its fraction, low 64 bits (`BigDecimal.longValue`).
    pub(crate) fn wrapping_i64(&self) -> i64 {
        let digits = self.significant();
        let keep = digits.clone().count() as i64 - self.scale;
        if keep <= 0 {
            return 0;
        }
        let mut value = 0i64;
        let mut taken = 0i64;
        for digit in digits {
            if taken == keep {
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            taken += 1;
        }
        // 10^64 is a multiple of 2^64: further zeros cannot leave anything.
        for _ in 0..(keep - taken).min(64) {
            value = value.wrapping_mul(10);
        }
        if self.negative {
            value.wrapping_neg()
        } else {
            value
        }
    }

    /// Appends the number as `BigDecimal.toString` prints it: plain if the scale is not negative
    /// and the adjusted exponent is at least -6, else `d.ddE±n`.
    pub(crate) fn write(&self, out: &mut String) {
        let mut digits = String::new();
        digits.extend(self.significant().map(char::from));
        if digits.is_empty() {
            digits.push('0');
        } else if self.negative {
            out.push('-');
        }
        let adjusted = digits.len() as i64 - 1 - self.scale;
        if self.scale >= 0 && adjusted >= -6 {
            weir_types::java::write_decimal_plain(&digits, self.scale as u32, out);
            return;
        }
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        if adjusted != 0 {
            out.push('E');
            if adjusted > 0 {
                out.push('+');
            }
            out.push_str(itoa::Buffer::new().format(adjusted));
        }
    }
}

/// Digits of a power of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// `±mantissa × 10^-scale` as the nearest double, if that can be had with one exact division:
/// the mantissa below 2^53 and the scale at most 22.
#[inline]
pub(crate) fn exact_double(negative: bool, mantissa: u64, scale: usize) -> Option<f64> {
    if mantissa >= 1 << 53 {
        return None;
    }
    let value = mantissa as f64 / EXACT_POWERS.get(scale)?;
    Some(if negative { -value } else { value })
}

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Milliseconds of the day as a TIME; `None` outside of 0 to 86400000.
pub(crate) fn time_of_day(millis: i64) -> Option<i32> {
    (0..=MILLIS_PER_DAY)
        .contains(&millis)
        .then_some(millis as i32)
}

/// Days since the epoch as a DATE. The reference holds dates as milliseconds, which overflow to
/// the last of them.
pub(crate) fn date_of_days(days: i64) -> i32 {
    (days.saturating_mul(MILLIS_PER_DAY) / MILLIS_PER_DAY) as i32
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn fit(text: &str, precision: u32, scale: u32) -> Option<String> {
        Decimal::parse(text)?
            .fit(precision, scale)
            .map(|v| v.to_string())
    }

    #[test]
    fn decimals_fit_or_not() {
        for (text, precision, scale, expected) in [
            ("10", 6, 4, Some("100000")),
            ("1.12", 4, 1, None),
            ("1.10", 4, 1, Some("11")),
            ("100", 4, 2, None),
            ("99.99", 4, 2, Some("9999")),
            ("-12345.1200", 33, 16, Some("-123451200000000000000")),
            ("1e2", 5, 0, Some("100")),
            ("1200e-2", 5, 0, Some("12")),
            ("0e-400", 5, 0, Some("0")),
            ("0.000", 1, 0, Some("0")),
            ("1e2147483647", 76, 0, None),
            ("1e-2147483648", 76, 0, None),
            (
                "12345678901234567890123456789012345678901",
                41,
                0,
                Some("12345678901234567890123456789012345678901"),
            ),
            ("+.5", 2, 1, Some("5")),
            ("5.", 2, 1, Some("50")),
        ] {
            assert_eq!(fit(text, precision, scale).as_deref(), expected, "{text}");
        }
        for bad in [
            "",
            "-",
            ".",
            "1.2.3",
            "1e",
            "e5",
            " 1",
            "1 ",
            "0x1",
            "1e99999999999",
            "١",
        ] {
            assert!(Decimal::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn integers_truncate_and_wrap() {
        for (text, expected) in [
            ("1.9", 1),
            ("-1.9", -1),
            ("0.9", 0),
            ("1e2", 100),
            ("1e-2", 0),
            ("9223372036854775808", i64::MIN),
            ("18446744073709551617", 1),
            ("1e400", 0),
            ("123e18", (123i128 * 10i128.pow(18)) as i64),
        ] {
            assert_eq!(
                Decimal::parse(text).unwrap().wrapping_i64(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn prints_as_big_decimal() {
        for (text, expected) in [
            ("42.000", "42.000"),
            ("1e2", "1E+2"),
            ("1.5E10", "1.5E+10"),
            ("0.00000001", "1E-8"),
            ("0.0000000", "0E-7"),
            ("0.000001", "0.000001"),
            ("-0.0", "0.0"),
            ("-12.50", "-12.50"),
            ("1.5e1", "15"),
            ("12e-1", "1.2"),
            ("0e3", "0E+3"),
        ] {
            let mut out = String::new();
            Decimal::parse(text).unwrap().write(&mut out);
            assert_eq!(out, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn exact_doubles_are_the_nearest(mantissa in 0u64..1 << 53, scale in 0usize..23) {
            let text = format!("{mantissa}e-{scale}");
            prop_assert_eq!(exact_double(false, mantissa, scale), text.parse().ok());
        }

        #[test]
        fn fit_agrees_with_wide_arithmetic(value in any::<i64>(), extra in 0u32..40) {
            let expected = i256::from_i128(i128::from(value))
                .wrapping_mul(i256::from_i128(10).wrapping_pow(extra));
            let text = value.to_string();
            prop_assert_eq!(Decimal::parse(&text).unwrap().fit(76, extra), Some(expected));
        }
    }
}
