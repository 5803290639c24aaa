//! The documented table of aggregate functions, and what chooses the states for given types.

use std::sync::Arc;

use arrow::datatypes::{
    Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use datafusion::scalar::ScalarValue;
use weir_types::{SqlType, StructField};

use crate::aggregate::Aggregate;
use crate::api::FunctionError;
use crate::registry::{AggregateCall, AggregateFunction, AggregateVariant, Param, T, Type};

use super::Definition;
use super::collect::{Lists, Sets};
use super::count::Counts;
use super::decimal_sum::DecimalSums;
use super::distinct::Distincts;
use super::extremum::{Bytes, PrimitiveExtremes, Strings, TextExtremes};
use super::offset::{OneByOffset, Rule, SomeByOffset};
use super::spread::{Attributes, Histograms, histogram_type};
use super::statistics::{Correlations, Deviations};
use super::sum::{Averages, Sums};
use super::sum_list::ListSums;
use super::topk::Tops;

type Built = Result<Arc<dyn Aggregate>, FunctionError>;

/// A variant without constant arguments.
const fn variant(
    params: &'static [Param],
    returns: Type,
    build: fn(AggregateCall<'_>) -> Built,
) -> AggregateVariant {
    AggregateVariant {
        params,
        constants: 0,
        returns,
        description: "",
        build,
    }
}

/// A variant whose last `constants` arguments are literals.
const fn with_constants(
    params: &'static [Param],
    constants: usize,
    returns: Type,
    build: fn(AggregateCall<'_>) -> Built,
) -> AggregateVariant {
    AggregateVariant {
        params,
        constants,
        returns,
        description: "",
        build,
    }
}

/// A variant of one column argument for each type, all built alike.
macro_rules! one_column {
    ($build:expr, $description:literal, [$($param:expr => $returns:expr),* $(,)?]) => {
        &[$(variant(&[Param::new("val", $param, $description)], $returns, $build)),*]
    };
}

/// All aggregate functions (spec/sql.md §7.2).
pub(crate) const FUNCTIONS: &[AggregateFunction] = &[
    AggregateFunction {
        name: "ATTR",
        description: "The value that all rows of the group have in common, NULL included; \
                      NULL if there are several.",
        variants: one_column!(attr, "the values to compare", [T => T]),
    },
    AggregateFunction {
        name: "AVG",
        description: "The average of the values that are not NULL; 0.0 if there is none.",
        variants: one_column!(avg, "the values to average", [
            Type::Double => Type::Double,
            Type::Integer => Type::Double,
            Type::Bigint => Type::Double,
        ]),
    },
    AggregateFunction {
        name: "COLLECT_LIST",
        description: "All values, NULL included, in order of arrival. The server's property \
                      ksql.functions.collect_list.limit bounds their number.",
        variants: one_column!(collect_list, "the values to collect", [T => Type::Array(&T)]),
    },
    AggregateFunction {
        name: "COLLECT_SET",
        description: "The distinct values, NULL included, in order of arrival. The server's \
                      property ksql.functions.collect_set.limit bounds their number.",
        variants: one_column!(collect_set, "the values to collect", [T => Type::Array(&T)]),
    },
    AggregateFunction {
        name: "CORRELATION",
        description: "Pearson's coefficient of correlation of two columns; pairs with a NULL \
                      are skipped.",
        variants: &[
            variant(&correlated(Type::Integer), Type::Double, correlation),
            variant(&correlated(Type::Bigint), Type::Double, correlation),
            variant(&correlated(Type::Double), Type::Double, correlation),
        ],
    },
    AggregateFunction {
        name: "COUNT",
        description: "The number of rows, or of values that are not NULL.",
        variants: &[
            AggregateVariant {
                description: "Counts rows.",
                ..variant(&[], Type::Bigint, count)
            },
            AggregateVariant {
                description: "Counts values that are not NULL.",
                ..variant(
                    &[Param::new("val", Type::Any, "the values to count")],
                    Type::Bigint,
                    count,
                )
            },
        ],
    },
    AggregateFunction {
        name: "COUNT_DISTINCT",
        description: "An estimate of the number of distinct values that are not NULL \
                      (HyperLogLog of 2^14 registers).",
        variants: one_column!(count_distinct, "the values to count", [T => Type::Bigint]),
    },
    AggregateFunction {
        name: "EARLIEST_BY_OFFSET",
        description: "The value, or the values, that came first.",
        variants: BY_OFFSET,
    },
    AggregateFunction {
        name: "HISTOGRAM",
        description: "How often each text occurs, for the first 1000 distinct texts.",
        variants: one_column!(histogram, "the texts to count", [
            Type::String => Type::Map(&Type::String, &Type::Bigint),
        ]),
    },
    AggregateFunction {
        name: "LATEST_BY_OFFSET",
        description: "The value, or the values, that came last.",
        variants: BY_OFFSET,
    },
    AggregateFunction {
        name: "MAX",
        description: "The greatest value that is not NULL.",
        variants: EXTREMES,
    },
    AggregateFunction {
        name: "MIN",
        description: "The least value that is not NULL.",
        variants: EXTREMES,
    },
    AggregateFunction {
        name: "STDDEV_SAMP",
        description: "The sample variance, as older versions gave it; STDDEV_SAMPLE takes the \
                      root.",
        variants: one_column!(deviation, "the values to measure", [
            Type::Integer => Type::Double,
            Type::Bigint => Type::Double,
            Type::Double => Type::Double,
        ]),
    },
    AggregateFunction {
        name: "STDDEV_SAMPLE",
        description: "The sample standard deviation; 0.0 of fewer than two values.",
        variants: one_column!(deviation, "the values to measure", [
            Type::Integer => Type::Double,
            Type::Bigint => Type::Double,
            Type::Double => Type::Double,
        ]),
    },
    AggregateFunction {
        name: "SUM",
        description: "The sum of the values that are not NULL.",
        variants: one_column!(sum, "the values to add up", [
            Type::Integer => Type::Integer,
            Type::Bigint => Type::Bigint,
            Type::Double => Type::Double,
            Type::Decimal => Type::Decimal,
        ]),
    },
    AggregateFunction {
        name: "SUM_LIST",
        description: "The sum of all elements of all arrays; NULL elements are skipped.",
        variants: one_column!(sum_list, "the arrays to add up", [
            Type::Array(&Type::Integer) => Type::Integer,
            Type::Array(&Type::Bigint) => Type::Bigint,
            Type::Array(&Type::Double) => Type::Double,
        ]),
    },
    AggregateFunction {
        name: "TOPK",
        description: "The greatest values, descending; with further columns, structs of them.",
        variants: &[
            with_constants(&top(Type::Integer), 1, Type::Array(&Type::Integer), topk),
            with_constants(&top(Type::Bigint), 1, Type::Array(&Type::Bigint), topk),
            with_constants(&top(Type::Double), 1, Type::Array(&Type::Double), topk),
            with_constants(&top(Type::String), 1, Type::Array(&Type::String), topk),
            with_constants(&top_rows(Type::Integer), 1, TOP_ROWS, topk),
            with_constants(&top_rows(Type::Bigint), 1, TOP_ROWS, topk),
            with_constants(&top_rows(Type::Double), 1, TOP_ROWS, topk),
            with_constants(&top_rows(Type::String), 1, TOP_ROWS, topk),
        ],
    },
    AggregateFunction {
        name: "TOPKDISTINCT",
        description: "The greatest distinct values, descending.",
        variants: &[
            with_constants(
                &top(Type::Integer),
                1,
                Type::Array(&Type::Integer),
                topk_distinct,
            ),
            with_constants(
                &top(Type::Bigint),
                1,
                Type::Array(&Type::Bigint),
                topk_distinct,
            ),
            with_constants(
                &top(Type::Double),
                1,
                Type::Array(&Type::Double),
                topk_distinct,
            ),
            with_constants(
                &top(Type::Decimal),
                1,
                Type::Array(&Type::Decimal),
                topk_distinct,
            ),
            with_constants(
                &top(Type::String),
                1,
                Type::Array(&Type::String),
                topk_distinct,
            ),
            with_constants(
                &top(Type::Bytes),
                1,
                Type::Array(&Type::Bytes),
                topk_distinct,
            ),
            with_constants(&top(Type::Date), 1, Type::Array(&Type::Date), topk_distinct),
            with_constants(&top(Type::Time), 1, Type::Array(&Type::Time), topk_distinct),
            with_constants(
                &top(Type::Timestamp),
                1,
                Type::Array(&Type::Timestamp),
                topk_distinct,
            ),
        ],
    },
];

const EXTREMES: &[AggregateVariant] = one_column!(extreme, "the values to compare", [
    Type::Integer => Type::Integer,
    Type::Bigint => Type::Bigint,
    Type::Double => Type::Double,
    Type::Decimal => Type::Decimal,
    Type::String => Type::String,
    Type::Bytes => Type::Bytes,
    Type::Date => Type::Date,
    Type::Time => Type::Time,
    Type::Timestamp => Type::Timestamp,
]);

const VALUES: Param = Param::new("val", T, "the values to choose from");
const IGNORE_NULLS: Param = Param::new(
    "ignoreNulls",
    Type::Boolean,
    "whether NULL does not count (TRUE if not given)",
);
const HOW_MANY: Param = Param::new("n", Type::Integer, "how many values, at least 1");

const BY_OFFSET: &[AggregateVariant] = &[
    AggregateVariant {
        description: "One value, NULL skipped.",
        ..variant(&[VALUES], T, by_offset)
    },
    AggregateVariant {
        description: "One value.",
        ..with_constants(&[VALUES, IGNORE_NULLS], 1, T, by_offset)
    },
    AggregateVariant {
        description: "Up to n values, oldest first, NULL skipped.",
        ..with_constants(&[VALUES, HOW_MANY], 1, Type::Array(&T), by_offset)
    },
    AggregateVariant {
        description: "Up to n values, oldest first.",
        ..with_constants(
            &[VALUES, HOW_MANY, IGNORE_NULLS],
            2,
            Type::Array(&T),
            by_offset,
        )
    },
];

const fn correlated(param_type: Type) -> [Param; 2] {
    [
        Param::new("x", param_type, "one column"),
        Param::new("y", param_type, "the other column"),
    ]
}

const K: Param = Param::new("k", Type::Integer, "how many values, at least 1");

const fn top(param_type: Type) -> [Param; 2] {
    [Param::new("val", param_type, "the values to order"), K]
}

const fn top_rows(param_type: Type) -> [Param; 3] {
    [
        Param::new("sort_col", param_type, "the values to order by"),
        Param::variadic(
            "others",
            Type::Any,
            "columns to give with them: col0, col1, …",
        ),
        K,
    ]
}

/// How the result of TOPK with further columns is documented.
const TOP_ROWS: Type = Type::Array(&Type::Struct(&[("sort_col", T), ("col0", Type::Any)]));

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

fn count(call: AggregateCall<'_>) -> Built {
    let state = vec![SqlType::Bigint];
    let states = Counts::default;
    Ok(Arc::new(
        Definition::new(call.name, call.arg_types, SqlType::Bigint, state, states).with_undo(),
    ))
}

fn sum(call: AggregateCall<'_>) -> Built {
    let sql_type = first(&call)?;
    let (name, args, state) = (call.name, vec![sql_type.clone()], vec![sql_type.clone()]);
    let data_type = sql_type.to_arrow();
    let definition = match &sql_type {
        SqlType::Integer => {
            Definition::new(name, args, sql_type, state, Sums::<Int32Type>::default)
        }
        SqlType::Bigint => Definition::new(name, args, sql_type, state, Sums::<Int64Type>::default),
        SqlType::Double => {
            Definition::new(name, args, sql_type, state, Sums::<Float64Type>::default)
        }
        SqlType::Decimal { .. } => Definition::new(name, args, sql_type, state, move || {
            DecimalSums::new(data_type.clone())
        }),
        _ => return Err(unsuitable(&call)),
    };
    Ok(Arc::new(definition.with_undo()))
}

fn sum_list(call: AggregateCall<'_>) -> Built {
    let SqlType::Array(item) = first(&call)? else {
        return Err(unsuitable(&call));
    };
    let (name, args) = (call.name, call.arg_types.clone());
    let (returns, state) = (item.as_ref().clone(), vec![item.as_ref().clone()]);
    let definition = match item.as_ref() {
        SqlType::Integer => {
            Definition::new(name, args, returns, state, ListSums::<Int32Type>::default)
        }
        SqlType::Bigint => {
            Definition::new(name, args, returns, state, ListSums::<Int64Type>::default)
        }
        SqlType::Double => {
            Definition::new(name, args, returns, state, ListSums::<Float64Type>::default)
        }
        _ => return Err(unsuitable(&call)),
    };
    Ok(Arc::new(definition.with_undo()))
}

fn avg(call: AggregateCall<'_>) -> Built {
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

fn extreme(call: AggregateCall<'_>) -> Built {
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
    Ok(Arc::new(match &sql_type {
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
    }))
}

fn by_offset(call: AggregateCall<'_>) -> Built {
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

fn collect_list(call: AggregateCall<'_>) -> Built {
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

fn collect_set(call: AggregateCall<'_>) -> Built {
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

fn topk(call: AggregateCall<'_>) -> Built {
    tops(call, false)
}

fn topk_distinct(call: AggregateCall<'_>) -> Built {
    tops(call, true)
}

fn histogram(call: AggregateCall<'_>) -> Built {
    let (returns, state) = (histogram_type(), vec![histogram_type()]);
    let states = Histograms::default;
    Ok(Arc::new(
        Definition::new(call.name, call.arg_types, returns, state, states).with_undo(),
    ))
}

fn attr(call: AggregateCall<'_>) -> Built {
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

fn deviation(call: AggregateCall<'_>) -> Built {
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

fn correlation(call: AggregateCall<'_>) -> Built {
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

fn count_distinct(call: AggregateCall<'_>) -> Built {
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
