//! Whether a record is the expected one.

use num_bigint::BigInt;
use serde_json::{Map, Value};
use weir_types::{SqlType, StructField};

/// What a JSON value is compared as.
#[derive(Clone, Copy)]
pub(crate) enum Shape<'a> {
    /// A value of this type.
    Type(&'a SqlType),
    /// An object with these columns.
    Columns(&'a [StructField]),
    /// Not known: numbers are compared as decimals.
    Unknown,
}

/// Whether `actual` is what the case expects: doubles within 1e-6 of each other, other numbers
/// exactly, field names in upper case where the exact one is missing.
pub(crate) fn same(expected: &Value, actual: &Value, shape: Shape<'_>) -> bool {
    match (expected, actual) {
        (Value::Number(a), Value::Number(b)) => {
            let approximate = matches!(shape, Shape::Type(SqlType::Double));
            numbers(&a.to_string(), &b.to_string(), approximate)
        }
        (Value::Number(a), Value::String(b)) | (Value::String(b), Value::Number(a)) => {
            // A case may write a decimal as text, and delimited text as a number.
            let as_text = match shape {
                Shape::Type(SqlType::Decimal { .. }) => true,
                Shape::Type(_) => false,
                _ => true,
            };
            as_text && a.to_string() == *b
        }
        (Value::Array(a), Value::Array(b)) => {
            let item = match shape {
                Shape::Type(SqlType::Array(item)) => Shape::Type(item),
                _ => Shape::Unknown,
            };
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, item))
        }
        (Value::Object(a), Value::Object(b)) => objects(a, b, shape),
        (a, b) => a == b,
    }
}

fn objects(expected: &Map<String, Value>, actual: &Map<String, Value>, shape: Shape<'_>) -> bool {
    if expected.len() != actual.len() {
        return false;
    }
    expected.iter().all(|(name, value)| {
        let folded = name.to_uppercase();
        let found = match shape {
            Shape::Type(SqlType::Map(..)) => actual.get(name),
            _ => actual.get(name).or_else(|| actual.get(&folded)),
        };
        let inner = match shape {
            Shape::Type(SqlType::Map(_, value)) => Shape::Type(value),
            Shape::Type(SqlType::Struct(fields)) => of_field(fields, name, &folded),
            Shape::Columns(fields) => of_field(fields, name, &folded),
            _ => Shape::Unknown,
        };
        // The recorded runner looks fields up in a map, where a missing one is null.
        found.map_or(value.is_null(), |found| same(value, found, inner))
    })
}

/// The type of a field by its name, or by its name in upper case.
fn of_field<'a>(fields: &'a [StructField], name: &str, folded: &str) -> Shape<'a> {
    match fields
        .iter()
        .find(|field| field.name == name || field.name == folded)
    {
        Some(field) => Shape::Type(&field.sql_type),
        None => Shape::Unknown,
    }
}

fn numbers(a: &str, b: &str, approximate: bool) -> bool {
    if a == b {
        return true;
    }
    if approximate {
        return match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() <= 1e-6 || (a - b).abs() <= 1e-12 * a.abs(),
            _ => false,
        };
    }
    match (decimal(a), decimal(b)) {
        (Some((a, a_exponent)), Some((b, b_exponent))) => {
            let common = a_exponent.min(b_exponent);
            scale(a, a_exponent - common) == scale(b, b_exponent - common)
        }
        _ => false,
    }
}

/// Digits and exponent of a JSON number.
fn decimal(text: &str) -> Option<(BigInt, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: BigInt = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, exponent - fraction.len() as i64))
}

fn scale(digits: BigInt, exponent: i64) -> BigInt {
    if digits == BigInt::from(0) {
        return digits;
    }
    digits * BigInt::from(10).pow(exponent.clamp(0, 10_000) as u32)
}

/// Whether the text of a record is the recorded one, but for the order of map entries.
pub(crate) fn same_text(expected: &str, actual: &str, has_map: bool) -> bool {
    if expected == actual {
        return true;
    }
    has_map
        && match (
            serde_json::from_str::<Value>(expected),
            serde_json::from_str::<Value>(actual),
        ) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        }
}

/// Whether two texts of one JSON row differ only in the last place of doubles.
pub(crate) fn within_one_ulp(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(a), Value::Number(b)) => {
            if a == b {
                return true;
            }
            match (a.to_string().parse::<f64>(), b.to_string().parse::<f64>()) {
                (Ok(a), Ok(b)) => a.to_bits().abs_diff(b.to_bits()) <= 1,
                _ => false,
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| within_one_ulp(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(k, a)| b.get(k).is_some_and(|b| within_one_ulp(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn values() {
        let double = SqlType::Double;
        let decimal = SqlType::decimal(5, 2);
        for (expected, actual, shape, result) in [
            ("1.0", "1.0000001", Shape::Type(&double), true),
            ("1.0", "1.01", Shape::Type(&double), false),
            ("1.0", "1.00", Shape::Type(&decimal), true),
            ("1.0", "1.0000001", Shape::Type(&decimal), false),
            ("1e2", "100", Shape::Unknown, true),
            (r#"{"a":1}"#, r#"{"A":1}"#, Shape::Unknown, true),
            (r#"{"a":1}"#, r#"{"A":1,"B":null}"#, Shape::Unknown, false),
            (r#"{"a":null}"#, r#"{"B":null}"#, Shape::Unknown, true),
            (r#"{"a":1}"#, r#"{"B":1}"#, Shape::Unknown, false),
            ("[1,2]", "[2,1]", Shape::Unknown, false),
            ("null", "0", Shape::Unknown, false),
        ] {
            let expected: Value = serde_json::from_str(expected).unwrap();
            let actual: Value = serde_json::from_str(actual).unwrap();
            assert_eq!(
                same(&expected, &actual, shape),
                result,
                "{expected} {actual}"
            );
        }
    }
}
