//! Random statements, most of them well typed: whatever the parser, the planner and the engine's
//! compiler make of them, nothing panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use weir_language::session::Session;

const SOURCES: &str = "
    CREATE STREAM S (K INT KEY, V INT, X DOUBLE, T STRING, B BOOLEAN, A ARRAY<INT>, D DECIMAL(6,2),
        M MAP<STRING, INT>, ST STRUCT<F INT, G STRING>, TS TIMESTAMP)
        WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM R (K INT KEY, V INT, T STRING)
        WITH (KAFKA_TOPIC='r', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM W (K INT KEY, V INT) WITH (KAFKA_TOPIC='w', VALUE_FORMAT='JSON', PARTITIONS=1,
        WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 HOUR');
    CREATE TABLE U (ID INT PRIMARY KEY, N INT, NAME STRING)
        WITH (KAFKA_TOPIC='u', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE TABLE P (ID INT PRIMARY KEY, CITY STRING)
        WITH (KAFKA_TOPIC='p', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE TABLE C AS SELECT T, COUNT(*) AS N, SUM(V) AS TOTAL FROM S GROUP BY T;
";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Int,
    Double,
    Text,
    Bool,
    List,
    Decimal,
}

/// Columns of S of that type.
fn column(of: Type) -> &'static [&'static str] {
    match of {
        Type::Int => &["K", "V", "A[1]", "M['a']", "ST->F"],
        Type::Double => &["X"],
        Type::Text => &["T", "ST->G"],
        Type::Bool => &["B"],
        Type::List => &["A"],
        Type::Decimal => &["D"],
    }
}

fn literal(of: Type) -> &'static [&'static str] {
    match of {
        Type::Int => &["0", "1", "-7", "2147483647"],
        Type::Double => &["1E0", "-2.5E3", "CAST('NaN' AS DOUBLE)"],
        Type::Text => &["''", "'a'", "'it''s'", "'한글'"],
        Type::Bool => &["TRUE", "FALSE"],
        Type::List => &["ARRAY[1, 2]", "ARRAY[V, 0]"],
        Type::Decimal => &["1.50", "CAST(1 AS DECIMAL(4,2))"],
    }
}

/// An expression over S of that type.
fn expression(of: Type, depth: u32) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        3 => prop::sample::select(column(of)).prop_map(str::to_owned),
        1 => prop::sample::select(literal(of)).prop_map(str::to_owned),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let sub = |of: Type| expression(of, depth - 1);
    let pair = |of: Type| (sub(of), sub(of));
    let any = prop::sample::select(vec![Type::Int, Type::Double, Type::Text, Type::Decimal]);
    let compared = any
        .clone()
        .prop_flat_map(move |of| (expression(of, depth - 1), expression(of, depth - 1)));
    let shared = prop_oneof![
        (sub(Type::Bool), pair(of))
            .prop_map(|(c, (a, b))| format!("CASE WHEN {c} THEN {a} ELSE {b} END")),
        pair(of).prop_map(|(a, b)| format!("COALESCE({a}, {b})")),
    ];
    let own = match of {
        Type::Int => prop_oneof![
            (
                prop::sample::select(vec!["+", "-", "*", "/", "%"]),
                pair(of)
            )
                .prop_map(|(op, (a, b))| format!("({a} {op} {b})")),
            sub(Type::Text).prop_map(|t| format!("LEN({t})")),
            sub(Type::List).prop_map(|l| format!("ARRAY_LENGTH({l})")),
            sub(of).prop_map(|a| format!("ABS({a})")),
            sub(Type::List).prop_map(|l| format!("REDUCE({l}, 0, (Y, Z) => Y + Z)")),
        ]
        .boxed(),
        Type::Double => prop_oneof![
            pair(of).prop_map(|(a, b)| format!("({a} * {b})")),
            sub(Type::Int).prop_map(|a| format!("CAST({a} AS DOUBLE)")),
            sub(Type::Int).prop_map(|a| format!("SQRT({a})")),
        ]
        .boxed(),
        Type::Text => prop_oneof![
            pair(of).prop_map(|(a, b)| format!("CONCAT({a}, {b})")),
            any.prop_flat_map(move |of| expression(of, depth - 1))
                .prop_map(|a| format!("CAST({a} AS STRING)")),
            (sub(of), sub(Type::Int)).prop_map(|(t, n)| format!("SUBSTRING({t}, {n})")),
        ]
        .boxed(),
        Type::Bool => prop_oneof![
            (
                prop::sample::select(vec!["=", "<>", "<", ">=", "IS DISTINCT FROM"]),
                compared
            )
                .prop_map(|(op, (a, b))| format!("({a} {op} {b})")),
            (prop::sample::select(vec!["AND", "OR"]), pair(of))
                .prop_map(|(op, (a, b))| format!("({a} {op} {b})")),
            sub(of).prop_map(|a| format!("(NOT {a})")),
            (sub(Type::Int), pair(Type::Int))
                .prop_map(|(e, (a, b))| format!("({e} BETWEEN {a} AND {b})")),
            (sub(Type::Int), pair(Type::Int))
                .prop_map(|(e, (a, b))| format!("({e} IN ({a}, {b}))")),
            sub(Type::Text).prop_map(|t| format!("({t} LIKE '%a_')")),
            sub(Type::Double).prop_map(|a| format!("({a} IS NOT NULL)")),
        ]
        .boxed(),
        Type::List => prop_oneof![
            pair(Type::Int).prop_map(|(a, b)| format!("ARRAY[{a}, {b}]")),
            sub(of).prop_map(|l| format!("TRANSFORM({l}, Z => Z + V)")),
            sub(of).prop_map(|l| format!("FILTER({l}, Z => Z > 1)")),
        ]
        .boxed(),
        Type::Decimal => prop_oneof![
            pair(of).prop_map(|(a, b)| format!("({a} + {b})")),
            sub(Type::Int).prop_map(|a| format!("CAST({a} AS DECIMAL(12,3))")),
            sub(of).prop_map(|a| format!("ROUND({a})")),
        ]
        .boxed(),
    };
    prop_oneof![2 => leaf, 1 => shared, 4 => own].boxed()
}

