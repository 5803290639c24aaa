//! What planning refuses before anything is done, and what queries keep.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use weir_parser::Variables;
use weir_planner::ddl::{MemoryCatalog, Outcome};
use weir_types::{ErrorCode, SqlError};

use super::{PlanContext, Planned, apply, plan};
use crate::config::Overrides;
use crate::metastore::Metastore;

/// A metastore and the same sources as the planner sees them.
struct Server {
    store: Metastore,
    catalog: MemoryCatalog,
    commands: i64,
}

impl Server {
    fn new() -> Self {
        let mut server = Self {
            store: Metastore::default(),
            catalog: MemoryCatalog::new(),
            commands: 0,
        };
        server.run(
            "CREATE STREAM S (K INT KEY, V INT, T STRING) \
             WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);",
        );
        server
    }

    fn plan(&self, sql: &str) -> Result<Planned, SqlError> {
        let parsed = weir_parser::parse_all(sql, &Variables::new()).unwrap();
        let context = PlanContext {
            store: &self.store,
            catalog: &self.catalog,
            overrides: &Overrides::default(),
            query_number: self.commands,
            query_id: None,
        };
        match plan(&parsed[0], &context)? {
            Outcome::Do(planned) => Ok(planned),
            Outcome::Nothing(warning) => panic!("{warning}"),
        }
    }

    fn run(&mut self, sql: &str) -> Planned {
        let planned = self.plan(sql).unwrap();
        self.commands += 1;
        apply(&mut self.store, &planned.effect);
        for spec in &planned.topics {
            self.catalog.create_topic(spec);
        }
        for source in self.store.sources() {
            self.catalog.put_source(source.as_ref().clone());
        }
        planned
    }
}

#[test]
fn alter_system_needs_its_switch_and_is_kept_by_later_queries() {
    let mut server = Server::new();
    let alter = "ALTER SYSTEM 'ksql.streams.auto.offset.reset' = 'earliest';";
    let refused = server.plan(alter).unwrap_err();
    assert_eq!(refused.code, ErrorCode::ServerError);
    assert!(refused.message.contains("ksql.runtime.feature.shared"));

    let switch = "ksql.runtime.feature.shared.enabled";
    server.catalog.set_config(switch, "true");
    for (sql, reason) in [
        ("ALTER SYSTEM 'no.such' = 'x';", "no.such"),
        ("ALTER SYSTEM 'ksql.service.id' = 'x';", "Cannot override"),
        (
            "ALTER SYSTEM 'auto.offset.reset' = 'x';",
            "earliest, latest",
        ),
    ] {
        let refused = server.plan(sql).unwrap_err();
        assert!(refused.message.contains(reason), "{}", refused.message);
    }
    let before = server.run("CREATE STREAM A AS SELECT * FROM S;");
    let altered = server.run(alter);
    assert_eq!(altered.id.to_string(), "cluster/auto.offset.reset/alter");
    let after = server.run("CREATE STREAM B AS SELECT * FROM S;");
    let reset = |planned: &Planned| {
        let query = planned.effect.started().unwrap();
        query.overrides.0.get("auto.offset.reset").cloned()
    };
    assert_eq!(reset(&before), None);
    assert_eq!(reset(&after).as_deref(), Some("earliest"));
}

#[test]
fn a_replacement_keeps_the_id_of_the_only_writer() {
    let mut server = Server::new();
    let id = |planned: &Planned| planned.effect.started().unwrap().id.clone();
    let first = id(&server.run("CREATE STREAM O AS SELECT K, V FROM S;"));
    let replace = "CREATE OR REPLACE STREAM O AS SELECT K, V FROM S WHERE V > 1;";
    assert_eq!(id(&server.run(replace)), first);

    let other = "CREATE OR REPLACE STREAM O AS SELECT V AS K, K AS V FROM S PARTITION BY V;";
    let refused = server.plan(other).unwrap_err();
    assert!(refused.message.contains(&first), "{}", refused.message);

    server.run("INSERT INTO O SELECT K, V FROM S;");
    let refused = server.plan(replace).unwrap_err();
    assert!(refused.message.contains("multiple queries"));
}

#[test]
fn what_the_runtime_refuses_is_an_error_of_the_server_about_the_request() {
    let server = Server::new();
    for (window, reason) in [
        ("TUMBLING (SIZE 0 SECONDS)", "more than zero"),
        ("HOPPING (SIZE 1 HOUR, ADVANCE BY 2 HOURS)", "ADVANCE BY"),
        ("TUMBLING (SIZE 1 HOUR, RETENTION 1 MINUTE)", "retention"),
        ("SESSION (-1 SECONDS)", "must not be negative"),
    ] {
        let sql =
            format!("CREATE TABLE O AS SELECT K, COUNT(*) FROM S WINDOW {window} GROUP BY K;");
        let refused = server.plan(&sql).unwrap_err();
        assert_eq!(refused.code, ErrorCode::ServerError, "{sql}");
        assert!(refused.message.contains(reason), "{}", refused.message);
        assert_eq!(refused.statement, None, "{sql}");
    }
    let unknown = "CREATE TABLE O AS SELECT K, COUNT(*) FROM S WHERE X = 1 GROUP BY K;";
    let refused = server.plan(unknown).unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadStatement);
    assert!(
        refused
            .statement
            .is_some_and(|text| text.contains("CLEANUP_POLICY"))
    );
}
