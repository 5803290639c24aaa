//! Statements planned end to end over a small catalog.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod canonical;
mod errors;
mod plans;
mod pull;
mod random;
mod upgrades;
mod values;

use weir_parser::Variables;
use weir_parser::ast::Statement;
use weir_types::SqlError;

use crate::ddl::{MemoryCatalog, Outcome, create_source};
use crate::stream::QueryPlan;
use crate::{QueryContext, plan_query};

/// Sources of all kinds; every topic has one partition but that of `WIDE`.
const SOURCES: &str = "
    CREATE STREAM S (K INT KEY, V INT, T STRING, A ARRAY<INT>, ST STRUCT<X INT, Y STRING>, D DECIMAL(4,2))
        WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM R (K INT KEY, W STRING, V INT)
        WITH (KAFKA_TOPIC='r', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM WIDE (K INT KEY, W STRING)
        WITH (KAFKA_TOPIC='wide', VALUE_FORMAT='JSON', PARTITIONS=2);
    CREATE STREAM TEXTS (K STRING KEY, W STRING)
        WITH (KAFKA_TOPIC='texts', FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM PLAIN (K INT KEY, W STRING)
        WITH (KAFKA_TOPIC='plain', FORMAT='KAFKA', PARTITIONS=1);
    CREATE STREAM SEP (K INT KEY, V INT)
        WITH (KAFKA_TOPIC='sep', VALUE_FORMAT='DELIMITED', PARTITIONS=1);
    CREATE STREAM LATEKEY (V INT, K INT KEY)
        WITH (KAFKA_TOPIC='latekey', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM NOKEY (V INT)
        WITH (KAFKA_TOPIC='nokey', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM HEADED (K INT KEY, V INT, H BYTES HEADER('h'))
        WITH (KAFKA_TOPIC='headed', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE STREAM WIN (K INT KEY, V INT) WITH (KAFKA_TOPIC='win', VALUE_FORMAT='JSON',
        PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='10 SECONDS');
    CREATE STREAM WIN2 (K INT KEY, V INT) WITH (KAFKA_TOPIC='win2', VALUE_FORMAT='JSON',
        PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='10 SECONDS');
    CREATE STREAM SES (K INT KEY, V INT) WITH (KAFKA_TOPIC='ses', VALUE_FORMAT='JSON',
        PARTITIONS=1, WINDOW_TYPE='SESSION');
    CREATE TABLE WINT (ID INT PRIMARY KEY, N INT) WITH (KAFKA_TOPIC='wint', VALUE_FORMAT='JSON',
        PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='10 SECONDS');
    CREATE TABLE WINT2 (ID INT PRIMARY KEY, N INT) WITH (KAFKA_TOPIC='wint2',
        VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='10 SECONDS');
    CREATE TABLE U (ID INT PRIMARY KEY, N INT, NAME STRING)
        WITH (KAFKA_TOPIC='u', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE TABLE P (ID INT PRIMARY KEY, CITY STRING)
        WITH (KAFKA_TOPIC='p', VALUE_FORMAT='JSON', PARTITIONS=1);
    CREATE TABLE J (ID INT PRIMARY KEY, CITY STRING)
        WITH (KAFKA_TOPIC='j', FORMAT='JSON', PARTITIONS=1);
    CREATE TABLE TWO (A INT PRIMARY KEY, B INT PRIMARY KEY, N INT)
        WITH (KAFKA_TOPIC='two', FORMAT='JSON', PARTITIONS=1);
";

/// The statements of `sql`.
fn parse(sql: &str) -> Vec<Statement> {
    weir_parser::parse_all(sql, &Variables::new())
        .unwrap()
        .into_iter()
        .map(|parsed| parsed.statement)
        .collect()
}

/// The one statement of `sql`.
fn statement(sql: &str) -> Statement {
    parse(sql).pop().unwrap()
}

/// A catalog with [`SOURCES`].
fn catalog() -> MemoryCatalog {
    let mut catalog = MemoryCatalog::new();
    for statement in parse(SOURCES) {
        let Statement::CreateSource(create) = statement else {
            panic!("not a source")
        };
        let Outcome::Do(plan) = create_source(&create, &catalog).unwrap() else {
            panic!("nothing to do")
        };
        if let Some(topic) = &plan.create_topic {
            catalog.create_topic(topic);
        }
        catalog.put_source(plan.source);
    }
    catalog
}

/// Plans one statement over [`catalog`].
fn plan(sql: &str) -> Result<QueryPlan, SqlError> {
    plan_over(sql, &catalog())
}

fn plan_over(sql: &str, catalog: &MemoryCatalog) -> Result<QueryPlan, SqlError> {
    match statement(sql) {
        Statement::CreateAs(create) => plan_query(
            &create.query,
            catalog,
            QueryContext::CreateAs {
                kind: create.kind,
                sink: &create.name.name,
            },
        ),
        Statement::InsertSelect { target, query, .. } => {
            plan_query(&query, catalog, QueryContext::Insert { target: &target })
        }
        Statement::Query(query) => plan_query(&query, catalog, QueryContext::Push),
        other => panic!("no query: {other:?}"),
    }
}

/// The plan's schema and EXPLAIN text.
fn explain(sql: &str) -> String {
    let plan = plan(sql).unwrap();
    format!("{}\n{}", plan.schema, plan.root.display_indent())
}
