//! What is refused, and with which words.

use super::{catalog, plan, plan_over};

/// Every query with parts of its refusal.
#[test]
fn refusals_say_what_and_where() {
    let cases: &[(&str, &[&str])] = &[
        // Names.
        (
            "SELECT NOPE FROM S EMIT CHANGES;",
            &["Line: 1, Col: 8", "SELECT column 'NOPE' cannot be resolved"],
        ),
        ("SELECT VV FROM S EMIT CHANGES;", &["Did you mean 'V'"]),
        (
            "SELECT X.V FROM S EMIT CHANGES;",
            &["'X' is not a valid stream/table name or alias"],
        ),
        (
            "SELECT X.* FROM S EMIT CHANGES;",
            &["'X' is not a valid stream/table name or alias"],
        ),
        (
            "SELECT S.NOPE FROM S EMIT CHANGES;",
            &["SELECT column 'S.NOPE' cannot be resolved"],
        ),
        (
            "SELECT V FROM S WHERE NOPE = 1 EMIT CHANGES;",
            &["Line: 1, Col: 23", "WHERE column 'NOPE'"],
        ),
        (
            "SELECT V FROM S PARTITION BY NOPE EMIT CHANGES;",
            &["PARTITION BY column 'NOPE'", "applied on the input"],
        ),
        ("SELECT * FROM NOPE EMIT CHANGES;", &["NOPE does not exist"]),
        (
            "SELECT * FROM WIDEN EMIT CHANGES;",
            &["WIDEN does not exist", "Did you mean \"WIDE\""],
        ),
        (
            "SELECT V FROM S JOIN R WITHIN 1 HOUR ON S.K = R.K EMIT CHANGES;",
            &["Column 'V' is ambiguous. Could be S.V or R.V"],
        ),
        (
            "SELECT V AS X, T AS X FROM S EMIT CHANGES;",
            &["Duplicate", "`X`"],
        ),
        (
            "SELECT TRANSFORM(A, V => V + 1) FROM S EMIT CHANGES;",
            &["Lambda parameter 'V'"],
        ),
        (
            "SELECT REDUCE(A, 0, (X, X) => X + 1) FROM S EMIT CHANGES;",
            &["Lambda parameter 'X'"],
        ),
        (
            "SELECT WINDOWSTART FROM S EMIT CHANGES;",
            &["column 'WINDOWSTART' cannot be resolved"],
        ),
        // Types.
        (
            "SELECT T + 1 FROM S EMIT CHANGES;",
            &["(T + 1)", "Unsupported arithmetic types. STRING INTEGER"],
        ),
        (
            "SELECT V = T FROM S EMIT CHANGES;",
            &["Cannot compare V (INTEGER) to T (STRING) with EQUAL"],
        ),
        (
            "SELECT V FROM S WHERE V > 'x' EMIT CHANGES;",
            &[
                "Error in WHERE expression: Cannot compare V (INTEGER) to 'x' (STRING) with GREATER_THAN",
                "Statement: (V > 'x')",
            ],
        ),
        (
            "SELECT V FROM S WHERE V = NULL EMIT CHANGES;",
            &[
                "Comparison with NULL not supported: INTEGER = NULL",
                "IS NULL",
            ],
        ),
        (
            "SELECT V FROM S WHERE V + 1 EMIT CHANGES;",
            &[
                "Type error in WHERE expression: Should evaluate to boolean but is (V + 1) (INTEGER)",
            ],
        ),
        (
            "SELECT NULL AS X FROM S EMIT CHANGES;",
            &["Can't infer a type of null"],
        ),
        (
            "SELECT V->X FROM S EMIT CHANGES;",
            &["Expected STRUCT type, got: INTEGER"],
        ),
        (
            "SELECT ST->Z FROM S EMIT CHANGES;",
            &["Could not find field 'Z' in 'ST'"],
        ),
        (
            "SELECT V[1] FROM S EMIT CHANGES;",
            &["Subscript expression (V[1]) do not apply to INTEGER"],
        ),
        (
            "SELECT CAST(A AS INT) FROM S EMIT CHANGES;",
            &["Cast of ARRAY<INTEGER> to INTEGER is not supported"],
        ),
        (
            "SELECT CASE WHEN V > 1 THEN 1 ELSE 'x' END FROM S EMIT CHANGES;",
            &["Invalid Case expression"],
        ),
        (
            "SELECT CASE V WHEN 1 THEN 2 END FROM S EMIT CHANGES;",
            &["CASE with an operand"],
        ),
        (
            "SELECT ARRAY[NULL] FROM S EMIT CHANGES;",
            &["Cannot construct an array with all NULL elements"],
        ),
        (
            "SELECT ARRAY[1, 'x'] FROM S EMIT CHANGES;",
            &["invalid input syntax for type INTEGER: \"x\""],
        ),
        (
            "SELECT STRUCT(A := 1, A := 2) FROM S EMIT CHANGES;",
            &["Duplicate field names found in STRUCT"],
        ),
        (
            "SELECT V FROM S WHERE V IN (1, T) EMIT CHANGES;",
            &[
                "Invalid Predicate",
                "operator does not exist: INTEGER = STRING (T)",
            ],
        ),
        (
            "SELECT NO_SUCH(V) FROM S EMIT CHANGES;",
            &["Can't find any functions with the name 'NO_SUCH'"],
        ),
        // Keys.
        (
            "CREATE STREAM O AS SELECT V FROM S;",
            &[
                "Key missing from projection",
                "`O` must include the key column K",
            ],
        ),
        (
            "CREATE STREAM O AS SELECT K FROM S;",
            &["The projection contains no value columns"],
        ),
        (
            "CREATE STREAM O AS SELECT K, K AS K2, V FROM S;",
            &[
                "key column (`K`) more than once, aliased as: K and K2",
                "AS_VALUE",
            ],
        ),
        (
            "CREATE TABLE O AS SELECT COUNT(*) AS C FROM S GROUP BY T;",
            &["the grouping expression T"],
        ),
        (
            "CREATE STREAM O AS SELECT V FROM S PARTITION BY T;",
            &["the partitioning expression S.T"],
        ),
        (
            "CREATE STREAM O AS SELECT S.V, R.W FROM S JOIN R WITHIN 1 HOUR ON S.K = R.K;",
            &["the join expressions S.K or R.K", "SELECT S.K..."],
        ),
        (
            "CREATE STREAM O AS SELECT S.V, R.W FROM S FULL JOIN R WITHIN 1 HOUR ON S.K = R.K;",
            &["the join expression ROWKEY"],
        ),
        (
            "CREATE STREAM O AS SELECT K, ROWTIME FROM S;",
            &["Reserved column name in select: `ROWTIME`"],
        ),
        (
            "CREATE STREAM O AS SELECT K, V AS WINDOWEND FROM S;",
            &["`WINDOWEND` is a reserved column name"],
        ),
        (
            "CREATE STREAM O AS SELECT MAP(T := V) AS M, V FROM S PARTITION BY MAP(T := V);",
            &["Map keys", "`M`"],
        ),
        // Kinds.
        (
            "CREATE TABLE O AS SELECT * FROM S;",
            &["produces a STREAM. Please use CREATE STREAM AS SELECT"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM U;",
            &["produces a TABLE. Please use CREATE TABLE AS SELECT"],
        ),
        (
            "INSERT INTO R SELECT K, COUNT(*) AS V FROM S GROUP BY K;",
            &["Data sink (R) type is KSTREAM but select query result is KTABLE"],
        ),
        (
            "INSERT INTO U SELECT * FROM U;",
            &["INSERT INTO can only be used to insert into a stream. U is a table"],
        ),
        (
            "INSERT INTO NOPE SELECT * FROM S;",
            &["Source `NOPE` does not exist"],
        ),
        (
            "INSERT INTO R SELECT K, V, T AS W FROM S;",
            &[
                "Incompatible schema between results and sink",
                "`K` INTEGER KEY, `V` INTEGER, `W` STRING",
            ],
        ),
        // GROUP BY and HAVING.
        (
            "CREATE TABLE O AS SELECT K, V FROM S GROUP BY K;",
            &["GROUP BY requires aggregate functions"],
        ),
        (
            "CREATE TABLE O AS SELECT V, COUNT(*) FROM S GROUP BY K;",
            &["Non-aggregate SELECT expression(s) not part of GROUP BY: V"],
        ),
        (
            "CREATE TABLE O AS SELECT K, COUNT(*) FROM S GROUP BY K HAVING V > 1;",
            &["Non-aggregate HAVING expression not part of GROUP BY: V"],
        ),
        (
            "CREATE TABLE O AS SELECT K, COUNT(*) FROM S GROUP BY K, S.K;",
            &["Duplicate GROUP BY expression: S.K"],
        ),
        (
            "CREATE TABLE O AS SELECT COUNT(*) FROM S GROUP BY SUM(V);",
            &["GROUP BY does not support aggregate functions: SUM"],
        ),
        (
            "CREATE TABLE O AS SELECT K, SUM(COUNT(*)) FROM S GROUP BY K;",
            &["Aggregate functions can not be nested"],
        ),
        (
            "CREATE TABLE O AS SELECT ID, MAX(N) FROM U GROUP BY ID;",
            &["The aggregation function MAX cannot be applied to a table source"],
        ),
        (
            "CREATE TABLE O AS SELECT COUNT(*) AS C FROM S;",
            &["require a GROUP BY clause"],
        ),
        (
            "CREATE TABLE O AS SELECT K, TOPK(V, 3) FROM SEP GROUP BY K;",
            &["intermediate type that the value format can not handle"],
        ),
        (
            "CREATE TABLE O AS SELECT K, COUNT(*) FROM PLAIN GROUP BY K;",
            &["using the 'KAFKA' value format", "GROUP BY"],
        ),
        // Windows.
        (
            "CREATE TABLE O AS SELECT ID, COUNT(*) FROM U WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY ID;",
            &["not supported for table aggregations"],
        ),
        (
            "CREATE STREAM O AS SELECT K, V FROM S WINDOW TUMBLING (SIZE 1 SECOND);",
            &["WINDOW clause requires a GROUP BY clause"],
        ),
        (
            "SELECT * FROM S EMIT FINAL;",
            &["EMIT FINAL is only supported for windowed aggregations"],
        ),
        (
            "CREATE TABLE O AS SELECT K, MIN(WINDOWSTART) FROM S WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY K;",
            &["Window bounds column WINDOWSTART can only be used in the SELECT clause"],
        ),
        (
            "CREATE TABLE O AS SELECT K, COUNT(*) FROM S WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY K HAVING WINDOWSTART > 1;",
            &["Window bounds column WINDOWSTART"],
        ),
        (
            "CREATE TABLE O AS SELECT V, COUNT(*) FROM WIN GROUP BY V;",
            &["windowed source"],
        ),
        (
            "CREATE STREAM O AS SELECT V, K FROM WIN PARTITION BY V;",
            &["windowed sources"],
        ),
        (
            "CREATE TABLE O AS SELECT WINDOWSTART AS W, COUNT(*) FROM WIN \
             WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY WINDOWSTART;",
            &["Window bounds column WINDOWSTART"],
        ),
        // Table functions, PARTITION BY.
        (
            "CREATE TABLE O AS SELECT ID, EXPLODE(ARRAY[N]) FROM U;",
            &["Table source is not supported with table functions"],
        ),
        (
            "CREATE TABLE O AS SELECT K, EXPLODE(A), COUNT(*) FROM S GROUP BY K;",
            &["Table functions cannot be used with aggregations"],
        ),
        (
            "CREATE STREAM O AS SELECT K, V FROM S WHERE EXPLODE(A) > 1;",
            &["Table functions are not allowed in WHERE"],
        ),
        (
            "CREATE TABLE O AS SELECT * FROM U PARTITION BY N;",
            &["Cannot repartition a TABLE source", "ID instead of [N]"],
        ),
        // Joins.
        (
            "CREATE STREAM O AS SELECT * FROM S A JOIN S B WITHIN 1 HOUR ON A.K = B.K;",
            &["Can not join 'S' to 'S': self joins are not yet supported"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S A JOIN R A WITHIN 1 HOUR ON A.K = A.K;",
            &["alias A stands for two sources"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN U ON S.K = U.ID JOIN U ON S.V = U.ID;",
            &["N-way joins do not support multiple occurrences", "'U'"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN R ON S.K = R.K;",
            &["must have a WITHIN clause"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN U WITHIN 1 HOUR ON S.K = U.ID;",
            &["WITHIN clause", "not windowed"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN R WITHIN 1 HOUR ON S.K = R.W;",
            &["types don't match. Got S.K{INTEGER} = R.W{STRING}"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN R WITHIN 1 HOUR ON S.K > R.K;",
            &["Only equality comparison is supported"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN R WITHIN 1 HOUR ON S.K = R.K AND S.V = R.V;",
            &["joins on multiple conditions are not yet supported"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN R WITHIN 1 HOUR ON S.K = 0;",
            &["Invalid comparison expression '0'", "exactly one source"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN R WITHIN 1 HOUR ON S.K = S.V;",
            &["references `S` and right references `S`"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN U ON S.K = U.ID JOIN P ON S.K = U.ID;",
            &["expected to reference the source (`P`)"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN U ON S.V = U.N;",
            &["stream-table joins require to join on the table's primary key. Got S.V = U.N"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN TWO ON S.V = TWO.A;",
            &["stream-table joins require to join on the table's primary key"],
        ),
        (
            "CREATE TABLE O AS SELECT * FROM U JOIN P ON U.NAME = P.CITY;",
            &["primary key of the right input table. Got U.NAME = P.CITY"],
        ),
        (
            "CREATE TABLE O AS SELECT U.ID, NAME FROM U JOIN P ON U.ID = P.ID JOIN J ON U.N = J.ID;",
            &["not supported as part of n-way joins"],
        ),
        (
            "CREATE TABLE O AS SELECT NAME, CITY FROM U JOIN P ON U.N = P.ID;",
            &["must include all primary key columns from the left input table (`U`)"],
        ),
        (
            "CREATE TABLE O AS SELECT U.ID, CITY FROM U FULL JOIN P ON U.N = P.ID;",
            &["only INNER and LEFT joins are supported for foreign-key"],
        ),
        (
            "SELECT * FROM WINT JOIN WINT2 ON WINT.N = WINT2.ID EMIT CHANGES;",
            &["foreign-key table-table joins are not supported on windowed tables"],
        ),
        (
            "CREATE TABLE O AS SELECT * FROM U JOIN S ON U.ID = S.K;",
            &["Invalid join order: table-stream joins are not supported"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S FULL JOIN U ON S.K = U.ID;",
            &["full-outer join not supported for stream-table join"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S RIGHT JOIN U ON S.K = U.ID;",
            &["RIGHT [OUTER] JOIN"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN WIDE WITHIN 1 HOUR ON S.K = WIDE.K;",
            &["`S` partitions = 1; `WIDE` partitions = 2"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM WIN JOIN S WITHIN 1 HOUR ON WIN.K = S.K;",
            &[
                "Can not join windowed source to non-windowed source",
                "`WIN` is TUMBLING windowed",
            ],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM WIN JOIN SES WITHIN 1 HOUR ON WIN.K = SES.K;",
            &["Incompatible windowed sources"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM WIN JOIN WIN2 WITHIN 1 HOUR ON WIN.V = WIN2.K;",
            &["Implicit repartitioning of windowed sources is not supported"],
        ),
        (
            "CREATE STREAM O AS SELECT * FROM S JOIN PLAIN WITHIN 1 HOUR ON S.K = PLAIN.K;",
            &["Source(s) PLAIN are using the 'KAFKA' value format", "JOIN"],
        ),
    ];
    for (sql, parts) in cases {
        let error = plan(sql).expect_err(sql);
        assert_eq!(error.code.code(), 40001, "{sql}");
        for part in *parts {
            assert!(
                error.message.contains(part),
                "{sql}\n{}\nlacks {part:?}",
                error.message
            );
        }
    }
}

#[test]
fn switches_turn_features_off() {
    for (name, sql, part) in [
        (
            "ksql.suppress.enabled",
            "CREATE TABLE O AS SELECT K, COUNT(*) FROM S WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY K \
             EMIT FINAL;",
            "EMIT FINAL is disabled",
        ),
        (
            "ksql.lambdas.enabled",
            "SELECT TRANSFORM(A, X => X + 1) FROM S EMIT CHANGES;",
            "Lambdas are not enabled",
        ),
    ] {
        let mut catalog = catalog();
        plan_over(sql, &catalog).unwrap();
        catalog.set_config(name, "false");
        let error = plan_over(sql, &catalog).expect_err(sql);
        assert!(error.message.contains(part), "{}", error.message);
    }
}

#[test]
fn a_predicate_that_cannot_be_typed_is_shown_as_the_statement() {
    let error = plan("SELECT V FROM S WHERE COUNT(*) > 1 EMIT CHANGES;").expect_err("aggregate");
    assert_eq!(error.statement.as_deref(), Some("(COUNT(*) > 1)"));
    assert!(
        error.message.contains("Invalid Predicate"),
        "{}",
        error.message
    );
}
