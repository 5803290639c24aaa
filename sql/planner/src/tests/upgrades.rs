//! Which queries may take the place of which.

use super::plan;
use crate::check_upgrade;

#[test]
fn filters_and_the_last_projection_may_change() {
    let s = "CREATE STREAM O AS SELECT K, V FROM S";
    let t = "CREATE TABLE O AS SELECT T, COUNT(*) AS N, SUM(V) AS X FROM S";
    for (old, new) in [
        (s.to_owned(), format!("{s} WHERE V > 1;")),
        (format!("{s} WHERE V > 1"), s.to_owned()),
        (format!("{s} WHERE V > 1"), format!("{s} WHERE T = 'a'")),
        (
            s.to_owned(),
            "CREATE STREAM O AS SELECT K, V + 1 AS V, T FROM S".to_owned(),
        ),
        (
            "CREATE TABLE O AS SELECT ID, N FROM U".to_owned(),
            "CREATE TABLE O AS SELECT ID, N, NAME FROM U WHERE N > 1".to_owned(),
        ),
        (
            "CREATE STREAM O AS SELECT T, V FROM S PARTITION BY T".to_owned(),
            "CREATE STREAM O AS SELECT A.T, A.V, D FROM S A PARTITION BY A.T".to_owned(),
        ),
        (
            format!("{t} GROUP BY T"),
            format!("{t} WHERE V > 1 GROUP BY T"),
        ),
        (
            format!("{t} GROUP BY T"),
            format!("{t} GROUP BY T HAVING COUNT(*) > 1"),
        ),
    ] {
        let plans = (plan(&end(&old)).unwrap(), plan(&end(&new)).unwrap());
        let result = check_upgrade("Q", &plans.0, &plans.1);
        assert!(result.is_ok(), "{old}\n{new}\n{result:?}");
    }
}

#[test]
fn what_keeps_state_must_stay() {
    let t = "CREATE TABLE O AS SELECT K, COUNT(*) AS N FROM S";
    for (old, new, reason) in [
        (
            "CREATE STREAM O AS SELECT K, V FROM S",
            "CREATE STREAM O AS SELECT K, V FROM R",
            "the source changed",
        ),
        (
            "CREATE STREAM O AS SELECT T, V FROM S PARTITION BY T",
            "CREATE STREAM O AS SELECT UCASE(T) AS T, V FROM S PARTITION BY UCASE(T)",
            "the expressions changed",
        ),
        (
            "CREATE STREAM O AS SELECT K, V FROM S",
            "CREATE STREAM O AS SELECT V, T FROM S PARTITION BY V",
            "from Source to PARTITION BY",
        ),
        (
            &format!("{t} GROUP BY K"),
            "CREATE TABLE O AS SELECT K, SUM(V) AS N FROM S GROUP BY K",
            "the aggregate functions changed",
        ),
        (
            "CREATE TABLE O AS SELECT V, COUNT(*) AS N FROM S GROUP BY V",
            "CREATE TABLE O AS SELECT V + 1 AS V, COUNT(*) AS N FROM S GROUP BY V + 1",
            "the grouping expressions changed",
        ),
        (
            &format!("{t} GROUP BY K"),
            &format!("{t} WHERE V > 1 GROUP BY K"),
            "the set of columns read changed",
        ),
        (
            &format!("{t} WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY K"),
            &format!("{t} WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY K"),
            "not yet supported for WindowedAggregate",
        ),
        (
            "CREATE TABLE O AS SELECT N, COUNT(*) AS C FROM U GROUP BY N",
            "CREATE TABLE O AS SELECT N, COUNT(*) AS C FROM U GROUP BY N",
            "not yet supported for TableAggregate",
        ),
        (
            "CREATE STREAM O AS SELECT K, V FROM S",
            "CREATE STREAM O AS SELECT S.K, V FROM S JOIN U ON S.K = U.ID",
            "not yet supported for StreamTableJoin",
        ),
        (
            "CREATE STREAM O AS SELECT K, V FROM S",
            "CREATE STREAM O AS SELECT K, EXPLODE(A) AS V FROM S",
            "not yet supported for FlatMap",
        ),
    ] {
        let plans = (plan(&end(old)).unwrap(), plan(&end(new)).unwrap());
        let error = check_upgrade("CSAS_O_1", &plans.0, &plans.1).unwrap_err();
        assert!(error.message.contains("CSAS_O_1"), "{}", error.message);
        assert!(
            error.message.contains(reason),
            "{old}\n{new}\n{}",
            error.message
        );
    }
}

fn end(sql: &str) -> String {
    format!("{};", sql.trim_end_matches(';'))
}