fn any_type() -> impl Strategy<Value = Type> {
    prop::sample::select(vec![
        Type::Int,
        Type::Double,
        Type::Text,
        Type::Bool,
        Type::List,
        Type::Decimal,
    ])
}

fn any_expression() -> BoxedStrategy<String> {
    any_type().prop_flat_map(|of| expression(of, 3)).boxed()
}

/// `e AS C0, e AS C1, …`
fn items() -> impl Strategy<Value = String> {
    prop::collection::vec(any_expression(), 1..4).prop_map(|items| {
        let named = items.iter().enumerate();
        let named: Vec<_> = named.map(|(i, e)| format!("{e} AS C{i}")).collect();
        named.join(", ")
    })
}

fn optional(
    clause: &'static str,
    of: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    prop::option::of(of).prop_map(move |e| e.map_or_else(String::new, |e| format!(" {clause} {e}")))
}

fn window() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "",
        " WINDOW TUMBLING (SIZE 10 SECONDS)",
        " WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 3 SECONDS, GRACE PERIOD 1 MINUTE)",
        " WINDOW SESSION (5 MINUTES, RETENTION 7 DAYS)",
        " WINDOW TUMBLING (SIZE 1 HOUR, RETENTION 1 SECOND)",
    ])
}

fn aggregate() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("COUNT(*)".to_owned()),
        expression(Type::Int, 2).prop_map(|e| format!("SUM({e})")),
        expression(Type::Double, 2).prop_map(|e| format!("MAX({e})")),
        any_expression().prop_map(|e| format!("COLLECT_LIST({e})")),
        any_expression().prop_map(|e| format!("LATEST_BY_OFFSET({e})")),
        expression(Type::Int, 2).prop_map(|e| format!("TOPK({e}, 2)")),
    ]
}

fn create_stream() -> impl Strategy<Value = String> {
    let head = prop::sample::select(vec![
        "CREATE STREAM O AS",
        "CREATE OR REPLACE STREAM O WITH (VALUE_FORMAT='JSON', PARTITIONS=3) AS",
        "EXPLAIN CREATE STREAM O AS",
        "",
    ]);
    let filter = optional("WHERE", expression(Type::Bool, 3));
    (head, items(), filter).prop_map(|(head, items, filter)| {
        format!("{head} SELECT K, {items} FROM S{filter} EMIT CHANGES;")
    })
}

fn partition() -> impl Strategy<Value = String> {
    (expression(Type::Int, 2), items()).prop_map(|(key, items)| {
        format!("CREATE STREAM O AS SELECT {key} AS KEY1, {items} FROM S PARTITION BY {key};")
    })
}

fn group() -> impl Strategy<Value = String> {
    let key = prop_oneof![expression(Type::Text, 2), expression(Type::Int, 2)];
    let having = optional("HAVING", Just("COUNT(*) > 1".to_owned()));
    let emit = prop::sample::select(vec!["CHANGES", "CHANGES", "FINAL"]);
    let filter = optional("WHERE", expression(Type::Bool, 2));
    (
        key,
        aggregate(),
        aggregate(),
        window(),
        filter,
        having,
        emit,
    )
        .prop_map(|(key, a, b, window, filter, having, emit)| {
            format!(
                "CREATE TABLE O AS SELECT {key} AS KEY1, {a} AS C0, {b} AS C1 \
                 FROM S{window}{filter} GROUP BY {key}{having} EMIT {emit};"
            )
        })
}

