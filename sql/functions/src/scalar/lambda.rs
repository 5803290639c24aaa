//! FILTER, TRANSFORM and REDUCE (spec/sql.md §7.1).
//!
//! A collection of the call becomes one column of all its elements, on which the lambda's body is
//! evaluated at once; REDUCE goes element by element, over all rows at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{interleave, take};
use datafusion::common::{Result, internal_err};

use crate::java_map::iteration_order;
use crate::kernel::{Call, row_error};
use crate::lambda::Lambda;
use crate::registry::{Category, Function, Param, T, Type, Variant};
use crate::value::{Value, list_of, map_of};

const K: Type = Type::Var("K");
const V: Type = Type::Var("V");
const R: Type = Type::Var("R");
const S: Type = Type::Var("S");

/// The functions of this family.
pub(crate) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "FILTER",
        Category::Lambda,
        "Keeps the elements of a collection for which the lambda is TRUE.",
        &[
            Variant::new(
                &[
                    Param::new("map", Type::Map(&K, &V), "The map."),
                    Param::new(
                        "biFunction",
                        Type::Lambda(&[K, V], &Type::Boolean),
                        "Whether to keep an entry, given key and value.",
                    ),
                ],
                Type::Map(&K, &V),
                filter,
            ),
            Variant::new(
                &[
                    Param::new("array", Type::Array(&T), "The array."),
                    Param::new(
                        "function",
                        Type::Lambda(&[T], &Type::Boolean),
                        "Whether to keep an element.",
                    ),
                ],
                Type::Array(&T),
                filter,
            ),
        ],
    ),
    Function::scalar(
        "TRANSFORM",
        Category::Lambda,
        "Applies a lambda to each element of an array, or two to keys and values of a map.",
        &[
            Variant::new(
                &[
                    Param::new("map", Type::Map(&K, &V), "The map."),
                    Param::new(
                        "biFunction1",
                        Type::Lambda(&[K, V], &R),
                        "The new key, given key and value.",
                    ),
                    Param::new(
                        "biFunction2",
                        Type::Lambda(&[K, V], &T),
                        "The new value, given key and value.",
                    ),
                ],
                Type::Map(&R, &T),
                transform_map,
            ),
            Variant::new(
                &[
                    Param::new("array", Type::Array(&T), "The array."),
                    Param::new("function", Type::Lambda(&[T], &R), "The new element."),
                ],
                Type::Array(&R),
                transform_array,
            ),
        ],
    ),
    Function::scalar(
        "REDUCE",
        Category::Lambda,
        "Folds a collection into one value, from an initial state.",
        &[
            Variant::new(
                &[
                    Param::new("map", Type::Map(&K, &V), "The map."),
                    Param::new("initialState", S, "The state before the first entry."),
                    Param::new(
                        "triFunction",
                        Type::Lambda(&[S, K, V], &S),
                        "The next state, given state, key and value.",
                    ),
                ],
                S,
                reduce,
            ),
            Variant::new(
                &[
                    Param::new("list", Type::Array(&T), "The array."),
                    Param::new("initialState", S, "The state before the first element."),
                    Param::new(
                        "biFunction",
                        Type::Lambda(&[S, T], &S),
                        "The next state, given state and element.",
                    ),
                ],
                S,
                reduce,
            ),
        ],
    ),
];

/// The collections of a call, laid flat.
struct Flat {
    /// Columns of the elements: one for an array, keys and values for a map.
    columns: Vec<ArrayRef>,
    /// For each row the places of its elements in `columns`, in order of iteration; `None` for a
    /// NULL collection.
    places: Vec<Option<Vec<u32>>>,
}

