//! COUNT_DISTINCT: a HyperLogLog estimate, equal to ksqlDB's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, Int64Array};
use chrono::DateTime;
use weir_types::{SqlType, java};

use crate::aggregate::GroupStates;
use crate::value::Value;

use super::hyperloglog::{Sketch, hash_bytes, hash_long};
use super::slots::value_at;

/// One sketch per slot.
pub(super) struct Distincts {
    sql_type: SqlType,
    sketches: Vec<Sketch>,
}

impl Distincts {
    /// States over values of `sql_type`.
    pub(super) fn new(sql_type: SqlType) -> Self {
        Self {
            sql_type,
            sketches: Vec::new(),
        }
    }
}

/// The hash of a value: numbers by their bits, everything else by its text in Java.
fn hash(value: &Value, sql_type: &SqlType) -> Option<u32> {
    Some(match value {
        Value::Null => return None,
        Value::Integer(v) => hash_long(i64::from(*v)),
        Value::Bigint(v) => hash_long(*v),
        Value::Double(v) => hash_long(v.to_bits() as i64),
        Value::String(text) => hash_bytes(text.as_bytes()),
        other => {
            let mut text = String::new();
            write_text(other, sql_type, &mut text);
            hash_bytes(text.as_bytes())
        }
    })
}

/// The `toString` of a value's Java object.
fn write_text(value: &Value, sql_type: &SqlType, out: &mut String) {
    match (value, sql_type) {
        (Value::Null, _) => out.push_str("null"),
        (Value::Boolean(v), _) => out.push_str(if *v { "true" } else { "false" }),
        (Value::Integer(v), _) => out.push_str(&v.to_string()),
        (Value::Bigint(v), _) => out.push_str(&v.to_string()),
        (Value::Double(v), _) => java::write_double(*v, out),
        (Value::Decimal(v, scale), _) => java::write_decimal(&v.to_string(), *scale, out),
        (Value::String(text), _) => out.push_str(text),
        // A byte buffer's text tells its length alone.
        (Value::Bytes(bytes), _) => {
            let len = bytes.len();
            out.push_str(&format!(
                "java.nio.HeapByteBuffer[pos=0 lim={len} cap={len}]"
            ));
        }
        (Value::Date(days), _) => write_time(i64::from(*days) * 86_400_000, "%Y-%m-%d", out),
        (Value::Time(ms), _) => write_time(i64::from(*ms), "%H:%M:%S", out),
        (Value::Timestamp(ms), _) => {
            write_time(*ms, "%Y-%m-%d %H:%M:%S.", out);
            let fraction = format!("{:03}", ms.rem_euclid(1000));
            let digits = fraction.trim_end_matches('0');
            out.push_str(if digits.is_empty() { "0" } else { digits });
        }
        (Value::Array(items), SqlType::Array(item_type)) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_text(item, item_type, out);
            }
            out.push(']');
        }
        (Value::Map(entries), SqlType::Map(key_type, value_type)) => {
            out.push('{');
            for (i, (key, value)) in entries.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_text(key, key_type, out);
                out.push('=');
                write_text(value, value_type, out);
            }
            out.push('}');
        }
        (Value::Struct(items), SqlType::Struct(fields)) => {
            out.push_str("Struct{");
            let set = items.iter().zip(fields).filter(|(item, _)| !item.is_null());
            for (i, (item, field)) in set.enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                out.push_str(&field.name);
                out.push('=');
                write_text(item, &field.sql_type, out);
            }
            out.push('}');
        }
        // A value of another type than the column's does not occur.
        (Value::Array(_) | Value::Map(_) | Value::Struct(_), _) => {}
    }
}

/// Appends `ms` since the epoch in a chrono format; nothing beyond chrono's years.
fn write_time(ms: i64, format: &str, out: &mut String) {
    if let Some(time) = DateTime::from_timestamp_millis(ms) {
        out.push_str(&time.format(format).to_string());
    }
}

impl GroupStates for Distincts {
    fn resize(&mut self, len: usize) {
        self.sketches.resize_with(len, Sketch::default);
    }

    fn reset(&mut self, slot: usize) {
        self.sketches[slot] = Sketch::default();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let bytes = state[0].as_binary::<i32>();
        for (i, slot) in slots.iter().enumerate() {
            self.sketches[*slot as usize] = Sketch::read(bytes.value(i));
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let mut out = BinaryBuilder::with_capacity(slots.len(), slots.len() * 64);
        let mut bytes = Vec::new();
        for slot in slots {
            bytes.clear();
            self.sketches[*slot as usize].write(&mut bytes);
            out.append_value(&bytes);
        }
        vec![Arc::new(out.finish())]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let column = &args[0];
        for (slot, row) in slots.iter().zip(rows) {
            let (slot, row) = (*slot as usize, *row as usize);
            if column.is_null(row) {
                continue;
            }
            let hash = match column.as_string_opt::<i32>() {
                Some(texts) => Some(hash_bytes(texts.value(row).as_bytes())),
                None => hash(&value_at(column, row), &self.sql_type),
            };
            if let Some(hash) = hash {
                self.sketches[slot].add(hash);
            }
        }
    }

    fn undo(&mut self, _slots: &[u32], _rows: &[u32], _args: &[ArrayRef]) {}

    fn merge(&mut self, into: usize, from: usize) {
        let other = std::mem::take(&mut self.sketches[from]);
        self.sketches[into].merge(&other);
        self.sketches[from] = other;
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            slots
                .iter()
                .map(|slot| self.sketches[*slot as usize].estimate()),
        ))
    }

    fn memory(&self) -> usize {
        self.sketches.iter().map(Sketch::memory).sum()
    }
}
