//! Choice by NULL, and AS_VALUE (spec/sql.md §7.1).

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::interleave;
use datafusion::common::Result;

use crate::kernel::Call;
use crate::registry::{Category, Function, Param, T, Variant};

/// The functions of this family.
pub(crate) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "COALESCE",
        Category::Conditional,
        "Returns the first argument that is not NULL, or NULL if there is none.",
        &[Variant::new(
            &[
                Param::new("first", T, "The value to look at first."),
                Param::variadic("others", T, "The values to look at next, in order."),
            ],
            T,
            first_value,
        )],
    ),
    Function::scalar(
        "IFNULL",
        Category::Conditional,
        "Returns the first argument, or the second one where the first is NULL.",
        &[Variant::new(
            &[
                Param::new("expression", T, "The value to look at."),
                Param::new("altValue", T, "What to return instead of NULL."),
            ],
            T,
            first_value,
        )],
    ),
    Function::scalar(
        "NULLIF",
        Category::Conditional,
        "Returns NULL if both arguments are equal, otherwise the first.",
        &[Variant::new(
            &[
                Param::new("expression1", T, "The value to return."),
                Param::new("expression2", T, "The value that stands for NULL."),
            ],
            T,
            null_if,
        )],
    ),
    Function::scalar(
        "AS_VALUE",
        Category::Other,
        "Returns its argument: copies a key column into the value.",
        &[Variant::new(
            &[Param::new("keyColumn", T, "The key column to copy.")],
            T,
            first_value,
        )],
    ),
];

/// The first argument that is not NULL, row by row.
fn first_value(call: &Call<'_>) -> Result<ArrayRef> {
    let nothing = new_null_array(&call.return_type.to_arrow(), 1);
    let mut arrays: Vec<&dyn Array> = vec![&nothing];
    arrays.extend(call.args.iter().map(|arg| arg.array.as_ref()));
    let places: Vec<(usize, usize)> = (0..call.rows)
        .map(|row| {
            let chosen = call
                .args
                .iter()
                .enumerate()
                .find(|(_, arg)| !arg.is_null(row));
            chosen.map_or((0, 0), |(i, arg)| (i + 1, arg.index(row)))
        })
        .collect();
    Ok(interleave(&arrays, &places)?)
}

fn null_if(call: &Call<'_>) -> Result<ArrayRef> {
    let nothing = new_null_array(&call.return_type.to_arrow(), 1);
    let first = call.arg(0)?;
    let mut places = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let equal = call.value(0, row)? == call.value(1, row)?;
        places.push(if equal { (0, 0) } else { (1, first.index(row)) });
    }
    Ok(interleave(
        &[&nothing as &dyn Array, first.array.as_ref()],
        &places,
    )?)
}
