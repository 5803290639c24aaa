//! The result of a batch is the result of its rows one at a time, for every operator.

use proptest::prelude::*;
use weir_parser::ast::SourceKind::{Stream, Table};
use weir_planner::stream::*;

use super::*;

fn row() -> impl Strategy<Value = Row> {
    let key = prop_oneof![1 => Just(None), 8 => "[abc]".prop_map(Some)];
    let number =
        prop_oneof![1 => Just("null".to_owned()), 6 => (-3..9).prop_map(|v: i32| v.to_string())];
    let flag = prop_oneof![Just("true"), Just("false"), Just("null")];
    let value = prop_oneof![
        1 => Just(None),
        1 => Just(Some("{\"V\":".to_owned())),
        12 => (number, flag).prop_map(|(v, b)| Some(format!("{{\"V\":{v},\"B\":{b}}}"))),
    ];
    let time = prop_oneof![20 => 0..60i64, 2 => 60..400i64, 1 => Just(-5i64)];
    (0..2usize, key, value, time)
}

fn time_window(size: i64, advance: i64, emit_final: bool) -> Option<WindowSpec> {
    Some(WindowSpec {
        shape: WindowShapeMs::Time { size, advance },
        grace_ms: 7,
        retention_ms: size + 7,
        emit_final,
    })
}

fn sessions(emit_final: bool) -> Option<WindowSpec> {
    Some(WindowSpec {
        shape: WindowShapeMs::Session { gap: 5 },
        grace_ms: 10,
        retention_ms: 15,
        emit_final,
    })
}

fn stream_join(join_type: JoinType, grace_ms: Option<i64>) -> LogicalPlan {
    StreamNode::StreamStreamJoin(StreamStreamJoin {
        inputs: join_inputs(join_type, [Stream, Stream]),
        before_ms: 10,
        after_ms: 4,
        grace_ms,
        stores: ["left".into(), "right".into(), "pending".into()],
    })
    .into_plan()
}

fn table_join(join_type: JoinType) -> LogicalPlan {
    let inputs = join_inputs(join_type, [Table, Table]);
    StreamNode::TableTableJoin(TableTableJoin { inputs }).into_plan()
}

fn plans() -> Vec<(&'static str, LogicalPlan)> {
    let stream = || source("S", Stream);
    let table = || source("S", Table);
    let stream_table = |join_type| {
        let inputs = join_inputs(join_type, [Stream, Table]);
        StreamNode::StreamTableJoin(StreamTableJoin { inputs }).into_plan()
    };
    let wide = Arc::new(table_join(JoinType::Full));
    vec![
        (
            "filter",
            project(
                filter(stream(), col("S", "B")),
                vec![col("S", "K"), col("S", "V")],
            ),
        ),
        ("table filter", table_filter(table(), col("S", "B"))),
        ("aggregate", aggregate(stream(), None)),
        ("table aggregate", aggregate(table(), None)),
        ("tumbling", aggregate(stream(), time_window(10, 10, false))),
        ("hopping", aggregate(stream(), time_window(10, 3, false))),
        ("final", aggregate(stream(), time_window(10, 5, true))),
        ("session", aggregate(stream(), sessions(false))),
        ("final session", aggregate(stream(), sessions(true))),
        ("stream-table", stream_table(JoinType::Inner)),
        ("left stream-table", stream_table(JoinType::Left)),
        ("stream-stream", stream_join(JoinType::Inner, None)),
        ("left stream-stream", stream_join(JoinType::Left, Some(3))),
        ("right stream-stream", stream_join(JoinType::Right, Some(0))),
        ("full stream-stream", stream_join(JoinType::Full, Some(3))),
        (
            "eager full stream-stream",
            stream_join(JoinType::Full, None),
        ),
        ("table-table", table_join(JoinType::Inner)),
        ("left table-table", table_join(JoinType::Left)),
        ("full table-table", table_join(JoinType::Full)),
        (
            "filtered join",
            table_filter((*wide).clone(), col("S", "B")),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn steps_of_any_size_give_the_same_rows(rows in prop::collection::vec(row(), 0..60)) {
        for (name, plan) in plans() {
            let one = run(&plan, &rows, 1);
            for step in [7, usize::MAX] {
                prop_assert_eq!(&run(&plan, &rows, step), &one, "{} in steps of {}", name, step);
            }
        }
    }
}

/// Keeps the property above from being empty.
#[test]
fn every_plan_emits_rows() {
    let rows: Vec<Row> = (0..60)
        .map(|i: i64| {
            let key = ["a", "b"][(i % 2) as usize].to_owned();
            let value = format!("{{\"V\":{i},\"B\":{}}}", i % 3 == 0);
            ((i / 2 % 2) as usize, Some(key), Some(value), i * 3 % 50)
        })
        .collect();
    for (name, plan) in plans() {
        assert!(run(&plan, &rows, 7).len() > 4, "{name}");
    }
}
