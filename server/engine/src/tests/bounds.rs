//! Many open windows cost no more than the memory that operators may take: the rest is in the
//! stores alone.

use std::ops::{Bound, ControlFlow};

use weir_parser::ast::SourceKind::Stream;
use weir_planner::stream::*;
use weir_state::{Budget, Database, Positions, TaskId};

use super::*;
use crate::{MemoryBudget, TopicName};

/// Windows opened by each plan, all of them open at the end.
const WINDOWS: usize = 60_000;
/// Memory of operators, bytes; a quarter of it for one.
const MEMORY: usize = 2 << 20;

fn windows(shape: WindowShapeMs) -> LogicalPlan {
    let window = WindowSpec {
        shape,
        grace_ms: 1_000_000,
        retention_ms: 2_000_000,
        emit_final: false,
    };
    aggregate(source("S", Stream), Some(window))
}

fn outer_join() -> LogicalPlan {
    StreamNode::StreamStreamJoin(StreamStreamJoin {
        inputs: join_inputs(JoinType::Left, [Stream, Stream]),
        before_ms: 500_000,
        after_ms: 500_000,
        grace_ms: Some(500_000),
        stores: ["left".into(), "right".into(), "pending".into()],
    })
    .into_plan()
}

#[test]
fn open_windows_are_in_the_stores_not_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path(), Budget::default()).unwrap();
    let plans = [
        // Windows of several times, of which the last ones stay in memory.
        (
            "tumbling",
            windows(WindowShapeMs::Time {
                size: 50_000,
                advance: 50_000,
            }),
            1,
        ),
        // One window, too large to stay.
        (
            "one window",
            windows(WindowShapeMs::Time {
                size: 900_000,
                advance: 900_000,
            }),
            1,
        ),
        ("session", windows(WindowShapeMs::Session { gap: 1000 }), 1),
        ("join", outer_join(), 2),
    ];
    for (name, plan, entries_of_a_row) in plans {
        let topology = compile(&query(plan)).unwrap();
        let part = &topology.parts[0];
        let stores: Vec<&str> = part.stores().iter().map(|s| s.name.as_str()).collect();
        let id = TaskId {
            query: name.into(),
            part: 0,
            partition: 0,
        };
        let state = database.task(&id, &stores).unwrap();
        let memory = MemoryBudget::new(MEMORY);
        let options = TaskOptions {
            cache_bytes: MEMORY / 16,
            never_wait: true,
            memory: memory.clone(),
            ..TaskOptions::default()
        };
        let mut task = part.new_task(0, state.stores(), &options).unwrap();
        let left = part
            .inputs()
            .iter()
            .position(|input| matches!(&input.topic, TopicName::User(topic) if topic == "S"));
        let mut out = Emitted::default();
        let mut most = 0;
        for first in (0..WINDOWS).step_by(5000) {
            let rows: Vec<Row> = (first..first + 5000)
                .map(|n| {
                    let value = "{\"V\":1,\"B\":true}".to_owned();
                    (0, Some(format!("key {n}")), Some(value), n as i64 * 10)
                })
                .collect();
            task.offer(left.unwrap(), fetched(&rows.iter().collect::<Vec<_>>()));
            let limits = StepLimits {
                max_rows: 1000,
                now_ms: 0,
            };
            while task.step(limits, &mut out).unwrap() > 0 {}
            task.flush(0, &mut out).unwrap();
            database.commit(&[(&state, Positions::new())]).unwrap();
            most = most.max(memory.used());
            // Keys of pending rows stay in memory, about a hundred bytes each.
            let keys = if name == "join" { WINDOWS * 150 } else { 0 };
            assert!(
                memory.used() <= MEMORY / 4 + keys,
                "{name}: {}",
                memory.used()
            );
        }
        assert!(most > 0, "{name} counts what it takes");
        drop(task);
        assert_eq!(memory.used(), 0, "{name}");
        let mut stored = 0;
        for store in state.stores() {
            store
                .range(Bound::Unbounded, Bound::Unbounded, &mut |_, _| {
                    stored += 1;
                    Ok(ControlFlow::Continue(()))
                })
                .unwrap();
        }
        assert_eq!(stored, WINDOWS * entries_of_a_row, "{name}");
    }
}
