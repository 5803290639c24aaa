//! Pull queries: how rows are found, and what is refused.

use datafusion::scalar::ScalarValue;
use weir_parser::ast::Statement;
use weir_types::SqlError;

use super::{catalog, plan_over, statement};
use crate::catalog::Catalog;
use crate::catalog::SourceInfo;
use crate::ddl::MemoryCatalog;
use crate::pull::{KeyLookup, KeyRange, PullAccess, PullPlan, WindowBounds, plan_pull};

/// The catalog of all tests with materialised tables over S: BYK (K, C), TXT (T, C),
/// WINK (windowed by K), PAIR (K, T).
fn queryable() -> MemoryCatalog {
    let mut catalog = catalog();
    for sql in [
        "CREATE TABLE BYK AS SELECT K, COUNT(*) AS C FROM S GROUP BY K;",
        "CREATE TABLE TXT AS SELECT T, COUNT(*) AS C FROM S GROUP BY T;",
        "CREATE TABLE WINK AS SELECT K, COUNT(*) AS C FROM S WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY K;",
        "CREATE TABLE PAIR AS SELECT K, T, COUNT(*) AS C FROM S GROUP BY K, T;",
    ] {
        let plan = plan_over(sql, &catalog).unwrap();
        let Statement::CreateAs(create) = statement(sql) else {
            panic!("{sql}")
        };
        let left = catalog.source("S").unwrap();
        catalog.put_source(SourceInfo {
            name: create.name.name,
            kind: plan.kind,
            schema: plan.schema,
            window: plan.window,
            materialized: true,
            ..SourceInfo::clone(&left)
        });
    }
    catalog
}

fn pull_over(sql: &str, catalog: &MemoryCatalog) -> Result<PullPlan, SqlError> {
    let Statement::Query(query) = statement(sql) else {
        panic!("no query: {sql}")
    };
    plan_pull(&query, catalog)
}

fn access(sql: &str) -> PullAccess {
    pull_over(sql, &queryable()).unwrap().access
}

fn lookups(keys: &[i32], windows: WindowBounds) -> PullAccess {
    let lookup = |key: &i32| KeyLookup {
        key: vec![ScalarValue::Int32(Some(*key))],
        windows,
    };
    PullAccess::Keys(keys.iter().map(lookup).collect())
}

#[test]
fn keys_are_looked_up() {
    let all = WindowBounds::default();
    for (filter, keys) in [
        ("K = 1", vec![1]),
        ("1 = K", vec![1]),
        ("K = 4 - 1", vec![3]),
        ("K IN (1, 2, 1)", vec![1, 2]),
        ("K = 1 OR K = 2 AND C > 3", vec![1, 2]),
        ("(K = 1 OR K = 2) AND C > 3", vec![1, 2]),
        ("K = 10.0", vec![10]),
    ] {
        assert_eq!(
            access(&format!("SELECT * FROM BYK WHERE {filter};")),
            lookups(&keys, all),
            "{filter}"
        );
    }
    let pair = PullAccess::Keys(vec![KeyLookup {
        key: vec![ScalarValue::Int32(Some(1)), ScalarValue::from("a")],
        windows: all,
    }]);
    assert_eq!(access("SELECT * FROM PAIR WHERE T = 'a' AND K = 1;"), pair);
}

#[test]
fn windows_are_bounded() {
    let bounds = |start, end| WindowBounds { start, end };
    let (min, max) = (i64::MIN, i64::MAX);
    for (filter, windows) in [
        ("WINDOWSTART = 5", bounds((5, 5), (min, max))),
        (
            "WINDOWSTART > 5 AND WINDOWSTART <= 9",
            bounds((6, 9), (min, max)),
        ),
        (
            "WINDOWSTART >= 5 AND 8 > WINDOWEND",
            bounds((5, max), (min, 7)),
        ),
        ("WINDOWSTART BETWEEN 5 AND 9", bounds((5, 9), (min, max))),
    ] {
        let sql = format!("SELECT * FROM WINK WHERE K = 1 AND {filter};");
        assert_eq!(access(&sql), lookups(&[1], windows), "{filter}");
    }
    // One row must not be found twice.
    let sql = "SELECT * FROM WINK WHERE K = 1 AND WINDOWSTART = 5 OR K = 1 AND WINDOWSTART = 7;";
    assert_eq!(access(sql), lookups(&[1], bounds((5, 7), (min, max))));
}

