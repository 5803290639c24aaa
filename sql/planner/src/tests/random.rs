//! Random queries: whatever is planned or refused, nothing panics, and what is planned has the
//! columns it says.

use proptest::prelude::*;

use super::{catalog, plan_over};
use crate::stream::StreamNode;

/// Expressions over the columns of S (and some that are not there).
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "K",
            "V",
            "T",
            "A",
            "ST",
            "D",
            "S.V",
            "ROWTIME",
            "NOPE",
            "R.W",
            "WINDOWSTART",
            "NULL",
            "TRUE",
            "1",
            "-3",
            "5000000000",
            "1.50",
            "2E3",
            "'x'",
            "''",
            "'2020-01-01'",
            "COUNT(*)",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 32, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            (
                prop::sample::select(vec![
                    "+",
                    "-",
                    "*",
                    "/",
                    "%",
                    "||",
                    "=",
                    "<>",
                    "<",
                    ">=",
                    "AND",
                    "OR",
                    "IS DISTINCT FROM",
                    "LIKE",
                ]),
                pair.clone()
            )
                .prop_map(|(op, (l, r))| format!("({l} {op} {r})")),
            inner.clone().prop_map(|e| format!("(NOT {e})")),
            inner.clone().prop_map(|e| format!("({e} IS NULL)")),
            (inner.clone(), pair.clone())
                .prop_map(|(e, (l, h))| format!("({e} BETWEEN {l} AND {h})")),
            (inner.clone(), pair.clone()).prop_map(|(e, (l, h))| format!("({e} IN ({l}, {h}))")),
            (inner.clone(), pair.clone())
                .prop_map(|(c, (t, e))| format!("CASE WHEN {c} THEN {t} ELSE {e} END")),
            inner.clone().prop_map(|e| format!("{e}[1]")),
            inner.clone().prop_map(|e| format!("{e}->X")),
            pair.clone().prop_map(|(l, r)| format!("ARRAY[{l}, {r}]")),
            pair.clone().prop_map(|(l, r)| format!("MAP({l} := {r})")),
            pair.prop_map(|(l, r)| format!("STRUCT(X := {l}, Y := {r})")),
            (
                prop::sample::select(vec!["STRING", "INT", "DECIMAL(4,2)", "ARRAY<INT>", "DATE"]),
                inner.clone()
            )
                .prop_map(|(t, e)| format!("CAST({e} AS {t})")),
            (
                prop::sample::select(vec![
                    "ABS", "SUM", "EXPLODE", "COALESCE", "AS_VALUE", "UCASE", "NO_SUCH"
                ]),
                inner.clone()
            )
                .prop_map(|(f, e)| format!("{f}({e})")),
            inner.prop_map(|e| format!("TRANSFORM(A, Z => {e})")),
        ]
    })
}

/// Mostly a plain column, so that many queries can be planned.
fn item() -> impl Strategy<Value = String> {
    let column = prop::sample::select(vec!["K", "V", "T", "A[1]", "V + 1", "LEN(T)", "V > 1"]);
    prop_oneof![6 => column.prop_map(str::to_owned), 1 => expression()]
}

fn query() -> impl Strategy<Value = String> {
    let clause = |word: &'static str| {
        prop::option::weighted(0.1, item()).prop_map(move |e| match e {
            Some(e) => format!(" {word} {e}"),
            None => String::new(),
        })
    };
    let from = prop::sample::select(vec![
        "S",
        "S",
        "S",
        "U",
        "WIN",
        "S JOIN R WITHIN 1 HOUR ON S.V = R.V",
        "S LEFT JOIN U ON S.V = U.ID",
    ]);
    let window = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "",
        " WINDOW TUMBLING (SIZE 1 SECOND)",
        " WINDOW SESSION (1 SECOND)",
    ]);
    let list = prop::collection::vec(
        prop_oneof![item(), Just("*".to_owned()), Just("S.*".to_owned())],
        1..4,
    );
    let head = prop::sample::select(vec![
        "SELECT",
        "SELECT",
        "SELECT",
        "CREATE STREAM O AS SELECT K AS ID,",
        "CREATE TABLE O AS SELECT K AS ID, COUNT(*) AS N,",
        "INSERT INTO R SELECT",
    ]);
    (
        head,
        list,
        from,
        window,
        clause("WHERE"),
        clause("GROUP BY"),
        clause("PARTITION BY"),
        clause("HAVING"),
    )
        .prop_map(
            |(head, list, from, window, filter, group, partition, having)| {
                format!(
                    "{head} {} FROM {from}{window}{filter}{group}{partition}{having} EMIT CHANGES;",
                    list.join(", ")
                )
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn random_queries_never_panic(sql in query()) {
        let parses = weir_parser::parse_all(&sql, &weir_parser::Variables::new()).is_ok();
        if parses && let Ok(plan) = plan_over(&sql, &catalog()) {
            let fields = plan.root.schema().fields();
            for (column, field) in plan.schema.columns().iter().zip(fields) {
                prop_assert_eq!(&column.name, field.name());
                prop_assert_eq!(&column.sql_type.to_arrow(), field.data_type());
            }
            let bounds = if StreamNode::of(&plan.root).is_none() && plan.window.is_some() { 2 } else { 0 };
            prop_assert_eq!(plan.schema.columns().len() + bounds, fields.len());
        }
    }
}
