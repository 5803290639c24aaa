#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Decimal256Type, i256};
use datafusion::scalar::ScalarValue;
use weir_types::{SqlType, own_scale};

use super::hyperloglog::{Sketch, hash_bytes};
use crate::aggregate::{Aggregate, GroupStates};
use crate::api::{ArgType, FunctionError};
use crate::registry::{CollectLimits, registry};
use crate::value::{Value, array_of};

/// A call as a test names it: function, column types, constants, limits.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) columns: Vec<SqlType>,
    constants: Vec<ScalarValue>,
    limits: CollectLimits,
}

pub(super) fn case(name: &'static str, columns: &[SqlType]) -> Case {
    let limits = CollectLimits::default();
    Case {
        name,
        columns: columns.to_vec(),
        constants: vec![],
        limits,
    }
}

impl Case {
    pub(super) fn with(mut self, constants: &[ScalarValue]) -> Self {
        self.constants = constants.to_vec();
        self
    }

    pub(super) fn resolve(&self) -> Result<Arc<dyn Aggregate>, FunctionError> {
        let mut args: Vec<ArgType> = self.columns.iter().cloned().map(ArgType::Sql).collect();
        let mut constants = vec![None; args.len()];
        for constant in &self.constants {
            args.push(ArgType::Sql(
                SqlType::from_arrow(&constant.data_type()).unwrap(),
            ));
            constants.push(Some(constant.clone()));
        }
        registry().resolve_aggregate(self.name, &args, &constants, self.limits)
    }

    pub(super) fn columns(&self, rows: &[Vec<Value>]) -> Vec<ArrayRef> {
        self.columns
            .iter()
            .enumerate()
            .map(|(i, sql_type)| {
                let column: Vec<Value> = rows.iter().map(|row| row[i].clone()).collect();
                array_of(sql_type, &column).unwrap()
            })
            .collect()
    }

    /// Results after each row, all in one group.
    fn run(&self, rows: &[Vec<Value>]) -> Vec<Value> {
        let aggregate = self.resolve().unwrap();
        let mut states = aggregate.states();
        states.resize(1);
        let columns = self.columns(rows);
        (0..rows.len() as u32)
            .map(|row| {
                states.update(&[0], &[row], &columns);
                result(states.as_ref(), 0)
            })
            .collect()
    }
}

pub(super) fn result(states: &dyn GroupStates, slot: u32) -> Value {
    Value::of(&states.results(&[slot]), 0).unwrap()
}

pub(super) fn int(v: i32) -> Value {
    Value::Integer(v)
}
pub(super) fn long(v: i64) -> Value {
    Value::Bigint(v)
}
pub(super) fn double(v: f64) -> Value {
    Value::Double(v)
}
pub(super) fn text(v: &str) -> Value {
    Value::String(v.into())
}
pub(super) fn list(items: &[Value]) -> Value {
    Value::Array(items.to_vec())
}
fn rows(values: &[Value]) -> Vec<Vec<Value>> {
    values.iter().map(|value| vec![value.clone()]).collect()
}
pub(super) const NULL: Value = Value::Null;
pub(super) const I: SqlType = SqlType::Integer;
pub(super) const L: SqlType = SqlType::Bigint;
pub(super) const D: SqlType = SqlType::Double;
pub(super) const S: SqlType = SqlType::String;

pub(super) fn k(n: i32) -> ScalarValue {
    ScalarValue::Int32(Some(n))
}
pub(super) fn flag(b: bool) -> ScalarValue {
    ScalarValue::Boolean(Some(b))
}

