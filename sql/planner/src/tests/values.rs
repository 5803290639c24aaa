//! INSERT INTO … VALUES.

use datafusion::scalar::ScalarValue;
use weir_parser::ast::Statement;
use weir_types::SqlError;

use super::{catalog, statement};
use crate::ddl::insert_values;
use crate::values::{InsertRow, evaluate_insert};

fn insert(sql: &str) -> Result<InsertRow, SqlError> {
    let Statement::InsertValues {
        target,
        columns,
        values,
    } = statement(sql)
    else {
        panic!("no insert: {sql}")
    };
    let catalog = catalog();
    let plan = insert_values(&target, &columns, values.len(), &catalog)?;
    evaluate_insert(&plan, &values, &catalog)
}

#[test]
fn values_go_to_their_columns() {
    let row = insert("INSERT INTO R (V, ROWTIME, K) VALUES (1 + 1, 1234, 7);").unwrap();
    assert_eq!(row.key, [ScalarValue::Int32(Some(7))]);
    assert_eq!(
        row.value,
        [ScalarValue::Utf8(None), ScalarValue::Int32(Some(2))]
    );
    assert_eq!(row.timestamp, Some(1234));
    let row = insert("INSERT INTO R VALUES (7, 'x', NULL);").unwrap();
    assert_eq!(
        row.value,
        [ScalarValue::from("x"), ScalarValue::Int32(None)]
    );
    assert_eq!(row.timestamp, None);
}

#[test]
fn without_columns_keys_come_first() {
    let row = insert("INSERT INTO LATEKEY VALUES (7, 8);").unwrap();
    assert_eq!(row.key, [ScalarValue::Int32(Some(7))]);
    assert_eq!(row.value, [ScalarValue::Int32(Some(8))]);
}

#[test]
fn values_widen_and_nothing_else() {
    for (value, stored) in [
        ("2", "2.00"),
        ("1 + 1", "2.00"),
        ("CAST(3 AS BIGINT)", "3.00"),
        ("12.5", "12.50"),
        ("CAST(12.5 AS DECIMAL(10, 6))", "12.50"),
        ("CAST(NULL AS BOOLEAN)", "NULL"),
    ] {
        let row = insert(&format!("INSERT INTO S (K, D) VALUES (1, {value});")).expect(value);
        let found = row.value.last().map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(stored), "{value}");
    }
    for (sql, part) in [
        (
            "INSERT INTO R (K, V) VALUES (1, '2');",
            "Expected type INTEGER for field `V` but got STRING('2')",
        ),
        (
            "INSERT INTO R (K, W) VALUES (1, 2);",
            "Expected type STRING for field `W` but got INTEGER(2)",
        ),
        (
            "INSERT INTO R (K, V) VALUES (1, 5000000000);",
            "but got BIGINT",
        ),
        (
            "INSERT INTO S (K, D) VALUES (1, 123.456);",
            "Expected type DECIMAL(4, 2)",
        ),
        (
            "INSERT INTO S (K, D) VALUES (1, 99 + 1);",
            "Expected type DECIMAL(4, 2) for field `D` but got INTEGER",
        ),
        ("INSERT INTO R (K, V) VALUES (1, V);", "cannot be resolved"),
        (
            "INSERT INTO R (K, ROWTIME) VALUES (1, -5);",
            "Invalid timestamp: -5",
        ),
        (
            "INSERT INTO U (ID, N) VALUES (NULL, 1);",
            "primary key column(s) ID is required",
        ),
    ] {
        let error = insert(sql).expect_err(sql);
        assert!(error.message.contains(part), "{sql}\n{}", error.message);
    }
}