impl Flat {
    fn of(call: &Call<'_>) -> Result<Self> {
        let arg = call.arg(0)?;
        let (offsets, columns) = if let Some(lists) = arg.array.as_list_opt::<i32>() {
            (lists.value_offsets(), vec![Arc::clone(lists.values())])
        } else if let Some(maps) = arg.array.as_map_opt() {
            (
                maps.value_offsets(),
                vec![Arc::clone(maps.keys()), Arc::clone(maps.values())],
            )
        } else {
            return internal_err!("a collection is {}", arg.array.data_type());
        };
        let mut places = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            if arg.is_null(row) {
                places.push(None);
                continue;
            }
            let index = arg.index(row);
            let (start, end) = (offsets[index] as usize, offsets[index + 1] as usize);
            places.push(Some(match columns.as_slice() {
                [keys, _] => iteration_order(&Value::all(&keys.slice(start, end - start))?)
                    .into_iter()
                    .map(|place| (start + place) as u32)
                    .collect(),
                _ => (start as u32..end as u32).collect(),
            }));
        }
        Ok(Self { columns, places })
    }

    /// The row of each element, and the element's place.
    fn elements(&self) -> (UInt32Array, UInt32Array) {
        let mut parents = Vec::new();
        let mut places = Vec::new();
        for (row, own) in self.places.iter().enumerate() {
            let own = own.as_deref().unwrap_or_default();
            parents.extend(std::iter::repeat_n(row as u32, own.len()));
            places.extend_from_slice(own);
        }
        (parents.into(), places.into())
    }

    fn take(&self, places: &UInt32Array) -> Result<Vec<ArrayRef>> {
        self.columns
            .iter()
            .map(|column| Ok(take(column, places, None)?))
            .collect()
    }

    fn length(&self, row: usize) -> usize {
        self.places
            .get(row)
            .and_then(Option::as_ref)
            .map_or(0, Vec::len)
    }

    /// Which rows have a collection and did not fail.
    fn valid(&self, failed: &[bool]) -> Vec<bool> {
        self.places
            .iter()
            .zip(failed)
            .map(|(own, failed)| own.is_some() && !failed)
            .collect()
    }
}

fn lambda<'a>(call: &'a Call<'_>, index: usize) -> Result<&'a Lambda> {
    match call.lambdas.get(index) {
        Some(lambda) => Ok(lambda),
        None => internal_err!("a lambda function was called without its lambda {index}"),
    }
}

/// Marks the failed rows of an evaluation.
fn mark(failed: &mut [bool], rows: &[u32]) {
    for row in rows {
        if let Some(slot) = failed.get_mut(*row as usize) {
            *slot = true;
        }
    }
}

/// A column of collections: the elements `kept` (given by their row, ascending) of valid rows.
fn collect(
    call: &Call<'_>,
    valid: Vec<bool>,
    parents: &UInt32Array,
    kept: impl Fn(usize) -> bool,
    columns: &[ArrayRef],
) -> Result<ArrayRef> {
    let mut lengths = vec![0; call.rows];
    let mut places = Vec::new();
    for (element, parent) in parents.values().iter().enumerate() {
        let row = *parent as usize;
        if valid[row] && kept(element) {
            lengths[row] += 1;
            places.push(element as u32);
        }
    }
    let places = UInt32Array::from(places);
    let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
    let part = |column: &ArrayRef| take(column, &places, None);
    match columns {
        [items] => list_of(call.return_type, lengths, part(items)?, nulls),
        [keys, values] => map_of(call.return_type, lengths, part(keys)?, part(values)?, nulls),
        _ => internal_err!("a collection has one or two columns"),
    }
}

fn filter(call: &Call<'_>) -> Result<ArrayRef> {
    let flat = Flat::of(call)?;
    let (parents, places) = flat.elements();
    let columns = flat.take(&places)?;
    let result = lambda(call, 0)?.evaluate(&columns, call.captures, &parents)?;
    let mut failed = vec![false; call.rows];
    mark(&mut failed, &result.failed);
    let holds: &BooleanArray = result.values.as_boolean();
    // A NULL value cannot be kept in a map.
    let values = columns.get(1);
    for (element, parent) in parents.values().iter().enumerate() {
        let wrong = if holds.is_null(element) {
            "gave NULL"
        } else if holds.value(element) && values.is_some_and(|values| values.is_null(element)) {
            "kept a NULL value"
        } else {
            continue;
        };
        if !std::mem::replace(&mut failed[*parent as usize], true) {
            row_error::<()>(|| format!("The lambda of FILTER {wrong}"));
        }
    }
    collect(
        call,
        flat.valid(&failed),
        &parents,
        |element| holds.value(element),
        &columns,
    )
}

