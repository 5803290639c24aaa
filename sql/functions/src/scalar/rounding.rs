//! ABS, SIGN, CEIL, FLOOR, ROUND, TRUNC (spec/sql.md §7.1 Numeric).

use arrow::array::ArrayRef;
use arrow::datatypes::i256;
use datafusion::common::Result;
use weir_types::{SqlType, own_scale};

use crate::convert::decimal::pow10;
use crate::kernel::{Call, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

const VALUE_I: Param = Param::new("value", Type::Integer, "the number");
const VALUE_L: Param = Param::new("value", Type::Bigint, "the number");
const VALUE_D: Param = Param::new("value", Type::Double, "the number");
const VALUE_N: Param = Param::new("value", Type::Decimal, "the number");
const VAL_I: Param = Param::new("val", Type::Integer, "the number");
const VAL_L: Param = Param::new("val", Type::Bigint, "the number");
const VAL_D: Param = Param::new("val", Type::Double, "the number");
const VAL_N: Param = Param::new("val", Type::Decimal, "the number");
const PLACES: Param = Param::new(
    "places",
    Type::Integer,
    "digits to keep after the point; before it if negative",
);

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "ABS",
        Category::Mathematical,
        "The absolute value.",
        &[
            Variant::new(&[VAL_I], Type::Integer, |call| {
                let value = call.ints(0)?;
                call.to_ints(|row| Some(value.get(row)?.wrapping_abs()))
            }),
            Variant::new(&[VAL_L], Type::Bigint, |call| {
                let value = call.bigints(0)?;
                call.to_bigints(|row| Some(value.get(row)?.wrapping_abs()))
            }),
            Variant::new(&[VAL_D], Type::Double, |call| {
                let value = call.doubles(0)?;
                call.to_doubles(|row| Some(value.get(row)?.abs()))
            }),
            Variant::new(&[VAL_N], Type::Decimal, |call| {
                let value = call.decimals(0)?;
                call.to_decimals(|row| Some(value.get(row)?.wrapping_abs()))
            }),
        ],
    ),
    Function::scalar(
        "CEIL",
        Category::Mathematical,
        "The least whole number that is not less.",
        &[
            Variant::new(&[VALUE_I], Type::Integer, same),
            Variant::new(&[VALUE_L], Type::Bigint, same),
            Variant::new(&[VALUE_D], Type::Double, |call| {
                let value = call.doubles(0)?;
                call.to_doubles(|row| Some(value.get(row)?.ceil()))
            }),
            Variant::new(&[VALUE_N], Type::Decimal, |call| {
                whole_decimals(call, |value, unit| {
                    floor_to(value.wrapping_neg(), unit).wrapping_neg()
                })
            }),
        ],
    ),
    Function::scalar(
        "FLOOR",
        Category::Mathematical,
        "The greatest whole number that is not greater.",
        &[
            Variant::new(&[VALUE_I], Type::Integer, same),
            Variant::new(&[VALUE_L], Type::Bigint, same),
            Variant::new(&[VALUE_D], Type::Double, |call| {
                let value = call.doubles(0)?;
                call.to_doubles(|row| Some(value.get(row)?.floor()))
            }),
            Variant::new(&[VALUE_N], Type::Decimal, |call| {
                whole_decimals(call, floor_to)
            }),
        ],
    ),
    Function::scalar(
        "ROUND",
        Category::Mathematical,
        "The nearest whole number, or the nearest number of so many places; ties go up.",
        &[
            Variant::new(&[VALUE_I], Type::Bigint, widened),
            Variant::new(&[VALUE_L], Type::Bigint, same),
            Variant::new(&[VALUE_D], Type::Bigint, |call| {
                let value = call.doubles(0)?;
                call.to_bigints(|row| Some(round_half_up(value.get(row)?)))
            }),
            Variant::computed(&[VALUE_N], Type::Decimal, whole_type, |call| {
                to_whole(call, round_to)
            }),
            Variant::new(&[VALUE_D, PLACES], Type::Double, |call| {
                places_of_double(call, false)
            }),
            Variant::new(&[VALUE_N, PLACES], Type::Decimal, |call| {
                places_of_decimal(call, round_to)
            }),
        ],
    ),
    Function::scalar(
        "SIGN",
        Category::Mathematical,
        "-1, 0 or 1, as the number is negative, zero or positive.",
        &[
            Variant::new(&[VALUE_I], Type::Integer, |call| {
                let value = call.ints(0)?;
                call.to_ints(|row| Some(value.get(row)?.signum()))
            }),
            Variant::new(&[VALUE_L], Type::Integer, |call| {
                let value = call.bigints(0)?;
                call.to_ints(|row| Some(value.get(row)?.signum() as i32))
            }),
            Variant::new(&[VALUE_D], Type::Integer, |call| {
                let value = call.doubles(0)?;
                call.to_ints(|row| {
                    let value = value.get(row)?;
                    Some(i32::from(value > 0.0) - i32::from(value < 0.0))
                })
            }),
        ],
    ),
    Function::scalar(
        "TRUNC",
        Category::Mathematical,
        "The whole part of a number, or the number cut off after so many places.",
        &[
            Variant::new(&[VALUE_I], Type::Bigint, widened),
            Variant::new(&[VALUE_L], Type::Bigint, same),
            Variant::new(&[VALUE_D], Type::Bigint, |call| {
                let value = call.doubles(0)?;
                // A cast cuts toward zero, saturates, and makes 0 of NaN.
                call.to_bigints(|row| Some(value.get(row)? as i64))
            }),
            Variant::computed(&[VALUE_N], Type::Decimal, whole_type, |call| {
                to_whole(call, cut_to)
            }),
            Variant::new(&[VALUE_D, PLACES], Type::Double, |call| {
                places_of_double(call, true)
            }),
            Variant::new(&[VALUE_N, PLACES], Type::Decimal, |call| {
                places_of_decimal(call, cut_to)
            }),
        ],
    ),
];

