//! Arithmetic on unscaled 256-bit decimals; big integers only where 256 bits do not suffice.

use std::cmp::Ordering;

use arrow::datatypes::i256;
use num_bigint::{BigInt, Sign};

/// Most digits that a value can have (spec/sql.md §4.1 sets no bound, Arrow does).
const MAX_DIGITS: i64 = 76;

/// Ten to the `exponent`, `None` beyond 256 bits (exponents above 76).
pub fn pow10(exponent: u32) -> Option<i256> {
    if exponent <= 38 {
        return Some(i256::from_i128(10i128.pow(exponent)));
    }
    if exponent > 76 {
        return None;
    }
    i256::from_i128(10).checked_pow(exponent)
}

/// `value` as a big integer.
pub fn to_big(value: i256) -> BigInt {
    BigInt::from_signed_bytes_le(&value.to_le_bytes())
}

/// A big integer as 256 bits, `None` if it does not fit.
pub fn from_big(value: &BigInt) -> Option<i256> {
    let bytes = value.to_signed_bytes_le();
    if bytes.len() > 32 {
        return None;
    }
    let fill = if value.sign() == Sign::Minus { 0xff } else { 0 };
    let mut wide = [fill; 32];
    for (slot, byte) in wide.iter_mut().zip(&bytes) {
        *slot = *byte;
    }
    Some(i256::from_le_bytes(wide))
}

/// `value` times ten to the `by`, `None` beyond 256 bits.
pub fn raise(value: i256, by: u32) -> Option<i256> {
    if by == 0 || value == i256::ZERO {
        return Some(value);
    }
    let factor = pow10(by)?;
    match (value.to_i128(), factor.to_i128()) {
        (Some(v), Some(f)) => match v.checked_mul(f) {
            Some(product) => Some(i256::from_i128(product)),
            None => value.checked_mul(factor),
        },
        _ => value.checked_mul(factor),
    }
}

/// `value` of scale `from` as one of scale `to`, rounded half up (away from zero).
pub fn rescale_half_up(value: i256, from: u32, to: u32) -> Option<i256> {
    if to >= from {
        return raise(value, to - from);
    }
    let Some(divisor) = pow10(from - to) else {
        return Some(i256::ZERO);
    };
    let quotient = value.wrapping_div(divisor);
    let rest = value.wrapping_rem(divisor).wrapping_abs();
    if rest >= divisor.wrapping_sub(rest) {
        let step = if value.is_negative() {
            i256::MINUS_ONE
        } else {
            i256::ONE
        };
        return Some(quotient.wrapping_add(step));
    }
    Some(quotient)
}

/// A decimal of scale `from` as DECIMAL(`precision`, `scale`), rounded half up; `None` if its
/// whole part has too many digits. As in ksqlDB the check precedes the rounding.
pub fn fit(value: i256, from: u32, precision: u32, scale: u32) -> Option<i256> {
    let whole = precision - scale.min(precision);
    if let Some(limit) = pow10(whole.saturating_add(from))
        && value.wrapping_abs() >= limit
    {
        return None;
    }
    rescale_half_up(value, from, scale)
}

/// As [`fit`] for a big integer and a scale that may be negative.
pub fn fit_big(unscaled: &BigInt, from: i64, precision: u32, scale: u32) -> Option<i256> {
    if unscaled.sign() == Sign::NoSign {
        return Some(i256::ZERO);
    }
    let digits = unscaled.magnitude().to_string().len() as i64;
    let whole_digits = digits - from;
    if whole_digits > i64::from(precision) - i64::from(scale) || whole_digits > MAX_DIGITS {
        return None;
    }
    let to = i64::from(scale);
    let ten = BigInt::from(10);
    let scaled = if to >= from {
        unscaled * ten.pow(u32::try_from(to - from).ok()?)
    } else if -whole_digits > to {
        // Smaller than half a unit.
        BigInt::ZERO
    } else {
        let divisor = ten.pow(u32::try_from(from - to).ok()?);
        let (quotient, rest) = (unscaled / &divisor, unscaled % &divisor);
        let half_or_more = rest.magnitude() * 2u32 >= *divisor.magnitude();
        match (half_or_more, unscaled.sign()) {
            (false, _) => quotient,
            (true, Sign::Minus) => quotient - 1,
            (true, _) => quotient + 1,
        }
    };
    from_big(&scaled)
}

