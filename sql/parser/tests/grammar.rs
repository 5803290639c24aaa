//! What is accepted and how it is printed, what is refused and with which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use weir_parser::ast::{Emit, ExprKind, Literal, Statement, TypeName};
use weir_parser::printer::{
    mask_connector, mask_insert_values, print_expr, print_statement, print_type,
};
use weir_parser::{MAX_DEPTH, Parsed, Variables, parse_all, parse_expression, parse_type};
use weir_types::{ErrorCode, SqlType};

fn parse(text: &str) -> Result<Vec<Parsed>, weir_types::SqlError> {
    parse_all(text, &Variables::new())
}

fn one(text: &str) -> Statement {
    let mut all = parse(text).unwrap_or_else(|e| panic!("{text}\n{e}"));
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0).statement
}

/// Statements of every kind, and how they are printed.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "create stream s (id int key, `v` varchar(10), a array<array<int>>, b int array, \
         st struct<x int, `y` map<string, decimal(4,2)>>, e struct< >) \
         with (value_format='JSON', 'kafka_topic'='t''x', partitions=1, x=true, y=-1.50, z=1E3);",
        "CREATE STREAM S (ID INTEGER KEY, `v` STRING, A ARRAY<ARRAY<INTEGER>>, B ARRAY<INTEGER>, \
         ST STRUCT<X INTEGER, `y` MAP<STRING, DECIMAL(4, 2)>>, E STRUCT< >) WITH \
         (KAFKA_TOPIC='t''x', PARTITIONS=1, VALUE_FORMAT='JSON', X=true, Y=-1.50, Z=1E3);",
    ),
    (
        "CREATE OR REPLACE SOURCE TABLE IF NOT EXISTS t (k my_type PRIMARY KEY, h BYTES HEADER('a'), \
         g ARRAY<STRUCT<key STRING, value BYTES>> HEADERS, m MAP<STRING, my_type>);",
        "CREATE OR REPLACE SOURCE TABLE IF NOT EXISTS T (K MY_TYPE PRIMARY KEY, H BYTES HEADER('a'), \
         G ARRAY<STRUCT<KEY STRING, VALUE BYTES>> HEADERS, M MAP<STRING, MY_TYPE>);",
    ),
    ("CREATE STREAM 1x;", "CREATE STREAM 1X;"),
    (
        "CREATE TABLE IF (if INT PRIMARY KEY);",
        "CREATE TABLE IF (IF INTEGER PRIMARY KEY);",
    ),
    (
        "CREATE STREAM x AS SELECT *, a.*, s->f->*, a.b AS c, 1 d FROM s a;",
        "CREATE STREAM X AS SELECT\n  *,\n  A.*,\n  S->F->*,\n  A.B C,\n  1 D\nFROM S A;",
    ),
    (
        "CREATE OR REPLACE TABLE IF NOT EXISTS x WITH (partitions=2) AS SELECT id, count(*) AS c \
         FROM s WINDOW w HOPPING (SIZE 1 MINUTE, ADVANCE BY 10 SECONDS, RETENTION 1 HOUR, \
         GRACE PERIOD 1 DAY) WHERE v > 1 GROUP BY (id, v) HAVING count(*) > 1 EMIT FINAL;",
        "CREATE OR REPLACE TABLE IF NOT EXISTS X WITH (PARTITIONS=2) AS SELECT\n  ID,\n  \
         COUNT(*) C\nFROM S S\nWINDOW HOPPING ( SIZE 1 MINUTES , ADVANCE BY 10 SECONDS , \
         RETENTION 1 HOURS , GRACE PERIOD 1 DAYS ) \nWHERE (V > 1)\nGROUP BY ID, V\n\
         HAVING (COUNT(*) > 1)\nEMIT FINAL;",
    ),
    (
        "SELECT a FROM s EMIT CHANGES LIMIT 5;",
        "SELECT A\nFROM S S\nEMIT CHANGES\nLIMIT 5;",
    ),
    (
        "SELECT a FROM s emit LIMIT -1;",
        "SELECT A\nFROM S EMIT\nLIMIT -1;",
    ),
    (
        "SELECT a FROM s WINDOW SESSION (1 DAYS);",
        "SELECT A\nFROM S S\nWINDOW SESSION ( 1 DAYS ) ;",
    ),
    (
        "SELECT a FROM s PARTITION BY a + 1, (b);",
        "SELECT A\nFROM S S\nPARTITION BY (A + 1), B;",
    ),
    (
        "SELECT * FROM a JOIN b ON a.x = b.x INNER JOIN c WITHIN 1 HOUR ON x = y \
         LEFT JOIN d WITHIN (1 HOUR, 2 HOURS) GRACE PERIOD 0 SECONDS ON x = y \
         RIGHT OUTER JOIN e WITHIN (1 DAY, 1 DAY) ON x = y FULL JOIN `f-g` AS h ON x = y;",
        "SELECT *\nFROM A A\nINNER JOIN B B ON ((A.X = B.X))\n\
         INNER JOIN C C WITHIN 1 HOURS ON ((X = Y))\n\
         LEFT OUTER JOIN D D WITHIN (1 HOURS, 2 HOURS) GRACE PERIOD 0 SECONDS ON ((X = Y))\n\
         RIGHT OUTER JOIN E E WITHIN 1 DAYS ON ((X = Y))\nFULL OUTER JOIN `f-g` H ON ((X = Y));",
    ),
    (
        "INSERT INTO t WITH (query_id='q') SELECT a FROM s;",
        "INSERT INTO T WITH (QUERY_ID='q') SELECT A\nFROM S S;",
    ),
    (
        "INSERT INTO t VALUES (1, -2, 'x');",
        "INSERT INTO T VALUES (1, -2, 'x');",
    ),
    (
        "INSERT INTO t (a, `b`) VALUES (a, NULL);",
        "INSERT INTO T (A, `b`) VALUES (A, null);",
    ),
    (
        "PRINT my_Topic FROM BEGINNING SAMPLE 2 LIMIT 3;",
        "PRINT 'my_Topic' FROM BEGINNING INTERVAL 2 LIMIT 3;",
    ),
    ("PRINT 'a-b';", "PRINT 'a-b';"),
    (
        "DROP STREAM IF EXISTS s DELETE TOPIC;",
        "DROP STREAM IF EXISTS S DELETE TOPIC;",
    ),
    ("DROP TABLE t;", "DROP TABLE T;"),
    (
        "ALTER STREAM s ADD COLUMN a INT, ADD b STRING, ADD column DOUBLE;",
        "ALTER STREAM S ADD COLUMN A INTEGER, ADD COLUMN B STRING, ADD COLUMN COLUMN DOUBLE;",
    ),
    ("ALTER SYSTEM 'a'='b';", "ALTER SYSTEM 'a'='b';"),
    (
        "CREATE TYPE IF NOT EXISTS t AS STRUCT<a INT>;",
        "CREATE TYPE IF NOT EXISTS T AS STRUCT<A INTEGER>;",
    ),
    ("DROP TYPE IF EXISTS t;", "DROP TYPE IF EXISTS T;"),
    ("TERMINATE ALL;", "TERMINATE ALL;"),
    ("PAUSE `csas_x_1`;", "PAUSE CSAS_X_1;"),
    ("RESUME q;", "RESUME Q;"),
    ("LIST STREAMS EXTENDED;", "LIST STREAMS EXTENDED;"),
    ("SHOW TABLES;", "LIST TABLES;"),
    ("SHOW ALL TOPICS EXTENDED;", "LIST ALL TOPICS EXTENDED;"),
    ("SHOW TOPICS;", "LIST TOPICS;"),
    ("SHOW QUERIES;", "LIST QUERIES;"),
    ("SHOW PROPERTIES;", "LIST PROPERTIES;"),
    ("SHOW FUNCTIONS;", "LIST FUNCTIONS;"),
    ("SHOW TYPES;", "LIST TYPES;"),
    ("SHOW VARIABLES;", "LIST VARIABLES;"),
    ("SHOW CONNECTORS;", "LIST CONNECTORS;"),
    ("SHOW SOURCE CONNECTORS;", "LIST SOURCE CONNECTORS;"),
    ("SHOW CONNECTOR PLUGINS;", "LIST CONNECTOR PLUGINS;"),
    ("DESCRIBE s EXTENDED;", "DESCRIBE S EXTENDED;"),
    ("DESCRIBE STREAMS;", "DESCRIBE STREAMS;"),
    ("DESCRIBE TABLES EXTENDED;", "DESCRIBE TABLES EXTENDED;"),
    ("DESCRIBE FUNCTION len;", "DESCRIBE FUNCTION LEN;"),
    ("DESCRIBE CONNECTOR Abc;", "DESCRIBE CONNECTOR ABC;"),
    ("EXPLAIN ctas_x_1;", "EXPLAIN CTAS_X_1;"),
    ("EXPLAIN `transient_S_1`;", "EXPLAIN `transient_S_1`;"),
    ("EXPLAIN SELECT * FROM s;", "EXPLAIN SELECT *\nFROM S S;"),
    ("SET 'a'='b''c';", "SET 'a'='b''c';"),
    ("UNSET 'a';", "UNSET 'a';"),
    ("DEFINE Ab='c';", "DEFINE Ab='c';"),
    ("UNDEFINE Ab;", "UNDEFINE Ab;"),
    (
        "ASSERT NOT EXISTS TOPIC t WITH (partitions=1) TIMEOUT 3 SECONDS;",
        "ASSERT NOT EXISTS TOPIC 't' WITH (PARTITIONS=1) TIMEOUT 3 SECONDS;",
    ),
    (
        "ASSERT SCHEMA SUBJECT s ID 3;",
        "ASSERT SCHEMA SUBJECT 's' ID 3;",
    ),
    (
        "CREATE SINK CONNECTOR IF NOT EXISTS c WITH (\"connector.class\"='x', tasks='1');",
        "CREATE SINK CONNECTOR IF NOT EXISTS C WITH ('connector.class'='x', 'tasks'='1');",
    ),
    (
        "DROP CONNECTOR IF EXISTS `c`;",
        "DROP CONNECTOR IF EXISTS `c`;",
    ),
];