#[test]
fn the_rest_is_scanned() {
    for sql in [
        "SELECT * FROM BYK;",
        "SELECT * FROM BYK WHERE C > 1;",
        "SELECT * FROM BYK WHERE K = 1 OR C > 1;",
        "SELECT * FROM BYK WHERE K = 1 AND K IN (1, 2);",
        "SELECT * FROM BYK WHERE K > 1;",
        "SELECT * FROM BYK WHERE K = C;",
        "SELECT * FROM BYK WHERE NOT (K = 1);",
        "SELECT * FROM BYK WHERE K = 10.5;",
        "SELECT * FROM PAIR WHERE K = 1;",
        "SELECT * FROM WINK WHERE WINDOWSTART > 1;",
        "SELECT * FROM TXT WHERE T > 'a' OR T < 'b';",
        "SELECT * FROM S WHERE K = 1;",
    ] {
        assert_eq!(access(sql), PullAccess::Scan, "{sql}");
    }
    let range = |from: Option<&str>, to: Option<&str>| {
        PullAccess::Range(KeyRange {
            from: from.map(ScalarValue::from),
            to: to.map(ScalarValue::from),
        })
    };
    assert_eq!(
        access("SELECT * FROM TXT WHERE T > 'a';"),
        range(Some("a"), None)
    );
    assert_eq!(
        access("SELECT * FROM TXT WHERE T BETWEEN 'a' AND 'b' AND C > 1;"),
        range(Some("a"), Some("b"))
    );
}

#[test]
fn answers_have_their_columns() {
    for (sql, schema) in [
        ("SELECT * FROM BYK;", "`K` INTEGER KEY, `C` BIGINT"),
        (
            "SELECT * FROM WINK;",
            "`K` INTEGER KEY, `WINDOWSTART` BIGINT KEY, `WINDOWEND` BIGINT KEY, `C` BIGINT",
        ),
        (
            "SELECT ROWTIME, C * 2, K AS X FROM BYK;",
            "`ROWTIME` BIGINT, `KSQL_COL_0` BIGINT, `X` INTEGER KEY",
        ),
        ("SELECT K, V FROM S;", "`K` INTEGER, `V` INTEGER"),
    ] {
        let plan = pull_over(sql, &queryable()).unwrap();
        assert_eq!(plan.schema.to_string(), schema, "{sql}");
        assert_eq!(plan.projection.len(), plan.schema.columns().len());
    }
}

