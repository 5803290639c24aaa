//! CAST and implicit conversion (spec/sql.md §4.4, §4.5).
//!
//! ```text
//!  CAST(x AS t) ─► castable? ─no─► "Cast of … to … is not supported"
//!                     └yes─► numbers and texts: column by column;  the rest: value by value
//! ```
//!
//! A value that cannot be converted fails its row; inside of a collection it fails the whole.

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast as arrow_cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, i256};
use datafusion::common::Result;
use weir_types::SqlType;
use weir_types::java::write_double;

use super::{STRICT, implicit_cast, operator, spread};
use crate::api::{FunctionError, ScalarCall};
use crate::convert::temporal::{MS_PER_DAY, parse_date, parse_time, parse_timestamp};
use crate::convert::{decimal, number, to_text};
use crate::kernel::{Arg, Call, row_error};
use crate::registry::{NullMeans, Traits};
use crate::value::Value;

/// `CAST(from AS to)`.
///
/// # Errors
/// When there is no such conversion.
pub fn cast(from: &SqlType, to: &SqlType) -> Result<ScalarCall, FunctionError> {
    if !castable(from, to) {
        return Err(FunctionError::Unsuitable(format!(
            "Cast of {from} to {to} is not supported."
        )));
    }
    Ok(conversion("CAST", from, to))
}

/// Implicit conversion, also of the parts of collections; `None` if there is none.
pub fn coerce(from: &SqlType, to: &SqlType) -> Option<ScalarCall> {
    coercible(from, to).then(|| conversion("COERCE", from, to))
}

fn coercible(from: &SqlType, to: &SqlType) -> bool {
    match (from, to) {
        (SqlType::Array(from), SqlType::Array(to)) => coercible(from, to),
        (SqlType::Map(fk, fv), SqlType::Map(tk, tv)) => coercible(fk, tk) && coercible(fv, tv),
        (SqlType::Struct(from), SqlType::Struct(to)) => from.iter().all(|field| {
            to.iter()
                .any(|t| t.name == field.name && coercible(&field.sql_type, &t.sql_type))
        }),
        _ => implicit_cast(from, to),
    }
}

fn castable(from: &SqlType, to: &SqlType) -> bool {
    use SqlType as S;
    match (from, to) {
        _ if from == to => true,
        (from, to) if from.is_numeric() && to.is_numeric() => true,
        (S::Bytes, _) => false,
        (_, S::String) => true,
        (S::String, S::Array(_) | S::Map(..) | S::Struct(_)) => false,
        (S::String, _) => true,
        (S::Timestamp, S::Date | S::Time) | (S::Date, S::Timestamp) => true,
        (S::Array(from), S::Array(to)) => castable(from, to),
        (S::Map(fk, fv), S::Map(tk, tv)) => castable(fk, tk) && castable(fv, tv),
        (S::Struct(from), S::Struct(to)) => to.iter().all(|t| {
            from.iter()
                .find(|f| f.name == t.name)
                .is_none_or(|f| castable(&f.sql_type, &t.sql_type))
        }),
        _ => false,
    }
}

/// Whether no value of `from` fails to convert.
fn always_fits(from: &SqlType, to: &SqlType) -> bool {
    use SqlType as S;
    match (from, to) {
        _ if from == to => true,
        (S::Integer | S::Bigint | S::Decimal { .. }, S::Decimal { precision, scale }) => {
            let whole = i64::from(*precision) - i64::from(*scale);
            from.as_decimal()
                .is_some_and(|(p, s)| i64::from(p) - i64::from(s) <= whole)
                && *precision <= 76
        }
        (S::Double, S::Decimal { .. }) => false,
        (from, to) if from.is_numeric() && to.is_numeric() => true,
        (S::String, _) => false,
        (_, S::String) => true,
        _ => matches!((from, to), (S::Timestamp, _) | (S::Date, _)),
    }
}

fn conversion(name: &str, from: &SqlType, to: &SqlType) -> ScalarCall {
    let traits = Traits {
        silent: always_fits(from, to),
        total: false,
        null: NullMeans::FailureOfValues,
        ..STRICT
    };
    let source = from.clone();
    operator(name, vec![from.clone()], to.clone(), traits, move |call| {
        convert(&source, call)
    })
}