/// The message for a value that a DECIMAL cannot hold.
pub fn overflow(precision: u32, scale: u32, value: &str) -> String {
    format!(
        "Numeric field overflow: A field with precision {precision} and scale {scale} must round \
         to an absolute value less than 10^{}. Got {value}",
        i64::from(precision) - i64::from(scale)
    )
}

/// A finite double as an exact decimal: unscaled value and scale.
pub fn exact_double(value: f64) -> (BigInt, i64) {
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i64;
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = if exponent == 0 {
        (fraction, -1074)
    } else {
        (fraction | (1 << 52), exponent - 1075)
    };
    let mut mantissa = BigInt::from(mantissa);
    if value.is_sign_negative() {
        mantissa = -mantissa;
    }
    if exponent >= 0 {
        (mantissa << exponent as u64, 0)
    } else {
        // m / 2^n = m * 5^n / 10^n
        (
            mantissa * BigInt::from(5).pow((-exponent) as u32),
            -exponent,
        )
    }
}

/// The nearest double.
pub fn to_double(value: i256, scale: u32) -> f64 {
    if let Some(small) = value.to_i128()
        && small.unsigned_abs() < 1 << 53
        && scale <= 22
    {
        // Both are exact doubles, so their quotient is rounded once.
        return small as f64 / 10f64.powi(scale as i32);
    }
    let text = format!("{value}e-{scale}");
    text.parse().unwrap_or(f64::NAN)
}

/// Order of two decimals of different scales.
pub fn compare_scaled(left: i256, left_scale: u32, right: i256, right_scale: u32) -> Ordering {
    let scale = left_scale.max(right_scale);
    match (
        raise(left, scale - left_scale),
        raise(right, scale - right_scale),
    ) {
        (Some(l), Some(r)) => l.cmp(&r),
        _ => compare_big(
            &to_big(left),
            left_scale.into(),
            &to_big(right),
            right_scale.into(),
        ),
    }
}

/// Order of two decimals of any size.
pub fn compare_big(left: &BigInt, left_scale: i64, right: &BigInt, right_scale: i64) -> Ordering {
    let scale = left_scale.max(right_scale);
    let ten = BigInt::from(10);
    (left * ten.pow((scale - left_scale) as u32))
        .cmp(&(right * ten.pow((scale - right_scale) as u32)))
}

/// The same number with the smallest scale that holds it exactly.
pub fn strip_zeros(mut value: i256, mut scale: u32) -> (i256, u32) {
    let ten = i256::from_i128(10);
    while scale > 0 && value.wrapping_rem(ten) == i256::ZERO {
        value = value.wrapping_div(ten);
        scale -= 1;
    }
    (value, scale)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fits_before_it_rounds() {
        let fits = |v: i128, from, p, s| fit(i256::from_i128(v), from, p, s).map(|v| v.as_i128());
        assert_eq!(fits(9995, 4, 3, 3), Some(1000));
        assert_eq!(fits(10_000, 4, 3, 3), None);
        assert_eq!(fits(-25, 1, 3, 0), Some(-3));
        assert_eq!(fits(994_499, 4, 3, 1), Some(994));
        assert_eq!(fit(i256::ONE, 0, 100, 50), pow10(50));
        assert_eq!(fit(i256::ONE, 0, 100, 80), None);
    }

    #[test]
    fn doubles_are_exact() {
        let (unscaled, scale) = exact_double(0.1);
        let exact: BigInt = "1000000000000000055511151231257827021181583404541015625"
            .parse()
            .unwrap();
        assert_eq!(compare_big(&unscaled, scale, &exact, 55), Ordering::Equal);
        let (unscaled, scale) = exact_double(-3.0);
        assert_eq!(
            compare_big(&unscaled, scale, &BigInt::from(-3), 0),
            Ordering::Equal
        );
    }

    proptest! {
        #[test]
        fn big_and_small_agree(value in any::<i128>(), from in 0u32..20, scale in 0u32..20, whole in 0u32..40) {
            let narrow = fit(i256::from_i128(value), from, whole + scale, scale);
            let wide = fit_big(&BigInt::from(value), from.into(), whole + scale, scale);
            prop_assert_eq!(narrow, wide);
        }

        #[test]
        fn big_round_trip(high in any::<i128>(), low in any::<u128>()) {
            let value = i256::from_parts(low, high);
            prop_assert_eq!(from_big(&to_big(value)), Some(value));
        }
    }
}
