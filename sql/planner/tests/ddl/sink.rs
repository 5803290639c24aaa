//! The sinks of CREATE … AS.

use super::*;

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
            "CREATE STREAM O WITH (KAFKA_TOPIC='_schemas') AS SELECT * FROM S;",
            ErrorCode::BadStatement,
            "read-only topic _schemas",
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