fn transform_array(call: &Call<'_>) -> Result<ArrayRef> {
    let flat = Flat::of(call)?;
    let (parents, places) = flat.elements();
    let columns = flat.take(&places)?;
    let result = lambda(call, 0)?.evaluate(&columns, call.captures, &parents)?;
    let mut failed = vec![false; call.rows];
    mark(&mut failed, &result.failed);
    collect(
        call,
        flat.valid(&failed),
        &parents,
        |_| true,
        &[result.values],
    )
}

fn transform_map(call: &Call<'_>) -> Result<ArrayRef> {
    let flat = Flat::of(call)?;
    let (parents, places) = flat.elements();
    let columns = flat.take(&places)?;
    let keys = lambda(call, 0)?.evaluate(&columns, call.captures, &parents)?;
    let values = lambda(call, 1)?.evaluate(&columns, call.captures, &parents)?;
    let mut failed = vec![false; call.rows];
    mark(&mut failed, &keys.failed);
    mark(&mut failed, &values.failed);
    let mut element = 0;
    for (row, failed) in failed.iter_mut().enumerate() {
        let range = element..element + flat.length(row);
        element = range.end;
        if *failed {
            continue;
        }
        let mut seen = ahash::AHashSet::with_capacity(range.len());
        for at in range {
            let key = Value::of(&keys.values, at)?;
            let wrong = if key.is_null() || values.values.is_null(at) {
                "a NULL key or value"
            } else if !seen.insert(key) {
                "the same key twice"
            } else {
                continue;
            };
            *failed = true;
            row_error::<()>(|| format!("The lambdas of TRANSFORM gave {wrong}"));
            break;
        }
    }
    collect(
        call,
        flat.valid(&failed),
        &parents,
        |_| true,
        &[keys.values, values.values],
    )
}

fn reduce(call: &Call<'_>) -> Result<ArrayRef> {
    let flat = Flat::of(call)?;
    let step = lambda(call, 0)?;
    let initial = call.arg(1)?;
    let nothing = arrow::array::new_null_array(&call.return_type.to_arrow(), 1);
    let all: UInt32Array = (0..call.rows)
        .map(|row| Some(initial.index(row) as u32))
        .collect();
    let mut state = take(&initial.array, &all, None)?;
    // A NULL initial state gives NULL; a failed row gives NULL as well.
    let mut done: Vec<bool> = (0..call.rows).map(|row| initial.is_null(row)).collect();
    let longest = (0..call.rows)
        .map(|row| flat.length(row))
        .max()
        .unwrap_or(0);
    for position in 0..longest {
        let rows: Vec<u32> = (0..call.rows)
            .filter(|row| !done[*row] && flat.length(*row) > position)
            .map(|row| row as u32)
            .collect();
        if rows.is_empty() {
            break;
        }
        let places: UInt32Array = rows
            .iter()
            .map(|row| {
                flat.places
                    .get(*row as usize)?
                    .as_ref()?
                    .get(position)
                    .copied()
            })
            .collect();
        let parents = UInt32Array::from(rows.clone());
        let mut params = vec![take(&state, &parents, None)?];
        params.extend(flat.take(&places)?);
        let result = step.evaluate(&params, call.captures, &parents)?;
        mark(&mut done, &result.failed);
        let mut next: Vec<(usize, usize)> = (0..call.rows).map(|row| (0, row)).collect();
        for (element, row) in rows.iter().enumerate() {
            let failed = done[*row as usize];
            next[*row as usize] = if failed { (2, 0) } else { (1, element) };
        }
        let sources = [state.as_ref(), result.values.as_ref(), nothing.as_ref()];
        state = interleave(&sources, &next)?;
    }
    Ok(state)
}

#[cfg(test)]
mod tests;
