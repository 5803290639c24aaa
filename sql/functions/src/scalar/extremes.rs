//! GREATEST, LEAST and GENERATE_SERIES (spec/sql.md §7.1 Numeric).

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, ListBuilder, PrimitiveBuilder};
use arrow::compute::interleave;
use arrow::datatypes::{ArrowNativeType, Int32Type, Int64Type};
use datafusion::common::Result;
use weir_types::{SqlType, own_scale};

use crate::convert::decimal::overflow;
use crate::kernel::{Call, Primitive, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};
use crate::value::{Value, array_of};

/// The longest series that is made.
const MAX_SERIES: i128 = 1 << 24;

/// Variants of GREATEST or LEAST for all comparable types.
macro_rules! extremes {
    ($kernel:expr) => {
        &[
            extremes!(@one $kernel, Type::Integer),
            extremes!(@one $kernel, Type::Bigint),
            extremes!(@one $kernel, Type::Double),
            Variant::computed(
                &[
                    Param::new("value", Type::Decimal, "a value"),
                    Param::variadic("others", Type::Decimal, "further values"),
                ],
                Type::Decimal,
                widest_decimal,
                $kernel,
            ),
            extremes!(@one $kernel, Type::String),
            extremes!(@one $kernel, Type::Bytes),
            extremes!(@one $kernel, Type::Date),
            extremes!(@one $kernel, Type::Time),
            extremes!(@one $kernel, Type::Timestamp),
        ]
    };
    (@one $kernel:expr, $type:expr) => {
        Variant::new(
            &[
                Param::new("value", $type, "a value"),
                Param::variadic("others", $type, "further values"),
            ],
            $type,
            $kernel,
        )
    };
}

const START: &str = "the first number";
const END: &str = "the bound, included where the steps meet it";
const STEP: Param = Param::new(
    "step",
    Type::Integer,
    "the difference of neighbours; 1 or -1 if not given",
);

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "GREATEST",
        Category::Conditional,
        "The greatest of the values that are not NULL.",
        extremes!(|call| extreme(call, Ordering::Greater)),
    ),
    Function::scalar(
        "LEAST",
        Category::Conditional,
        "The least of the values that are not NULL.",
        extremes!(|call| extreme(call, Ordering::Less)),
    ),
    Function::scalar(
        "GENERATE_SERIES",
        Category::Array,
        "The numbers from one to another.",
        &[
            Variant::new(
                &[
                    Param::new("start", Type::Integer, START),
                    Param::new("end", Type::Integer, END),
                ],
                Type::Array(&Type::Integer),
                |call| series::<Int32Type>(call, |v| v as i32),
            ),
            Variant::new(
                &[
                    Param::new("start", Type::Integer, START),
                    Param::new("end", Type::Integer, END),
                    STEP,
                ],
                Type::Array(&Type::Integer),
                |call| series::<Int32Type>(call, |v| v as i32),
            ),
            Variant::new(
                &[
                    Param::new("start", Type::Bigint, START),
                    Param::new("end", Type::Bigint, END),
                ],
                Type::Array(&Type::Bigint),
                |call| series::<Int64Type>(call, |v| v as i64),
            ),
            Variant::new(
                &[
                    Param::new("start", Type::Bigint, START),
                    Param::new("end", Type::Bigint, END),
                    STEP,
                ],
                Type::Array(&Type::Bigint),
                |call| series::<Int64Type>(call, |v| v as i64),
            ),
        ],
    ),
];

/// The DECIMAL that holds every argument.
fn widest_decimal(args: &[SqlType]) -> std::result::Result<SqlType, String> {
    let (mut whole, mut scale) = (0, 0);
    for arg in args {
        if let SqlType::Decimal {
            precision: p,
            scale: s,
        } = arg
        {
            whole = whole.max(p.saturating_sub(*s));
            scale = scale.max(*s);
        }
    }
    Ok(SqlType::decimal((whole + scale).max(1), scale))
}

