//! The documented table of aggregate functions.

use crate::registry::{AggregateCall, AggregateFunction, AggregateVariant, Param, T, Type};

use super::build::{
    Built, attr, avg, by_offset, collect_list, collect_set, correlation, count, count_distinct,
    deviation, extreme, histogram, sum, sum_list, topk, topk_distinct,
};

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
        &[$(variant(&[Param::new("val1", $param, $description)], $returns, $build)),*]
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
                    &[Param::new("val1", T, "the values to count")],
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
        variants: EARLIEST,
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
        variants: LATEST,
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

const VALUES: Param = Param::new("val1", T, "the values to choose from");
const IGNORE_NULLS: Param = Param::new(
    "ignoreNulls",
    Type::Boolean,
    "whether NULL does not count (TRUE if not given)",
);
const LATEST_N: Param = Param::new("latestN", Type::Integer, "how many values, at least 1");
const EARLIEST_N: Param = Param::new("earliestN", Type::Integer, "how many values, at least 1");

/// The variants of one value or several, the number of which has this name.
macro_rules! by_offset {
    ($how_many:expr) => {
        &[
            AggregateVariant {
                description: "One value, NULL skipped.",
                ..variant(&[VALUES], T, by_offset)
            },
            AggregateVariant {
                description: "Up to n values, oldest first, NULL skipped.",
                ..with_constants(&[VALUES, $how_many], 1, Type::Array(&T), by_offset)
            },
            AggregateVariant {
                description: "Up to n values, oldest first.",
                ..with_constants(
                    &[VALUES, $how_many, IGNORE_NULLS],
                    2,
                    Type::Array(&T),
                    by_offset,
                )
            },
            AggregateVariant {
                description: "One value.",
                ..with_constants(&[VALUES, IGNORE_NULLS], 1, T, by_offset)
            },
        ]
    };
}

const LATEST: &[AggregateVariant] = by_offset!(LATEST_N);
const EARLIEST: &[AggregateVariant] = by_offset!(EARLIEST_N);

const fn correlated(param_type: Type) -> [Param; 2] {
    [
        Param::new("x", param_type, "one column"),
        Param::new("y", param_type, "the other column"),
    ]
}

const K: Param = Param::new("k", Type::Integer, "how many values, at least 1");

const fn top(param_type: Type) -> [Param; 2] {
    [Param::new("val1", param_type, "the values to order"), K]
}

const fn top_rows(param_type: Type) -> [Param; 3] {
    [
        Param::new("val1", param_type, "the values to order by"),
        Param::variadic(
            "val2",
            Type::Any,
            "columns to give with them: col0, col1, …",
        ),
        K,
    ]
}

/// How the result of TOPK is documented: values, or structs of `sort_col`, `col0`, `col1`, ….
const TOP_ROWS: Type = Type::Array(&Type::Var("S"));
