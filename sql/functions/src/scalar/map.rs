//! Functions of maps (spec/sql.md §7.1 Array, map, lambda).

use arrow::array::ArrayRef;
use datafusion::common::Result;
use indexmap::IndexMap;

use crate::java_map::iteration_order;
use crate::kernel::Call;
use crate::registry::{Category, Function, Param, Type, Variant};
use crate::value::{Value, compare_text};

const VALUE: Type = Type::Var("V");
const MAP: Param = Param::new("map", Type::Map(&Type::String, &VALUE), "the map");

/// Variants of ENTRIES.
macro_rules! entries {
    ([$($value:expr),* $(,)?]) => {
        &[$(Variant::new(
            &[
                Param::new("map", Type::Map(&Type::String, &$value), "the map"),
                Param::new("sorted", Type::Boolean, "whether the entries are sorted by key"),
            ],
            Type::Array(&Type::Struct(&[("K", Type::String), ("V", $value)])),
            entries,
        )),*]
    };
}

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "AS_MAP",
        Category::Map,
        "A map of an array of keys and an array of values.",
        &[Variant::new(
            &[
                Param::new("keys", Type::Array(&Type::String), "the keys"),
                Param::new("values", Type::Array(&VALUE), "their values"),
            ],
            Type::Map(&Type::String, &VALUE),
            |call| {
                call.to_values(|row| {
                    let (Value::Array(keys), Value::Array(values)) =
                        (call.value(0, row).ok()?, call.value(1, row).ok()?)
                    else {
                        return None;
                    };
                    let values = values.into_iter().chain(std::iter::repeat(Value::Null));
                    // A NULL key is held as the text null.
                    let keys = keys.into_iter().map(|key| match key {
                        Value::Null => Value::String("null".to_owned()),
                        key => key,
                    });
                    let map: IndexMap<Value, Value> = keys.zip(values).collect();
                    Some(Value::Map(map.into_iter().collect()))
                })
            },
        )],
    ),
    Function::scalar(
        "ENTRIES",
        Category::Map,
        "The entries of a map as structs of key and value.",
        entries!([
            Type::Integer,
            Type::Bigint,
            Type::Double,
            Type::Boolean,
            Type::String
        ]),
    ),
    Function::scalar(
        "MAP_KEYS",
        Category::Map,
        "The keys of a map.",
        &[Variant::new(&[MAP], Type::Array(&Type::String), |call| {
            call.to_values(|row| {
                let entries = in_hash_order(map(call, 0, row)?);
                Some(Value::Array(
                    entries.into_iter().map(|(key, _)| key).collect(),
                ))
            })
        })],
    ),
    Function::scalar(
        "MAP_VALUES",
        Category::Map,
        "The values of a map.",
        &[Variant::new(&[MAP], Type::Array(&VALUE), |call| {
            call.to_values(|row| {
                let entries = in_hash_order(map(call, 0, row)?);
                Some(Value::Array(
                    entries.into_iter().map(|(_, value)| value).collect(),
                ))
            })
        })],
    ),
    Function::scalar(
        "MAP_UNION",
        Category::Map,
        "The entries of two maps; those of the second win.",
        &[Variant::new(
            &[
                Param::new("left", Type::Map(&Type::String, &VALUE), "a map"),
                Param::new("right", Type::Map(&Type::String, &VALUE), "another map"),
            ],
            Type::Map(&Type::String, &VALUE),
            |call| {
                call.to_values(|row| match (map(call, 0, row), map(call, 1, row)) {
                    (None, None) => None,
                    (left, right) => {
                        let union: IndexMap<Value, Value> =
                            left.into_iter().chain(right).flatten().collect();
                        Some(Value::Map(union.into_iter().collect()))
                    }
                })
            },
        )],
    ),
];

/// The entries of MAP argument `index`, `None` if it is NULL.
fn map(call: &Call<'_>, index: usize, row: usize) -> Option<Vec<(Value, Value)>> {
    match call.value(index, row).ok()? {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}

fn entries(call: &Call<'_>) -> Result<ArrayRef> {
    let sorted = call.booleans(1)?;
    call.to_values(|row| {
        let sorted = sorted.get(row)?;
        let mut entries = in_hash_order(map(call, 0, row)?);
        if sorted {
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        }
        let structs = entries
            .into_iter()
            .map(|(key, value)| Value::Struct(vec![key, value]));
        Some(Value::Array(structs.collect()))
    })
}

/// The entries in the order in which a Java `HashMap` of them iterates: what users of ksqlDB see.
fn in_hash_order(mut entries: Vec<(Value, Value)>) -> Vec<(Value, Value)> {
    let keys: Vec<Value> = entries.iter().map(|(key, _)| key.clone()).collect();
    let order = iteration_order(&keys);
    let mut take =
        |place: usize| std::mem::replace(&mut entries[place], (Value::Null, Value::Null));
    order.into_iter().map(&mut take).collect()
}

/// Keys in the order of `String.compareTo`.
pub(super) fn sorted_by_text(entries: &[(Value, Value)]) -> Vec<(&str, &Value)> {
    let mut sorted: Vec<(&str, &Value)> = entries
        .iter()
        .filter_map(|(key, value)| match key {
            Value::String(text) => Some((text.as_str(), value)),
            _ => None,
        })
        .collect();
    sorted.sort_by(|(left, _), (right, _)| compare_text(left, right));
    sorted
}