#[test]
fn results_after_each_row() {
    let decimal = SqlType::decimal(5, 2);
    let money = |v: i128| Value::Decimal(i256::from_i128(v), 2);
    for (case, input, expected) in [
        (
            case("COUNT", &[S]),
            vec![text("a"), NULL],
            vec![long(1), long(1)],
        ),
        (case("SUM", &[I]), vec![int(i32::MAX), int(1), NULL], {
            vec![int(i32::MAX), int(i32::MIN), int(i32::MIN)]
        }),
        (
            case("SUM", std::slice::from_ref(&decimal)),
            vec![NULL, money(150), money(-50)],
            { vec![Value::Decimal(i256::ZERO, 0), money(150), money(100)] },
        ),
        // The sum of AVG over integers wraps too.
        (case("AVG", &[L]), vec![NULL, long(i64::MAX), long(1)], {
            vec![
                double(0.0),
                double(i64::MAX as f64),
                double(i64::MIN as f64 / 2.0),
            ]
        }),
        (
            case("MIN", &[D]),
            vec![NULL, double(0.0), double(-0.0), double(f64::NAN)],
            { vec![NULL, double(0.0), double(-0.0), double(-0.0)] },
        ),
        (
            case("MAX", &[D]),
            vec![double(-0.0), double(0.0), double(f64::NAN), double(9.0)],
            {
                vec![
                    double(-0.0),
                    double(0.0),
                    double(f64::NAN),
                    double(f64::NAN),
                ]
            },
        ),
        (
            case("MAX", &[S]),
            vec![text("b"), text("\u{10000}"), text("\u{ffff}"), text("z")],
            {
                vec![
                    text("b"),
                    text("\u{10000}"),
                    text("\u{ffff}"),
                    text("\u{ffff}"),
                ]
            },
        ),
        (
            case("MIN", &[SqlType::Bytes]),
            vec![
                Value::Bytes(vec![1]),
                Value::Bytes(vec![255]),
                Value::Bytes(vec![]),
            ],
            vec![
                Value::Bytes(vec![1]),
                Value::Bytes(vec![255]),
                Value::Bytes(vec![]),
            ],
        ),
        (
            case("LATEST_BY_OFFSET", &[I]),
            vec![NULL, int(1), NULL],
            vec![NULL, int(1), int(1)],
        ),
        (
            case("LATEST_BY_OFFSET", &[I]).with(&[flag(false)]),
            vec![int(1), NULL],
            vec![int(1), NULL],
        ),
        (
            case("LATEST_BY_OFFSET", &[I]).with(&[k(2), flag(false)]),
            vec![int(1), NULL, int(3)],
            vec![
                list(&[int(1)]),
                list(&[int(1), NULL]),
                list(&[NULL, int(3)]),
            ],
        ),
        (
            case("EARLIEST_BY_OFFSET", &[I]),
            vec![NULL, int(1), int(2)],
            { vec![NULL, int(1), int(1)] },
        ),
        (
            case("EARLIEST_BY_OFFSET", &[I]).with(&[k(2)]),
            vec![NULL, int(1), int(2), int(3)],
            vec![
                list(&[]),
                list(&[int(1)]),
                list(&[int(1), int(2)]),
                list(&[int(1), int(2)]),
            ],
        ),
        (
            case("COLLECT_LIST", &[S]),
            vec![text("x"), NULL, text("x")],
            {
                vec![
                    list(&[text("x")]),
                    list(&[text("x"), NULL]),
                    list(&[text("x"), NULL, text("x")]),
                ]
            },
        ),
        (
            case("COLLECT_SET", &[D]),
            vec![double(f64::NAN), NULL, double(f64::NAN), NULL],
            {
                let both = list(&[double(f64::NAN), NULL]);
                vec![list(&[double(f64::NAN)]), both.clone(), both.clone(), both]
            },
        ),
        (
            case("TOPK", &[I]).with(&[k(2)]),
            vec![int(1), NULL, int(3), int(3), int(2)],
            {
                let (one, both) = (list(&[int(1)]), list(&[int(3), int(3)]));
                vec![
                    one.clone(),
                    one,
                    list(&[int(3), int(1)]),
                    both.clone(),
                    both,
                ]
            },
        ),
        (
            case("TOPKDISTINCT", &[S]).with(&[k(2)]),
            vec![text("b"), text("b"), text("c")],
            {
                vec![
                    list(&[text("b")]),
                    list(&[text("b")]),
                    list(&[text("c"), text("b")]),
                ]
            },
        ),
        (case("HISTOGRAM", &[S]), vec![text("x"), NULL, text("x")], {
            let null = (text("null"), long(1));
            vec![
                Value::Map(vec![(text("x"), long(1))]),
                Value::Map(vec![(text("x"), long(1)), null.clone()]),
                Value::Map(vec![(text("x"), long(2)), null]),
            ]
        }),
        (
            case("ATTR", &[I]),
            vec![int(1), int(1), NULL],
            vec![int(1), int(1), NULL],
        ),
        (
            case("SUM_LIST", &[SqlType::array(L)]),
            vec![list(&[long(1), NULL, long(2)]), NULL, list(&[])],
            vec![long(3), long(3), long(3)],
        ),
        // 2, 4, 6 have variance 4.
        (
            case("STDDEV_SAMP", &[I]),
            vec![int(2), NULL, int(4), int(6)],
            { vec![double(0.0), double(0.0), double(2.0), double(4.0)] },
        ),
        (
            case("STDDEV_SAMPLE", &[D]),
            vec![double(2.0), double(4.0), double(6.0)],
            { vec![double(0.0), double(2f64.sqrt()), double(2.0)] },
        ),
        (
            case("COUNT_DISTINCT", &[L]),
            vec![long(1), NULL, long(1), long(2)],
            { vec![long(1), long(1), long(1), long(2)] },
        ),
    ] {
        assert_eq!(case.run(&rows(&input)), expected, "{case:?}");
    }
}

