//! Definitions against a catalog in memory: what they make, and with which words they are refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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

#[test]
fn a_source_has_what_the_statement_says() {
    let mut session = Session::new();
    session.run("CREATE TYPE POINT AS STRUCT<X INT>;").unwrap();
    session
        .run(
            "create table a (k int primary key, p array<point>, ts varchar) with \
             (kafka_topic='new', value_format='delimited', value_delimiter='|', partitions=3, \
             replicas=2, timestamp='ts', timestamp_format='yyyy-MM-dd');",
        )
        .unwrap_err();
    session
        .run(
            "create table a (k int primary key, p point, ts varchar) with (kafka_topic='new', \
             value_format='json', partitions=3, replicas=2, timestamp='ts', \
             timestamp_format='yyyy-MM-dd');",
        )
        .unwrap();
    let source = session.source("A");
    assert_eq!(
        source.schema.to_string(),
        "`K` INTEGER KEY, `P` STRUCT<`X` INTEGER>, `TS` STRING"
    );
    assert_eq!(
        (source.kind, source.topic.as_str()),
        (SourceKind::Table, "new")
    );
    assert_eq!(source.key_format.format.kind, FormatKind::Kafka);
    assert_eq!(source.value_format.format.kind, FormatKind::Json);
    assert_eq!(source.timestamp.as_ref().unwrap().column, "TS");
    assert!(!source.materialized && !source.read_only && !source.created_as);
    assert_eq!(
        source.sql,
        "CREATE TABLE A (K INTEGER PRIMARY KEY, P STRUCT<X INTEGER>, TS STRING) WITH \
         (CLEANUP_POLICY='compact', KAFKA_TOPIC='new', KEY_FORMAT='KAFKA', PARTITIONS=3, \
         REPLICAS=2, TIMESTAMP='ts', TIMESTAMP_FORMAT='yyyy-MM-dd', VALUE_FORMAT='json');"
    );
    let made = session.catalog.topic("new").unwrap();
    assert_eq!(
        (made.partitions, made.replicas, made.retention_ms),
        (3, 2, None)
    );
}

#[test]
fn formats_keep_their_properties() {
    let mut session = Session::new();
    let cases: &[(&str, FormatKind, &str, FormatKind, &str)] = &[
        (
            "FORMAT='DELIMITED', VALUE_DELIMITER='TAB'",
            FormatKind::Delimited,
            "{}",
            FormatKind::Delimited,
            "{\"delimiter\": \"TAB\"}",
        ),
        (
            "FORMAT='AVRO'",
            FormatKind::Avro,
            "{\"fullSchemaName\": \"io.confluent.ksql.avro_schemas.MyStreamKey\"}",
            FormatKind::Avro,
            "{}",
        ),
        (
            "KEY_FORMAT='JSON', VALUE_FORMAT='PROTOBUF'",
            FormatKind::Json,
            "{}",
            FormatKind::Protobuf,
            "{\"unwrapPrimitives\": \"true\"}",
        ),
        (
            "VALUE_FORMAT='PROTOBUF_NOSR', VALUE_PROTOBUF_NULLABLE_REPRESENTATION='wrapper'",
            FormatKind::Kafka,
            "{}",
            FormatKind::ProtobufNoSr,
            "{\"nullableRepresentation\": \"wrapper\"}",
        ),
        (
            "VALUE_FORMAT='AVRO', VALUE_AVRO_SCHEMA_FULL_NAME=' a.B '",
            FormatKind::Kafka,
            "{}",
            FormatKind::Avro,
            "{\"fullSchemaName\": \"a.B\"}",
        ),
    ];
    for (with, key, key_properties, value, value_properties) in cases {
        session
            .run(&format!(
                "CREATE OR REPLACE STREAM MY_STREAM (K STRING KEY, A INT, B INT) WITH (KAFKA_TOPIC='t', {with});"
            ))
            .unwrap();
        let source = session.source("MY_STREAM");
        let of =
            |f: &weir_types::ValueFormat| (f.format.kind, format!("{:?}", f.format.properties));
        assert_eq!(
            of(&source.key_format),
            (*key, (*key_properties).to_owned()),
            "{with}"
        );
        assert_eq!(
            of(&source.value_format),
            (*value, (*value_properties).to_owned()),
            "{with}"
        );
        session.catalog.remove_source("MY_STREAM");
    }
}

