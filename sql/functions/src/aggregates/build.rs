//! What makes an aggregate for given argument types: one builder for each family.

use std::sync::Arc;

use arrow::datatypes::{
    Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::scalar::ScalarValue;
use weir_types::{SqlType, StructField};

use crate::aggregate::Aggregate;
use crate::api::FunctionError;
use crate::registry::AggregateCall;

use super::Definition;
use super::collect::{Lists, Sets};
use super::count::Counts;
use super::decimal_sum::DecimalSums;
use super::distinct::Distincts;
use super::extremum::{Bytes, PrimitiveExtremes, Strings, TextExtremes};
use super::offset::{OneByOffset, Rule, SomeByOffset};
use super::spread::{Attributes, Histograms, histogram_type};
use super::statistics::{Correlations, Deviations};
use super::sum::{Addends, Averages, Elements, Summable, Sums, Values};
use super::topk::Tops;

/// What a builder gives.
pub(super) type Built = Result<Arc<dyn Aggregate>, FunctionError>;

fn unsuitable(call: &AggregateCall<'_>) -> FunctionError {
    let types: Vec<String> = call.arg_types.iter().map(SqlType::to_string).collect();
    FunctionError::Unsuitable(format!(
        "Function '{}' does not accept parameters ({}).",
        call.name,
        types.join(", ")
    ))
}

/// The type of the first argument.
fn first(call: &AggregateCall<'_>) -> Result<SqlType, FunctionError> {
    call.arg_types
        .first()
        .cloned()
        .ok_or_else(|| unsuitable(call))
}

/// A count that is given as a literal.
fn literal_count(call: &AggregateCall<'_>, value: &ScalarValue) -> Result<usize, FunctionError> {
    match value {
        ScalarValue::Int32(Some(n)) if *n >= 1 => Ok(*n as usize),
        _ => Err(FunctionError::Unsuitable(format!(
            "{} must keep at least 1 value, but {value} was given.",
            call.name
        ))),
    }
}

pub(super) fn count(call: AggregateCall<'_>) -> Built {
    let state = vec![SqlType::Bigint];
    let states = Counts::default;
    Ok(Arc::new(
        Definition::new(call.name, call.arg_types, SqlType::Bigint, state, states)
            .with_undo()
            .with_result_as_state(),
    ))
}

/// A sum of numbers of type `T`, which is also that of the result.
fn sum_of<T: Summable, A: Addends>(call: AggregateCall<'_>, number: SqlType) -> Built {
    let (args, state) = (call.arg_types, vec![number.clone()]);
    let definition = Definition::new(call.name, args, number, state, Sums::<T, A>::default);
    Ok(Arc::new(definition.with_undo().with_result_as_state()))
}

pub(super) fn sum(call: AggregateCall<'_>) -> Built {
    let number = first(&call)?;
    match number {
        SqlType::Integer => sum_of::<Int32Type, Values>(call, number),
        SqlType::Bigint => sum_of::<Int64Type, Values>(call, number),
        SqlType::Double => sum_of::<Float64Type, Values>(call, number),
        SqlType::Decimal { .. } => {
            let (args, state) = (call.arg_types, vec![number.clone()]);
            let data_type = number.to_arrow();
            let states = move || DecimalSums::new(data_type.clone());
            let definition = Definition::new(call.name, args, number, state, states);
            Ok(Arc::new(definition.with_undo()))
        }
        _ => Err(unsuitable(&call)),
    }
}

pub(super) fn sum_list(call: AggregateCall<'_>) -> Built {
    let SqlType::Array(item) = first(&call)? else {
        return Err(unsuitable(&call));
    };
    match *item {
        SqlType::Integer => sum_of::<Int32Type, Elements>(call, *item),
        SqlType::Bigint => sum_of::<Int64Type, Elements>(call, *item),
        SqlType::Double => sum_of::<Float64Type, Elements>(call, *item),
        _ => Err(unsuitable(&call)),
    }
}

pub(super) fn avg(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let (name, args, returns) = (call.name, vec![sql_type.clone()], SqlType::Double);
    let state = vec![sql_type.clone(), SqlType::Bigint];
    let definition = match sql_type {
        SqlType::Integer => {
            Definition::new(name, args, returns, state, Averages::<Int32Type>::default)
        }
        SqlType::Bigint => {
            Definition::new(name, args, returns, state, Averages::<Int64Type>::default)
        }
        SqlType::Double => {
            Definition::new(name, args, returns, state, Averages::<Float64Type>::default)
        }
        _ => return Err(unsuitable(&call)),
    };
    Ok(Arc::new(definition.with_undo()))
}

pub(super) fn extreme(call: AggregateCall<'_>) -> Built {
    if call.name == "MAX" {
        extreme_of::<true>(call)
    } else {
        extreme_of::<false>(call)
    }
}

fn extreme_of<const MAX: bool>(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let data_type = sql_type.to_arrow();
    let (name, args, state) = (call.name, vec![sql_type.clone()], vec![sql_type.clone()]);
    macro_rules! primitive {
        ($data_type:ty) => {
            Definition::new(name, args, sql_type, state, move || {
                PrimitiveExtremes::<$data_type, MAX>::new(data_type.clone())
            })
        };
    }
    let definition = match &sql_type {
        SqlType::Integer => primitive!(Int32Type),
        SqlType::Bigint => primitive!(Int64Type),
        SqlType::Double => primitive!(Float64Type),
        SqlType::Decimal { .. } => primitive!(Decimal256Type),
        SqlType::Date => primitive!(Date32Type),
        SqlType::Time => primitive!(Time32MillisecondType),
        SqlType::Timestamp => primitive!(TimestampMillisecondType),
        SqlType::String => Definition::new(name, args, sql_type, state, || {
            TextExtremes::<Strings>::new(MAX)
        }),
        SqlType::Bytes => Definition::new(name, args, sql_type, state, || {
            TextExtremes::<Bytes>::new(MAX)
        }),
        _ => return Err(unsuitable(&call)),
    };
    Ok(Arc::new(definition.with_result_as_state()))
}

pub(super) fn by_offset(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let mut rule = Rule {
        latest: call.name == "LATEST_BY_OFFSET",
        ignore_nulls: true,
    };
    let mut limit = None;
    for constant in &call.constants {
        match constant {
            ScalarValue::Boolean(Some(ignore)) => rule.ignore_nulls = *ignore,
            other => limit = Some(literal_count(&call, other)?),
        }
    }
    let (name, args) = (call.name, vec![sql_type.clone()]);
    Ok(Arc::new(match limit {
        None => {
            let state = vec![SqlType::Bigint, sql_type.clone()];
            Definition::new(name, args, sql_type.clone(), state, move || {
                OneByOffset::new(rule, sql_type.clone())
            })
        }
        Some(limit) => {
            let returns = SqlType::array(sql_type.clone());
            let state = vec![SqlType::array(SqlType::Bigint), returns.clone()];
            Definition::new(name, args, returns, state, move || {
                SomeByOffset::new(rule, limit, sql_type.clone())
            })
        }
    }))
}

pub(super) fn collect_list(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let returns = SqlType::array(sql_type.clone());
    let (args, state, limit) = (
        vec![sql_type.clone()],
        vec![returns.clone()],
        call.limits.list,
    );
    let states = move || Lists::new(limit, sql_type.clone());
    Ok(Arc::new(
        Definition::new(call.name, args, returns, state, states).with_undo(),
    ))
}

pub(super) fn collect_set(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let returns = SqlType::array(sql_type.clone());
    let (args, state, limit) = (
        vec![sql_type.clone()],
        vec![returns.clone()],
        call.limits.set,
    );
    let states = move || Sets::new(limit, sql_type.clone());
    Ok(Arc::new(Definition::new(
        call.name, args, returns, state, states,
    )))
}

fn tops(call: AggregateCall<'_>, distinct: bool) -> Built {
    let sort = first(&call)?;
    let Some(constant) = call.constants.first() else {
        return Err(unsuitable(&call));
    };
    let limit = literal_count(&call, constant)?;
    let structs = call.arg_types.len() > 1;
    let item = if structs {
        let others = call.arg_types[1..].iter().enumerate();
        let others = others.map(|(i, other)| StructField::new(format!("col{i}"), other.clone()));
        SqlType::Struct(
            std::iter::once(StructField::new("sort_col", sort))
                .chain(others)
                .collect(),
        )
    } else {
        sort
    };
    let returns = SqlType::array(item.clone());
    let state = vec![returns.clone()];
    let states = move || Tops::new(limit, distinct, structs, item.clone());
    Ok(Arc::new(Definition::new(
        call.name,
        call.arg_types,
        returns,
        state,
        states,
    )))
}

pub(super) fn topk(call: AggregateCall<'_>) -> Built {
    tops(call, false)
}

pub(super) fn topk_distinct(call: AggregateCall<'_>) -> Built {
    tops(call, true)
}

pub(super) fn histogram(call: AggregateCall<'_>) -> Built {
    let (returns, state) = (histogram_type(), vec![histogram_type()]);
    let states = Histograms::default;
    Ok(Arc::new(
        Definition::new(call.name, call.arg_types, returns, state, states).with_undo(),
    ))
}

pub(super) fn attr(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let state = vec![
        SqlType::array(sql_type.clone()),
        SqlType::array(SqlType::Bigint),
    ];
    let (args, returns) = (vec![sql_type.clone()], sql_type.clone());
    let states = move || Attributes::new(sql_type.clone());
    Ok(Arc::new(
        Definition::new(call.name, args, returns, state, states).with_undo(),
    ))
}

pub(super) fn deviation(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let root = call.name == "STDDEV_SAMPLE";
    let (name, args, returns) = (call.name, vec![sql_type.clone()], SqlType::Double);
    let state = vec![sql_type.clone(), SqlType::Bigint, SqlType::Double];
    let definition = match sql_type {
        SqlType::Integer => Definition::new(name, args, returns, state, move || {
            Deviations::<Int32Type>::new(root)
        }),
        SqlType::Bigint => Definition::new(name, args, returns, state, move || {
            Deviations::<Int64Type>::new(root)
        }),
        SqlType::Double => Definition::new(name, args, returns, state, move || {
            Deviations::<Float64Type>::new(root)
        }),
        _ => return Err(unsuitable(&call)),
    };
    Ok(Arc::new(definition.with_undo()))
}

pub(super) fn correlation(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let (name, args, returns) = (call.name, call.arg_types.clone(), SqlType::Double);
    let mut state = vec![SqlType::Double; 6];
    state[0] = SqlType::Bigint;
    let definition = match sql_type {
        SqlType::Integer => Definition::new(
            name,
            args,
            returns,
            state,
            Correlations::<Int32Type>::default,
        ),
        SqlType::Bigint => Definition::new(
            name,
            args,
            returns,
            state,
            Correlations::<Int64Type>::default,
        ),
        SqlType::Double => Definition::new(
            name,
            args,
            returns,
            state,
            Correlations::<Float64Type>::default,
        ),
        _ => return Err(unsuitable(&call)),
    };
    Ok(Arc::new(definition.with_undo()))
}

pub(super) fn count_distinct(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let (args, returns, state) = (
        vec![sql_type.clone()],
        SqlType::Bigint,
        vec![SqlType::Bytes],
    );
    let states = move || Distincts::new(sql_type.clone());
    Ok(Arc::new(
        Definition::new(call.name, args, returns, state, states).composite(),
    ))
}
