//! The first session of README.md, statement by statement, over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use weir_test_support::{WeirServer, wait_until};

/// Statements between the first `sql` fence of the section and its end.
fn statements() -> Vec<String> {
    let readme = include_str!("../../../README.md");
    let section = readme.split("## A first session").nth(1).unwrap();
    let code = section.split("```sql").nth(1).unwrap();
    let code = code.split("```").next().unwrap();
    code.split_inclusive(';')
        .map(|s| s.trim().to_owned())
        .filter(|s| !s.is_empty())
        .collect()
}

#[test]
fn the_first_session_of_the_readme_gives_its_rows() {
    let server = WeirServer::start(&[]);
    let http = server.http();
    let mut answers: Vec<Vec<Vec<Value>>> = Vec::new();
    for statement in statements() {
        if statement.starts_with("SET") {
            // The client of the tests sends it with each statement.
            assert_eq!(statement, "SET 'auto.offset.reset' = 'earliest';");
        } else if statement.starts_with("SELECT") {
            // A pull query sees what is committed: both users, after a moment.
            wait_until("both users to be counted", Duration::from_secs(20), || {
                let rows = http.query("SELECT * FROM visits;");
                rows.len() == 2 && rows.iter().any(|r| r[1] == json!(2))
            });
            answers.push(http.query(&statement));
        } else {
            http.ksql(&statement);
        }
    }
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0], [vec![json!("ada"), json!(2), json!(420)]]);
    assert_eq!(
        answers[1],
        [
            vec![json!("ada"), json!(2), json!(420)],
            vec![json!("bob"), json!(1), json!(80)]
        ]
    );
}
