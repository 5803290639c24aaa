//! AND, OR, NOT, CASE and IS NULL (spec/sql.md §4.3, §6).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{interleave, is_not_null, not as arrow_not};
use datafusion::common::Result;
use weir_types::SqlType;

use super::{STRICT, call_of, operator, spread};
use crate::api::ScalarCall;
use crate::kernel::{Arg, Call, row_error};
use crate::registry::{Laziness, Traits, Udf};

/// Traits of an operator over conditions.
const CONDITIONS: Traits = Traits {
    silent: true,
    refuses_null: true,
    ..STRICT
};

/// `left AND right`: the right side counts only where the left is TRUE.
pub fn and() -> ScalarCall {
    connective("AND", Laziness::And, false)
}

/// `left OR right`: the right side counts only where the left is FALSE.
pub fn or() -> ScalarCall {
    connective("OR", Laziness::Or, true)
}

fn connective(name: &'static str, laziness: Laziness, decisive: bool) -> ScalarCall {
    let body = move |call: &Call<'_>| {
        let (left, right) = (call.booleans(0)?, call.booleans(1)?);
        call.to_booleans(|row| match left.get(row) {
            Some(left) if left == decisive => Some(decisive),
            Some(_) => right.get(row).or_else(|| null_condition(name)),
            None => null_condition(name),
        })
    };
    let types = vec![SqlType::Boolean; 2];
    call_of(
        Udf::new(name, types, SqlType::Boolean, body)
            .with_traits(CONDITIONS)
            .lazy(laziness),
    )
}

fn null_condition<T>(name: &str) -> Option<T> {
    row_error(|| format!("{name} was given a NULL condition"))
}

/// `NOT condition`.
pub fn not() -> ScalarCall {
    operator(
        "NOT",
        vec![SqlType::Boolean],
        SqlType::Boolean,
        CONDITIONS,
        |call| {
            let arg = call.arg(0)?;
            let values = call.booleans(0)?.array();
            (0..values.null_count()).for_each(|_| {
                null_condition::<()>("NOT");
            });
            let array = Arc::new(arrow_not(values)?);
            spread(
                Arg {
                    array,
                    constant: arg.constant,
                },
                call.rows,
            )
        },
    )
}

/// `operand IS NULL`, or IS NOT NULL if `negated`.
pub fn is_null(negated: bool, operand: &SqlType) -> ScalarCall {
    let name = if negated { "IS NOT NULL" } else { "IS NULL" };
    let traits = Traits {
        silent: true,
        ..STRICT
    };
    operator(
        name,
        vec![operand.clone()],
        SqlType::Boolean,
        traits,
        move |call| {
            let arg = call.arg(0)?;
            let valid = is_not_null(&arg.array)?;
            let array = Arc::new(if negated { valid } else { arrow_not(&valid)? });
            spread(
                Arg {
                    array,
                    constant: arg.constant,
                },
                call.rows,
            )
        },
    )
}

/// `CASE WHEN condition THEN value … [ELSE value] END`: arguments are conditions and values of
/// type `result` in turn, the ELSE last.
pub fn case(conditions: usize, has_else: bool, result: &SqlType) -> ScalarCall {
    let mut types = Vec::with_capacity(2 * conditions + 1);
    for _ in 0..conditions {
        types.extend([SqlType::Boolean, result.clone()]);
    }
    if has_else {
        types.push(result.clone());
    }
    let traits = Traits {
        total: false,
        null: Default::default(),
        ..CONDITIONS
    };
    let udf = Udf::new("CASE", types, result.clone(), whole_case);
    call_of(udf.with_traits(traits).lazy(Laziness::Case))
}

/// CASE over columns that are all there already.
fn whole_case(call: &Call<'_>) -> Result<ArrayRef> {
    let nothing = arrow::array::new_null_array(&call.return_type.to_arrow(), 1);
    let mut arrays: Vec<&dyn Array> = vec![&nothing];
    arrays.extend(call.args.iter().map(|arg| arg.array.as_ref()));
    let places: Vec<(usize, usize)> = (0..call.rows)
        .map(|row| {
            for (i, pair) in call.args.chunks(2).enumerate() {
                let [condition, value] = pair else {
                    let last = call.args.len();
                    return (
                        last,
                        pair.first().map_or(0, |otherwise| otherwise.index(row)),
                    );
                };
                let holds: &BooleanArray = condition.array.as_boolean();
                if condition.is_null(row) {
                    null_condition::<()>("CASE");
                    return (0, 0);
                }
                if holds.value(condition.index(row)) {
                    return (2 * i + 2, value.index(row));
                }
            }
            (0, 0)
        })
        .collect();
    Ok(interleave(&arrays, &places)?)
}
