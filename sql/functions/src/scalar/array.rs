//! Functions of arrays, and the table functions over them (spec/sql.md §7.1, §7.3).

use std::cmp::Ordering;
use std::sync::Arc;

use ahash::AHashSet;
use arrow::array::{Array, ArrayRef};
use datafusion::common::Result;
use weir_types::java;

use crate::kernel::{Call, row_error};
use crate::registry::{Category, Function, Param, T, Type, Variant};
use crate::value::Value;

const ARRAY: Param = Param::new("array", Type::Array(&T), "the array");
const COLUMNS: Param = Param::new("columns", Type::Array(&T), "the values, one of each column");
const LEFT: Param = Param::new("left", Type::Array(&T), "an array");
const RIGHT: Param = Param::new("right", Type::Array(&T), "another array");
const ELEMENT: Param = Param::new("element", T, "the element");

/// The longest array that CUBE_EXPLODE takes: it gives 2^n rows.
const MAX_CUBE: usize = 20;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "ARRAY_CONCAT",
        Category::Array,
        "The elements of two arrays, one after the other.",
        &[Variant::new(&[LEFT, RIGHT], Type::Array(&T), |call| {
            values(call, |row| {
                Some(match (call.value(0, row).ok()?, call.value(1, row).ok()?) {
                    (Value::Array(mut left), Value::Array(right)) => {
                        left.extend(right);
                        Value::Array(left)
                    }
                    (Value::Null, other) | (other, _) => other,
                })
            })
        })],
    ),
    Function::scalar(
        "ARRAY_CONTAINS",
        Category::Array,
        "Whether an element occurs in an array.",
        &[Variant::new(&[ARRAY, ELEMENT], Type::Boolean, |call| {
            call.to_booleans(|row| {
                let wanted = call.value(1, row).ok()?;
                Some(items(call, 0, row).is_some_and(|items| items.contains(&wanted)))
            })
        })],
    ),
    Function::scalar(
        "ARRAY_DISTINCT",
        Category::Array,
        "The elements without repetitions.",
        &[Variant::new(&[ARRAY], Type::Array(&T), |call| {
            of_array(call, |array| Some(Value::Array(distinct(array))))
        })],
    ),
    Function::scalar(
        "ARRAY_EXCEPT",
        Category::Array,
        "The distinct elements of one array that another lacks.",
        &[Variant::new(&[LEFT, RIGHT], Type::Array(&T), |call| {
            of_two_arrays(call, |left, right| kept(left, right, false))
        })],
    ),
    Function::scalar(
        "ARRAY_INTERSECT",
        Category::Array,
        "The distinct elements that two arrays have in common.",
        &[Variant::new(&[LEFT, RIGHT], Type::Array(&T), |call| {
            of_two_arrays(call, |left, right| kept(left, right, true))
        })],
    ),
    Function::scalar(
        "ARRAY_JOIN",
        Category::Array,
        "The texts of the elements, joined with a delimiter.",
        &[
            Variant::new(&[ARRAY], Type::String, join),
            Variant::new(
                &[
                    ARRAY,
                    Param::new(
                        "delimiter",
                        Type::String,
                        "what stands between; , if not given",
                    ),
                ],
                Type::String,
                join,
            ),
        ],
    ),
    Function::scalar(
        "ARRAY_LENGTH",
        Category::Array,
        "The number of elements.",
        &[Variant::new(&[ARRAY], Type::Integer, |call| {
            let array = call.lists(0)?;
            call.to_ints(|row| Some(array.get(row)?.len() as i32))
        })],
    ),
    Function::scalar(
        "ARRAY_MAX",
        Category::Array,
        "The greatest element that is not NULL.",
        &[Variant::new(&[ARRAY], T, |call| {
            of_array(call, |array| extremum(array, Ordering::Greater))
        })],
    ),
    Function::scalar(
        "ARRAY_MIN",
        Category::Array,
        "The least element that is not NULL.",
        &[Variant::new(&[ARRAY], T, |call| {
            of_array(call, |array| extremum(array, Ordering::Less))
        })],
    ),
    Function::scalar(
        "ARRAY_REMOVE",
        Category::Array,
        "The elements that are not equal to one.",
        &[Variant::new(&[ARRAY, ELEMENT], Type::Array(&T), |call| {
            values(call, |row| {
                let mut items = items(call, 0, row)?;
                let removed = call.value(1, row).ok()?;
                items.retain(|item| *item != removed);
                Some(Value::Array(items))
            })
        })],
    ),
    Function::scalar(
        "ARRAY_SORT",
        Category::Array,
        "The elements in order, NULLs last.",
        &[
            Variant::new(&[ARRAY], Type::Array(&T), sort),
            Variant::new(
                &[
                    ARRAY,
                    Param::new(
                        "direction",
                        Type::String,
                        "ASC (default), ASCENDING, DESC or DESCENDING",
                    ),
                ],
                Type::Array(&T),
                sort,
            ),
        ],
    ),
    Function::scalar(
        "ARRAY_UNION",
        Category::Array,
        "The distinct elements of two arrays.",
        &[Variant::new(&[LEFT, RIGHT], Type::Array(&T), |call| {
            of_two_arrays(call, |left, right| {
                distinct(left.into_iter().chain(right).collect())
            })
        })],
    ),
    Function::scalar(
        "SLICE",
        Category::Array,
        "The elements from one position to another, both included.",
        &[Variant::new(
            &[
                ARRAY,
                Param::new(
                    "from",
                    Type::Integer,
                    "the first position, from 1; NULL is the start",
                ),
                Param::new("to", Type::Integer, "the last position; NULL is the end"),
            ],
            Type::Array(&T),
            |call| {
                let (from, to) = (call.ints(1)?, call.ints(2)?);
                values(call, |row| {
                    slice(items(call, 0, row)?, from.get(row), to.get(row)).map(Value::Array)
                })
            },
        )],
    ),
    Function::table(
        "EXPLODE",
        "A row for each element of an array.",
        &[
            Variant::new(
                &[Param::new(
                    "input",
                    Type::Array(&Type::Decimal),
                    "the array",
                )],
                Type::Decimal,
                explode,
            ),
            Variant::new(
                &[Param::new("list", Type::Array(&T), "the array")],
                T,
                explode,
            ),
        ],
    ),
    Function::table(
        "CUBE_EXPLODE",
        "A row for each way of replacing elements by NULL.",
        &[Variant::new(&[COLUMNS], Type::Array(&T), |call| {
            of_array(call, |array| {
                let rows = cube(&array)?.into_iter().map(Value::Array);
                Some(Value::Array(rows.collect()))
            })
        })],
    ),
];