#[test]
fn single_values_are_wrapped_as_asked_or_by_default() {
    let mut session = Session::new();
    let cases = [
        ("VALUE_FORMAT='JSON'", None, Ok(None)),
        (
            "VALUE_FORMAT='JSON', WRAP_SINGLE_VALUE=false",
            None,
            Ok(Some(false)),
        ),
        ("VALUE_FORMAT='JSON'", Some("false"), Ok(Some(false))),
        (
            "VALUE_FORMAT='JSON', WRAP_SINGLE_VALUE=true",
            Some("false"),
            Ok(Some(true)),
        ),
        ("VALUE_FORMAT='PROTOBUF'", Some("false"), Ok(None)),
        ("VALUE_FORMAT='KAFKA'", Some("true"), Ok(None)),
        (
            "VALUE_FORMAT='KAFKA', WRAP_SINGLE_VALUE=true",
            None,
            Err("Format 'KAFKA' does not support 'WRAP_SINGLE_VALUE' set to 'true'"),
        ),
        (
            "VALUE_FORMAT='PROTOBUF', WRAP_SINGLE_VALUE=false",
            None,
            Err("Format 'PROTOBUF'"),
        ),
    ];
    for (with, default, expected) in cases {
        session
            .catalog
            .unset_config("ksql.persistence.wrap.single.values");
        if let Some(default) = default {
            session
                .catalog
                .set_config("ksql.persistence.wrap.single.values", default);
        }
        let text = format!("CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', {with});");
        match (session.run(&text), expected) {
            (Ok(_), Ok(expected)) => {
                assert_eq!(
                    session.source("X").value_format.wrap_single,
                    expected,
                    "{with}"
                );
                session.catalog.remove_source("X");
            }
            (Err(e), Err(part)) => assert!(e.message.contains(part), "{with}\n{}", e.message),
            (result, _) => panic!("{with} {result:?}"),
        }
    }
}

/// A statement, the code of its refusal, what the message says, what the shown statement says.
type Refused = (
    &'static str,
    ErrorCode,
    &'static [&'static str],
    Option<&'static str>,
);

