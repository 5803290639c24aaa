//! INSERT VALUES, ALTER, DROP, types, query ids.

use super::*;

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

#[test]
fn connectors_need_a_class() {
    for (with, reason) in [
        ("'connector.class'='x.Y', 'tasks.max'=2", None),
        ("'tasks.max'=2", Some("contains no connector type")),
        ("'connector.class'=' '", Some("cannot be empty")),
        (
            "'connector.class'='x', 'a'='1', 'a'='2'",
            Some("a - given more than once"),
        ),
    ] {
        let sql = format!("CREATE SINK CONNECTOR c WITH ({with});");
        let parsed = parse_all(&sql, &Variables::new()).unwrap();
        let Statement::CreateConnector { name, with, .. } = &parsed[0].statement else {
            panic!("{sql}")
        };
        let result = weir_planner::ddl::check_connector(&name.name, with);
        match reason {
            None => assert!(result.is_ok(), "{sql}"),
            Some(reason) => {
                let error = result.unwrap_err();
                assert!(error.message.contains(reason), "{}", error.message);
            }
        }
    }
}
