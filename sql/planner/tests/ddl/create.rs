//! CREATE STREAM / TABLE.

use super::*;

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
