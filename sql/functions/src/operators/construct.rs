//! The constructors ARRAY, MAP and STRUCT (spec/sql.md §6). An element of an ARRAY or MAP that
//! fails is NULL; a field that fails makes the whole STRUCT fail.

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use weir_types::{SqlType, StructField};

use super::{operator, spread};
use crate::api::ScalarCall;
use crate::kernel::{Arg, Call};
use crate::registry::{NullMeans, OnFailure, Traits};
use crate::value::{Value, array_of, list_of, struct_of};

const CONSTRUCTOR: Traits = Traits {
    silent: true,
    total: true,
    refuses_null: false,
    null: NullMeans::Value,
    on_failure: OnFailure::Ignore,
};

/// The columns laid row by row end to end.
fn by_rows(args: &[&Arg], rows: usize) -> Result<ArrayRef> {
    let arrays: Vec<&dyn Array> = args.iter().map(|arg| arg.array.as_ref()).collect();
    let places: Vec<(usize, usize)> = (0..rows)
        .flat_map(|row| {
            args.iter()
                .enumerate()
                .map(move |(i, arg)| (i, arg.index(row)))
        })
        .collect();
    Ok(interleave(&arrays, &places)?)
}

/// `ARRAY[…]` of `items` elements of type `item`.
pub fn array(item: &SqlType, items: usize) -> ScalarCall {
    let types = vec![item.clone(); items];
    operator(
        "ARRAY",
        types,
        SqlType::array(item.clone()),
        CONSTRUCTOR,
        |call| {
            let args: Vec<&Arg> = call.args.iter().collect();
            let lengths = std::iter::repeat_n(args.len(), call.rows);
            if args.is_empty() {
                return array_of(call.return_type, &vec![Value::Array(Vec::new()); call.rows]);
            }
            list_of(call.return_type, lengths, by_rows(&args, call.rows)?, None)
        },
    )
}

/// `MAP(key := value, …)` of `entries` entries: the arguments are keys and values in turn.
pub fn map(key: &SqlType, value: &SqlType, entries: usize) -> ScalarCall {
    let types = (0..entries)
        .flat_map(|_| [key.clone(), value.clone()])
        .collect();
    operator(
        "MAP",
        types,
        SqlType::map(key.clone(), value.clone()),
        CONSTRUCTOR,
        map_of_rows,
    )
}

fn map_of_rows(call: &Call<'_>) -> Result<ArrayRef> {
    let mut maps = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let mut entries: Vec<(Value, Value)> = Vec::with_capacity(call.args.len() / 2);
        for pair in call.args.chunks_exact(2) {
            let [key, value] = pair else { continue };
            let mut key = Value::of(&key.array, key.index(row))?;
            if key.is_null() && *pair[0].array.data_type() == DataType::Utf8 {
                // A NULL key is held as text.
                key = Value::String("null".to_owned());
            }
            let value = Value::of(&value.array, value.index(row))?;
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known = value,
                None => entries.push((key, value)),
            }
        }
        let has_null_key = entries.iter().any(|(key, _)| key.is_null());
        maps.push(if has_null_key {
            Value::Null
        } else {
            Value::Map(entries)
        });
    }
    array_of(call.return_type, &maps)
}

/// `STRUCT(name := value, …)`: one argument for each field.
pub fn struct_(fields: &[StructField]) -> ScalarCall {
    let types = fields.iter().map(|field| field.sql_type.clone()).collect();
    let sql_type = SqlType::Struct(fields.to_vec());
    let traits = Traits {
        on_failure: OnFailure::Propagate,
        ..CONSTRUCTOR
    };
    operator("STRUCT", types, sql_type, traits, |call| {
        let columns = call
            .args
            .iter()
            .map(|arg| spread(arg.clone(), call.rows))
            .collect::<Result<Vec<_>>>()?;
        struct_of(call.return_type, columns, None, call.rows)
    })
}