fn join() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL OUTER JOIN"]);
    let shape = prop::sample::select(vec![
        ("STREAM", "S", "R WITHIN 1 HOUR", "S.K = R.K"),
        (
            "STREAM",
            "S",
            "R WITHIN (1 HOUR, 2 HOURS) GRACE PERIOD 1 MINUTE",
            "S.V + 1 = R.V",
        ),
        ("STREAM", "S", "U", "S.V = U.ID"),
        (
            "STREAM",
            "S",
            "R WITHIN 1 HOUR ON S.V = R.V JOIN U",
            "S.V = U.ID",
        ),
        ("TABLE", "U", "P", "U.ID = P.ID"),
        ("TABLE", "U", "P", "U.N = P.ID"),
        ("TABLE", "U", "P ON U.ID = P.ID JOIN C", "U.NAME = C.T"),
        ("STREAM", "U", "S", "S.V = U.ID"),
        ("STREAM", "W", "R WITHIN 1 HOUR", "W.K = R.K"),
    ]);
    (kind, shape).prop_map(|(kind, (result, left, right, on))| {
        format!("CREATE {result} O AS SELECT * FROM {left} {kind} {right} ON {on};")
    })
}

fn table() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "CREATE TABLE O AS SELECT * FROM U WHERE N > 3;",
        "CREATE TABLE O AS SELECT NAME, COUNT(*) AS C, SUM(N) AS X FROM U GROUP BY NAME;",
        "CREATE TABLE O AS SELECT NAME, MIN(N) AS C FROM U GROUP BY NAME;",
        "CREATE STREAM O AS SELECT * FROM W;",
        "CREATE TABLE O AS SELECT K, COUNT(*) AS C FROM W WINDOW SESSION (1 DAY) GROUP BY K;",
        "CREATE STREAM O AS SELECT K, EXPLODE(A) AS E, CUBE_EXPLODE(A) AS F FROM S;",
        "INSERT INTO R SELECT K, V, T FROM S WHERE B;",
        "CREATE SOURCE TABLE O (K STRING PRIMARY KEY, V INT) \
         WITH (KAFKA_TOPIC='o', FORMAT='JSON', PARTITIONS=2);",
        "SELECT * FROM C WHERE T IN ('a', 'b') AND N > 3 LIMIT 2;",
        "SELECT T, N + 1 FROM C WHERE T = 'a' OR (N < 3 AND NOT T LIKE 'x%');",
        "SELECT * FROM O;",
        "DROP STREAM R DELETE TOPIC;",
        "DROP TABLE IF EXISTS O;",
        "ALTER STREAM S ADD COLUMN Y STRING, ADD Z DECIMAL(3,1);",
        "CREATE TYPE POINT AS STRUCT<X DOUBLE, Y DOUBLE>; CREATE STREAM O (P POINT) \
         WITH (KAFKA_TOPIC='o', VALUE_FORMAT='JSON', PARTITIONS=1);",
        "DEFINE N = '5'; SELECT * FROM S WHERE V > ${N} EMIT CHANGES;",
    ])
    .prop_map(str::to_owned)
}

fn insert() -> impl Strategy<Value = String> {
    let constant = |of: Type| prop::sample::select(literal(of)).prop_map(str::to_owned);
    (
        constant(Type::Int),
        constant(Type::Double),
        constant(Type::Text),
        constant(Type::Decimal),
    )
        .prop_map(|(v, x, t, d)| {
            format!("INSERT INTO S (K, V, X, T, D) VALUES (1, {v}, {x}, {t}, {d});")
        })
}

fn statement() -> BoxedStrategy<String> {
    prop_oneof![
        4 => create_stream(),
        2 => partition(),
        3 => group(),
        3 => join(),
        2 => table(),
        1 => insert(),
    ]
    .boxed()
}

/// A statement with some of its words left out, doubled or put elsewhere.
fn spoilt() -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0..4u8,
    );
    (statement(), prop::collection::vec(change, 1..4)).prop_map(|(text, changes)| {
        let mut words: Vec<&str> = text.split_inclusive([' ', ',', '(', ')']).collect();
        for (at, other, kind) in changes {
            if words.is_empty() {
                break;
            }
            let (at, other) = (at.index(words.len()), other.index(words.len()));
            match kind {
                0 => {
                    words.remove(at);
                }
                1 => words.insert(at, words[other]),
                2 => words.swap(at, other),
                _ => words[at] = words[other],
            }
        }
        words.concat()
    })
}

fn session() -> Session {
    let mut session = Session::new();
    session.execute(SOURCES).expect("the sources are accepted");
    session
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_statements_never_panic(statements in prop::collection::vec(statement(), 1..4)) {
        let mut session = session();
        for text in statements {
            if let Err(error) = session.execute(&text) {
                prop_assert!(!error.message.is_empty(), "{}", text);
                // A fault of ours: a plan that cannot be put together or cannot be run.
                for fault in ["could not be built", "cannot be run"] {
                    prop_assert!(!error.message.contains(fault), "{}\n{}", text, error.message);
                }
            }
        }
    }

    #[test]
    fn spoilt_statements_never_panic(text in spoilt()) {
        let _ = session().execute(&text);
    }
}

/// The generator would prove little if most of what it makes were refused.
#[test]
fn most_random_statements_are_accepted() {
    let mut runner = TestRunner::deterministic();
    let base = session();
    let (mut accepted, all) = (0, 200);
    for _ in 0..all {
        let text = statement().new_tree(&mut runner).unwrap().current();
        accepted += usize::from(base.clone().execute(&text).is_ok());
    }
    assert!(accepted * 2 > all, "{accepted} of {all} are accepted");
}
