//! Decimals whose scale is less than their column's.
//!
//! An Arrow decimal column has one scale, Java's `BigDecimal` has one in each value. Nearly always
//! they agree; GREATEST and LEAST hand on the chosen argument as it is, and SUM is a zero without
//! fraction while only NULLs came, and ksqlDB writes both so (`3.0` in a `DECIMAL(9, 2)`, `0`).
//! Such a value is held as a stand-in beyond 10^76, which no DECIMAL reaches: its digits without
//! the zeros that it does not have, and how many these are.
//!
//! ```text
//!  GREATEST, SUM ──stand_in──► column ─┬─ arithmetic, comparison ──plain──► as if it had the zeros
//!                                      ├─ functions over values ──split──► digits and own scale
//!                                      └─ JSON ──split──► written without them
//! ```
//!
//! The negative of a stand-in is the stand-in of the negative.
//!
//! Invariant: no function body and no aggregate computes with a stand-in, those apart that only
//! hand an argument on (COALESCE, CASE, the constructors, …) or turn its sign; formats other than
//! JSON write the column's scale.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal256Type, i256};

/// 10^76 / 2^128, rounded down: the upper half of the first stand-in.
const UPPER: u128 = 29_387_358_770_557_187_699_218_413_430_556_141_945;

/// The most zeros that a stand-in can lack; with more there are 256 bits no longer.
const MOST_ZEROS: u32 = 47;

fn power(exponent: u32) -> i256 {
    i256::from_i128(10).wrapping_pow(exponent)
}

/// Whether `value` is the unscaled value of a decimal as it is, and no stand-in.
#[inline]
pub fn is_plain(value: i256) -> bool {
    value.to_parts().1.unsigned_abs() < UPPER || magnitude(value) < power(76)
}

fn magnitude(value: i256) -> i256 {
    if value.is_negative() {
        value.wrapping_neg()
    } else {
        value
    }
}

/// The decimal `unscaled`, of its column's scale, as one that lacks so many of its last zeros. As
/// it is, if it does not end in so many or a stand-in cannot lack them.
pub fn stand_in(unscaled: i256, zeros: u32) -> i256 {
    if zeros == 0 || zeros > MOST_ZEROS || unscaled.wrapping_rem(power(zeros)) != i256::ZERO {
        return unscaled;
    }
    let digits = unscaled.wrapping_div(power(zeros));
    // At most 75 digits are left.
    let tag = power(75).wrapping_mul(i256::from_i128(9 + i128::from(zeros)));
    if digits.is_negative() {
        digits.wrapping_sub(tag)
    } else {
        digits.wrapping_add(tag)
    }
}

/// The decimal `digits` of scale `own` as it is held in a column of `scale`; `None` if that is less
/// or the digits have no room there.
pub fn held(digits: i256, own: u32, scale: u32) -> Option<i256> {
    let zeros = scale.checked_sub(own).filter(|zeros| *zeros <= 76)?;
    Some(stand_in(digits.checked_mul(power(zeros))?, zeros))
}

/// The digits of a value, and how many zeros it lacks at its column's scale.
pub fn split(value: i256) -> (i256, u32) {
    if is_plain(value) {
        return (value, 0);
    }
    let size = magnitude(value);
    let tag = size.wrapping_div(power(75));
    let digits = size.wrapping_sub(tag.wrapping_mul(power(75)));
    let zeros = tag.to_i128().map_or(0, |tag| (tag - 9).clamp(0, 76) as u32);
    let digits = if value.is_negative() {
        digits.wrapping_neg()
    } else {
        digits
    };
    (digits, zeros)
}

/// The unscaled value at the column's scale.
#[inline]
pub fn plain(value: i256) -> i256 {
    if is_plain(value) {
        return value;
    }
    let (digits, zeros) = split(value);
    digits.wrapping_mul(power(zeros))
}

/// The column without stand-ins; the same one if it is of another type or has none.
pub fn plain_column(column: ArrayRef) -> ArrayRef {
    if !matches!(column.data_type(), DataType::Decimal256(..)) {
        return column;
    }
    let decimals = column.as_primitive::<Decimal256Type>();
    if decimals.values().iter().all(|value| is_plain(*value)) {
        return column;
    }
    let array = decimals.unary::<_, Decimal256Type>(plain);
    Arc::new(array.with_data_type(column.data_type().clone()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow::array::Decimal256Array;

    use super::*;

    fn n(value: i128) -> i256 {
        i256::from_i128(value)
    }

    #[test]
    fn stand_ins_keep_value_and_scale() {
        for (unscaled, zeros) in [
            (n(300), 1),
            (n(-300), 2),
            (n(0), 2),
            (n(0), MOST_ZEROS),
            (power(75), MOST_ZEROS),
            (power(76).wrapping_sub(n(10)), 1),
            (power(76).wrapping_sub(n(10)).wrapping_neg(), 1),
        ] {
            let held = stand_in(unscaled, zeros);
            assert!(!is_plain(held), "{unscaled} {zeros}");
            assert_eq!(plain(held), unscaled, "{unscaled} {zeros}");
            let digits = unscaled.wrapping_div(power(zeros));
            assert_eq!(split(held), (digits, zeros));
            let negated = split(held.wrapping_neg());
            assert_eq!(negated, (digits.wrapping_neg(), zeros));
        }
    }

    #[test]
    fn what_is_no_stand_in_stays() {
        let greatest = power(76).wrapping_sub(i256::ONE);
        for value in [n(0), n(-7), greatest, greatest.wrapping_neg()] {
            assert!(is_plain(value), "{value}");
            assert_eq!(split(value), (value, 0));
            assert_eq!(stand_in(value, 0), value);
        }
        assert_eq!(stand_in(n(305), 1), n(305));
        assert_eq!(stand_in(n(0), MOST_ZEROS + 1), n(0));
        assert_eq!(UPPER as i128, power(76).to_parts().1);
        assert_eq!(held(n(30), 1, 2), Some(stand_in(n(300), 1)));
        assert_eq!(held(n(30), 2, 2), Some(n(30)));
        assert_eq!(held(n(30), 3, 2), None);
        assert_eq!(held(power(75), 0, 2), None);
    }

    #[test]
    fn columns_without_stand_ins() {
        let values = [Some(n(5)), None, Some(stand_in(n(300), 2))];
        let column = Decimal256Array::from_iter(values);
        let column = column.with_data_type(DataType::Decimal256(9, 2));
        let plain = plain_column(Arc::new(column));
        let expected = Decimal256Array::from_iter([Some(n(5)), None, Some(n(300))]);
        let expected = expected.with_data_type(DataType::Decimal256(9, 2));
        assert_eq!(plain.as_primitive::<Decimal256Type>(), &expected);
    }
}
