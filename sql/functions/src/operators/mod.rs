//! The operators of the language and its conversions, each chosen for given operand types.
//!
//! ```text
//!  planner ── types of the operands ──► arithmetic, comparison, cast, … ──► ScalarCall
//!                                           │ arg_types: what to coerce the operands to
//!                                           └ udf: a columnar kernel
//! ```
//!
//! Invariant: an operator that cannot compute a row makes it NULL and *failed* (see
//! [`crate::compile`]); it reports why, except for arithmetic on NULL, which is silent.

mod access;
mod arithmetic;
mod cast;
mod compare;
mod construct;
mod like;
mod logic;
mod types;

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;
use weir_types::SqlType;

use crate::api::ScalarCall;
use crate::kernel::{Arg, Call};
use crate::registry::{NullMeans, OnFailure, Traits, Udf};

pub use access::{field, subscript};
pub use arithmetic::{Arithmetic, arithmetic, concat, negate};
pub use cast::{cast, coerce};
pub use compare::{Comparison, comparison, in_list};
pub use construct::{array, map, struct_};
pub use like::like;
pub use logic::{and, case, is_null, not, or};
pub use types::{common_type, implicit_cast};

/// Traits of an operator whose NULL result is a failure.
const STRICT: Traits = Traits {
    silent: false,
    total: true,
    refuses_null: false,
    null: NullMeans::Failure,
    on_failure: OnFailure::Propagate,
};

/// An operator of these types.
fn operator(
    name: &str,
    arg_types: Vec<SqlType>,
    return_type: SqlType,
    traits: Traits,
    body: impl for<'a> Fn(&Call<'a>) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarCall {
    call_of(Udf::new(name, arg_types, return_type, body).with_traits(traits))
}

/// The call of an operator's function.
fn call_of(udf: Udf) -> ScalarCall {
    ScalarCall {
        arg_types: udf.arg_types().to_vec(),
        return_type: udf.sql_return_type().clone(),
        captures: Vec::new(),
        udf: Arc::new(ScalarUDF::new_from_impl(udf)),
    }
}

/// The column of `rows` rows of an argument.
fn spread(arg: Arg, rows: usize) -> Result<ArrayRef> {
    if arg.constant {
        return Ok(take(&arg.array, &UInt32Array::from(vec![0; rows]), None)?);
    }
    Ok(arg.array)
}
