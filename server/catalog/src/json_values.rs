//! JSON values of `/inserts-stream` as values of SQL types (spec/api.md §5): decimals as numbers or
//! strings, bytes as base64, temporal values as ISO text.

use std::sync::Arc;

use arrow::array::{ArrayRef, MapArray, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, i256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion::scalar::ScalarValue;
use serde_json::Value;
use weir_types::SqlType;

/// `value` as a value of `sql_type`; JSON null is NULL. The error names both types.
pub(crate) fn from_json(sql_type: &SqlType, value: &Value) -> Result<ScalarValue, String> {
    let null = || ScalarValue::try_from(&sql_type.to_arrow()).map_err(|e| e.to_string());
    if value.is_null() {
        return null();
    }
    let refused = || {
        Err(format!(
            "Can't coerce a field of type {} into type {sql_type}",
            kind(value)
        ))
    };
    Ok(match (sql_type, value) {
        (SqlType::Boolean, Value::Bool(b)) => ScalarValue::Boolean(Some(*b)),
        (SqlType::Integer, Value::Number(n)) => match n.as_i64().map(i32::try_from) {
            Some(Ok(n)) => ScalarValue::Int32(Some(n)),
            _ => return refused(),
        },
        (SqlType::Bigint, Value::Number(n)) => match n.as_i64() {
            Some(n) => ScalarValue::Int64(Some(n)),
            None => return refused(),
        },
        (SqlType::Double, Value::Number(n)) => ScalarValue::Float64(n.as_f64()),
        (SqlType::Decimal { precision, scale }, Value::Number(_) | Value::String(_)) => {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let Some(unscaled) = decimal(text.trim(), *scale) else {
                return refused();
            };
            let max = u32::from(weir_types::sql_type::MAX_DECIMAL_PRECISION);
            ScalarValue::Decimal256(
                Some(unscaled),
                (*precision).min(max) as u8,
                (*scale).min(max) as i8,
            )
        }
        (SqlType::String, Value::String(text)) => ScalarValue::Utf8(Some(text.clone())),
        (SqlType::Bytes, Value::String(text)) => match STANDARD.decode(text) {
            Ok(bytes) => ScalarValue::Binary(Some(bytes)),
            Err(_) => return refused(),
        },
        (SqlType::Date | SqlType::Time | SqlType::Timestamp, Value::String(text)) => {
            match temporal(sql_type, text) {
                Some(value) => value,
                None => return refused(),
            }
        }
        (SqlType::Array(item), Value::Array(items)) => {
            let scalars = items
                .iter()
                .map(|v| from_json(item, v))
                .collect::<Result<Vec<_>, _>>()?;
            ScalarValue::List(ScalarValue::new_list_nullable(&scalars, &item.to_arrow()))
        }
        (SqlType::Map(_, item), Value::Object(map)) => {
            let keys: ArrayRef = Arc::new(arrow::array::StringArray::from_iter_values(map.keys()));
            let values = column(item, map.values())?;
            let DataType::Map(entries, sorted) = sql_type.to_arrow() else {
                return refused();
            };
            let DataType::Struct(fields) = entries.data_type().clone() else {
                return refused();
            };
            let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![
                0,
                i32::try_from(map.len()).unwrap_or(0),
            ]));
            let entry_struct = StructArray::try_new(fields, vec![keys, values], None)
                .map_err(|e| e.to_string())?;
            let array = MapArray::try_new(entries, offsets, entry_struct, None, sorted)
                .map_err(|e| e.to_string())?;
            ScalarValue::Map(Arc::new(array))
        }
        (SqlType::Struct(fields), Value::Object(map)) => {
            let DataType::Struct(arrow_fields) = sql_type.to_arrow() else {
                return refused();
            };
            let mut columns = Vec::with_capacity(fields.len());
            for field in fields {
                let given = map
                    .get(&field.name)
                    .or_else(|| {
                        map.iter()
                            .find(|(name, _)| name.to_ascii_uppercase() == field.name)
                            .map(|(_, value)| value)
                    })
                    .unwrap_or(&Value::Null);
                columns.push(column(&field.sql_type, std::iter::once(given))?);
            }
            let array =
                StructArray::try_new(arrow_fields, columns, None).map_err(|e| e.to_string())?;
            ScalarValue::Struct(Arc::new(array))
        }
        _ => return refused(),
    })
}