#[test]
fn statements_parse_and_print() {
    for (text, printed) in STATEMENTS {
        assert_eq!(print_statement(&one(text)), *printed, "{text}");
        assert_eq!(print_statement(&one(printed)), *printed, "{text}");
    }
}

/// Expressions, and how they are printed: which operator binds what.
const EXPRESSIONS: &[(&str, &str)] = &[
    ("a + b * c - d", "((A + (B * C)) - D)"),
    ("a || b + c", "(A || (B + C))"),
    ("-a * -1", "(-A * -1)"),
    ("- -1", "- -1"),
    ("-(1)", "-(1)"),
    ("+a % 2", "(+A % 2)"),
    ("not a = b and c or d", "(((NOT (A = B)) AND C) OR D)"),
    ("not not a", "(NOT (NOT A))"),
    ("a and not b", "(A AND (NOT B))"),
    ("(a = b) = true", "((A = B) = true)"),
    ("a != 1", "(A <> 1)"),
    (
        "a is not null or b is null",
        "((A IS NOT NULL) OR (B IS NULL))",
    ),
    ("a is distinct from b + 1", "(A IS DISTINCT FROM (B + 1))"),
    ("a is not distinct from b", "(NOT (A IS DISTINCT FROM B))"),
    (
        "a not between 1 and 2 and b",
        "((NOT (A BETWEEN 1 AND 2)) AND B)",
    ),
    ("a not in (1, b or c)", "(NOT (A IN (1, (B OR C))))"),
    ("a like 'x%' escape '!'", "(A LIKE 'x%' ESCAPE '!')"),
    ("a not like b || 'x'", "(NOT (A LIKE (B || 'x')))"),
    (
        "case when a then 1 when b then 2 else 3 end",
        "(CASE WHEN A THEN 1 WHEN B THEN 2 ELSE 3 END)",
    ),
    ("case a when 1 then 2 end", "(CASE A WHEN 1 THEN 2 END)"),
    ("cast(a as decimal(3, 1))", "CAST(A AS DECIMAL(3, 1))"),
    ("array[1, 2][1]", "ARRAY[1, 2][1]"),
    ("array[]", "ARRAY[]"),
    ("map('a' := 1, b := c)", "MAP('a':=1, B:=C)"),
    ("struct(x := 1, `y` := a->b)", "STRUCT(X:=1, `y`:=A->B)"),
    ("a.b->c[1]->d", "A.B->C[1]->D"),
    ("(a + b)[1]", "(A + B)[1]"),
    ("(-a)[1]", "(-A)[1]"),
    ("-(1[a])", "-(1[A])"),
    ("count(*) + f()", "(COUNT(*) + F())"),
    ("dateadd(DAYS, 1, day)", "DATEADD(DAYS, 1, DAY)"),
    ("transform(a, x => x + 1)", "TRANSFORM(A, (X) => (X + 1))"),
    (
        "reduce(a, (b), (x, y) => x > y and z)",
        "REDUCE(A, B, (X, Y) => ((X > Y) AND Z))",
    ),
    ("a at time zone 'x'", "(A AT TIME ZONE 'x')"),
    ("array + map + struct", "((ARRAY + MAP) + STRUCT)"),
    ("`from` + \"a b\" + 1a", "((`from` + `a b`) + 1A)"),
    ("2147483647 + 2147483648", "(2147483647 + 2147483648)"),
    (".5 + 1. + 007.50", "((0.5 + 1.) + 7.50)"),
    ("1E3 + -2.5e-1 + 1e308", "((1E3 + -2.5E-1) + 1E308)"),
    ("'it''s' || ''", "('it''s' || '')"),
    ("if(show, key, emit)", "IF(SHOW, KEY, EMIT)"),
];