/// The argument itself.
fn same(call: &Call<'_>) -> Result<ArrayRef> {
    let arg = call.arg(0)?;
    if !arg.constant {
        return Ok(ArrayRef::clone(&arg.array));
    }
    if call.arg_type(0) == &SqlType::Integer {
        let value = call.ints(0)?;
        return call.to_ints(|row| value.get(row));
    }
    let value = call.bigints(0)?;
    call.to_bigints(|row| value.get(row))
}

/// INTEGER as BIGINT.
fn widened(call: &Call<'_>) -> Result<ArrayRef> {
    let value = call.ints(0)?;
    call.to_bigints(|row| Some(i64::from(value.get(row)?)))
}

/// Type of the whole part of DECIMAL(p, s): DECIMAL(p - s, 0).
fn whole_type(args: &[SqlType]) -> std::result::Result<SqlType, String> {
    match args.first() {
        Some(SqlType::Decimal { precision, scale }) if precision > scale => {
            Ok(SqlType::decimal(precision - scale, 0))
        }
        Some(other) => Err(format!(
            "A {other} has no digits before the point to round to."
        )),
        None => Err("A number is missing.".to_owned()),
    }
}

/// The greatest multiple of `unit` that is not greater than `value`.
fn floor_to(value: i256, unit: i256) -> i256 {
    let rest = value.wrapping_rem(unit);
    let rest = if rest.is_negative() {
        rest.wrapping_add(unit)
    } else {
        rest
    };
    value.wrapping_sub(rest)
}

/// The nearest multiple of `unit`, an even number or 1; ties go up.
fn round_to(value: i256, unit: i256) -> i256 {
    let half = unit.wrapping_div(i256::from_i128(2));
    floor_to(value.wrapping_add(half), unit)
}

/// `value` cut toward zero to a multiple of `unit`.
fn cut_to(value: i256, unit: i256) -> i256 {
    value.wrapping_sub(value.wrapping_rem(unit))
}

/// Decimals made whole at their own scale.
fn whole_decimals(call: &Call<'_>, to: fn(i256, i256) -> i256) -> Result<ArrayRef> {
    let value = call.decimals(0)?;
    let unit = pow10(value.scale).unwrap_or(i256::ONE);
    call.to_decimals(|row| {
        let held = value.get(row)?;
        Some(with_zeros_of(held, to(own_scale::plain(held), unit)))
    })
}

/// `result` without the zeros that `held` lacks: Java gives it the scale of the argument.
fn with_zeros_of(held: i256, result: i256) -> i256 {
    own_scale::stand_in(result, own_scale::split(held).1)
}

/// Decimals made whole at scale 0.
fn to_whole(call: &Call<'_>, to: fn(i256, i256) -> i256) -> Result<ArrayRef> {
    let value = call.decimals(0)?;
    let unit = pow10(value.scale).unwrap_or(i256::ONE);
    call.to_decimals(|row| {
        let value = own_scale::plain(value.get(row)?);
        Some(to(value, unit).wrapping_div(unit))
    })
}