#[test]
fn topk_with_further_columns_orders_by_the_first() {
    let call = case("TOPK", &[I, S]).with(&[k(2)]);
    let row = |sort: i32, name: Value| vec![int(sort), name];
    let results = call.run(&[
        row(1, text("a")),
        row(5, text("b")),
        row(5, NULL),
        row(1, NULL),
    ]);
    let item = |sort: i32, name: Value| Value::Struct(vec![int(sort), name]);
    assert_eq!(results[1], list(&[item(5, text("b")), item(1, text("a"))]));
    assert_eq!(results[3], list(&[item(5, text("b")), item(5, NULL)]));
    assert_eq!(
        call.resolve().unwrap().return_type().to_string(),
        "ARRAY<STRUCT<`sort_col` INTEGER, `col0` STRING>>"
    );
}

#[test]
fn correlation_of_pairs() {
    let call = case("CORRELATION", &[I, I]);
    let results = call.run(&[
        vec![int(1), int(2)],
        vec![int(2), NULL],
        vec![int(2), int(4)],
        vec![int(3), int(6)],
    ]);
    assert_eq!(results[0], double(f64::NAN));
    assert_eq!(results[1], double(f64::NAN));
    assert_eq!(results[3], double(1.0));
}

#[test]
fn decimal_sum_beyond_its_precision_fails() {
    let call = case("SUM", &[SqlType::decimal(2, 0)]);
    let mut states = call.resolve().unwrap().states();
    states.resize(1);
    let columns = call.columns(&rows(&[
        Value::Decimal(i256::from_i128(99), 0),
        Value::Decimal(i256::from_i128(1), 0),
    ]));
    states.update(&[0], &[0], &columns);
    assert_eq!(states.failure(), None);
    states.update(&[0], &[1], &columns);
    assert!(states.failure().unwrap().contains("DECIMAL(2, 0)"));
}

#[test]
fn decimal_sum_has_no_fraction_while_only_one_null_came() {
    let call = case("SUM", &[SqlType::decimal(5, 2)]);
    let decimal = |v: i128| Value::Decimal(i256::from_i128(v), 2);
    let columns = call.columns(&rows(&[NULL, NULL, decimal(150), NULL]));
    // Digits and the zeros that they lack, after each row.
    let run = |states: &mut dyn GroupStates, row: u32| {
        states.update(&[0], &[row], &columns);
        let sums = states.results(&[0]);
        own_scale::split(sums.as_primitive::<Decimal256Type>().value(0))
    };
    let mut states = call.resolve().unwrap().states();
    states.resize(1);
    let (zero, value) = (i256::ZERO, i256::from_i128(150));
    let expected = [(zero, 2), (zero, 0), (value, 0), (value, 0)];
    for (row, expected) in (0..).zip(expected) {
        assert_eq!(run(states.as_mut(), row), expected, "row {row}");
    }
    states.reset(0);
    assert_eq!(run(states.as_mut(), 0), (zero, 2));
    // From a store the zero comes back with its fraction.
    let saved = states.save(&[0]);
    states.load(&[0], &saved);
    assert_eq!(run(states.as_mut(), 1), (zero, 0));
    states.reset(0);
    assert_eq!(run(states.as_mut(), 2), (value, 0));
}