#[test]
fn expressions_bind_as_ksqldb_does() {
    for (text, printed) in EXPRESSIONS {
        let print = |text: &str| {
            print_expr(&parse_expression(text).unwrap_or_else(|e| panic!("{text}\n{e}")))
        };
        assert_eq!(print(text), *printed, "{text}");
        assert_eq!(print(printed), *printed, "{text}");
    }
}

/// Requests that are refused, and what the message must say.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "SELECT a FROM s GROUP BY ();",
        &[
            "Failed to prepare",
            "GROUP BY requires at least one expression",
        ],
    ),
    (
        "CREATE STREAM o AS SELECT a FROM s PARTITION BY ();",
        &[
            "Failed to prepare",
            "PARTITION BY requires at least one expression",
        ],
    ),
    (
        "FOO;",
        &[
            "line 1:1: Syntax Error",
            "Unknown statement 'FOO'",
            "Did you mean 'SHOW'",
        ],
    ),
    (
        "LIST STREAMS;\n ;",
        &["line 2:2: Syntax Error", "Unknown statement ';'"],
    ),
    (
        "LIST STREAMS",
        &["line 1:13: Syntax Error\nmissing ';' at '<EOF>'"],
    ),
    ("CREATE STREAM;", &["line 1:14: Syntax Error", "';'"]),
    (
        "CREATE STREAM X (A INT) WITH;",
        &["line 1:29", "Expecting '('"],
    ),
    ("CREATE STREAM X (A INT,) ;", &["line 1:24", "')'"]),
    (
        "CREATE STREAM SELECT (A INT);",
        &["line 1:15", "'SELECT'", "reserved keyword", "`SELECT`"],
    ),
    (
        "CREATE STREAM X-Y (A INT);",
        &["line 1:16", "';', '(', 'WITH'"],
    ),
    ("CREATE STREAM X (A STRUCT<>);", &["line 1:26", "'<>'"]),
    (
        "CREATE STREAM X (A INT (KEY));",
        &["line 1:25", "'STRING'", "INTEGER_VALUE"],
    ),
    ("CREATE STREAM X WITH (A=t);", &["line 1:25"]),
    (
        "CREATE STREAM X AS SELECT FROM S;",
        &["line 1:27", "\"FROM\" is a reserved keyword"],
    ),
    (
        "CREATE STREAM X AS SELECT * S;",
        &["line 1:29", "',', 'FROM'"],
    ),
    ("CREATE STREAM X AS SELECT 'a FROM S;", &["line 1:27"]),
    (
        "CREATE STREAM X AS SELECT * FROM S GROUP ID;",
        &["line 1:42", "'BY'", "'ID'"],
    ),
    (
        "SELECT * FROM A JOIN B WITHIN 1 FOO ON A = B;",
        &["line 1:33"],
    ),
    (
        "SELECT * FROM A JOIN B WITHIN 1 HOUR;",
        &["line 1:37", "'GRACE', 'ON'"],
    ),
    ("SELECT A = B = C FROM S;", &["line 1:14"]),
    ("SELECT * FROM A LIMIT 'x';", &["line 1:23"]),
    ("SELECT * FROM S WHER A = 1;", &["line 1:22"]),
    ("SELECT F(X => X) FROM S;", &["line 1:12"]),
    ("SET x=1;", &["line 1:5", "STRING"]),
    ("DEFINE 1x='a';", &["line 1:8", "IDENTIFIER"]),
    ("SHOW STREAM;", &["line 1:6", "Did you mean 'STREAMS'"]),
    ("LIST ALL QUERIES;", &["line 1:10", "'QUERIES'", "'TOPICS'"]),
    ("SHOW SINK FOO;", &["line 1:11", "'CONNECTORS'"]),
    ("SHOW CONNECTOR FOO;", &["line 1:16", "'PLUGINS'"]),
    ("CREATE OR FOO;", &["line 1:11", "'REPLACE'"]),
    ("CREATE SINK STREAM X;", &["line 1:13", "'CONNECTOR'"]),
    ("EXPLAIN FOO BAR;", &["line 1:13", "'BAR'"]),
    ("RUN SCRIPT 'x';", &["Unknown statement 'RUN'"]),
    ("SELECT DECIMAL '1' FROM S;", &["Syntax Error"]),
    ("SELECT DATE '1' FROM S;", &["Unknown type: DATE"]),
    (
        "SELECT 9223372036854775808 FROM S;",
        &["1:8", "Invalid numeric literal: 9223372036854775808"],
    ),
    ("SELECT 1E999 FROM S;", &["1:8", "overflows DOUBLE"]),
    ("SELECT CAST(A AS DECIMAL(2, 3)) FROM S;", &["DECIMAL(2,3)"]),
    (
        "SELECT MAP(1 := 2, 1 := 3) FROM S;",
        &["Multiple entries with same key: 1"],
    ),
    (
        "CREATE STREAM X (A STRUCT<B INT, b INT>);",
        &["Duplicate field", "`B`"],
    ),
    (
        "CREATE STREAM X (K INT PRIMARY KEY);",
        &[
            "Line: 1, Col: 18",
            "`K`",
            "'PRIMARY KEY'",
            "please use 'KEY' for streams",
        ],
    ),
    (
        "CREATE TABLE X (K INT KEY);",
        &["Line: 1, Col: 17", "please use 'PRIMARY KEY' for tables"],
    ),
    (
        "CREATE TABLE X AS SELECT A FROM S LIMIT 5;",
        &[
            "Failed to prepare statement",
            "CREATE TABLE AS SELECT",
            "LIMIT",
        ],
    ),
    (
        "DESCRIBE `a b`;",
        &["Illegal argument at Line: 1, Col: 10", "'a b'"],
    ),
    (
        "DESCRIBE ${x};",
        &["Illegal argument at Line: 1, Col: 10", "'x'", "${X}"],
    ),
    ("ASSERT FOO;", &["line 1:8", "'FOO'"]),
    ("ASSERT SCHEMA;", &["subject or an id"]),
];