#[test]
fn refusals_say_what() {
    for (sql, part) in [
        (
            "SELECT * FROM U WHERE ID = 1;",
            "The `U` table isn't queryable",
        ),
        (
            "SELECT NOPE FROM BYK;",
            "SELECT column 'NOPE' cannot be resolved",
        ),
        (
            "SELECT * FROM BYK WHERE WINDOWSTART = 1;",
            "WHERE column 'WINDOWSTART' cannot be resolved",
        ),
        (
            "SELECT * FROM BYK WHERE K = 'x';",
            "Cannot compare K (INTEGER) to 'x' (STRING) with EQUAL",
        ),
        (
            "SELECT * FROM BYK WHERE K IN ('1', 2);",
            "'1' can not be converted to the type of the key column: K INTEGER KEY",
        ),
        (
            "SELECT * FROM BYK WHERE K = NULL;",
            "Comparison with NULL not supported: INTEGER = NULL",
        ),
        (
            "SELECT * FROM BYK WHERE K IN (NULL);",
            "Primary key columns can not be NULL",
        ),
        (
            "SELECT * FROM BYK WHERE K IS NULL;",
            "Unsupported expression in WHERE clause: (K IS NULL)",
        ),
        (
            "SELECT * FROM BYK GROUP BY K;",
            "Pull queries don't support GROUP BY clauses",
        ),
        (
            "SELECT * FROM BYK PARTITION BY K;",
            "Pull queries don't support PARTITION BY clauses",
        ),
        (
            "SELECT * FROM BYK HAVING K > 1;",
            "Pull queries don't support HAVING clauses",
        ),
        (
            "SELECT * FROM BYK WINDOW TUMBLING (SIZE 1 SECOND);",
            "Pull queries don't support WINDOW clauses",
        ),
        (
            "SELECT * FROM BYK JOIN TXT ON C = C;",
            "Pull queries don't support JOIN clauses",
        ),
        (
            "SELECT *, ROWOFFSET FROM BYK;",
            "following columns in SELECT clauses: `ROWOFFSET`",
        ),
        (
            "SELECT * FROM S WHERE ROWPARTITION = 1;",
            "following columns in WHERE clauses: `ROWPARTITION`",
        ),
        ("SELECT *, C FROM BYK;", "only support wildcards"),
        (
            "SELECT C, C FROM BYK;",
            "Duplicate value columns found in schema: `C` BIGINT",
        ),
        (
            "SELECT SUM(C) FROM BYK;",
            "don't support aggregate functions",
        ),
        (
            "SELECT EXPLODE(ARRAY[1]) FROM BYK;",
            "not supported with table functions",
        ),
        (
            "SELECT * FROM BYK LIMIT -1;",
            "negative integers in the LIMIT clause",
        ),
        (
            "SELECT * FROM WINK WHERE K = 1 AND WINDOWSTART = 1 AND WINDOWSTART > 0;",
            "cannot be combined",
        ),
        (
            "SELECT * FROM WINK WHERE K = 1 AND WINDOWSTART > 1 AND WINDOWSTART > 0;",
            "Duplicate lower bounds",
        ),
        (
            "SELECT * FROM WINK WHERE K = 1 AND WINDOWSTART > 'soon';",
            "Failed to parse timestamp 'soon'",
        ),
    ] {
        let error = pull_over(sql, &queryable()).expect_err(sql);
        assert_eq!(error.code.code(), 40001, "{sql}");
        assert!(
            error.message.contains(part),
            "{sql}\n{}\nlacks {part:?}",
            error.message
        );
    }
}

#[test]
fn scans_can_be_forbidden() {
    let mut catalog = queryable();
    catalog.set_config("ksql.query.pull.table.scan.enabled", "false");
    for (sql, part) in [
        ("SELECT * FROM BYK;", "Missing WHERE clause"),
        (
            "SELECT * FROM BYK WHERE C > 1;",
            "must directly reference a key column",
        ),
        (
            "SELECT * FROM BYK WHERE K = C;",
            "between a key column and a resolvable expression",
        ),
        ("SELECT * FROM BYK WHERE K != 1;", "must currently be '='"),
        ("SELECT * FROM PAIR WHERE K = 1;", "must specify every key"),
        (
            "SELECT * FROM BYK WHERE K = 1 AND K IN (1, 2);",
            "cannot be combined with other comparisons",
        ),
        (
            "SELECT * FROM TXT WHERE '0' < T AND T < '9';",
            "cannot be combined with other comparisons",
        ),
    ] {
        let error = pull_over(sql, &catalog).expect_err(sql);
        assert!(error.message.contains(part), "{sql}\n{}", error.message);
    }
    assert!(pull_over("SELECT * FROM BYK WHERE K = 1;", &catalog).is_ok());
    assert!(pull_over("SELECT * FROM TXT WHERE T < 'x';", &catalog).is_ok());
    catalog.set_config("ksql.query.pull.range.scan.enabled", "false");
    assert!(pull_over("SELECT * FROM TXT WHERE T < 'x';", &catalog).is_err());
}
