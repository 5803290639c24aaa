//! The canonical form of queries.

use weir_parser::ast::Statement;
use weir_parser::printer::print_query;

use super::{catalog, statement};
use crate::canonical_query;

#[test]
fn columns_get_sources_and_items_get_names() {
    for (written, canonical) in [
        (
            "SELECT K, V+1, COUNT(*) FROM S WHERE V > 1 GROUP BY K, V + 1 HAVING COUNT(*) > 1 EMIT CHANGES;",
            "SELECT\n  S.K K,\n  (S.V + 1) KSQL_COL_0,\n  COUNT(*) KSQL_COL_1\nFROM S S\nWHERE (S.V > 1)\n\
             GROUP BY S.K, (S.V + 1)\nHAVING (COUNT(*) > 1)\nEMIT CHANGES",
        ),
        (
            "SELECT A.K, W, ST->X, TRANSFORM(A, Z => Z + V2) V2 FROM S A LEFT JOIN R ON A.K = R.K EMIT CHANGES;",
            "SELECT\n  A.K A_K,\n  R.W W,\n  A.ST->X X,\n  TRANSFORM(A.A, (Z) => (Z + V2)) V2\n\
             FROM S A\nLEFT OUTER JOIN R R ON ((A.K = R.K))\nEMIT CHANGES",
        ),
        (
            "SELECT * FROM S PARTITION BY NOPE;",
            "SELECT *\nFROM S S\nPARTITION BY NOPE\nEMIT CHANGES",
        ),
        (
            "SELECT NOPE FROM MISSING;",
            "SELECT NOPE\nFROM MISSING MISSING\nEMIT CHANGES",
        ),
    ] {
        let Statement::Query(query) = statement(written) else {
            panic!("no query: {written}")
        };
        let found = print_query(&canonical_query(&query, &catalog()));
        let trimmed: Vec<_> = found.lines().map(str::trim_end).collect();
        assert_eq!(
            trimmed.join("\n").trim_end_matches(';'),
            canonical,
            "{written}"
        );
    }
}