fn convert(from: &SqlType, call: &Call<'_>) -> Result<ArrayRef> {
    use SqlType as S;
    let arg = call.arg(0)?;
    let to = call.return_type;
    let by_arrow = |data_type: &DataType| {
        let array = arrow_cast(&arg.array, data_type)?;
        spread(
            Arg {
                array,
                constant: arg.constant,
            },
            call.rows,
        )
    };
    match (from, to) {
        _ if from == to => spread(arg.clone(), call.rows),
        (S::Integer, S::Bigint | S::Double) | (S::Bigint, S::Double) => by_arrow(&to.to_arrow()),
        (S::Bigint, S::Integer) => {
            let values = call.bigints(0)?;
            call.to_ints(|row| values.get(row).map(|v| v as i32))
        }
        // `as` saturates and gives 0 for NaN, as Java does.
        (S::Double, S::Integer) => {
            let values = call.doubles(0)?;
            call.to_ints(|row| values.get(row).map(|v| v as i32))
        }
        (S::Double, S::Bigint) => {
            let values = call.doubles(0)?;
            call.to_bigints(|row| values.get(row).map(|v| v as i64))
        }
        (S::Integer | S::Bigint, S::Decimal { precision, scale }) => {
            let exact = |value: i64| fit(i256::from(value), 0, *precision, *scale);
            if let Some(values) = arg.array.as_primitive_opt::<Int32Type>() {
                return call.to_decimals(|row| {
                    (!arg.is_null(row))
                        .then(|| i64::from(values.value(arg.index(row))))
                        .and_then(exact)
                });
            }
            let values = call.bigints(0)?;
            call.to_decimals(|row| exact(values.get(row)?))
        }
        (S::Decimal { .. }, S::Decimal { precision, scale }) => {
            let values = call.decimals(0)?;
            call.to_decimals(|row| fit(values.get(row)?, values.scale, *precision, *scale))
        }
        (S::Decimal { .. }, S::Double) => {
            let values = call.decimals(0)?;
            call.to_doubles(|row| Some(decimal::to_double(values.get(row)?, values.scale)))
        }
        (S::Integer | S::Bigint, S::String) => {
            use std::fmt::Write;
            let ints = arg.array.as_primitive_opt::<Int32Type>();
            let longs = arg.array.as_primitive_opt::<Int64Type>();
            call.write_strings(|row, out| {
                if arg.is_null(row) {
                    return None;
                }
                let index = arg.index(row);
                let value = match (ints, longs) {
                    (Some(ints), _) => i64::from(ints.value(index)),
                    (_, Some(longs)) => longs.value(index),
                    _ => return None,
                };
                // Writing to a String cannot fail.
                let _ = write!(out, "{value}");
                Some(())
            })
        }
        (S::Double, S::String) => {
            let values = arg.array.as_primitive_opt::<Float64Type>();
            call.write_strings(|row, out| {
                if arg.is_null(row) {
                    return None;
                }
                write_double(values?.value(arg.index(row)), out);
                Some(())
            })
        }
        (S::String, S::Integer | S::Bigint) => {
            let texts = call.strings(0)?;
            let parse = |row: usize, min: i64, max: i64| {
                parsed(
                    number::parse_integer(texts.get(row)?, min, max),
                    texts.get(row)?,
                    to,
                )
            };
            if *to == S::Integer {
                call.to_ints(|row| Some(parse(row, i32::MIN.into(), i32::MAX.into())? as i32))
            } else {
                call.to_bigints(|row| parse(row, i64::MIN, i64::MAX))
            }
        }
        (S::String, S::Double) => {
            let texts = call.strings(0)?;
            call.to_doubles(|row| {
                let text = texts.get(row)?;
                parsed(number::parse_double(text), text, to)
            })
        }
        _ => {
            let mut out = Vec::with_capacity(call.rows);
            for row in 0..call.rows {
                let value = call.value(0, row)?;
                out.push(match cast_value(&value, from, to) {
                    Ok(value) => value,
                    Err(message) => row_error(|| message).unwrap_or(Value::Null),
                });
            }
            call.to_values(|row| out.get_mut(row).map(|v| std::mem::replace(v, Value::Null)))
        }
    }
}

/// The value, or a row error that says what could not be cast.
fn parsed<T>(result: std::result::Result<T, String>, text: &str, to: &SqlType) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(cause) => row_error(|| cannot(text, to, &cause)),
    }
}

fn cannot(text: &str, to: &SqlType, cause: &str) -> String {
    format!("Cannot cast '{text}' to {to}: {cause}")
}

/// A decimal that has room in DECIMAL(`precision`, `scale`), or a row error.
fn fit(value: i256, from: u32, precision: u32, scale: u32) -> Option<i256> {
    decimal::fit(value, from, precision, scale)
        .or_else(|| row_error(|| decimal::overflow(precision, scale, &format!("{value}e-{from}"))))
}

