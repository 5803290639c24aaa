//! Any text is parsed or refused, never worse; what is printed parses to the same tree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use weir_parser::printer::{print_expr, print_statement};
use weir_parser::{Variables, parse_all, parse_expression, parse_type};

/// Pieces of statements, put together at random.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "SELECT",
        "CREATE",
        "STREAM",
        "TABLE",
        "AS",
        "FROM",
        "WHERE",
        "GROUP BY",
        "WITH",
        "WINDOW",
        "TUMBLING (SIZE 1 DAY)",
        "JOIN",
        "WITHIN",
        "ON",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "CAST(",
        "ARRAY[",
        "MAP(",
        "STRUCT(",
        "STRUCT<",
        "ARRAY<",
        "INT",
        "EXPLAIN",
        "NOT",
        "IN (",
        "IS",
        "NULL",
        "BETWEEN",
        "AND",
        "LIKE",
        "EMIT CHANGES",
        "LIMIT",
        "INSERT INTO",
        "VALUES (",
        "a",
        "b",
        "f(",
        "1",
        "-1",
        "1.5",
        "1e3",
        "1x",
        "'s'",
        "`q`",
        "\"d",
        "'open",
        "${v}",
        "${",
        "$",
        "(",
        ")",
        "[",
        "]",
        "<",
        ">",
        ",",
        ";",
        ".",
        "->",
        "->*",
        "=>",
        ":=",
        "=",
        "+",
        "-",
        "*",
        "/*",
        "--",
        "\n",
        "é",
        "\u{0}",
        "{",
        "}",
        "@",
        "#",
        "x'1'",
        "N'x'",
        "0x",
        "$$",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|p| p.join(" "))
}

/// Expressions of every kind, as text.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(
        [
            "a",
            "b.c",
            "`q`",
            "1",
            "-2",
            "1.5",
            "2E1",
            "'x''y'",
            "TRUE",
            "NULL",
            "3000000000",
            "1a",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operator = prop::sample::select(
            [
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
                "IS DISTINCT FROM",
                "AND",
                "OR",
            ]
            .to_vec(),
        );
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(l, o, r)| format!("({l}) {o} ({r})")),
            inner.clone().prop_map(|e| format!("NOT ({e})")),
            inner.clone().prop_map(|e| format!("-({e})")),
            inner.clone().prop_map(|e| format!("- {e}")),
            inner.clone().prop_map(|e| format!("({e}) IS NOT NULL")),
            inner.clone().prop_map(|e| format!("({e})->x[1]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("f({a}, (x, y) => {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("ARRAY[{a}, {b}]")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("({a}) BETWEEN ({b}) AND (1)")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) IN ({b}, 1)")),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("CASE WHEN {a} THEN {b} ELSE 1 END")),
            inner
                .clone()
                .prop_map(|e| format!("STRUCT(a := {e}, `b` := 1)")),
            inner
                .clone()
                .prop_map(|e| format!("CAST({e} AS MAP<STRING, INT>)")),
            inner.prop_map(|e| format!("MAP('k' := {e})")),
        ]
    })
}

/// A tree without its places.
fn shape(expr: &weir_parser::ast::Expr) -> String {
    let debug = format!("{expr:?}");
    let mut shape = String::new();
    let mut rest = debug.as_str();
    while let Some(at) = rest.find("Span {") {
        shape.push_str(&rest[..at]);
        rest = rest[at..].split_once('}').map_or("", |(_, after)| after);
    }
    shape + rest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_parser_panic(text in soup()) {
        if let Ok(all) = parse_all(&text, &Variables::new()) {
            for parsed in all {
                let printed = print_statement(&parsed.statement);
                let again = parse_all(&printed, &Variables::new().with_substitution(false))
                    .unwrap_or_else(|e| panic!("{text}\n{printed}\n{e}"));
                prop_assert_eq!(print_statement(&again[0].statement), printed);
            }
        }
    }

    #[test]
    fn no_characters_make_the_parser_panic(text in "\\PC{0,60}") {
        let _ = parse_all(&text, &Variables::new());
        let _ = parse_expression(&text);
        let _ = parse_type(&text);
    }

    #[test]
    fn printed_expressions_parse_to_the_same_tree(text in expression()) {
        if let Ok(expr) = parse_expression(&text) {
            let printed = print_expr(&expr);
            let again = parse_expression(&printed)
                .unwrap_or_else(|e| panic!("{text}\n{printed}\n{e}"));
            prop_assert_eq!(shape(&again), shape(&expr));
        }
    }
}