#[test]
fn refusals_say_where_and_what() {
    for (text, parts) in REFUSED {
        let error = parse(text).expect_err(text);
        assert_eq!(error.code, ErrorCode::BadStatement, "{text}");
        assert!(error.position.is_some(), "{text}");
        for part in *parts {
            assert!(
                error.message.contains(part),
                "{text}\n{}\nlacks {part}",
                error.message
            );
        }
    }
}

#[test]
fn a_syntax_error_shows_the_whole_request_another_its_statement() {
    let error = parse("LIST STREAMS; FOO;").unwrap_err();
    assert_eq!(error.statement.as_deref(), Some("LIST STREAMS; FOO;"));
    let text = "CREATE STREAM X AS SELECT A FROM S LIMIT 5;";
    let error = parse(&format!("LIST STREAMS; {text}")).unwrap_err();
    assert_eq!(error.statement.as_deref(), Some(text));
    let error = parse("DESCRIBE ${missing};").unwrap_err();
    assert_eq!(error.statement.as_deref(), Some("${MISSING}"));
}

#[test]
fn variables_act_on_later_statements_and_cannot_change_their_shape() {
    let text = "DEFINE name='foo'; DEFINE n='-5'; DEFINE s='''a''';\n\
                SELECT ${Name}.${name}, ${n}, ${s}, '${name}$${name}' FROM ${name} /* ${n} */; \
                UNDEFINE name; PRINT '${name}';";
    let all = parse(text).unwrap();
    assert_eq!(
        all[3].text,
        "SELECT foo.foo, -5, 'a', 'foo$${name}' FROM foo /* ${n} */;"
    );
    assert_eq!(
        print_statement(&all[3].statement),
        "SELECT\n  FOO.FOO,\n  -5,\n  'a',\n  'foo${name}'\nFROM FOO FOO;"
    );
    assert_eq!(all[5].text, "PRINT '${name}';");

    for value in ["a b", "a;", "1x", "", "a.b", "x'"] {
        let mut variables = Variables::new();
        variables.define("v", value);
        let error = parse_all("DROP STREAM ${v};", &variables).unwrap_err();
        assert!(
            error
                .message
                .contains("Illegal argument at Line: 1, Col: 13"),
            "{value}"
        );
    }
    let mut off = Variables::new().with_substitution(false);
    off.define("v", "x");
    let all = parse_all("PRINT '${v}';", &off).unwrap();
    assert_eq!(all[0].text, "PRINT '${v}';");
    assert!(parse_all("PRINT ${v};", &off).is_err());
}

