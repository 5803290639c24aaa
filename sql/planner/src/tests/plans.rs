//! Golden plans.

use insta::assert_snapshot;

use super::{explain, plan};
use crate::stream::{SourceColumn, StreamNode};

#[test]
fn streams_are_filtered_and_projected() {
    assert_snapshot!(explain("CREATE STREAM O AS SELECT K, V + 1 AS W FROM S WHERE V > 3;"), @r"
    `K` INTEGER KEY, `W` INTEGER
    Projection: S.K AS K, +(S.V, Int32(1)) AS W
      Filter: >(S.V, Int32(3))
        Source: stream S topic=s [K KEY, V]
    ");
    assert_snapshot!(explain("SELECT *, ROWTIME FROM S EMIT CHANGES LIMIT 3;"), @r"
    `K` INTEGER, `V` INTEGER, `T` STRING, `A` ARRAY<INTEGER>, `ST` STRUCT<`X` INTEGER, `Y` STRING>, `D` DECIMAL(4, 2), `ROWTIME` BIGINT
    Output: [K, V, T, A, ST, D, ROWTIME]
      Projection: S.K AS K, S.V AS V, S.T AS T, S.A AS A, S.ST AS ST, S.D AS D, S.ROWTIME AS ROWTIME
        Source: stream S topic=s [K KEY, V, T, A, ST, D, ROWTIME]
    ");
    assert_snapshot!(explain("CREATE STREAM O AS SELECT * FROM WIN;"), @r"
    `K` INTEGER KEY, `V` INTEGER
    Projection: WIN.K AS K, WIN.V AS V, WIN.WINDOWSTART AS WINDOWSTART, WIN.WINDOWEND AS WINDOWEND
      Source: stream WIN topic=win [K KEY, V, WINDOWSTART, WINDOWEND] window=TUMBLING(10000ms)
    ");
}

#[test]
fn a_sort_is_seen_by_what_is_read_after_it_and_by_the_list_itself() {
    assert_snapshot!(explain(
        "CREATE STREAM O AS SELECT K, A, A[1] AS P, ARRAY_SORT(A) AS Q, A[1] AS R, ARRAY_SORT(A, T) AS U,
         STRUCT(F := A, G := ARRAY_MAX(A)) AS V, ARRAY_SORT(SLICE(A, 1, 2)) AS W FROM S;"
    ), @r"
    `K` INTEGER KEY, `A` ARRAY<INTEGER>, `P` INTEGER, `Q` ARRAY<INTEGER>, `R` INTEGER, `U` ARRAY<INTEGER>, `V` STRUCT<`F` ARRAY<INTEGER>, `G` INTEGER>, `W` ARRAY<INTEGER>
    Projection: S.K AS K, COALESCE(ARRAY_SORT(S.A, S.T), ARRAY_SORT(S.A), S.A) AS A, [](S.A, Int32(1)) AS P, COALESCE(ARRAY_SORT(ARRAY_SORT(S.A), S.T), ARRAY_SORT(S.A)) AS Q, [](COALESCE(ARRAY_SORT(S.A), S.A), Int32(1)) AS R, ARRAY_SORT(S.A, S.T) AS U, STRUCT(COALESCE(ARRAY_SORT(S.A, S.T), ARRAY_SORT(S.A), S.A), ARRAY_MAX(COALESCE(ARRAY_SORT(S.A, S.T), ARRAY_SORT(S.A), S.A))) AS V, ARRAY_SORT(SLICE(COALESCE(ARRAY_SORT(S.A, S.T), ARRAY_SORT(S.A), S.A), Int32(1), Int32(2))) AS W
      Source: stream S topic=s [K KEY, T, A]
    ");
    // Each aggregate has its own list, and a branch may not be taken.
    for query in [
        "CREATE TABLE O AS SELECT K, ARRAY_SORT(COLLECT_LIST(V)) AS A, COLLECT_LIST(V) AS B FROM S GROUP BY K;",
        "CREATE STREAM O AS SELECT K, CASE WHEN V > 1 THEN ARRAY_SORT(A) END AS X, A FROM S;",
        "CREATE STREAM O AS SELECT K, ARRAY_SORT(A) AS X, V FROM S;",
    ] {
        assert!(!explain(query).contains("COALESCE"), "{query}");
    }
}

#[test]
fn tables_keep_their_rows() {
    assert_snapshot!(explain("CREATE TABLE O AS SELECT ID, NAME FROM U WHERE N > 3;"), @r"
    `ID` INTEGER KEY, `NAME` STRING
    Projection: U.ID AS ID, U.NAME AS NAME
      TableFilter: WHERE >(U.N, Int32(3))
        Source: table U topic=u [ID KEY, N, NAME] store=KsqlTopic-Reduce
    ");
    assert_snapshot!(explain("SELECT NAME FROM U EMIT CHANGES;"), @r"
    `NAME` STRING
    Output: [NAME]
      Projection: U.NAME AS NAME
        Source: table U topic=u [ID KEY, NAME] store=KsqlTopic-Reduce
    ");
}

#[test]
fn partition_by_gives_a_new_key() {
    assert_snapshot!(explain("CREATE STREAM O AS SELECT * FROM S PARTITION BY T;"), @r"
    `T` STRING KEY, `V` INTEGER, `A` ARRAY<INTEGER>, `ST` STRUCT<`X` INTEGER, `Y` STRING>, `D` DECIMAL(4, 2), `K` INTEGER
    Projection: $key.T AS T, S.V AS V, S.A AS A, S.ST AS ST, S.D AS D, S.K AS K
      SelectKey: [S.T]
        Source: stream S topic=s [K KEY, V, T, A, ST, D]
    ");
    assert_snapshot!(explain("CREATE STREAM O AS SELECT V + 1 AS X, ST->X AS Y, T FROM S PARTITION BY V + 1, ST->X;"), @r"
    `X` INTEGER KEY, `Y` INTEGER KEY, `T` STRING
    Projection: $key.KEY_0 AS X, $key.KEY_1 AS Y, S.T AS T
      SelectKey: [+(S.V, Int32(1)), ->(S.ST)]
        Source: stream S topic=s [V, T, ST]
    ");
    assert_snapshot!(explain("CREATE STREAM O AS SELECT K, V FROM S PARTITION BY NULL;"), @r"
    `K` INTEGER, `V` INTEGER
    Projection: S.K AS K, S.V AS V
      SelectKey: []
        Source: stream S topic=s [K KEY, V]
    ");
    // The key stays as it is: nothing to do.
    assert_snapshot!(explain("CREATE STREAM O AS SELECT K, V FROM S PARTITION BY K;"), @r"
    `K` INTEGER KEY, `V` INTEGER
    Projection: S.K AS K, S.V AS V
      Source: stream S topic=s [K KEY, V]
    ");
}

#[test]
fn table_functions_make_rows() {
    assert_snapshot!(explain("CREATE STREAM O AS SELECT K, EXPLODE(A) + 1 AS X, EXPLODE(A) AS Y FROM S WHERE V > 1;"), @r"
    `K` INTEGER KEY, `X` INTEGER, `Y` INTEGER
    Projection: S.K AS K, +($explode.KSQL_SYNTH_0, Int32(1)) AS X, $explode.KSQL_SYNTH_0 AS Y
      FlatMap: [EXPLODE(S.A)]
        Filter: >(S.V, Int32(1))
          Source: stream S topic=s [K KEY, V, A]
    ");
}

#[test]
fn groups_are_aggregated() {
    // By the key: no topic in between.
    assert_snapshot!(explain("CREATE TABLE O AS SELECT K, COUNT(*) AS C, SUM(V) + 1 AS S1 FROM S GROUP BY K HAVING SUM(V) > 3;"), @r"
    `K` INTEGER KEY, `C` BIGINT, `S1` INTEGER
    Projection: K, KSQL_AGG_VARIABLE_0 AS C, +(KSQL_AGG_VARIABLE_1, Int32(1)) AS S1
      TableFilter: HAVING >(KSQL_AGG_VARIABLE_1, Int32(3))
        StreamAggregate: groupBy=[S.K] aggr=[COUNT() AS KSQL_AGG_VARIABLE_0, SUM(S.V) AS KSQL_AGG_VARIABLE_1] store=Aggregate-Aggregate-Materialize
          Source: stream S topic=s [K KEY, V]
    ");
    assert_snapshot!(explain("CREATE TABLE O AS SELECT T, V + 1 AS W, COUNT(V) AS C FROM S GROUP BY T, V + 1;"), @r"
    `T` STRING KEY, `W` INTEGER KEY, `C` BIGINT
    Projection: T, KSQL_COL_0 AS W, KSQL_AGG_VARIABLE_0 AS C
      StreamAggregate: groupBy=[T, KSQL_COL_0] aggr=[COUNT(KSQL_INTERNAL_COL_0) AS KSQL_AGG_VARIABLE_0] store=Aggregate-Aggregate-Materialize
        Repartition: [T, KSQL_COL_0] topic=Aggregate-GroupBy-repartition format=JSON
          Projection: S.T AS T, +(S.V, Int32(1)) AS KSQL_COL_0, S.V AS KSQL_INTERNAL_COL_0
            Source: stream S topic=s [V, T]
    ");
    assert_snapshot!(explain("CREATE TABLE O AS SELECT NAME, SUM(N) AS C FROM U GROUP BY NAME;"), @r"
    `NAME` STRING KEY, `C` INTEGER
    Projection: NAME, KSQL_AGG_VARIABLE_0 AS C
      StreamAggregate: groupBy=[NAME] aggr=[SUM(KSQL_INTERNAL_COL_0) AS KSQL_AGG_VARIABLE_0] undo=true store=Aggregate-Aggregate-Materialize
        Repartition: [NAME] topic=Aggregate-GroupBy-repartition format=KAFKA
          Projection: U.NAME AS NAME, U.N AS KSQL_INTERNAL_COL_0
            Source: table U topic=u [ID KEY, N, NAME] store=KsqlTopic-Reduce
    ");
    assert_snapshot!(explain("SELECT COUNT(*) AS C FROM S EMIT CHANGES;"), @r"
    `C` BIGINT
    Output: [C]
      Projection: KSQL_AGG_VARIABLE_0 AS C
        StreamAggregate: groupBy=[] aggr=[COUNT() AS KSQL_AGG_VARIABLE_0] store=Aggregate-Aggregate-Materialize
          Repartition: [] topic=Aggregate-GroupBy-repartition format=JSON
            Projection:
              Source: stream S topic=s []
    ");
}

#[test]
fn windows_have_their_defaults() {
    assert_snapshot!(explain("CREATE TABLE O AS SELECT K, COUNT(*) AS C, WINDOWEND AS WE FROM S WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY K;"), @r"
    `K` INTEGER KEY, `C` BIGINT, `WE` BIGINT
    Projection: K, KSQL_AGG_VARIABLE_0 AS C, WINDOWEND AS WE, WINDOWSTART, WINDOWEND
      StreamAggregate: groupBy=[S.K] aggr=[COUNT() AS KSQL_AGG_VARIABLE_0] window=TUMBLING(10000ms, grace=86390000ms, retention=86400000ms) store=Aggregate-Aggregate-Materialize
        Source: stream S topic=s [K KEY]
    ");
    assert_snapshot!(explain("CREATE TABLE O AS SELECT K, COUNT(*) AS C FROM S WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS, RETENTION 1 HOUR, GRACE PERIOD 1 MINUTE) GROUP BY K;"), @r"
    `K` INTEGER KEY, `C` BIGINT
    Projection: K, KSQL_AGG_VARIABLE_0 AS C, WINDOWSTART, WINDOWEND
      StreamAggregate: groupBy=[S.K] aggr=[COUNT() AS KSQL_AGG_VARIABLE_0] window=HOPPING(10000ms, 5000ms, grace=60000ms, retention=3600000ms) store=Aggregate-Aggregate-Materialize
        Source: stream S topic=s [K KEY]
    ");
    assert_snapshot!(explain("CREATE TABLE O AS SELECT T, COUNT(*) AS C FROM S WINDOW SESSION (30 SECONDS) GROUP BY T HAVING COUNT(*) > 1 EMIT FINAL;"), @r"
    `T` STRING KEY, `C` BIGINT
    Projection: T, KSQL_AGG_VARIABLE_0 AS C, WINDOWSTART, WINDOWEND
      Filter: >(KSQL_AGG_VARIABLE_0, Int32(1))
        StreamAggregate: groupBy=[T] aggr=[COUNT() AS KSQL_AGG_VARIABLE_0] window=SESSION(30000ms, grace=0ms, retention=30000ms) emit=FINAL store=Aggregate-Aggregate-Materialize
          Repartition: [T] topic=Aggregate-GroupBy-repartition format=KAFKA
            Projection: S.T AS T
              Source: stream S topic=s [T]
    ");
}

#[test]
fn streams_join_tables() {
    assert_snapshot!(explain("CREATE STREAM O AS SELECT S.K, S.V, U.NAME FROM S LEFT JOIN U ON S.K = U.ID;"), @r"
    `K` INTEGER KEY, `V` INTEGER, `NAME` STRING
    Projection: S.K AS K, S.V AS V, U.NAME AS NAME
      StreamTableJoin: LEFT S.K = U.ID
        Source: stream S topic=s [K KEY, V]
        Source: table U topic=u [ID KEY, NAME] store=KafkaTopic_Right-Reduce
    ");
    // On a value: the stream goes through a topic. The table's key stands for the result's.
    assert_snapshot!(explain("CREATE STREAM O AS SELECT U.ID, S.T FROM S JOIN U ON S.V + 1 = U.ID WHERE U.N > 1;"), @r"
    `ID` INTEGER KEY, `T` STRING
    Projection: $key_0_left.KEY_0 AS ID, S.T AS T
      Filter: >(U.N, Int32(1))
        StreamTableJoin: INNER $key_0_left.KEY_0 = U.ID
          Repartition: [$key_0_left.KEY_0] topic=Join-repartition format=KAFKA
            SelectKey: [+(S.V, Int32(1))]
              Source: stream S topic=s [V, T]
          Source: table U topic=u [ID KEY, N] store=KafkaTopic_Right-Reduce
    ");
}

#[test]
fn streams_join_streams() {
    assert_snapshot!(explain("CREATE STREAM O AS SELECT * FROM S A JOIN R B WITHIN 1 HOUR GRACE PERIOD 1 MINUTE ON A.K = B.K;"), @r"
    `A_K` INTEGER KEY, `A_V` INTEGER, `A_T` STRING, `A_A` ARRAY<INTEGER>, `A_ST` STRUCT<`X` INTEGER, `Y` STRING>, `A_D` DECIMAL(4, 2), `B_K` INTEGER, `B_W` STRING, `B_V` INTEGER
    Projection: A.K AS A_K, A.V AS A_V, A.T AS A_T, A.A AS A_A, A.ST AS A_ST, A.D AS A_D, B.K AS B_K, B.W AS B_W, B.V AS B_V
      StreamStreamJoin: INNER A.K = B.K before=3600000ms after=3600000ms grace=60000ms
        Source: stream S AS A topic=s [K KEY, V, T, A, ST, D]
        Source: stream R AS B topic=r [K KEY, W, V]
    ");
    assert_snapshot!(explain("CREATE STREAM O AS SELECT ROWKEY AS ID, A.T, B.W FROM S A FULL OUTER JOIN R B WITHIN (1 SECOND, 2 SECONDS) ON A.V = B.V;"), @r"
    `ID` INTEGER KEY, `T` STRING, `W` STRING
    Projection: $join_0.ROWKEY AS ID, A.T AS T, B.W AS W
      StreamStreamJoin: FULL A.V = B.V before=1000ms after=2000ms
        Repartition: [A.V] topic=Join-left-repartition format=KAFKA
          Source: stream S AS A topic=s [V, T]
        Repartition: [B.V] topic=Join-right-repartition format=KAFKA
          Source: stream R AS B topic=r [W, V]
    ");
    assert_snapshot!(explain("CREATE STREAM O AS SELECT A.K, A.V, B.V AS V2 FROM WIN A RIGHT JOIN WIN2 B WITHIN 1 MINUTE ON A.K = B.K;"), @r"
    `A_K` INTEGER KEY, `A_V` INTEGER, `V2` INTEGER
    Projection: B.K AS A_K, A.V AS A_V, B.V AS V2, B.WINDOWSTART AS WINDOWSTART, B.WINDOWEND AS WINDOWEND
      StreamStreamJoin: RIGHT A.K = B.K before=60000ms after=60000ms
        Source: stream WIN AS A topic=win [K KEY, V, WINDOWSTART, WINDOWEND] window=TUMBLING(10000ms)
        Source: stream WIN2 AS B topic=win2 [K KEY, V, WINDOWSTART, WINDOWEND] window=TUMBLING(10000ms)
    ");
}

#[test]
fn tables_join_tables() {
    assert_snapshot!(explain("CREATE TABLE O AS SELECT U.ID, NAME, CITY FROM U JOIN P ON U.ID = P.ID;"), @r"
    `U_ID` INTEGER KEY, `NAME` STRING, `CITY` STRING
    Materialize: [U_ID] store=Project-Last
      Projection: U.ID AS U_ID, U.NAME AS NAME, P.CITY AS CITY
        TableTableJoin: INNER U.ID = P.ID
          Source: table U topic=u [ID KEY, NAME] store=KafkaTopic_Left-Reduce
          Source: table P topic=p [ID KEY, CITY] store=KafkaTopic_Right-Reduce
    ");
    // Keys that are written differently: one side is rewritten.
    assert_snapshot!(explain("CREATE TABLE O AS SELECT U.ID, NAME, CITY FROM U LEFT JOIN J ON U.ID = J.ID;"), @r"
    `U_ID` INTEGER KEY, `NAME` STRING, `CITY` STRING
    Materialize: [U_ID] store=Project-Last
      Projection: U.ID AS U_ID, U.NAME AS NAME, J.CITY AS CITY
        TableTableJoin: LEFT U.ID = J.ID
          Source: table U topic=u [ID KEY, NAME] store=KafkaTopic_Left-Reduce
          Materialize: [J.ID] store=RightSourceKeyed-Materialize
            Repartition: [J.ID] topic=RightSourceKeyed-SelectKey-repartition format=KAFKA
              Source: table J topic=j [ID KEY, CITY]
    ");
    assert_snapshot!(explain("CREATE TABLE O AS SELECT U.ID, NAME, CITY FROM U JOIN P ON U.N = P.ID;"), @r"
    `U_ID` INTEGER KEY, `NAME` STRING, `CITY` STRING
    Materialize: [U_ID] store=Project-Last
      Projection: U.ID AS U_ID, U.NAME AS NAME, P.CITY AS CITY
        ForeignKeyJoin: INNER U.N = P.ID
          Source: table U topic=u [ID KEY, N, NAME] store=KafkaTopic_Left-Reduce
          Source: table P topic=p [ID KEY, CITY] store=KafkaTopic_Right-Reduce
    ");
    assert_snapshot!(explain("CREATE TABLE O AS SELECT A, B, CITY FROM TWO LEFT JOIN P ON TWO.N + 1 = P.ID;"), @r"
    `A` INTEGER KEY, `B` INTEGER KEY, `CITY` STRING
    Materialize: [A, B] store=Project-Last
      Projection: TWO.A AS A, TWO.B AS B, P.CITY AS CITY
        ForeignKeyJoin: LEFT $foreign_key.KEY_0 = P.ID
          Projection: TWO.A, TWO.B, TWO.N, +(TWO.N, Int32(1)) AS KEY_0
            Source: table TWO topic=two [A KEY, B KEY, N] store=KafkaTopic_Left-Reduce
          Source: table P topic=p [ID KEY, CITY] store=KafkaTopic_Right-Reduce
    ");
}

#[test]
fn joins_nest_to_the_left() {
    assert_snapshot!(explain("CREATE STREAM O AS SELECT S.K, U.NAME, P.CITY FROM S JOIN U ON S.K = U.ID JOIN P ON U.ID = P.ID;"), @r"
    `K` INTEGER KEY, `NAME` STRING, `CITY` STRING
    Projection: S.K AS K, U.NAME AS NAME, P.CITY AS CITY
      StreamTableJoin: INNER S.K = P.ID
        StreamTableJoin: INNER S.K = U.ID
          Source: stream S topic=s [K KEY]
          Source: table U topic=u [ID KEY, NAME] store=KafkaTopic_L_Right-Reduce
        Source: table P topic=p [ID KEY, CITY] store=KafkaTopic_Right-Reduce
    ");
    assert_snapshot!(explain("CREATE STREAM O AS SELECT P.ID, U.NAME, P.CITY FROM S JOIN U ON S.K = U.ID JOIN P ON S.V = P.ID;"), @r"
    `P_ID` INTEGER KEY, `NAME` STRING, `CITY` STRING
    Projection: S.V AS P_ID, U.NAME AS NAME, P.CITY AS CITY
      StreamTableJoin: INNER S.V = P.ID
        Repartition: [S.V] topic=Join-repartition format=KAFKA
          StreamTableJoin: INNER S.K = U.ID
            Source: stream S topic=s [K KEY, V]
            Source: table U topic=u [ID KEY, NAME] store=KafkaTopic_L_Right-Reduce
        Source: table P topic=p [ID KEY, CITY] store=KafkaTopic_Right-Reduce
    ");
}

#[test]
fn results_fit_the_target_of_insert() {
    assert_snapshot!(explain("INSERT INTO R SELECT K, T AS W, V FROM S;"), @r"
    `K` INTEGER KEY, `W` STRING, `V` INTEGER
    Projection: S.K AS K, S.T AS W, S.V AS V
      Source: stream S topic=s [K KEY, V, T]
    ");
}

#[test]
fn sources_read_only_what_is_used() {
    let read = |sql: &str| {
        let mut plan = plan(sql).unwrap().root;
        loop {
            if let Some(StreamNode::Source(source)) = StreamNode::of(&plan) {
                return source.columns.clone();
            }
            plan = plan.inputs()[0].clone();
        }
    };
    let columns = read("SELECT V FROM S WHERE ST->X > 1 EMIT CHANGES;");
    assert_eq!(columns, [SourceColumn::Value(0), SourceColumn::Value(3)]);
    let columns = read("SELECT H, ROWOFFSET FROM HEADED EMIT CHANGES;");
    assert_eq!(
        columns,
        [SourceColumn::Header("h".into()), SourceColumn::RowOffset]
    );
    let columns = read("SELECT N FROM U EMIT CHANGES;");
    assert_eq!(columns, [SourceColumn::Key(0), SourceColumn::Value(0)]);
}

/// The numbered names in a plan: stores of stream-stream joins and topics of foreign-key joins,
/// outermost join first.
fn numbered(sql: &str) -> Vec<String> {
    fn collect(plan: &datafusion::logical_expr::LogicalPlan, names: &mut Vec<String>) {
        match StreamNode::of(plan) {
            Some(StreamNode::StreamStreamJoin(join)) => names.extend(join.stores.clone()),
            Some(StreamNode::ForeignKeyJoin(join)) => {
                names.extend(join.topic_suffixes.clone());
                names.push(join.stores[0].clone());
            }
            _ => {}
        }
        plan.inputs().iter().for_each(|p| collect(p, names));
    }
    let mut names = Vec::new();
    collect(&plan(sql).unwrap().root, &mut names);
    names
}

#[test]
fn stores_and_topics_of_joins_are_numbered_as_in_the_recordings() {
    let from = |joins: &str| {
        let sql = format!("SELECT * FROM {joins} EMIT CHANGES;");
        let names: Vec<String> = numbered(&sql)
            .into_iter()
            .filter(|name| !name.contains("OUTERSHARED"))
            .map(|name| name.replace("KSTREAM-", "").replace("-store", ""))
            .collect();
        names.join(" ")
    };
    let first = "S JOIN R WITHIN 1 HOUR ON S.V = R.V";
    for (joins, names) in [
        // Recorded: CSAS_CA5 of the HTTP exchanges, and the joins of the query cases.
        (
            "S JOIN R WITHIN 1 HOUR ON S.K = R.K",
            "JOINTHIS-0000000008 JOINOTHER-0000000009",
        ),
        (first, "JOINTHIS-0000000016 JOINOTHER-0000000017"),
        (
            "S LEFT JOIN R WITHIN 1 HOUR ON S.V = R.V",
            "JOINTHIS-0000000016 OUTEROTHER-0000000017",
        ),
        (
            &format!("{first} JOIN SEP WITHIN 1 HOUR ON S.V = SEP.V"),
            "JOINTHIS-0000000028 JOINOTHER-0000000029 JOINTHIS-0000000016 JOINOTHER-0000000017",
        ),
        (
            &format!("{first} JOIN SEP WITHIN 1 HOUR ON S.K = SEP.V"),
            "JOINTHIS-0000000032 JOINOTHER-0000000033 JOINTHIS-0000000016 JOINOTHER-0000000017",
        ),
        (
            &format!("{first} JOIN J ON S.V = J.ID"),
            "JOINTHIS-0000000028 JOINOTHER-0000000029",
        ),
        (
            "U JOIN P ON U.N = P.ID",
            "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000012-topic \
             KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000020-topic \
             KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-0000000016",
        ),
    ] {
        assert_eq!(from(joins), names, "{joins}");
    }
}