/// One value converted by the rules of CAST.
///
/// # Errors
/// The message for the user, if it cannot be.
pub(crate) fn cast_value(
    value: &Value,
    from: &SqlType,
    to: &SqlType,
) -> std::result::Result<Value, String> {
    use SqlType as S;
    if from == to || value.is_null() {
        return Ok(value.clone());
    }
    if let S::Decimal { precision, scale } = to {
        let fits = match value {
            Value::Integer(v) => decimal::fit(i256::from(*v), 0, *precision, *scale),
            Value::Bigint(v) => decimal::fit(i256::from(*v), 0, *precision, *scale),
            Value::Decimal(v, s) => decimal::fit(*v, *s, *precision, *scale),
            Value::Double(v) if v.is_finite() => {
                let (unscaled, exact) = decimal::exact_double(*v);
                decimal::fit_big(&unscaled, exact, *precision, *scale)
            }
            Value::String(text) => {
                let parsed = number::parse_decimal(text, *precision, *scale);
                return parsed
                    .map(|v| Value::Decimal(v, *scale))
                    .map_err(|cause| cannot(text, to, &cause));
            }
            _ => None,
        };
        let mut got = String::new();
        to_text(value, from, &mut got);
        return fits
            .map(|v| Value::Decimal(v, *scale))
            .ok_or_else(|| decimal::overflow(*precision, *scale, &got));
    }
    let text_error = |text: &str, cause: String| cannot(text, to, &cause);
    Ok(match (value, to) {
        (_, S::String) => {
            let mut out = String::new();
            to_text(value, from, &mut out);
            Value::String(out)
        }
        (Value::Integer(v), S::Bigint) => Value::Bigint((*v).into()),
        (Value::Integer(v), S::Double) => Value::Double((*v).into()),
        (Value::Bigint(v), S::Integer) => Value::Integer(*v as i32),
        (Value::Bigint(v), S::Double) => Value::Double(*v as f64),
        (Value::Double(v), S::Integer) => Value::Integer(*v as i32),
        (Value::Double(v), S::Bigint) => Value::Bigint(*v as i64),
        (Value::Decimal(v, scale), S::Integer) => Value::Integer(whole(*v, *scale) as i32),
        (Value::Decimal(v, scale), S::Bigint) => Value::Bigint(whole(*v, *scale)),
        (Value::Decimal(v, scale), S::Double) => Value::Double(decimal::to_double(*v, *scale)),
        (Value::String(text), S::Boolean) => {
            let text = number::trim(text).to_lowercase();
            Value::Boolean(
                !text.is_empty() && ("true".starts_with(&text) || "yes".starts_with(&text)),
            )
        }
        (Value::String(text), S::Integer) => Value::Integer(
            number::parse_integer(text, i32::MIN.into(), i32::MAX.into())
                .map_err(|cause| text_error(text, cause))? as i32,
        ),
        (Value::String(text), S::Bigint) => Value::Bigint(
            number::parse_integer(text, i64::MIN, i64::MAX)
                .map_err(|cause| text_error(text, cause))?,
        ),
        (Value::String(text), S::Double) => {
            Value::Double(number::parse_double(text).map_err(|cause| text_error(text, cause))?)
        }
        (Value::String(text), S::Date) => Value::Date(parse_date(text)?),
        (Value::String(text), S::Time) => Value::Time(parse_time(text)?),
        (Value::String(text), S::Timestamp) => Value::Timestamp(parse_timestamp(text)?),
        (Value::String(text), S::Bytes) => Value::Bytes(
            crate::convert::base64::decode(text).map_err(|cause| text_error(text, cause))?,
        ),
        (Value::Timestamp(millis), S::Date) => Value::Date(millis.div_euclid(MS_PER_DAY) as i32),
        (Value::Timestamp(millis), S::Time) => Value::Time(millis.rem_euclid(MS_PER_DAY) as i32),
        (Value::Date(days), S::Timestamp) => Value::Timestamp(i64::from(*days) * MS_PER_DAY),
        (Value::Array(items), S::Array(item_to)) => {
            let S::Array(item_from) = from else {
                return Err(cannot("array", to, ""));
            };
            Value::Array(
                items
                    .iter()
                    .map(|item| cast_value(item, item_from, item_to))
                    .collect::<std::result::Result<_, _>>()?,
            )
        }
        (Value::Map(entries), S::Map(key_to, value_to)) => {
            let S::Map(key_from, value_from) = from else {
                return Err(cannot("map", to, ""));
            };
            let mut out: Vec<(Value, Value)> = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let key = cast_value(key, key_from, key_to)?;
                let value = cast_value(value, value_from, value_to)?;
                match out.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, known)) => *known = value,
                    None => out.push((key, value)),
                }
            }
            Value::Map(out)
        }
        (Value::Struct(items), S::Struct(fields_to)) => {
            let S::Struct(fields_from) = from else {
                return Err(cannot("struct", to, ""));
            };
            Value::Struct(
                fields_to
                    .iter()
                    .map(|t| {
                        fields_from
                            .iter()
                            .zip(items)
                            .find(|(f, _)| f.name == t.name)
                            .map_or(Ok(Value::Null), |(f, item)| {
                                cast_value(item, &f.sql_type, &t.sql_type)
                            })
                    })
                    .collect::<std::result::Result<_, _>>()?,
            )
        }
        _ => return Err(format!("Cast of {from} to {to} is not supported.")),
    })
}

/// The whole part of a decimal, its low 64 bits.
fn whole(value: i256, scale: u32) -> i64 {
    let whole = match decimal::pow10(scale) {
        Some(divisor) => value.wrapping_div(divisor),
        None => i256::ZERO,
    };
    whole.to_parts().0 as i64
}
