//! Functions of JSON text (spec/sql.md §7.1 JSON).

use arrow::array::ArrayRef;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion::common::Result;
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use weir_types::surrogates::halves_held;
use weir_types::{SqlType, java};

use arrow::array::{MapBuilder, StringBuilder};

use crate::kernel::Call;
use crate::registry::{Category, Function, Param, T, Type, Variant};
use crate::value::Value;

use super::json_path::JsonPath;
use super::json_text::{first_value, is_decimal, leading_items, write_json, write_string};
use super::map::sorted_by_text;
use super::map_names;
use super::string::string_lists;

const TEXT: Param = Param::new("json", Type::String, "the JSON text");

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "EXTRACTJSONFIELD",
        Category::Json,
        "What a path such as $.a.b[0] leads to in a JSON text.",
        &[Variant::new(
            &[TEXT, Param::new("path", Type::String, "the path, from $")],
            Type::String,
            |call| {
                let (text, path) = (call.strings(0)?, call.strings(1)?);
                let mut paths = call.compiled(JsonPath::parse);
                call.write_strings(|row, out| {
                    let (text, path) = (text.get(row)?, path.get(row)?);
                    let path = paths.get(path)?;
                    match path.find(&first_value(text)?)? {
                        Json::String(found) => out.push_str(found),
                        other => write_json(other, out),
                    }
                    Some(())
                })
            },
        )],
    ),
    Function::scalar(
        "IS_JSON_STRING",
        Category::Json,
        "Whether a text is JSON.",
        &[Variant::new(&[TEXT], Type::Boolean, |call| {
            let text = call.strings(0)?;
            call.to_booleans(|row| Some(text.get(row).is_some_and(|t| first_value(t).is_some())))
        })],
    ),
    Function::scalar(
        "JSON_ARRAY_CONTAINS",
        Category::Json,
        "Whether an array in JSON holds a value of that very type.",
        &[Variant::new(
            &[TEXT, Param::new("value", T, "the value to find")],
            Type::Boolean,
            array_contains,
        )],
    ),
    Function::scalar(
        "JSON_ARRAY_LENGTH",
        Category::Json,
        "The number of items of an array in JSON.",
        &[Variant::new(&[TEXT], Type::Integer, |call| {
            let text = call.strings(0)?;
            call.to_ints(|row| match first_value(text.get(row)?)? {
                Json::Array(items) => Some(items.len() as i32),
                _ => None,
            })
        })],
    ),
    Function::scalar(
        "JSON_CONCAT",
        Category::Json,
        "Objects merged, or arrays joined; other values count as arrays of one.",
        &[Variant::new(
            &[Param::variadic("jsons", Type::String, "the JSON texts")],
            Type::String,
            concat,
        )],
    ),
    Function::scalar(
        "JSON_ITEMS",
        Category::Json,
        "The items of an array in JSON, as JSON texts.",
        &[Variant::new(&[TEXT], Type::Array(&Type::String), |call| {
            let text = call.strings(0)?;
            let mut buffer = String::new();
            string_lists(call, |row, out| match first_value(text.get(row)?)? {
                Json::Array(items) => {
                    for item in items {
                        buffer.clear();
                        write_json(&item, &mut buffer);
                        out.values().append_value(&buffer);
                    }
                    Some(())
                }
                _ => None,
            })
        })],
    ),
    Function::scalar(
        "JSON_KEYS",
        Category::Json,
        "The names of the fields of an object in JSON.",
        &[Variant::new(&[TEXT], Type::Array(&Type::String), |call| {
            let text = call.strings(0)?;
            string_lists(call, |row, out| match first_value(text.get(row)?)? {
                Json::Object(fields) => {
                    fields
                        .keys()
                        .for_each(|name| out.values().append_value(name));
                    Some(())
                }
                _ => None,
            })
        })],
    ),
    Function::scalar(
        "JSON_RECORDS",
        Category::Json,
        "The fields of an object in JSON, as a map of texts.",
        &[Variant::new(
            &[TEXT],
            Type::Map(&Type::String, &Type::String),
            records,
        )],
    ),
    Function::scalar(
        "TO_JSON_STRING",
        Category::Json,
        "A value as JSON text.",
        &[Variant::new(
            &[Param::new("value", T, "the value")],
            Type::String,
            |call| {
                call.write_strings(|row, out| {
                    write_value(&call.value(0, row).ok()?, call.arg_type(0), out);
                    Some(())
                })
            },
        )],
    ),
];

fn array_contains(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.strings(0)?;
    call.to_booleans(|row| {
        let text = text.get(row)?;
        let wanted = call.value(1, row).ok()?;
        Some(leading_items(&halves_held(text)).any(|item| is_same(&item, &wanted)))
    })
}

