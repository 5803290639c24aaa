//! `a[i]`, `m[k]` and `s->f` (spec/sql.md §6).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, make_array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::{Result, internal_err};
use weir_types::SqlType;

use super::{call_of, operator, spread};
use crate::api::{FunctionError, ScalarCall};
use crate::kernel::{Arg, Call};
use crate::registry::{OnFailure, Traits, Udf};
use crate::value::Value;

/// Traits of access to a part: missing parts are NULL, nothing fails.
const ACCESS: Traits = Traits {
    silent: true,
    total: false,
    refuses_null: false,
    null: crate::registry::NullMeans::Value,
    on_failure: OnFailure::Catch,
};

/// `base[index]`: elements of an ARRAY are counted from 1, from its end if negative; a missing
/// element or key gives NULL.
///
/// # Errors
/// When `base` is neither ARRAY nor MAP or the index does not suit it.
pub fn subscript(base: &SqlType, index: &SqlType) -> Result<ScalarCall, FunctionError> {
    match base {
        SqlType::Array(item) if matches!(index, SqlType::Integer | SqlType::Bigint) => {
            let types = vec![base.clone(), index.clone()];
            Ok(operator("[]", types, (**item).clone(), ACCESS, element))
        }
        // A key of another type is in no map.
        SqlType::Map(_, value) => {
            let types = vec![base.clone(), index.clone()];
            Ok(operator("[]", types, (**value).clone(), ACCESS, entry))
        }
        SqlType::Struct(_) => Err(FunctionError::Unsuitable(format!(
            "Subscript expressions do not apply to {base}. Use the dereference operator for \
             STRUCTs: ->"
        ))),
        _ => Err(FunctionError::Unsuitable(format!(
            "Cannot access {base} with an index of type {index}: an ARRAY takes an INTEGER, a MAP \
             a key"
        ))),
    }
}

fn element(call: &Call<'_>) -> Result<ArrayRef> {
    let base = call.arg(0)?;
    let lists = call.lists(0)?.array();
    let position = call.arg(1)?;
    let index_of = |row: usize| -> Option<i64> {
        if position.is_null(row) {
            return None;
        }
        let at = position.index(row);
        match position.array.as_primitive_opt::<Int32Type>() {
            Some(ints) => Some(ints.value(at).into()),
            None => position
                .array
                .as_primitive_opt::<Int64Type>()
                .map(|longs| longs.value(at)),
        }
    };
    let places: UInt32Array = (0..call.rows)
        .map(|row| {
            if base.is_null(row) {
                return None;
            }
            let list = base.index(row);
            let (start, length) = (
                i64::from(lists.value_offsets()[list]),
                i64::from(lists.value_length(list)),
            );
            let index = match index_of(row)? {
                0 => return None,
                index if index > 0 => index - 1,
                index => length.checked_add(index)?,
            };
            (0..length)
                .contains(&index)
                .then_some((start + index) as u32)
        })
        .collect();
    Ok(take(lists.values(), &places, None)?)
}

fn entry(call: &Call<'_>) -> Result<ArrayRef> {
    let base = call.arg(0)?;
    let maps = call.maps(0)?.array();
    let wanted = call.arg(1)?;
    let keys = maps.keys();
    let texts = keys
        .as_string_opt::<i32>()
        .zip(wanted.array.as_string_opt::<i32>());
    let mut places = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if base.is_null(row) || wanted.is_null(row) {
            places.push(None);
            continue;
        }
        let map = base.index(row);
        let range = maps.value_offsets()[map] as usize..maps.value_offsets()[map + 1] as usize;
        // Where a key stands twice, the last one counts.
        let place = if let Some((keys, wanted_texts)) = texts {
            let text = wanted_texts.value(wanted.index(row));
            range.rev().find(|at| keys.value(*at) == text)
        } else {
            let value = Value::of(&wanted.array, wanted.index(row))?;
            let mut found = None;
            for at in range {
                if Value::of(keys, at)? == value {
                    found = Some(at);
                }
            }
            found
        };
        places.push(place.map(|at| at as u32));
    }
    Ok(take(maps.values(), &UInt32Array::from(places), None)?)
}

/// `struct->name`; NULL of a NULL struct.
///
/// # Errors
/// When `base` is no STRUCT or has no such field.
pub fn field(base: &SqlType, name: &str) -> Result<ScalarCall, FunctionError> {
    let SqlType::Struct(fields) = base else {
        return Err(FunctionError::Unsuitable(format!(
            "Expected STRUCT type but found {base}: only a STRUCT has the field {name}"
        )));
    };
    let Some(position) = fields.iter().position(|field| field.name == name) else {
        return Err(FunctionError::Unsuitable(format!(
            "Could not find field '{name}' in {base}"
        )));
    };
    let body = move |call: &Call<'_>| {
        let arg = call.arg(0)?;
        let structs = call.structs(0)?.array();
        let Some(column) = structs.columns().get(position) else {
            return internal_err!("a struct has no field {position}");
        };
        let array = match structs.nulls() {
            Some(parent) if parent.null_count() > 0 => {
                let nulls = NullBuffer::union(Some(parent), column.logical_nulls().as_ref());
                make_array(column.to_data().into_builder().nulls(nulls).build()?)
            }
            _ => Arc::clone(column),
        };
        spread(
            Arg {
                array,
                constant: arg.constant,
            },
            call.rows,
        )
    };
    let result = fields[position].sql_type.clone();
    Ok(call_of(
        Udf::new("->", vec![base.clone()], result, body)
            .tagged(name)
            .with_traits(ACCESS),
    ))
}