/// The argument that compares as `wanted` with all others, NULLs aside. Decimals of different types
/// keep the scale that they have.
fn extreme(call: &Call<'_>, wanted: Ordering) -> Result<ArrayRef> {
    let mut picked = Vec::with_capacity(call.rows);
    let mut decimals = Vec::new();
    for row in 0..call.rows {
        let mut best: Option<(usize, Value)> = None;
        for (i, arg) in call.args.iter().enumerate() {
            let value = Value::of(&arg.array, arg.index(row))?;
            if !value.is_null()
                && best
                    .as_ref()
                    .is_none_or(|(_, kept)| value.compare(kept) == wanted)
            {
                best = Some((i, value));
            }
        }
        // Where all are NULL, any argument's NULL is the result.
        let (from, value) = best.unwrap_or((0, Value::Null));
        if let SqlType::Decimal { precision, scale } = call.return_type {
            decimals.push(match &value {
                Value::Decimal(digits, own) if own_scale::held(*digits, *own, *scale).is_none() => {
                    let message = || overflow(*precision, *scale, &format!("{digits}e-{own}"));
                    row_error(message).unwrap_or(Value::Null)
                }
                _ => value,
            });
        } else {
            picked.push((from, call.args.get(from).map_or(0, |arg| arg.index(row))));
        }
    }
    if matches!(call.return_type, SqlType::Decimal { .. }) {
        return array_of(call.return_type, &decimals);
    }
    let columns: Vec<&dyn Array> = call.args.iter().map(|arg| arg.array.as_ref()).collect();
    Ok(interleave(&columns, &picked)?)
}

fn series<T: ArrowPrimitiveType>(call: &Call<'_>, make: fn(i128) -> T::Native) -> Result<ArrayRef> {
    let (start, end): (Primitive<'_, T>, Primitive<'_, T>) =
        (call.primitives(0)?, call.primitives(1)?);
    let step = if call.has(2) {
        Some(call.ints(2)?)
    } else {
        None
    };
    let wide = |value: T::Native| value.to_i64().map(i128::from);
    let mut out = ListBuilder::new(PrimitiveBuilder::<T>::new());
    for row in 0..call.rows {
        let numbers = (|| {
            let (start, end) = (wide(start.get(row)?)?, wide(end.get(row)?)?);
            let step = match step {
                Some(step) => i128::from(step.get(row)?),
                None if end < start => -1,
                None => 1,
            };
            numbers(start, end, step)
        })();
        match numbers {
            Some(numbers) => {
                for number in numbers {
                    out.values().append_value(make(number));
                }
                out.append(true);
            }
            None => out.append(false),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// `start`, `start + step`, … as far as `end`.
fn numbers(start: i128, end: i128, step: i128) -> Option<impl Iterator<Item = i128>> {
    if step == 0 {
        return row_error(|| "GENERATE_SERIES: the step must not be zero".to_owned());
    }
    if (end - start).signum() == -step.signum() {
        return row_error(|| {
            format!("GENERATE_SERIES: a step of {step} does not lead from {start} to {end}")
        });
    }
    let count = (end - start) / step + 1;
    if count > MAX_SERIES {
        return row_error(|| {
            format!("GENERATE_SERIES: {count} numbers are more than the {MAX_SERIES} allowed")
        });
    }
    Some((0..count).map(move |i| start + i * step))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn series_of_numbers() {
        for (start, end, step, expected) in [
            (1, 5, 2, Some(vec![1, 3, 5])),
            (5, 1, -3, Some(vec![5, 2])),
            (0, 0, -1, Some(vec![0])),
            (1, 5, 0, None),
            (1, 5, -1, None),
            (5, 1, 1, None),
            (0, i128::from(i64::MAX), 1, None),
        ] {
            let actual = numbers(start, end, step).map(Iterator::collect::<Vec<_>>);
            assert_eq!(actual, expected, "{start}..{end} by {step}");
        }
    }

    #[test]
    fn decimals_widen() {
        let widest = widest_decimal(&[SqlType::decimal(5, 2), SqlType::decimal(8, 1)]);
        assert_eq!(widest, Ok(SqlType::decimal(9, 2)));
    }
}
