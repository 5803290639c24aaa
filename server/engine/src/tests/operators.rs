//! Single operators against the examples of spec/semantics.md.

use weir_parser::ast::SourceKind::{Stream, Table};

use super::*;

fn record(topic: usize, key: &str, value: Option<&str>, ts: i64) -> Row {
    (topic, Some(key.into()), value.map(Into::into), ts)
}

fn v(value: i32) -> String {
    format!("{{\"V\":{value},\"B\":true}}")
}

#[test]
fn tumbling_windows_drop_what_is_late() {
    let window = WindowSpec {
        shape: WindowShapeMs::Time {
            size: 30_000,
            advance: 30_000,
        },
        grace_ms: 60_000,
        retention_ms: 90_000,
        emit_final: false,
    };
    let plan = aggregate(source("S", Stream), Some(window));
    let rows: Vec<Row> = [("A", 0), ("B", 100_009), ("A", 10_010), ("A", 30_000)]
        .into_iter()
        .map(|(key, ts)| record(0, key, Some(&v(1)), ts))
        .collect();
    assert_eq!(
        run(&plan, &rows, 10),
        [
            "A,0,30000,1,1,false",
            "B,90000,120000,1,1,false",
            "A,30000,60000,1,1,false"
        ]
    );
}

#[test]
fn emit_final_loses_windows_beyond_the_retention() {
    let plan = |size, advance, grace_ms| {
        let window = WindowSpec {
            shape: WindowShapeMs::Time { size, advance },
            grace_ms,
            retention_ms: size + grace_ms,
            emit_final: true,
        };
        aggregate(source("S", Stream), Some(window))
    };
    for (plan, times, expected) in [
        (
            plan(2, 2, 1),
            vec![0, 1, 2, 1, 0, 5],
            vec!["a,2,4,1,1,false"],
        ),
        (plan(2, 2, 0), vec![0, 1, 2], vec!["a,0,2,2,2,false"]),
        (
            plan(5, 2, 1),
            vec![0, 1, 2, 1, 6, 5, 10],
            vec!["a,0,5,4,4,false", "a,4,9,2,2,false"],
        ),
    ] {
        let rows: Vec<Row> = times
            .iter()
            .map(|ts| record(0, "a", Some(&v(1)), *ts))
            .collect();
        assert_eq!(run(&plan, &rows, 3), expected, "{times:?}");
    }
}

#[test]
fn sessions_merge_and_bury_the_old_ones() {
    let window = WindowSpec {
        shape: WindowShapeMs::Session { gap: 30_000 },
        grace_ms: 1_000_000,
        retention_ms: 1_030_000,
        emit_final: false,
    };
    let plan = aggregate(source("S", Stream), Some(window));
    let rows: Vec<Row> = [0, 10_000, 40_000, 5_000]
        .into_iter()
        .map(|ts| record(0, "A", Some(&v(1)), ts))
        .collect();
    let windows: Vec<String> = run(&plan, &rows, 2);
    assert_eq!(
        windows,
        [
            "A,0,0,1,1,false",
            "A,0,0,1,1,true",
            "A,0,10000,2,2,false",
            "A,0,10000,2,2,true",
            "A,0,40000,3,3,false",
            "A,0,40000,3,3,true",
            "A,0,40000,4,4,false",
        ]
    );
}

#[test]
fn the_record_cache_emits_a_group_once() {
    let options = TaskOptions {
        cache_bytes: 1 << 20,
        never_wait: true,
        ..TaskOptions::default()
    };
    let rows: Vec<Row> = [("a", 1), ("b", 2), ("a", 3)]
        .into_iter()
        .map(|(key, value)| record(0, key, Some(&v(value)), 5))
        .collect();
    let plan = aggregate(source("S", Stream), None);
    assert_eq!(
        run_with(&plan, &rows, 1, &options),
        ["b,2,1,false", "a,4,2,false"]
    );
    let table = table_filter(source("S", Table), col("S", "B"));
    let mut rows = rows;
    rows.push(record(0, "c", Some(&v(1)), 6));
    rows.push(record(0, "c", None, 7));
    assert_eq!(
        run_with(&table, &rows, 1, &options),
        ["b,2,true,false", "a,3,true,false"]
    );
}

