#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::i256;
use proptest::prelude::*;
use weir_types::SqlType;

use super::slots::value_at;
use super::tests::{Case, D, I, L, NULL, S, case, double, flag, int, k, list, long, result, text};
use crate::aggregate::{Aggregate, GroupStates};
use crate::value::Value;

/// Every aggregate, over types that exercise it.
fn all_cases() -> Vec<Case> {
    let nested = SqlType::array(S);
    let decimal = SqlType::decimal(9, 2);
    let mut cases = vec![
        case("COUNT", &[S]),
        case("HISTOGRAM", &[S]),
        case("SUM", std::slice::from_ref(&decimal)),
        case("TOPK", &[S]).with(&[k(3)]),
        case("TOPK", &[I, S]).with(&[k(3)]),
    ];
    for sql_type in [I, L, D] {
        for name in ["SUM", "AVG", "STDDEV_SAMP", "STDDEV_SAMPLE"] {
            cases.push(case(name, std::slice::from_ref(&sql_type)));
        }
        cases.push(case("CORRELATION", &[sql_type.clone(), sql_type.clone()]));
        cases.push(case("SUM_LIST", &[SqlType::array(sql_type.clone())]));
        cases.push(case("TOPK", &[sql_type]).with(&[k(3)]));
    }
    for sql_type in [
        I,
        L,
        D,
        S,
        SqlType::Bytes,
        decimal.clone(),
        SqlType::Timestamp,
    ] {
        cases.push(case("MIN", std::slice::from_ref(&sql_type)));
        cases.push(case("MAX", std::slice::from_ref(&sql_type)));
        cases.push(case("TOPKDISTINCT", &[sql_type]).with(&[k(3)]));
    }
    for sql_type in [I, D, S, SqlType::Boolean, decimal, nested] {
        for name in [
            "COLLECT_LIST",
            "COLLECT_SET",
            "ATTR",
            "COUNT_DISTINCT",
            "COUNT",
        ] {
            cases.push(case(name, std::slice::from_ref(&sql_type)));
        }
        for name in ["LATEST_BY_OFFSET", "EARLIEST_BY_OFFSET"] {
            for constants in [
                vec![],
                vec![flag(false)],
                vec![k(2)],
                vec![k(3), flag(false)],
                vec![k(2), flag(true)],
            ] {
                cases.push(case(name, std::slice::from_ref(&sql_type)).with(&constants));
            }
        }
    }
    cases
}

/// A value of a small domain, so that groups meet equal ones.
fn value(sql_type: &SqlType, seed: u8) -> Value {
    if seed.is_multiple_of(7) {
        return NULL;
    }
    let small = i64::from(seed % 11) - 4;
    match sql_type {
        SqlType::Boolean => Value::Boolean(seed.is_multiple_of(2)),
        SqlType::Integer => int(if seed == 250 { i32::MAX } else { small as i32 }),
        SqlType::Bigint => long(if seed == 250 { i64::MIN } else { small }),
        SqlType::Double => double(small as f64 / 4.0),
        SqlType::Decimal { scale, .. } => {
            Value::Decimal(i256::from_i128(i128::from(small)), *scale)
        }
        SqlType::Bytes => Value::Bytes(vec![seed; usize::from(seed % 3)]),
        SqlType::Timestamp => Value::Timestamp(small),
        SqlType::Array(item) => list(&[
            value(item, seed.wrapping_mul(3)),
            value(item, seed.wrapping_add(1)),
        ]),
        _ => text(["", "a", "é", "\u{10000}", "null"][usize::from(seed % 5)]),
    }
}

const GROUPS: u32 = 3;

/// The results of all groups, decimals at the scale of their column: a sum's first zero has its own.
fn all_results(states: &dyn GroupStates) -> Vec<Value> {
    let of = |slot| value_at(&states.results(&[slot]), 0);
    (0..GROUPS).map(of).collect()
}

