//! HISTOGRAM and ATTR: how often each value occurs.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, new_null_array};
use arrow::datatypes::Int64Type;
use indexmap::IndexMap;
use weir_types::{SqlType, row_errors};

use crate::aggregate::GroupStates;
use crate::value::{Value, map_of};

use super::slots::{column_of, items, value_at, value_memory};

/// HISTOGRAM counts at most so many texts.
const MAX_TEXTS: usize = 1000;

type Counts<K> = IndexMap<K, i64, ahash::RandomState>;

/// HISTOGRAM: the count of each text; NULL counts as the text `null`.
#[derive(Default)]
pub(super) struct Histograms {
    counts: Vec<Counts<String>>,
}

fn add_text(counts: &mut Counts<String>, text: &str, by: i64) {
    if let Some(count) = counts.get_mut(text) {
        *count += by;
    } else if counts.len() < MAX_TEXTS {
        counts.insert(text.to_owned(), by);
    }
}

/// The type of HISTOGRAM's result and state.
pub(super) fn histogram_type() -> SqlType {
    SqlType::map(SqlType::String, SqlType::Bigint)
}

impl GroupStates for Histograms {
    fn resize(&mut self, len: usize) {
        self.counts.resize_with(len, Counts::default);
    }

    fn reset(&mut self, slot: usize) {
        self.counts[slot].clear();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let maps = state[0].as_map();
        let texts = maps.keys().as_string::<i32>();
        let counts = maps.values().as_primitive::<Int64Type>();
        let offsets = maps.value_offsets();
        for (i, slot) in slots.iter().enumerate() {
            self.counts[*slot as usize] = (offsets[i] as usize..offsets[i + 1] as usize)
                .map(|entry| (texts.value(entry).to_owned(), counts.value(entry)))
                .collect();
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        vec![self.results(slots)]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let texts = args[0].as_string::<i32>();
        for (slot, row) in slots.iter().zip(rows) {
            let row = *row as usize;
            let text = if texts.is_null(row) {
                "null"
            } else {
                texts.value(row)
            };
            add_text(&mut self.counts[*slot as usize], text, 1);
        }
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        let texts = args[0].as_string::<i32>();
        for (slot, row) in slots.iter().zip(rows) {
            let row = *row as usize;
            let text = if texts.is_null(row) {
                "null"
            } else {
                texts.value(row)
            };
            let counts = &mut self.counts[*slot as usize];
            if let Some(count) = counts.get_mut(text) {
                *count -= 1;
                if *count < 1 {
                    counts.shift_remove(text);
                }
            }
        }
    }

    fn merge(&mut self, into: usize, from: usize) {
        let added = self.counts[from].clone();
        for (text, count) in &added {
            add_text(&mut self.counts[into], text, *count);
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let groups = || slots.iter().map(|slot| &self.counts[*slot as usize]);
        let texts: Vec<&str> = groups()
            .flat_map(|group| group.keys().map(String::as_str))
            .collect();
        let texts = StringArray::from(texts);
        let counts =
            Int64Array::from_iter_values(groups().flat_map(|group| group.values().copied()));
        let lengths = groups().map(IndexMap::len);
        map_of(
            &histogram_type(),
            lengths,
            Arc::new(texts),
            Arc::new(counts),
            None,
        )
        .unwrap_or_else(|error| {
            row_errors::report(|| error.to_string());
            new_null_array(&histogram_type().to_arrow(), slots.len())
        })
    }

    fn memory(&self) -> usize {
        self.counts
            .iter()
            .flatten()
            .map(|(text, _)| text.len() + 48)
            .sum()
    }
}

/// ATTR: the one value that all rows of the group have; NULL counts as a value.
pub(super) struct Attributes {
    sql_type: SqlType,
    counts: Vec<Counts<Value>>,
}

impl Attributes {
    /// States over values of `sql_type`.
    pub(super) fn new(sql_type: SqlType) -> Self {
        Self {
            sql_type,
            counts: Vec::new(),
        }
    }
}

impl GroupStates for Attributes {
    fn resize(&mut self, len: usize) {
        self.counts.resize_with(len, Counts::default);
    }

    fn reset(&mut self, slot: usize) {
        self.counts[slot].clear();
    }

    fn load(&mut self, slots: &[u32], state: &[ArrayRef]) {
        let counts = state[1].as_list::<i32>();
        for (i, slot) in slots.iter().enumerate() {
            let counts = counts.value(i);
            let counts = counts.as_primitive::<Int64Type>().values();
            let values = items(value_at(&state[0], i));
            self.counts[*slot as usize] = values.into_iter().zip(counts.iter().copied()).collect();
        }
    }

    fn save(&self, slots: &[u32]) -> Vec<ArrayRef> {
        let groups = || slots.iter().map(|slot| &self.counts[*slot as usize]);
        let values: Vec<Value> = groups()
            .map(|group| Value::Array(group.keys().cloned().collect()))
            .collect();
        let counts: Vec<Value> = groups()
            .map(|group| Value::Array(group.values().map(|count| Value::Bigint(*count)).collect()))
            .collect();
        vec![
            column_of(&SqlType::array(self.sql_type.clone()), &values),
            column_of(&SqlType::array(SqlType::Bigint), &counts),
        ]
    }

    fn update(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        for (slot, row) in slots.iter().zip(rows) {
            let value = value_at(&args[0], *row as usize);
            *self.counts[*slot as usize].entry(value).or_insert(0) += 1;
        }
    }

    fn undo(&mut self, slots: &[u32], rows: &[u32], args: &[ArrayRef]) {
        for (slot, row) in slots.iter().zip(rows) {
            let value = value_at(&args[0], *row as usize);
            let counts = &mut self.counts[*slot as usize];
            if let Some(count) = counts.get_mut(&value) {
                *count -= 1;
                if *count < 1 {
                    counts.shift_remove(&value);
                }
            }
        }
    }

    fn merge(&mut self, into: usize, from: usize) {
        let added = self.counts[from].clone();
        for (value, count) in added {
            *self.counts[into].entry(value).or_insert(0) += count;
        }
    }

    fn results(&self, slots: &[u32]) -> ArrayRef {
        let values: Vec<Value> = slots
            .iter()
            .map(|slot| {
                let mut values = self.counts[*slot as usize].keys();
                match (values.next(), values.next()) {
                    (Some(only), None) => only.clone(),
                    _ => Value::Null,
                }
            })
            .collect();
        column_of(&self.sql_type, &values)
    }

    fn memory(&self) -> usize {
        self.counts
            .iter()
            .flatten()
            .map(|(value, _)| value_memory(value) + 16)
            .sum()
    }
}