#[test]
fn nodes_keep_their_places() {
    let Statement::Query(query) = one("SELECT a,\n  bb + 1 FROM s EMIT CHANGES;") else {
        panic!()
    };
    assert_eq!(query.emit, Some(Emit::Changes));
    let weir_parser::ast::SelectItem::Expr { expr, .. } = &query.select[1] else {
        panic!()
    };
    assert_eq!(
        (
            expr.span.line,
            expr.span.column,
            expr.span.start,
            expr.span.end
        ),
        (2, 3, 12, 18)
    );
    let ExprKind::Binary { right, .. } = &expr.kind else {
        panic!()
    };
    assert_eq!(right.kind, ExprKind::Literal(Literal::Integer(1)));
    assert_eq!((right.span.line, right.span.column), (2, 8));
}

#[test]
fn types_stand_alone() {
    assert_eq!(
        parse_type("map<string, int>").unwrap(),
        TypeName::Sql(SqlType::map(SqlType::String, SqlType::Integer))
    );
    assert_eq!(
        print_type(&parse_type("struct<a my_type, b int>").unwrap()),
        "STRUCT<A MY_TYPE, B INTEGER>"
    );
    assert!(parse_type("int int").is_err() && parse_type("").is_err());
}

#[test]
fn hidden_values_keep_the_columns() {
    let columns = ["K".to_owned(), "v".to_owned()];
    assert_eq!(
        mask_insert_values("S", &columns, 2),
        "INSERT INTO `S` (`K`, `v`) VALUES ('[value]', '[value]');"
    );
}

