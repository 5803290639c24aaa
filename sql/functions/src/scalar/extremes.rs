//! GREATEST, LEAST and GENERATE_SERIES (spec/sql.md §7.1 Numeric).

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal256Array, ListBuilder, PrimitiveBuilder,
};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{ArrowNativeType, Decimal256Type, Int32Type, Int64Type};
use datafusion::common::Result;
use weir_types::{SqlType, own_scale};

use crate::kernel::{Call, Primitive, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};
use crate::value::Value;

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

/// The argument that compares as `wanted` with all others, NULLs aside.
fn extreme(call: &Call<'_>, wanted: Ordering) -> Result<ArrayRef> {
    let data_type = call.return_type.to_arrow();
    let columns: Vec<ArrayRef> = call
        .args
        .iter()
        .map(|arg| {
            // Decimals of different types are brought to the common one.
            if arg.array.data_type() == &data_type {
                Ok(Arc::clone(&arg.array))
            } else {
                Ok(cast(&arg.array, &data_type)?)
            }
        })
        .collect::<Result<_>>()?;
    let mut picked = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let mut best: Option<(usize, Value)> = None;
        for (i, (arg, column)) in call.args.iter().zip(&columns).enumerate() {
            let value = Value::of(column, arg.index(row))?;
            if !value.is_null()
                && best
                    .as_ref()
                    .is_none_or(|(_, kept)| value.cmp(kept) == wanted)
            {
                best = Some((i, value));
            }
        }
        // Where all are NULL, any argument's NULL is the result.
        let from = best.map_or(0, |(i, _)| i);
        picked.push((from, call.args.get(from).map_or(0, |arg| arg.index(row))));
    }
    let columns: Vec<&dyn arrow::array::Array> = columns.iter().map(AsRef::as_ref).collect();
    let chosen = interleave(&columns, &picked)?;
    Ok(with_own_scales(call, &chosen, &picked).unwrap_or(chosen))
}

/// Decimals that each keep the scale of the argument that they came from; `None` if all arguments
/// have the result's.
fn with_own_scales(
    call: &Call<'_>,
    chosen: &ArrayRef,
    picked: &[(usize, usize)],
) -> Option<ArrayRef> {
    let SqlType::Decimal { scale, .. } = call.return_type else {
        return None;
    };
    let lacking = |arg: &SqlType| match arg {
        SqlType::Decimal { scale: own, .. } => scale.saturating_sub(*own),
        _ => 0,
    };
    let lacking: Vec<u32> = call.arg_types.iter().map(lacking).collect();
    if lacking.iter().all(|zeros| *zeros == 0) {
        return None;
    }
    let decimals = chosen.as_primitive_opt::<Decimal256Type>()?;
    let values = decimals
        .values()
        .iter()
        .zip(picked)
        .map(|(value, (from, _))| {
            own_scale::stand_in(*value, lacking.get(*from).copied().unwrap_or(0))
        });
    let array = Decimal256Array::new(values.collect(), decimals.nulls().cloned());
    Some(Arc::new(array.with_data_type(decimals.data_type().clone())))
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
