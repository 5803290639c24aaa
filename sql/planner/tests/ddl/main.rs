//! Definitions against a catalog in memory: what they make, and with which words they are refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod change;
mod create;
mod sink;

use weir_parser::ast::{CreateAs, SourceKind, Statement};
use weir_parser::{Variables, parse_all};
use weir_planner::catalog::{Catalog, SourceInfo, TopicInfo};
use weir_planner::ddl::{
    InsertTarget, MemoryCatalog, Outcome, QueryResult, alter_source, create_source, create_type,
    drop_source, drop_type, inference, insert_values, query_id, sink_source, sink_topic,
};
use weir_types::{
    Column, ErrorCode, FormatKind, Schema, SqlError, SqlType, WindowInfo, WindowKind,
};

/// A catalog that statements change at once.
#[derive(Default)]
struct Session {
    catalog: MemoryCatalog,
}

impl Session {
    fn new() -> Self {
        let mut session = Self::default();
        for (name, partitions) in [("t", 1), ("t2", 4)] {
            session.topic(name, partitions, 604_800_000);
        }
        session
    }

    fn topic(&mut self, name: &str, partitions: u32, retention_ms: i64) {
        let info = TopicInfo {
            partitions,
            replicas: 1,
            retention_ms: Some(retention_ms),
        };
        self.catalog.put_topic(name, info);
    }

    fn source(&self, name: &str) -> SourceInfo {
        SourceInfo::clone(&self.catalog.source(name).unwrap())
    }

    /// Plans the statements and applies their plans; the last warning, if there was one.
    fn run(&mut self, text: &str) -> Result<Option<String>, SqlError> {
        let mut warning = None;
        for parsed in parse_all(text, &Variables::new())? {
            let nothing = match parsed.statement {
                Statement::CreateSource(create) => match create_source(&create, &self.catalog)? {
                    Outcome::Do(plan) => {
                        if let Some(topic) = &plan.create_topic {
                            self.catalog.create_topic(topic);
                        }
                        self.catalog.put_source(plan.source);
                        None
                    }
                    Outcome::Nothing(warning) => Some(warning),
                },
                Statement::AlterSource { kind, name, add } => {
                    let altered = alter_source(kind, &name, &add, &self.catalog)?;
                    self.catalog.put_source(altered);
                    None
                }
                Statement::DropSource {
                    kind,
                    if_exists,
                    name,
                    delete_topic,
                } => match drop_source(kind, &name, if_exists, delete_topic, &self.catalog)? {
                    Outcome::Do(plan) => {
                        self.catalog.remove_source(&plan.source.name);
                        None
                    }
                    Outcome::Nothing(warning) => Some(warning),
                },
                Statement::CreateType {
                    if_not_exists,
                    name,
                    type_name,
                } => match create_type(&name, &type_name, if_not_exists, &self.catalog)? {
                    Outcome::Do(sql_type) => {
                        self.catalog.put_type(name.name, sql_type);
                        None
                    }
                    Outcome::Nothing(warning) => Some(warning),
                },
                Statement::DropType { if_exists, name } => {
                    match drop_type(&name, if_exists, &self.catalog)? {
                        Outcome::Do(()) => {
                            self.catalog.remove_type(&name.name);
                            None
                        }
                        Outcome::Nothing(warning) => Some(warning),
                    }
                }
                Statement::InsertValues {
                    target,
                    columns,
                    values,
                } => {
                    insert_values(&target, &columns, values.len(), &self.catalog)?;
                    None
                }
                other => panic!("{other:?}"),
            };
            warning = nothing.or(warning);
        }
        Ok(warning)
    }

    /// The sink of a CREATE … AS whose query gives `result`.
    fn sink(&self, text: &str, result: QueryResult<'_>) -> Result<SourceInfo, SqlError> {
        let create = create_as(text);
        let topic = sink_topic(&create, &self.catalog)?;
        match sink_source(&create, &topic, result, &self.catalog)? {
            Outcome::Do(source) => Ok(source),
            Outcome::Nothing(warning) => panic!("{warning}"),
        }
    }
}

fn create_as(text: &str) -> CreateAs {
    match parse_all(text, &Variables::new())
        .unwrap()
        .remove(0)
        .statement
    {
        Statement::CreateAs(create) => create,
        other => panic!("{other:?}"),
    }
}

const BASE: &str = "CREATE STREAM S (ID INT KEY, V STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');\
    CREATE TABLE T (ID INT PRIMARY KEY, V STRING) WITH (KAFKA_TOPIC='t2', VALUE_FORMAT='JSON');\
    CREATE SOURCE STREAM RO (ID INT KEY, V INT) WITH (KAFKA_TOPIC='t', FORMAT='JSON');\
    CREATE STREAM W (ID INT KEY, V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', \
      WINDOW_TYPE='Tumbling', WINDOW_SIZE='30 seconds');\
    CREATE STREAM H (K STRING KEY, A BYTES HEADER('a'), V INT, B BYTES HEADER('b')) \
      WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');";

fn base() -> Session {
    let mut session = Session::new();
    session.run(BASE).unwrap();
    session
}