#[test]
fn connectors_are_shown_without_their_secrets() {
    let sql = "CREATE SOURCE CONNECTOR c WITH ('connector.class'='x.Y', 'connection.password'='p', \
               'tasks.max'=2);";
    let parsed = parse_all(sql, &Variables::new()).unwrap();
    assert_eq!(
        mask_connector(&parsed[0].statement),
        "CREATE SOURCE CONNECTOR C WITH ('connector.class'='x.Y', \
         'connection.password'='[string]', 'tasks.max'='[string]');"
    );
}

#[test]
fn deep_text_is_refused_and_wide_text_is_not() {
    let deep = [
        "(".repeat(100_000),
        format!("SELECT {}a{} FROM s;", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT {}a FROM s;", "NOT ".repeat(5_000)),
        format!("SELECT {}a FROM s;", "- ".repeat(5_000)),
        format!("SELECT a{} FROM s;", " + a".repeat(5_000)),
        format!("SELECT a{} FROM s;", "[1]".repeat(5_000)),
        format!("SELECT a{} FROM s;", "->b".repeat(5_000)),
        format!("SELECT {} FROM s;", "CASE WHEN ".repeat(5_000)),
        format!("SELECT {} FROM s;", "f(a, x => ".repeat(5_000)),
        format!("SELECT CAST(a AS {}INT) FROM s;", "ARRAY<".repeat(5_000)),
        format!("SELECT CAST(a AS INT{}) FROM s;", " ARRAY".repeat(5_000)),
        format!("{} SELECT a FROM s;", "EXPLAIN ".repeat(5_000)),
    ];
    for text in &deep[1..] {
        let error = parse(text).expect_err(text);
        assert!(
            error.message.contains("too large to parse"),
            "{}",
            error.message
        );
    }
    assert!(parse(&deep[0]).is_err());
    let wide = format!("SELECT a{} FROM s;", ", a + 1".repeat(5_000));
    assert!(parse(&wide).is_ok());
    let in_list = format!("SELECT a IN (1{}) FROM s;", ", 1".repeat(50_000));
    assert!(parse(&in_list).is_ok());
    let chain = format!(
        "SELECT a{} FROM s;",
        " AND a".repeat(MAX_DEPTH as usize - 2)
    );
    assert!(parse(&chain).is_ok());
}