fn fresh(aggregate: &dyn Aggregate) -> Box<dyn GroupStates> {
    let mut states = aggregate.states();
    states.resize(GROUPS as usize);
    states
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Batches of any size, and states saved and loaded in between, give what rows one by one do.
    #[test]
    fn batching_and_storing_change_nothing(
        input in prop::collection::vec((0..GROUPS, any::<u8>(), any::<u8>()), 1..40),
        cuts in prop::collection::vec(1usize..9, 1..12),
    ) {
        for call in all_cases() {
            let aggregate = call.resolve().unwrap();
            let seeds = |row: &(u32, u8, u8)| [row.1, row.2];
            let rows: Vec<Vec<Value>> = input
                .iter()
                .map(|row| call.columns.iter().zip(seeds(row)).map(|(t, s)| value(t, s)).collect())
                .collect();
            let columns = call.columns(&rows);
            let slots: Vec<u32> = input.iter().map(|row| row.0).collect();

            let mut single = fresh(aggregate.as_ref());
            for row in 0..rows.len() as u32 {
                single.update(&[slots[row as usize]], &[row], &columns);
            }
            let mut batched = fresh(aggregate.as_ref());
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                let end = (at + cut).min(rows.len());
                let picked: Vec<u32> = (at as u32..end as u32).collect();
                batched.update(&slots[at..end], &picked, &columns);
                // Evict everything and load it into other slots of new states.
                let stored = batched.save(&[2, 0, 1]);
                for (column, sql_type) in stored.iter().zip(aggregate.state_types()) {
                    prop_assert_eq!(column.data_type(), &sql_type.to_arrow());
                }
                batched = fresh(aggregate.as_ref());
                batched.load(&[2, 0, 1], &stored);
                at = end;
                if at == rows.len() {
                    break;
                }
            }
            prop_assert_eq!(all_results(batched.as_ref()), all_results(single.as_ref()), "{:?}", call);
            if aggregate.state_is_result() {
                let all = [0, 1, 2];
                prop_assert_eq!(batched.save(&all), [batched.results(&all)], "{:?}", call);
            }
            let results = batched.results(&[0]);
            prop_assert_eq!(results.data_type(), &aggregate.return_type().to_arrow());
        }
    }

    /// Taking a row back gives the results before it.
    #[test]
    fn undo_takes_back(
        input in prop::collection::vec((0..GROUPS, any::<u8>(), any::<u8>()), 1..20),
        last in (0..GROUPS, any::<u8>(), any::<u8>()),
    ) {
        for call in all_cases() {
            let aggregate = call.resolve().unwrap();
            if !aggregate.supports_undo() {
                continue;
            }
            let rows: Vec<Vec<Value>> = input
                .iter()
                .chain([&last])
                .map(|row| {
                    call.columns.iter().zip([row.1, row.2]).map(|(t, s)| value(t, s)).collect()
                })
                .collect();
            let columns = call.columns(&rows);
            let mut states = fresh(aggregate.as_ref());
            for (row, (slot, ..)) in input.iter().enumerate() {
                states.update(&[*slot], &[row as u32], &columns);
            }
            let before = all_results(states.as_ref());
            let row = [input.len() as u32];
            states.update(&[last.0], &row, &columns);
            states.undo(&[last.0], &row, &columns);
            for (after, before) in all_results(states.as_ref()).iter().zip(&before) {
                match (after, before) {
                    // Beside squares of the largest numbers those of small ones are lost.
                    (Value::Double(_), Value::Double(_))
                        if call.name != "SUM"
                            && input.iter().chain([&last]).any(|row| [row.1, row.2].contains(&250)) => {}
                    (Value::Double(a), Value::Double(b)) if call.name != "SUM" => {
                        let tolerance = 1e-6 * b.abs().max(1.0);
                        let same = a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance;
                        prop_assert!(same || a.is_infinite() || b.is_infinite() || b.is_nan(), "{:?}: {} {}", call, a, b);
                    }
                    (after, before) => prop_assert_eq!(after, before, "{:?}", call),
                }
            }
        }
    }

    /// A session merged from two gives what one session of the same rows gives.
    #[test]
    fn merge_joins_sessions(seeds in prop::collection::vec(any::<u8>(), 2..20), cut in 1usize..19) {
        let cut = cut.min(seeds.len() - 1);
        for call in all_cases().into_iter().filter(|call| call.columns.len() == 1) {
            let aggregate = call.resolve().unwrap();
            let rows: Vec<Vec<Value>> =
                seeds.iter().map(|seed| vec![value(&call.columns[0], *seed)]).collect();
            let columns = call.columns(&rows);
            let mut states = fresh(aggregate.as_ref());
            for row in 0..rows.len() as u32 {
                states.update(&[u32::from(row as usize >= cut)], &[row], &columns);
                states.update(&[2], &[row], &columns);
            }
            states.merge(0, 1);
            let (merged, whole) = (result(states.as_ref(), 0), result(states.as_ref(), 2));
            match (&merged, &whole) {
                (Value::Double(a), Value::Double(b)) => {
                    // A wrapped integer sum has no meaningful deviation.
                    let wrapped = call.name.starts_with("STDDEV") && seeds.contains(&250);
                    let same = wrapped || (a - b).abs() <= 1e-9 * b.abs().max(1.0);
                    prop_assert!(same, "{:?}: {} {}", call, a, b);
                }
                _ => prop_assert_eq!(merged, whole, "{:?}", call),
            }
        }
    }
}

/// The state of no rows is that of a new slot, also after a reset.
#[test]
fn reset_gives_the_initial_state() {
    for call in all_cases() {
        let aggregate = call.resolve().unwrap();
        let mut states = aggregate.states();
        states.resize(1);
        let initial = result(states.as_ref(), 0);
        let row: Vec<Value> = call
            .columns
            .iter()
            .map(|sql_type| value(sql_type, 1))
            .collect();
        states.update(&[0], &[0], &call.columns(&[row]));
        states.reset(0);
        assert_eq!(result(states.as_ref(), 0), initial, "{call:?}");
        let nulls: Vec<ArrayRef> = call
            .columns
            .iter()
            .map(|sql_type| new_null_array(&sql_type.to_arrow(), 1))
            .collect();
        states.update(&[0], &[0], &nulls);
    }
}

#[test]
fn every_function_is_covered() {
    let covered: BTreeMap<&str, ()> = all_cases().iter().map(|call| (call.name, ())).collect();
    let all: Vec<&str> = super::FUNCTIONS
        .iter()
        .map(|function| function.name)
        .collect();
    assert_eq!(covered.into_keys().collect::<Vec<_>>(), all);
}