#[test]
fn limits_of_collections() {
    for (name, expected) in [("COLLECT_LIST", [1, 1]), ("COLLECT_SET", [1, 2])] {
        let mut call = case(name, &[I]);
        call.limits = CollectLimits { list: 2, set: 2 };
        let results = call.run(&rows(&[int(1), int(1), int(2), int(3)]));
        assert_eq!(results[3], list(&expected.map(int)), "{name}");
    }
}

#[test]
fn merged_sessions_know_what_came_first() {
    let column = array_of(&I, &[int(1), int(2), int(3)]).unwrap();
    for (name, expected) in [("LATEST_BY_OFFSET", 3), ("EARLIEST_BY_OFFSET", 1)] {
        for constants in [vec![], vec![k(1)]] {
            let aggregate = case(name, &[I]).with(&constants).resolve().unwrap();
            let mut states = aggregate.states();
            states.resize(2);
            // The later session got its row first, and the earlier one the last.
            states.update(&[1, 0, 0], &[0, 1, 2], &[Arc::clone(&column)]);
            states.merge(0, 1);
            let expected = if constants.is_empty() {
                int(expected)
            } else {
                list(&[int(expected)])
            };
            assert_eq!(result(states.as_ref(), 0), expected, "{name}");
        }
    }
}

#[test]
fn refused_calls() {
    for call in [
        case("AVG", &[SqlType::decimal(10, 2)]),
        case("SUM", &[SqlType::Boolean]),
        case("SUM_LIST", &[I]),
        case("MIN", &[SqlType::Boolean]),
        case("MAX", &[SqlType::map(S, I)]),
        case("CORRELATION", &[S, S]),
        case("HISTOGRAM", &[I]),
        case("COUNT", &[I, S]),
        case("TOPK", &[SqlType::Date]).with(&[k(3)]),
        case("TOPK", &[SqlType::decimal(5, 2)]).with(&[k(3)]),
        case("TOPK", &[I, I]),
        case("TOPK", &[I]).with(&[ScalarValue::from("2")]),
        case("TOPK", &[I]).with(&[k(0)]),
        case("TOPKDISTINCT", &[SqlType::Boolean]).with(&[k(3)]),
        case("EARLIEST_BY_OFFSET", &[I]).with(&[ScalarValue::Int64(Some(1))]),
        case("EARLIEST_BY_OFFSET", &[I, SqlType::Boolean]),
        case("LATEST_BY_OFFSET", &[I]).with(&[k(0)]),
    ] {
        let resolved = call.resolve();
        assert!(
            matches!(resolved, Err(FunctionError::Unsuitable(_))),
            "{call:?}: {resolved:?}"
        );
    }
}

#[test]
fn nested_intermediate_values_are_told() {
    for (call, expected) in [
        (case("COUNT", &[I]), false),
        (case("SUM", &[D]), false),
        (case("MAX", &[S]), false),
        (case("AVG", &[D]), true),
        (case("COUNT_DISTINCT", &[D]), true),
        (case("TOPK", &[I]).with(&[k(3)]), true),
    ] {
        assert_eq!(
            call.resolve().unwrap().has_composite_state(),
            expected,
            "{call:?}"
        );
    }
}

#[test]
fn sketch_estimates() {
    let mut sketch = Sketch::default();
    for i in 0..30 {
        sketch.add(hash_bytes(format!("v{i}").as_bytes()));
    }
    assert_eq!(sketch.estimate(), 30);
    for i in 30..50_000 {
        sketch.add(hash_bytes(format!("v{i}").as_bytes()));
    }
    let error = (sketch.estimate() - 50_000).abs();
    assert!(error < 1_500, "{error}");
}