fn places_of_decimal(call: &Call<'_>, to: fn(i256, i256) -> i256) -> Result<ArrayRef> {
    let value = call.decimals(0)?;
    let places = call.ints(1)?;
    call.to_decimals(|row| {
        let (held, places) = (value.get(row)?, i64::from(places.get(row)?));
        let dropped = i64::from(value.scale) - places;
        if dropped <= 0 {
            return Some(held);
        }
        // A unit beyond every value leaves nothing but a possible carry, which 76 digits exclude.
        Some(match u32::try_from(dropped).ok().and_then(pow10) {
            Some(unit) => with_zeros_of(held, to(own_scale::plain(held), unit)),
            None => with_zeros_of(held, i256::ZERO),
        })
    })
}

/// Java's `Math.round`: the nearest whole number, ties go up, saturating, NaN gives 0.
fn round_half_up(value: f64) -> i64 {
    let floor = value.floor();
    let rounded = if value - floor >= 0.5 {
        floor + 1.0
    } else {
        floor
    };
    rounded as i64
}

fn places_of_double(call: &Call<'_>, cut: bool) -> Result<ArrayRef> {
    let value = call.doubles(0)?;
    let places = call.ints(1)?;
    call.to_doubles(|row| {
        let (value, places) = (value.get(row)?, places.get(row)?);
        if !value.is_finite() {
            return row_error(|| format!("{value} has no places to round to"));
        }
        Some(to_places(value, i64::from(places), cut))
    })
}

/// `value`, by its shortest decimal text, with `places` digits after the point: cut off, or
/// rounded with ties going up.
fn to_places(value: f64, places: i64, cut: bool) -> f64 {
    // d.ddde±n: at most 17 digits.
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let fraction = mantissa
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len() as i64);
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let (Ok(digits), Ok(exponent)) = (digits.parse::<i128>(), exponent.parse::<i64>()) else {
        return value;
    };
    let dropped = -places - (exponent - fraction);
    if dropped <= 0 {
        return value;
    }
    // Beyond 18 digits the value is less than half of a unit.
    let Some(unit) = u32::try_from(dropped)
        .ok()
        .filter(|d| *d <= 18)
        .map(|d| 10i128.pow(d))
    else {
        return 0.0;
    };
    let kept = if cut {
        digits / unit
    } else {
        (digits + unit / 2).div_euclid(unit)
    };
    format!("{kept}e{}", -places).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_by_decimal_text() {
        for (value, places, rounded, cut) in [
            (1234.5678, 1, 1234.6, 1234.5),
            (1234.5678, -2, 1200.0, 1200.0),
            (1.115, 2, 1.12, 1.11),
            (-2.5, 0, -2.0, -2.0),
            (-0.05, 1, 0.0, 0.0),
            (0.35, 1, 0.4, 0.3),
            (5e-324, 3, 0.0, 0.0),
            (1e300, 2, 1e300, 1e300),
            (1234.5678, -330, 0.0, 0.0),
            (1234.5678, 330, 1234.5678, 1234.5678),
        ] {
            assert_eq!(
                to_places(value, places, false),
                rounded,
                "{value} to {places}"
            );
            assert_eq!(
                to_places(value, places, true),
                cut,
                "{value} cut at {places}"
            );
        }
    }

    #[test]
    fn whole_doubles() {
        for (value, expected) in [
            (0.49999999999999994, 0),
            (-0.5, 0),
            (2.5, 3),
            (-2.5, -2),
            (f64::NAN, 0),
            (f64::NEG_INFINITY, i64::MIN),
            (1e21, i64::MAX),
            (4503599627370497.0, 4503599627370497),
        ] {
            assert_eq!(round_half_up(value), expected, "{value}");
        }
    }

    #[test]
    fn decimal_units() {
        let n = i256::from_i128;
        for (value, floor, round, cut) in [
            (250, 200, 300, 200),
            (-250, -300, -200, -200),
            (-1, -100, 0, 0),
            (149, 100, 100, 100),
        ] {
            assert_eq!(floor_to(n(value), n(100)), n(floor), "{value}");
            assert_eq!(round_to(n(value), n(100)), n(round), "{value}");
            assert_eq!(cut_to(n(value), n(100)), n(cut), "{value}");
        }
    }
}
