//! Arithmetic on unscaled 256-bit decimals; big integers only where 256 bits do not suffice.

use std::cmp::Ordering;

use arrow::datatypes::i256;
use num_bigint::BigInt;

/// Ten to the `exponent`, `None` beyond 256 bits (exponents above 76).
pub fn pow10(exponent: u32) -> Option<i256> {
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
    let fill = if value.sign() == num_bigint::Sign::Minus {
        0xff
    } else {
        0
    };
    let mut wide = [fill; 32];
    for (slot, byte) in wide.iter_mut().zip(&bytes) {
        *slot = *byte;
    }
    Some(i256::from_le_bytes(wide))
}

/// Order of two decimals of different scales.
pub fn compare_scaled(left: i256, left_scale: u32, right: i256, right_scale: u32) -> Ordering {
    let raise = |value: i256, by: u32| pow10(by).and_then(|factor| value.checked_mul(factor));
    let scale = left_scale.max(right_scale);
    match (
        raise(left, scale - left_scale),
        raise(right, scale - right_scale),
    ) {
        (Some(l), Some(r)) => l.cmp(&r),
        _ => {
            let ten = BigInt::from(10);
            (to_big(left) * ten.pow(scale - left_scale))
                .cmp(&(to_big(right) * ten.pow(scale - right_scale)))
        }
    }
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