#[test]
fn a_restarted_task_goes_on_where_it_was() {
    let plan = aggregate(source("S", Stream), None);
    let topology = compile(&query(plan)).unwrap();
    let part = &topology.parts[0];
    let options = TaskOptions::default();
    let store = || vec![Box::new(MemoryStore::new("s")) as Box<dyn weir_state::KvStore>];
    let mut first = part.new_task(0, store(), &options).unwrap();
    let rows = [
        record(0, "a", Some(&v(2)), 5),
        record(0, "a", Some(&v(3)), 9),
    ];
    first.offer(0, fetched(&rows.iter().collect::<Vec<_>>()));
    let mut out = Emitted::default();
    let limits = StepLimits {
        max_rows: 1,
        now_ms: 0,
    };
    assert_eq!(first.step(limits, &mut out).unwrap(), 1);
    assert_eq!(first.positions(), [Some(1)]);
    first.flush(0, &mut out).unwrap();
    let metadata = first.metadata();

    // The second task has what the changelog holds and reads on from the position.
    let mut second = part.new_task(0, store(), &options).unwrap();
    second.restore_metadata(&metadata);
    for (_, batch) in &out.changelog {
        for row in 0..batch.timestamps.len() {
            let key = batch.keys.get(row).unwrap();
            second.stores()[0]
                .restore(key, batch.values.get(row), 0)
                .unwrap();
        }
    }
    second.stores_changed();
    second.offer(0, fetched(&[&rows[1]]));
    let mut out = Emitted::default();
    second.step(limits, &mut out).unwrap();
    assert_eq!(lines(&out), ["a,5,2,false"]);
    assert_eq!(second.metadata(), "1;9;0;,");
}

#[test]
fn pull_queries_read_what_filters_let_through() {
    let window = |shape| {
        Some(WindowSpec {
            shape,
            grace_ms: 1_000,
            retention_ms: 10_000,
            emit_final: false,
        })
    };
    let windowed = "K,WINDOWSTART,WINDOWEND,A,C";
    for (window, names, key, expected) in [
        (None, "K,A,C", vec!["b,3,2,8"], vec!["a,4,1,5", "b,3,2,8"]),
        (
            window(WindowShapeMs::Time {
                size: 5,
                advance: 5,
            }),
            windowed,
            vec!["b,5,10,3,2,8"],
            vec!["a,5,10,4,1,5", "b,5,10,3,2,8"],
        ),
        (
            window(WindowShapeMs::Session { gap: 2 }),
            windowed,
            vec!["b,6,8,3,2,8"],
            vec!["a,5,5,4,1,5", "b,6,8,3,2,8"],
        ),
    ] {
        let columns = if window.is_some() { 5 } else { 3 };
        let plan = aggregate(source("S", Stream), window);
        let (mut task, _) = task(&plan, &TaskOptions::default());
        let rows = [
            record(0, "b", Some(&v(1)), 6),
            record(0, "a", Some(&v(4)), 5),
            record(0, "b", Some(&v(2)), 8),
        ];
        task.offer(0, fetched(&rows.iter().collect::<Vec<_>>()));
        let mut out = Emitted::default();
        task.step(
            StepLimits {
                max_rows: 9,
                now_ms: 0,
            },
            &mut out,
        )
        .unwrap();
        task.flush(0, &mut out).unwrap();
        let (_, view) = crate::compile_view::view(&plan).unwrap().unwrap();
        let store = task.stores()[0].as_ref();
        let read = |access: &crate::Access| {
            let rows = vec![view.read(store, access).unwrap()];
            lines(&Emitted {
                rows,
                ..Emitted::default()
            })
        };
        let fields: Vec<&str> = view.schema().fields()[..columns]
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(fields.join(","), names);
        let mut all = read(&crate::Access::Scan);
        all.sort();
        assert_eq!(all, expected);
        let access = crate::KeyAccess {
            key: vec![Arc::new(arrow::array::StringArray::from(vec!["b"]))],
            start: (i64::MIN, i64::MAX),
            end: (8, i64::MAX),
        };
        assert_eq!(read(&crate::Access::Keys(vec![access])), key);
    }
}

#[test]
fn the_greatest_timestamp_does_no_harm() {
    let spec = |shape, emit_final| {
        Some(WindowSpec {
            shape,
            grace_ms: i64::MAX,
            retention_ms: i64::MAX,
            emit_final,
        })
    };
    for shape in [
        WindowShapeMs::Time {
            size: 10,
            advance: 3,
        },
        WindowShapeMs::Session { gap: i64::MAX },
    ] {
        for emit_final in [false, true] {
            let plan = aggregate(source("S", Stream), spec(shape, emit_final));
            let rows = [
                record(0, "a", Some(&v(1)), i64::MAX),
                record(0, "a", Some(&v(1)), 0),
            ];
            let out = run(&plan, &rows, 1);
            assert_eq!(out.is_empty(), emit_final, "{out:?}");
        }
    }
}

#[test]
fn operators_are_told_by_sub_topology() {
    let plan = aggregate(filter(source("S", Stream), col("S", "B")), None);
    let topology = compile(&query(plan)).unwrap();
    let lines: Vec<&str> = topology.description.lines().collect();
    assert_eq!(
        lines,
        [
            "Sub-topology 0",
            "  Output: [K, A, C]",
            "    StreamAggregate: groupBy=[S.K] aggr=[SUM(S.V) AS A, COUNT(S.V) AS C] \
             store=Aggregate-Aggregate-Materialize",
            "      Filter: S.B",
            "        Input: stream topic=S",
        ]
    );
}