/// Whether a JSON value is the SQL value, with a number's form deciding its type.
fn is_same(item: &Json, wanted: &Value) -> bool {
    match (item, wanted) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(item), Value::Boolean(wanted)) => item == wanted,
        (Json::String(item), Value::String(wanted)) => item == wanted,
        (Json::Number(item), _) => match wanted {
            Value::Integer(wanted) => item.as_str().parse() == Ok(*wanted),
            Value::Bigint(wanted) => item.as_str().parse() == Ok(*wanted),
            Value::Double(wanted) => {
                is_decimal(item.as_str()) && item.as_str().parse() == Ok(*wanted)
            }
            _ => false,
        },
        _ => false,
    }
}

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = (0..call.args.len())
        .map(|index| call.strings(index))
        .collect::<Result<Vec<_>>>()?;
    call.write_strings(|row, out| {
        let values: Vec<Json> = texts
            .iter()
            .map(|text| first_value(text.get(row)?))
            .collect::<Option<_>>()?;
        if values.is_empty() {
            return None;
        }
        if let [value] = values.as_slice() {
            write_json(value, out);
            return Some(());
        }
        let merged = if values.iter().all(Json::is_object) {
            let mut fields = Map::new();
            for value in values {
                if let Json::Object(more) = value {
                    fields.extend(more);
                }
            }
            Json::Object(fields)
        } else {
            let mut items = Vec::new();
            for value in values {
                match value {
                    Json::Array(more) => items.extend(more),
                    other => items.push(other),
                }
            }
            Json::Array(items)
        };
        write_json(&merged, out);
        Some(())
    })
}

fn records(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.strings(0)?;
    let mut out = MapBuilder::new(
        Some(map_names()),
        StringBuilder::new(),
        StringBuilder::new(),
    );
    let mut buffer = String::new();
    for row in 0..call.rows {
        let fields = match text.get(row).and_then(first_value) {
            Some(Json::Object(fields)) => Some(fields),
            _ => None,
        };
        for (name, field) in fields.iter().flatten() {
            buffer.clear();
            match field {
                Json::String(text) => buffer.push_str(text),
                other => write_json(other, &mut buffer),
            }
            out.keys().append_value(name);
            out.values().append_value(&buffer);
        }
        out.append(fields.is_some())?;
    }
    Ok(Arc::new(out.finish()))
}

/// Appends a SQL value as JSON: fields and keys sorted, times as texts, bytes as base64.
fn write_value(value: &Value, sql_type: &SqlType, out: &mut String) {
    match (value, sql_type) {
        (Value::Null, _) => out.push_str("null"),
        (Value::Boolean(v), _) => out.push_str(if *v { "true" } else { "false" }),
        (Value::Integer(v), _) => out.push_str(&v.to_string()),
        (Value::Bigint(v), _) => out.push_str(&v.to_string()),
        (Value::Double(v), _) => {
            let quote = if v.is_finite() { "" } else { "\"" };
            out.push_str(quote);
            java::write_double(*v, out);
            out.push_str(quote);
        }
        (Value::Decimal(v, scale), _) => java::write_decimal(&v.to_string(), *scale, out),
        (Value::String(text), _) => write_string(text, out),
        (Value::Bytes(bytes), _) => {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        (Value::Date(days), _) => {
            out.push('"');
            java::write_date(i64::from(*days), out);
            out.push('"');
        }
        (Value::Time(ms), _) => {
            out.push('"');
            java::write_time(i64::from(*ms), out);
            out.push('"');
        }
        (Value::Timestamp(ms), _) => {
            out.push('"');
            java::write_timestamp(*ms, out);
            out.push('"');
        }
        (Value::Array(items), SqlType::Array(item_type)) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_value(item, item_type, out);
            }
            out.push(']');
        }
        (Value::Map(entries), SqlType::Map(_, value_type)) => {
            let entries = sorted_by_text(entries);
            write_fields(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, value, &**value_type)),
                out,
            );
        }
        (Value::Struct(items), SqlType::Struct(fields)) => {
            let mut sorted: Vec<_> = fields
                .iter()
                .zip(items)
                .map(|(field, item)| (field.name.as_str(), item, &field.sql_type))
                .collect();
            sorted.sort_by_key(|(name, ..)| *name);
            write_fields(sorted.into_iter(), out);
        }
        // A value of another type than the column's does not occur.
        (Value::Array(_) | Value::Map(_) | Value::Struct(_), _) => out.push_str("null"),
    }
}

fn write_fields<'a>(
    fields: impl Iterator<Item = (&'a str, &'a Value, &'a SqlType)>,
    out: &mut String,
) {
    out.push('{');
    for (i, (name, value, sql_type)) in fields.enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        write_string(name, out);
        out.push(':');
        write_value(value, sql_type, out);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use weir_types::StructField;

    #[test]
    fn json_values_are_of_a_type() {
        let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        for (item, wanted, expected) in [
            ("1", Value::Integer(1), true),
            ("1.0", Value::Integer(1), false),
            ("2147483648", Value::Bigint(1 << 31), true),
            ("1e0", Value::Double(1.0), true),
            ("1", Value::Double(1.0), false),
            ("\"1\"", Value::Integer(1), false),
            ("null", Value::Null, true),
            ("true", Value::Boolean(true), true),
        ] {
            assert_eq!(is_same(&json(item), &wanted), expected, "{item} {wanted:?}");
        }
    }

    #[test]
    fn values_as_json() {
        let sql_type = SqlType::Struct(vec![
            StructField::new("M", SqlType::map(SqlType::String, SqlType::Double)),
            StructField::new("D", SqlType::Date),
            StructField::new("B", SqlType::Bytes),
        ]);
        let entry = |key: &str, v: f64| (Value::String(key.into()), Value::Double(v));
        let value = Value::Struct(vec![
            Value::Map(vec![entry("z", f64::NAN), entry("A", 1e7)]),
            Value::Date(5),
            Value::Null,
        ]);
        let mut out = String::new();
        write_value(&value, &sql_type, &mut out);
        assert_eq!(
            out,
            r#"{"B":null,"D":"1970-01-06","M":{"A":1.0E7,"z":"NaN"}}"#
        );
    }
}