#[test]
fn create_is_refused_with_the_reason() {
    use ErrorCode::{BadRequest, BadStatement, SchemaRegistryNotConfigured, ServerError};
    let cases: &[Refused] = &[
        (
            "CREATE STREAM X (V INT);",
            BadStatement,
            &["Failed to prepare", "\"KAFKA_TOPIC\""],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', FOO='x', VALUE_FORMAT='JSON');",
            BadStatement,
            &[
                "Failed to prepare",
                "Invalid config variable(s) in the WITH clause: FOO",
            ],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', PARTITIONS='x', VALUE_FORMAT='JSON');",
            BadStatement,
            &["Invalid value x for property PARTITIONS: Not a number of type INT"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC=1, VALUE_FORMAT='JSON');",
            BadStatement,
            &["KAFKA_TOPIC", "a string"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='', VALUE_FORMAT='JSON');",
            BadStatement,
            &["KAFKA_TOPIC: String must be non-empty"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["KAFKA_TOPIC more than once"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', CLEANUP_POLICY='delete');",
            BadStatement,
            &["CLEANUP_POLICY"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', FORMAT='JSON', KEY_FORMAT='JSON');",
            BadStatement,
            &["Cannot supply both 'KEY_FORMAT' and 'FORMAT'"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='DELIMITED', VALUE_DELIMITER='');",
            BadStatement,
            &["VALUE_DELIMITER is invalid: Delimiter cannot be empty"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='DELIMITED', VALUE_DELIMITER='ab');",
            BadStatement,
            &["'ab'", "single character"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', VALUE_DELIMITER='|');",
            BadStatement,
            &["JSON does not support the following configs: [delimiter]"],
            Some("CLEANUP_POLICY='delete'"),
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='AVRO', VALUE_SCHEMA_FULL_NAME=' ');",
            BadStatement,
            &["fullSchemaName cannot be empty"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t');",
            BadStatement,
            &[
                "missing the 'VALUE_FORMAT' property",
                "ksql.persistence.default.format.value",
            ],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='FOO');",
            BadStatement,
            &["Unknown format: FOO"],
            Some(
                "CREATE STREAM X (V INTEGER) WITH (KAFKA_TOPIC='t', KEY_FORMAT='KAFKA', VALUE_FORMAT='FOO');",
            ),
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='none', VALUE_FORMAT='JSON');",
            BadRequest,
            &[
                "Topic 'none' does not exist",
                "'PARTITIONS'",
                "CREATE STREAM X (V INTEGER) WITH (KAFKA_TOPIC='none', KEY_FORMAT='KAFKA', PARTITIONS=2, VALUE_FORMAT='JSON');",
            ],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=5);",
            ServerError,
            &[
                "'t' already exists",
                "5 partitions (topic has 1)",
                "1 replication factor (topic has 1)",
                "604800000 retention",
            ],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='bad topic!', VALUE_FORMAT='JSON');",
            ServerError,
            &["bad topic!", "invalid topic"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='n', VALUE_FORMAT='JSON', PARTITIONS=0);",
            ServerError,
            &["topic n", "non-positive"],
            None,
        ),
        (
            "CREATE STREAM X WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["No columns supplied."],
            Some(
                "CREATE STREAM X WITH (CLEANUP_POLICY='delete', KAFKA_TOPIC='t', KEY_FORMAT='KAFKA', VALUE_FORMAT='JSON');",
            ),
        ),
        (
            "CREATE TABLE X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["Tables require a PRIMARY KEY"],
            Some("CLEANUP_POLICY='compact'"),
        ),
        (
            "CREATE STREAM S (V MAP<INT, INT>) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["Cannot add stream 'S': A stream with the same name already exists"],
            Some("CLEANUP_POLICY"),
        ),
        (
            "CREATE TABLE S (K INT PRIMARY KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["Cannot add table 'S': A stream"],
            None,
        ),
        (
            "CREATE STREAM X (V INT, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["Duplicate", "`V`"],
            None,
        ),
        (
            "CREATE STREAM X (ROWTIME INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["'ROWTIME' is a reserved column name"],
            None,
        ),
        (
            "CREATE STREAM X (V NOPE) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["Cannot resolve unknown type: NOPE"],
            None,
        ),
        (
            "CREATE STREAM X (K BOOLEAN KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &[
                "Key format does not support schema",
                "format: KAFKA",
                "`K` BOOLEAN KEY",
                "'BOOLEAN'",
            ],
            None,
        ),
        (
            "CREATE STREAM X (K MAP<STRING, INT> KEY) WITH (KAFKA_TOPIC='t', FORMAT='JSON');",
            BadStatement,
            &["`K`", "MAP<STRING, INTEGER>"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='NONE');",
            BadStatement,
            &["'NONE' format", "`V` INTEGER"],
            None,
        ),
        (
            "CREATE STREAM X (A INT, B INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', WRAP_SINGLE_VALUE=true);",
            BadStatement,
            &["'WRAP_SINGLE_VALUE' is only valid for single-field"],
            None,
        ),
        (
            "CREATE STREAM X (H BYTES HEADERS) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &[
                "HEADERS",
                "expected ARRAY<STRUCT<`KEY` STRING, `VALUE` BYTES>>, got BYTES",
            ],
            None,
        ),
        (
            "CREATE STREAM X (H INT HEADER('x')) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["HEADER('x')", "expected BYTES, got INTEGER"],
            None,
        ),
        (
            "CREATE STREAM X (A BYTES HEADER('x'), B BYTES HEADER('x')) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');",
            BadStatement,
            &["HEADER('x')", "`B`"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', WINDOW_TYPE='SESSION');",
            BadStatement,
            &["Windowed sources require a key column"],
            None,
        ),
        (
            "CREATE STREAM X (K INT KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', WINDOW_TYPE='SESSION', WINDOW_SIZE='1 DAY');",
            BadStatement,
            &["'WINDOW_SIZE' should not be set for SESSION"],
            None,
        ),
        (
            "CREATE STREAM X (K INT KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', WINDOW_TYPE='HOPPING');",
            BadStatement,
            &["HOPPING", "'WINDOW_SIZE'"],
            None,
        ),
        (
            "CREATE STREAM X (K INT KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', WINDOW_TYPE='HOPPING', WINDOW_SIZE='30 bobs');",
            BadStatement,
            &["'30 bobs'", "Unknown time unit: 'BOBS'"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', TIMESTAMP='no');",
            BadStatement,
            &["TIMESTAMP", "'NO'"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', TIMESTAMP='v');",
            BadStatement,
            &["`V`", "INTEGER"],
            None,
        ),
        (
            "CREATE STREAM X (V STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', TIMESTAMP='v');",
            BadStatement,
            &["`V`", "timestamp_format"],
            None,
        ),
        (
            "CREATE STREAM X (V BIGINT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', TIMESTAMP='v', TIMESTAMP_FORMAT='yyyy');",
            BadStatement,
            &["TIMESTAMP_FORMAT", "`V`"],
            None,
        ),
        (
            "CREATE STREAM X (V STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', TIMESTAMP='v', TIMESTAMP_FORMAT='yyyyb');",
            BadStatement,
            &["TIMESTAMP_FORMAT", "Unknown pattern letter: b"],
            None,
        ),
        (
            "CREATE TABLE X (K INT PRIMARY KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', RETENTION_MS=1);",
            BadStatement,
            &["RETENTION_MS"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', VALUE_SCHEMA_ID=1);",
            BadStatement,
            &["VALUE_FORMAT should support schema inference", "JSON"],
            None,
        ),
        (
            "CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=1);",
            BadStatement,
            &["Table elements and VALUE_SCHEMA_ID"],
            None,
        ),
        (
            "CREATE STREAM X (K INT KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='AVRO');",
            SchemaRegistryNotConfigured,
            &["'t-value'", "ksql.schema.registry.url"],
            None,
        ),
    ];
    for (text, code, parts, shown) in cases {
        let mut session = base();
        let error = session.run(text).expect_err(text);
        assert_eq!(error.code, *code, "{text}\n{}", error.message);
        for part in *parts {
            assert!(
                error.message.contains(part),
                "{text}\n{}\nlacks {part}",
                error.message
            );
        }
        if let Some(shown) = shown {
            let statement = error.statement.unwrap_or_default();
            assert!(statement.contains(shown), "{text}\n{statement}");
        }
    }
}

#[test]
fn an_existing_source_is_kept_replaced_or_in_the_way() {
    let mut session = base();
    let warning = session
        .run("CREATE STREAM IF NOT EXISTS S (A INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');")
        .unwrap();
    assert_eq!(
        warning.as_deref(),
        Some("Cannot add stream `S`: A stream with the same name already exists.")
    );
    let replace = |columns: &str, with: &str| {
        format!("CREATE OR REPLACE STREAM S ({columns}) WITH (KAFKA_TOPIC='t', {with});")
    };
    let json = "VALUE_FORMAT='JSON'";
    session
        .run(&replace("ID INT KEY, V STRING, W INT", json))
        .unwrap();
    assert!(session.source("S").schema.find("W").is_some());
    for (columns, with, part) in [
        ("ID INT KEY, V STRING", json, "[`W` INTEGER]"),
        ("ID INT KEY, V INT, W INT", json, "[`V` STRING]"),
        (
            "ID BIGINT KEY, V STRING, W INT",
            json,
            "Key columns must be identical",
        ),
        (
            "ID INT KEY, V STRING, W INT",
            "VALUE_FORMAT='AVRO'",
            "value format",
        ),
    ] {
        let error = session.run(&replace(columns, with)).expect_err(columns);
        assert!(error.message.contains(part), "{}", error.message);
    }
    session
        .catalog
        .set_config("ksql.create.or.replace.enabled", "false");
    let error = session
        .run(&replace("ID INT KEY, V STRING, W INT", json))
        .unwrap_err();
    assert!(error.message.contains("not enabled"));
}

#[test]
fn inference_asks_for_the_sides_without_columns() {
    let mut session = Session::new();
    session
        .catalog
        .set_config("ksql.schema.registry.url", "http://localhost:8081");
    let text = "CREATE STREAM X WITH (KAFKA_TOPIC='t', KEY_FORMAT='AVRO', VALUE_FORMAT='PROTOBUF', \
                VALUE_SCHEMA_ID=7, VALUE_SCHEMA_FULL_NAME='M');";
    let Statement::CreateSource(create) = parse_all(text, &Variables::new())
        .unwrap()
        .remove(0)
        .statement
    else {
        panic!()
    };
    let needs = inference(&create, &session.catalog).unwrap();
    let key = needs.key.unwrap();
    assert_eq!(
        (key.format, key.subject.as_str(), key.id),
        (FormatKind::Avro, "t-key", None)
    );
    let value = needs.value.unwrap();
    assert_eq!((value.subject.as_str(), value.id), ("t-value", Some(7)));
    assert_eq!(value.full_name.as_deref(), Some("M"));
}

#[test]
fn source_tables_are_materialized() {
    let mut session = Session::new();
    let error = session
        .run("CREATE OR REPLACE SOURCE STREAM X (V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');")
        .unwrap_err();
    assert!(error.message.contains("not supported on source streams"));
    let text = "CREATE SOURCE TABLE X (K INT PRIMARY KEY, V INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');";
    session.run(text).unwrap();
    let source = session.source("X");
    assert!(source.materialized && source.read_only);
    session.catalog.remove_source("X");
    session
        .catalog
        .set_config("ksql.source.table.materialization.enabled", "false");
    assert!(session.run(text).is_err());
}

fn result(schema: &Schema, kind: SourceKind) -> QueryResult<'_> {
    QueryResult {
        schema,
        kind,
        window: None,
    }
}

fn keyed() -> Schema {
    Schema::new(vec![
        Column::key("ID", SqlType::Integer),
        Column::value("V", SqlType::String),
    ])
}

#[test]
fn a_sink_takes_from_its_left_most_source_what_is_not_said() {
    let mut session = base();
    session.topic("src", 6, 1_000);
    session
        .run("CREATE STREAM D (ID STRING KEY, V STRING) WITH (KAFKA_TOPIC='src', FORMAT='DELIMITED', KEY_DELIMITER='|', VALUE_DELIMITER=';');")
        .unwrap();
    let schema = keyed();
    let sink = session
        .sink(
            "CREATE STREAM O AS SELECT * FROM D JOIN T ON a = b;",
            result(&schema, SourceKind::Stream),
        )
        .unwrap();
    assert_eq!(sink.key_format.format.kind, FormatKind::Delimited);
    assert_eq!(sink.value_format.format.properties["delimiter"], ";");
    assert!(sink.created_as && !sink.materialized);
    assert!(sink.sql.starts_with(
        "CREATE STREAM O WITH (CLEANUP_POLICY='delete', KAFKA_TOPIC='O', PARTITIONS=6, REPLICAS=1, \
         RETENTION_MS=1000) AS SELECT *\nFROM D D\n"
    ));

    let sink = session
        .sink("CREATE STREAM O WITH (VALUE_FORMAT='JSON', KAFKA_TOPIC='o', PARTITIONS=2, RETENTION_MS=5) AS SELECT * FROM D;", result(&schema, SourceKind::Stream))
        .unwrap();
    assert_eq!(sink.value_format.format.kind, FormatKind::Json);
    assert!(sink.value_format.format.properties.is_empty());
    assert_eq!((sink.topic.as_str(), sink.timestamp), ("o", None));

    session
        .catalog
        .set_config("ksql.output.topic.name.prefix", "pre_");
    let topic = sink_topic(
        &create_as("CREATE TABLE O AS SELECT * FROM T;"),
        &session.catalog,
    )
    .unwrap();
    assert_eq!(topic.name, "pre_O");
    let spec = topic.create.unwrap();
    assert_eq!((spec.partitions, spec.replicas), (4, Some(1)));
    assert_eq!(
        spec.configs,
        [("cleanup.policy".to_owned(), "compact".to_owned())]
    );
}

#[test]
fn windowed_sinks_keep_records_as_long_as_their_windows() {
    let session = base();
    let query = |retention: &str| {
        format!(
            "CREATE TABLE O AS SELECT ID, COUNT(*) C FROM S WINDOW TUMBLING (SIZE 1 HOUR{retention}) GROUP BY ID;"
        )
    };
    for (retention, kept) in [("", "604800000"), (", RETENTION 30 DAYS", "2592000000")] {
        let topic = sink_topic(&create_as(&query(retention)), &session.catalog).unwrap();
        let configs = topic.create.unwrap().configs;
        assert_eq!(configs[0].1, "compact,delete");
        assert_eq!(configs[1], ("retention.ms".to_owned(), kept.to_owned()));
    }
    let schema = keyed();
    let window = Some(WindowInfo {
        kind: WindowKind::Tumbling,
        size_ms: Some(3_600_000),
    });
    let sink = session
        .sink(
            &query(""),
            QueryResult {
                schema: &schema,
                kind: SourceKind::Table,
                window,
            },
        )
        .unwrap();
    assert!(sink.materialized && sink.window == window);
}

#[test]
fn key_formats_of_sinks_follow_the_key() {
    let mut session = base();
    session
        .run("CREATE STREAM N (V STRING) WITH (KAFKA_TOPIC='t', KEY_FORMAT='NONE', VALUE_FORMAT='JSON');")
        .unwrap();
    let keyless = Schema::new(vec![Column::value("V", SqlType::String)]);
    let stream = SourceKind::Stream;
    let kind = |text: &str, schema: &Schema| {
        session
            .sink(text, result(schema, stream))
            .map(|s| s.key_format.format.kind)
    };
    assert_eq!(
        kind("CREATE STREAM O AS SELECT * FROM N;", &keyless),
        Ok(FormatKind::None)
    );
    let by = "CREATE STREAM O AS SELECT * FROM N PARTITION BY V;";
    assert_eq!(kind(by, &keyed()), Ok(FormatKind::Kafka));
    let null = "CREATE STREAM O AS SELECT * FROM S PARTITION BY NULL;";
    assert_eq!(kind(null, &keyless), Ok(FormatKind::None));
    let json = "CREATE STREAM O WITH (KEY_FORMAT='JSON') AS SELECT * FROM S PARTITION BY NULL;";
    assert!(kind(json, &keyless).unwrap_err().message.contains("NONE"));
    let two = Schema::new(vec![
        Column::key("A", SqlType::Integer),
        Column::key("B", SqlType::Integer),
        Column::value("V", SqlType::String),
    ]);
    let error = kind(
        "CREATE STREAM O AS SELECT * FROM S PARTITION BY A, B;",
        &two,
    )
    .unwrap_err();
    assert!(
        error.message.contains("only supports a single field"),
        "{}",
        error.message
    );
    assert!(
        error
            .statement
            .unwrap()
            .contains("RETENTION_MS=604800000) AS SELECT *\nFROM S S\n")
    );
}

#[test]
fn sinks_are_refused_with_the_reason() {
    let session = base();
    let schema = keyed();
    let stream = result(&schema, SourceKind::Stream);
    let cases: &[(&str, ErrorCode, &str)] = &[
        (
            "CREATE STREAM O AS SELECT * FROM NOPE;",
            ErrorCode::BadStatement,
            "NOPE does not exist",
        ),
        (
            "CREATE STREAM O WITH (QUERY_ID='x') AS SELECT * FROM S;",
            ErrorCode::BadStatement,
            "Invalid config variable(s) in the WITH clause: QUERY_ID",
        ),
        (
            "CREATE STREAM O WITH (WINDOW_TYPE='SESSION') AS SELECT * FROM S;",
            ErrorCode::BadStatement,
            "WINDOW_TYPE",
        ),
        (
            "CREATE STREAM O WITH (VALUE_FORMAT='FOO') AS SELECT * FROM S;",
            ErrorCode::BadStatement,
            "Unknown format: FOO",
        ),
        (
            "CREATE TABLE O AS SELECT * FROM S;",
            ErrorCode::BadStatement,
            "produces a STREAM. Please use CREATE STREAM AS SELECT",
        ),
        (
            "CREATE STREAM S AS SELECT * FROM S;",
            ErrorCode::BadStatement,
            "Cannot add stream 'S'",
        ),
        (
            "CREATE STREAM O WITH (KAFKA_TOPIC='t2') AS SELECT * FROM S;",
            ErrorCode::ServerError,
            "1 partitions (topic has 4)",
        ),
        (
            "CREATE TABLE O WITH (RETENTION_MS=5) AS SELECT * FROM T;",
            ErrorCode::BadStatement,
            "RETENTION_MS",
        ),
        (
            "CREATE STREAM O WITH (TIMESTAMP='X') AS SELECT * FROM S;",
            ErrorCode::BadStatement,
            "'X'",
        ),
        (
            "CREATE STREAM O WITH (VALUE_FORMAT='KAFKA', WRAP_SINGLE_VALUE=true) AS SELECT * FROM S;",
            ErrorCode::BadStatement,
            "'KAFKA'",
        ),
    ];
    for (text, code, part) in cases {
        let error = session.sink(text, stream).expect_err(text);
        assert_eq!(error.code, *code, "{text}");
        assert!(error.message.contains(part), "{text}\n{}", error.message);
    }
}

#[test]
fn inserted_values_find_their_columns() {
    let session = base();
    let plan = |text: &str| {
        let Statement::InsertValues {
            target,
            columns,
            values,
        } = parse_all(text, &Variables::new())
            .unwrap()
            .remove(0)
            .statement
        else {
            panic!()
        };
        insert_values(&target, &columns, values.len(), &session.catalog)
    };
    use InsertTarget::{Column, RowTime};
    let targets = |text: &str| plan(text).unwrap().targets;
    assert_eq!(
        targets("INSERT INTO S VALUES (1, 'a');"),
        [Column(0), Column(1)]
    );
    assert_eq!(
        targets("INSERT INTO S (v, ROWTIME) VALUES ('a', 3);"),
        [Column(1), RowTime]
    );
    assert_eq!(targets("INSERT INTO T (ID) VALUES (1);"), [Column(0)]);
    assert_eq!(
        targets("INSERT INTO H (K, V) VALUES ('a', 1);"),
        [Column(0), Column(2)]
    );

    use ErrorCode::{BadRequest, BadStatement};
    let cases: &[(&str, ErrorCode, &str)] = &[
        (
            "INSERT INTO NOPE VALUES (1);",
            BadRequest,
            "unknown stream/table: `NOPE`",
        ),
        (
            "INSERT INTO S (ID, V) VALUES (1);",
            BadStatement,
            "to match: 2, 1",
        ),
        ("INSERT INTO S VALUES (1);", BadStatement, "[`ID`, `V`]"),
        (
            "INSERT INTO S (ID, NOPE) VALUES (1, 2);",
            BadStatement,
            "Failed to insert values into 'S'. Column name `NOPE` does not exist.",
        ),
        (
            "INSERT INTO S (ID, ROWOFFSET) VALUES (1, 2);",
            BadStatement,
            "`ROWOFFSET` is not allowed",
        ),
        (
            "INSERT INTO S (V, V) VALUES (1, 2);",
            BadStatement,
            "`V` is named more than once",
        ),
        (
            "INSERT INTO T (V) VALUES ('x');",
            BadStatement,
            "primary key column(s) `ID`",
        ),
        ("INSERT INTO W VALUES (1, 2);", BadRequest, "windowed"),
        (
            "INSERT INTO RO VALUES (1, 2);",
            BadRequest,
            "read-only stream: RO",
        ),
        (
            "INSERT INTO H VALUES ('a', 'b', 1, 'c');",
            BadRequest,
            "HEADER columns: A, B",
        ),
        (
            "INSERT INTO H (K, B) VALUES ('a', 'b');",
            BadRequest,
            "HEADER columns: B",
        ),
    ];
    for (text, code, part) in cases {
        let error = plan(text).expect_err(text);
        assert_eq!(error.code, *code, "{text}");
        assert!(error.message.contains(part), "{text}\n{}", error.message);
    }
    let shown = plan("INSERT INTO S (ID, NOPE) VALUES (1, 2);")
        .unwrap_err()
        .statement;
    assert_eq!(
        shown.as_deref(),
        Some("INSERT INTO `S` (`ID`, `NOPE`) VALUES ('[value]', '[value]');")
    );
}

#[test]
fn topics_of_the_cluster_are_not_written_to() {
    let mut session = base();
    session.topic("_schemas", 1, 1);
    session
        .run("CREATE STREAM X (V INT) WITH (KAFKA_TOPIC='_schemas', VALUE_FORMAT='JSON');")
        .unwrap();
    let error = session.run("INSERT INTO X VALUES (1);").unwrap_err();
    assert!(error.message.contains("read-only topic: _schemas"));
    session
        .catalog
        .set_config("ksql.readonly.topics", "other.*, t");
    assert!(session.run("INSERT INTO X VALUES (1);").is_ok());
    assert!(session.run("INSERT INTO S VALUES (1, 'a');").is_err());
}

#[test]
fn alter_adds_value_columns() {
    let mut session = base();
    session
        .run("CREATE TYPE P AS STRUCT<X INT>; ALTER STREAM S ADD COLUMN A P, ADD B INT;")
        .unwrap();
    let source = session.source("S");
    assert_eq!(
        source.schema.to_string(),
        "`ID` INTEGER KEY, `V` STRING, `A` STRUCT<`X` INTEGER>, `B` INTEGER"
    );
    assert!(
        source
            .sql
            .ends_with(";\nALTER STREAM S ADD COLUMN A STRUCT<X INTEGER>, ADD COLUMN B INTEGER;")
    );
    let made = SourceInfo {
        name: "C".to_owned(),
        created_as: true,
        ..source
    };
    session.catalog.put_source(made);
    for (text, part) in [
        (
            "ALTER STREAM NOPE ADD A INT;",
            "Stream NOPE does not exist.",
        ),
        (
            "ALTER TABLE S ADD C INT;",
            "Incompatible data source type is stream, but statement was ALTER table",
        ),
        (
            "ALTER STREAM RO ADD C INT;",
            "not supported on source streams",
        ),
        ("ALTER STREAM C ADD C INT;", "CREATE ... AS"),
        ("ALTER STREAM S ADD V INT;", "`V`"),
        ("ALTER STREAM S ADD C INT, ADD C INT;", "`C`"),
        ("ALTER STREAM S ADD C NOPE;", "unknown type: NOPE"),
        ("ALTER STREAM S ADD C MAP<INT, INT>;", "MAP"),
        ("ALTER STREAM S ADD ROWTIME INT;", "'ROWTIME' is a reserved"),
    ] {
        let error = session.run(text).expect_err(text);
        assert!(error.message.contains(part), "{text}\n{}", error.message);
    }
}

#[test]
fn drops_name_what_is_in_the_way() {
    let mut session = base();
    assert_eq!(
        session
            .run("DROP STREAM IF EXISTS NOPE;")
            .unwrap()
            .as_deref(),
        Some("Source `NOPE` does not exist.")
    );
    for (text, part) in [
        ("DROP STREAM NOPE;", "Stream NOPE does not exist."),
        ("DROP STREAM `s`;", "Did you mean `S`?"),
        (
            "DROP TABLE S;",
            "Incompatible data source type is stream, but statement was DROP table",
        ),
        (
            "DROP STREAM IF EXISTS T;",
            "Incompatible data source type is table",
        ),
        ("DROP STREAM RO DELETE TOPIC;", "read-only source: RO"),
        ("DROP STREAM S DELETE TOPIC;", "(RO, W, H) using topic t"),
    ] {
        let error = session.run(text).expect_err(text);
        assert!(error.message.contains(part), "{text}\n{}", error.message);
    }
    session
        .run("DROP TABLE T DELETE TOPIC; DROP STREAM S;")
        .unwrap();
    assert!(session.catalog.source("S").is_none());
}

#[test]
fn types_are_registered_once() {
    let mut session = Session::new();
    session
        .run("CREATE TYPE A AS INT; CREATE TYPE B AS MAP<STRING, A>;")
        .unwrap();
    assert_eq!(
        session.catalog.custom_type("B"),
        Some(SqlType::map(SqlType::String, SqlType::Integer))
    );
    assert_eq!(
        session
            .run("CREATE TYPE IF NOT EXISTS A AS STRING;")
            .unwrap()
            .as_deref(),
        Some("A is already registered with type INTEGER")
    );
    assert_eq!(
        session.run("DROP TYPE IF EXISTS C;").unwrap().as_deref(),
        Some("Type 'C' does not exist")
    );
    for (text, part) in [
        ("CREATE TYPE A AS STRING;", "'A'"),
        ("CREATE TYPE C AS NOPE;", "NOPE"),
        ("DROP TYPE C;", "Type C does not exist."),
    ] {
        let error = session.run(text).expect_err(text);
        assert!(error.message.contains(part), "{text}\n{}", error.message);
    }
}

#[test]
fn query_ids_are_upper_cased_and_not_the_servers_own() {
    let id = |with: &str| {
        let text = format!("INSERT INTO S WITH ({with}) SELECT * FROM S;");
        match parse_all(&text, &Variables::new())
            .unwrap()
            .remove(0)
            .statement
        {
            Statement::InsertSelect { with, .. } => query_id(&with),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(id("QUERY_ID='my_1'"), Ok(Some("MY_1".to_owned())));
    for with in [
        "QUERY_ID='a-b'",
        "QUERY_ID=''",
        "QUERY_ID='ctas_x'",
        "QUERY_ID=1",
    ] {
        assert!(id(with).is_err(), "{with}");
    }
}