fn column<'a>(
    sql_type: &SqlType,
    values: impl Iterator<Item = &'a Value>,
) -> Result<ArrayRef, String> {
    let scalars = values
        .map(|v| from_json(sql_type, v))
        .collect::<Result<Vec<_>, _>>()?;
    if scalars.is_empty() {
        return Ok(arrow::array::new_empty_array(&sql_type.to_arrow()));
    }
    ScalarValue::iter_to_array(scalars).map_err(|e| e.to_string())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "BOOLEAN",
        Value::Number(n) if n.is_i64() => "INTEGER",
        Value::Number(_) => "DOUBLE",
        Value::String(_) => "STRING",
        Value::Array(_) => "ARRAY",
        Value::Object(_) => "STRUCT",
    }
}

/// A decimal text at `scale`, rounded half up; the number of digits is not checked
/// (spec/api.md §5).
fn decimal(text: &str, scale: u32) -> Option<i256> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let shift = i64::from(exponent) + i64::from(scale) - fraction.len() as i64;
    if !(-2000..=80).contains(&shift) {
        return None;
    }
    let mut unscaled = if shift >= 0 {
        i256::from_string(&format!(
            "{all}{}",
            "0".repeat(usize::try_from(shift).ok()?)
        ))?
    } else {
        let cut = usize::try_from(-shift).ok()?;
        let padded = format!("{}{all}", "0".repeat(cut));
        let (kept, dropped) = padded.split_at(padded.len() - cut);
        let kept = if kept.is_empty() { "0" } else { kept };
        let value = i256::from_string(kept)?;
        if dropped.as_bytes().first().is_some_and(|d| *d >= b'5') {
            value.checked_add(i256::ONE)?
        } else {
            value
        }
    };
    if negative {
        unscaled = unscaled.checked_neg()?;
    }
    Some(unscaled)
}

fn temporal(sql_type: &SqlType, text: &str) -> Option<ScalarValue> {
    match sql_type {
        SqlType::Timestamp => {
            let ms = weir_functions::convert::parse_timestamp(text).ok()?;
            Some(ScalarValue::TimestampMillisecond(Some(ms), None))
        }
        SqlType::Date => {
            let ms = weir_functions::convert::parse_timestamp(text).ok()?;
            i32::try_from(ms.div_euclid(86_400_000))
                .ok()
                .map(|d| ScalarValue::Date32(Some(d)))
        }
        _ => {
            let mut parts = text.split(':');
            let mut next = || parts.next().map(str::parse::<f64>);
            let hours = next()?.ok()?;
            let minutes = next()?.ok()?;
            let seconds = next().unwrap_or(Ok(0.0)).ok()?;
            let ms = ((hours * 60.0 + minutes) * 60.0 + seconds) * 1000.0;
            ((0.0..86_400_000.0).contains(&ms))
                .then(|| ScalarValue::Time32Millisecond(Some(ms.round() as i32)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn decimals_are_rounded_half_up() {
        let unscaled = |text, scale| decimal(text, scale).unwrap().to_string();
        assert_eq!(unscaled("12345.678", 2), "1234568");
        assert_eq!(unscaled("-0.005", 2), "-1");
        assert_eq!(unscaled("1e3", 2), "100000");
        assert_eq!(unscaled("0.001", 1), "0");
        assert!(decimal("x", 2).is_none());
    }

    #[test]
    fn wrong_kinds_are_named() {
        let error = from_json(&SqlType::Integer, &Value::from("str")).unwrap_err();
        assert_eq!(
            error,
            "Can't coerce a field of type STRING into type INTEGER"
        );
        assert!(
            from_json(&SqlType::Integer, &Value::Null)
                .unwrap()
                .is_null()
        );
    }

    #[test]
    fn temporal_texts() {
        let value = |t: SqlType, s: &str| from_json(&t, &Value::from(s)).unwrap();
        assert_eq!(
            value(SqlType::Date, "2024-05-01"),
            ScalarValue::Date32(Some(19_844))
        );
        assert_eq!(
            value(SqlType::Time, "10:20:30"),
            ScalarValue::Time32Millisecond(Some(37_230_000))
        );
    }
}
