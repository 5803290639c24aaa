//! Values as texts, the way CAST(… AS STRING) writes them.

use std::fmt::Write;

use weir_types::SqlType;
use weir_types::java::{write_decimal, write_decimal_plain, write_double};

use super::temporal;
use crate::java_map::iteration_order;
use crate::value::Value;

/// Appends a value that is not NULL. Elements of collections come as Java prints the objects
/// that ksqlDB holds: a timestamp as `java.sql.Timestamp`, bytes as a buffer.
pub fn to_text(value: &Value, sql_type: &SqlType, out: &mut String) {
    match value {
        // Writing to a String cannot fail.
        Value::Decimal(unscaled, scale) => {
            write_decimal_plain(&unscaled.to_string(), *scale, out);
        }
        Value::Date(days) => temporal::write_date(*days, out),
        Value::Time(millis) => temporal::write_time(*millis, out),
        Value::Timestamp(millis) => temporal::write_timestamp(*millis, out),
        other => write_element(other, sql_type, out),
    }
}

/// Appends the text of the Java object that ksqlDB holds for a value: `toString`.
pub fn write_element(value: &Value, sql_type: &SqlType, out: &mut String) {
    match (value, sql_type) {
        (Value::Null, _) => out.push_str("null"),
        (Value::Boolean(v), _) => out.push_str(if *v { "true" } else { "false" }),
        (Value::Integer(v), _) => {
            let _ = write!(out, "{v}");
        }
        (Value::Bigint(v), _) => {
            let _ = write!(out, "{v}");
        }
        (Value::Double(v), _) => write_double(*v, out),
        (Value::Decimal(unscaled, scale), _) => {
            write_decimal(&unscaled.to_string(), *scale, out);
        }
        (Value::String(v), _) => out.push_str(v),
        (Value::Bytes(v), _) => {
            let length = v.len();
            let _ = write!(
                out,
                "java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]"
            );
        }
        (Value::Date(days), _) => temporal::write_date(*days, out),
        (Value::Time(millis), _) => temporal::write_java_time(*millis, out),
        (Value::Timestamp(millis), _) => temporal::write_java_timestamp(*millis, out),
        (Value::Array(items), SqlType::Array(item_type)) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_element(item, item_type, out);
            }
            out.push(']');
        }
        (Value::Map(entries), SqlType::Map(key_type, value_type)) => {
            out.push('{');
            let keys: Vec<Value> = entries.iter().map(|(key, _)| key.clone()).collect();
            for (i, place) in iteration_order(&keys).into_iter().enumerate() {
                let (key, item) = &entries[place];
                out.push_str(if i > 0 { ", " } else { "" });
                write_element(key, key_type, out);
                out.push('=');
                write_element(item, value_type, out);
            }
            out.push('}');
        }
        (Value::Struct(items), SqlType::Struct(fields)) => {
            out.push_str("Struct{");
            let mut first = true;
            for (field, item) in fields.iter().zip(items) {
                if item.is_null() {
                    continue;
                }
                out.push_str(if first { "" } else { "," });
                first = false;
                out.push_str(&field.name);
                out.push('=');
                write_element(item, &field.sql_type, out);
            }
            out.push('}');
        }
        (Value::Array(_) | Value::Map(_) | Value::Struct(_), _) => {}
    }
}