/// The elements of the array, as they are.
fn explode(call: &Call<'_>) -> Result<ArrayRef> {
    let arg = call.arg(0)?;
    if !arg.constant {
        return Ok(Arc::clone(&arg.array));
    }
    values(call, |row| call.value(0, row).ok())
}

/// A column of the return type.
fn values(call: &Call<'_>, value: impl FnMut(usize) -> Option<Value>) -> Result<ArrayRef> {
    call.to_values(value)
}

/// A column of what `value` makes of the elements of the one array; NULL gives NULL.
fn of_array(call: &Call<'_>, value: impl Fn(Vec<Value>) -> Option<Value>) -> Result<ArrayRef> {
    values(call, |row| value(items(call, 0, row)?))
}

/// A column of the arrays that `join` makes of two; a NULL among them gives NULL.
fn of_two_arrays(
    call: &Call<'_>,
    join: impl Fn(Vec<Value>, Vec<Value>) -> Vec<Value>,
) -> Result<ArrayRef> {
    values(call, |row| {
        let (left, right) = (items(call, 0, row)?, items(call, 1, row)?);
        Some(Value::Array(join(left, right)))
    })
}

/// The distinct elements of `left` that `right` has, or has not.
fn kept(left: Vec<Value>, right: Vec<Value>, shared: bool) -> Vec<Value> {
    let right: AHashSet<Value> = right.into_iter().collect();
    let kept = left
        .into_iter()
        .filter(|item| right.contains(item) == shared);
    distinct(kept.collect())
}

/// The elements of ARRAY argument `index`, `None` if it is NULL.
fn items(call: &Call<'_>, index: usize, row: usize) -> Option<Vec<Value>> {
    match call.value(index, row).ok()? {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// The first of equal elements, in order.
fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut seen = AHashSet::with_capacity(items.len());
    items
        .into_iter()
        .filter(|item| seen.insert(item.clone()))
        .collect()
}

/// The elements that are not NULL; an error if `count` or more of them are arrays, maps or
/// structs, which have no order.
fn comparable(items: Vec<Value>, count: usize) -> Option<Vec<Value>> {
    let items: Vec<Value> = items.into_iter().filter(|item| !item.is_null()).collect();
    let nested = |item: &Value| matches!(item, Value::Array(_) | Value::Map(_) | Value::Struct(_));
    if items.len() >= count && items.first().is_some_and(nested) {
        return row_error(|| "Arrays, maps and structs have no order".to_owned());
    }
    Some(items)
}

/// The first element that compares as `wanted` with all others.
fn extremum(items: Vec<Value>, wanted: Ordering) -> Option<Value> {
    comparable(items, 1)?.into_iter().reduce(|best, item| {
        if item.compare(&best) == wanted {
            item
        } else {
            best
        }
    })
}

fn sort(call: &Call<'_>) -> Result<ArrayRef> {
    let direction = if call.has(1) {
        Some(call.strings(1)?)
    } else {
        None
    };
    values(call, |row| {
        let descending = match direction.map(|direction| direction.get(row)) {
            None => false,
            Some(direction) => match direction?.to_ascii_uppercase().trim() {
                "ASC" | "ASCENDING" => false,
                "DESC" | "DESCENDING" => true,
                _ => return None,
            },
        };
        let unsorted = items(call, 0, row)?;
        let length = unsorted.len();
        let mut sorted = comparable(unsorted, 2)?;
        // Equal elements keep their order either way.
        if descending {
            sorted.sort_by(|left, right| right.compare(left));
        } else {
            sorted.sort_by(Value::compare);
        }
        sorted.resize(length, Value::Null);
        Some(Value::Array(sorted))
    })
}

fn join(call: &Call<'_>) -> Result<ArrayRef> {
    let delimiter = if call.has(1) {
        Some(call.strings(1)?)
    } else {
        None
    };
    call.write_strings(|row, out| {
        let delimiter = match delimiter {
            Some(delimiter) => delimiter.get(row).unwrap_or_default(),
            None => ",",
        };
        for (i, item) in items(call, 0, row)?.iter().enumerate() {
            if i > 0 {
                out.push_str(delimiter);
            }
            match item {
                Value::Null => out.push_str("null"),
                Value::Boolean(v) => out.push_str(if *v { "true" } else { "false" }),
                Value::Integer(v) => out.push_str(&v.to_string()),
                Value::Bigint(v) => out.push_str(&v.to_string()),
                Value::Double(v) => java::write_double(*v, out),
                Value::Decimal(v, scale) => java::write_decimal_plain(&v.to_string(), *scale, out),
                Value::String(text) => out.push_str(text),
                _ => return row_error(|| "ARRAY_JOIN takes primitive elements only".to_owned()),
            }
        }
        Some(())
    })
}

/// Elements `from..=to`, counted from 1.
fn slice(items: Vec<Value>, from: Option<i32>, to: Option<i32>) -> Option<Vec<Value>> {
    let start = i64::from(from.unwrap_or(1)) - 1;
    let end = to.map_or(items.len() as i64, i64::from);
    let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
    items.get(start..end).map(<[Value]>::to_vec)
}

/// All ways of replacing elements by NULL, in the order of the bit masks of what is kept; those
/// of elements that are NULL already count once.
fn cube(items: &[Value]) -> Option<Vec<Vec<Value>>> {
    if items.len() > MAX_CUBE {
        let len = items.len();
        return row_error(|| {
            format!("CUBE_EXPLODE takes at most {MAX_CUBE} elements, but the array has {len}")
        });
    }
    let bit = |index: usize| 1u32 << (items.len() - 1 - index);
    let nulls: u32 = items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.is_null())
        .map(|(i, _)| bit(i))
        .sum();
    let masks = (0..1u32 << items.len()).filter(|mask| mask & nulls == 0);
    let row = |mask: u32| {
        let kept = |(i, item): (usize, &Value)| {
            if mask & bit(i) == 0 {
                Value::Null
            } else {
                item.clone()
            }
        };
        items.iter().enumerate().map(kept).collect()
    };
    Some(masks.map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(items: &[Option<i32>]) -> Vec<Value> {
        items
            .iter()
            .map(|item| item.map_or(Value::Null, Value::Integer))
            .collect()
    }

    #[test]
    fn slices() {
        for (from, to, expected) in [
            (Some(2), Some(3), Some(vec![Some(2), Some(3)])),
            (None, Some(1), Some(vec![Some(1)])),
            (Some(3), None, Some(vec![Some(3)])),
            (Some(2), Some(1), Some(vec![])),
            (Some(3), Some(1), None),
            (Some(1), Some(4), None),
            (Some(0), Some(1), None),
        ] {
            let sliced = slice(ints(&[Some(1), Some(2), Some(3)]), from, to);
            assert_eq!(sliced, expected.as_deref().map(ints), "{from:?}..{to:?}");
        }
    }

    #[test]
    fn cubes() {
        let rows = |rows: &[&[Option<i32>]]| Some(rows.iter().map(|row| ints(row)).collect());
        assert_eq!(
            cube(&ints(&[Some(1), Some(2)])),
            rows(&[
                &[None, None],
                &[None, Some(2)],
                &[Some(1), None],
                &[Some(1), Some(2)]
            ])
        );
        assert_eq!(
            cube(&ints(&[Some(1), None])),
            rows(&[&[None, None], &[Some(1), None]])
        );
        assert_eq!(cube(&[]), rows(&[&[]]));
        assert_eq!(cube(&ints(&[Some(1); 21])), None);
    }

    #[test]
    fn distinct_keeps_first_occurrences() {
        let nan = Value::Double(f64::NAN);
        let items = vec![
            nan.clone(),
            Value::Null,
            nan.clone(),
            Value::Double(0.0),
            Value::Null,
        ];
        assert_eq!(distinct(items), vec![nan, Value::Null, Value::Double(0.0)]);
    }
}
