//! Planning of statements that start a query: CREATE … AS SELECT, INSERT INTO … SELECT, and the
//! materialisation of a SOURCE TABLE.

use std::sync::Arc;

use weir_parser::ast::{CreateAs, Ident, Properties, Query, SourceKind, Statement};
use weir_parser::printer::print_statement;
use weir_planner::catalog::SourceInfo;
use weir_planner::ddl::{self, Outcome, QueryResult};
use weir_planner::stream::QueryPlan;
use weir_planner::{QueryContext, attach_sink, canonical_query, check_upgrade, plan_query};
use weir_types::{ErrorCode, SqlError};

use super::{Effect, PlanContext, Planned, planned};
use crate::command::CommandId;
use crate::metastore::{PersistentKind, PersistentQuery, kind_word};

/// The query that materialises a SOURCE TABLE: reads it from the beginning and writes nothing.
pub(super) fn source_table_query(
    source: &SourceInfo,
    context: &PlanContext<'_>,
) -> Result<PersistentQuery, SqlError> {
    let id = context.query_id.map_or_else(
        || format!("CST_{}_{}", source.name, context.query_number),
        str::to_owned,
    );
    Ok(PersistentQuery {
        id,
        kind: PersistentKind::SourceTable,
        sql: source.sql.clone(),
        sink: None,
        plan: runnable(
            weir_planner::plan_source_table(&Arc::new(source.clone()))?,
            context,
        )?,
        overrides: context.effective(),
        paused: false,
    })
}

/// CREATE STREAM / TABLE … AS SELECT.
pub(super) fn create_as(
    create: &CreateAs,
    context: &PlanContext<'_>,
) -> Result<Outcome<Planned>, SqlError> {
    let catalog = context.catalog;
    // The name is looked at first: IF NOT EXISTS does not care for the query.
    let query_context = QueryContext::CreateAs {
        kind: create.kind,
        sink: &create.name.name,
    };
    let topic = ddl::sink_topic(create, catalog)?;
    let canonical = CreateAs {
        query: canonical_query(&create.query, catalog),
        ..create.clone()
    };
    let plan = plan_query(&create.query, catalog, query_context).map_err(|error| {
        let shown = CreateAs {
            with: topic.with.clone(),
            ..canonical.clone()
        };
        about_canonical(error, &print_statement(&Statement::CreateAs(shown)))
    })?;
    let result = QueryResult {
        schema: &plan.schema,
        kind: plan.kind,
        window: plan.window,
    };
    let sink = match ddl::sink_source(&canonical, &topic, result, catalog)? {
        Outcome::Do(sink) => sink,
        Outcome::Nothing(warning) => return Ok(Outcome::Nothing(warning)),
    };
    let prefix = match create.kind {
        SourceKind::Stream => "CSAS",
        SourceKind::Table => "CTAS",
    };
    let plan = attach_sink(plan, &sink);
    let (plan, replaced) = runnable(plan, context)
        .and_then(|plan| Ok((replaced(create, &plan, context)?, plan)))
        .map(|(replaced, plan)| (plan, replaced))
        .map_err(|error| about_canonical(error, &sink.sql))?;
    let query = PersistentQuery {
        id: match (context.query_id, replaced) {
            (Some(id), _) => id.to_owned(),
            (None, Some(id)) => id,
            (None, None) => format!("{prefix}_{}_{}", sink.name, context.query_number),
        },
        kind: PersistentKind::CreateAs,
        sql: sink.sql.clone(),
        sink: Some((sink.name.clone(), sink.topic.clone())),
        plan,
        overrides: context.effective(),
        paused: false,
    };
    check_limit(context)?;
    let word = kind_word(sink.kind).to_ascii_lowercase();
    let mut planned = planned(
        CommandId::new(&word, weir_types::ident::quoted(&sink.name), "create"),
        &sink.sql.clone(),
        Effect::StartQuery {
            sink: Some(sink),
            query,
        },
    );
    planned.topics = topic.create.into_iter().collect();
    planned.warnings = join_warnings(&create.query);
    Ok(Outcome::Do(planned))
}

/// The plan, once the engine has said that it can run it: nothing of a statement is done before.
/// A replayed command was accepted; whether its query still runs is seen when it starts.
fn runnable(plan: QueryPlan, context: &PlanContext<'_>) -> Result<QueryPlan, SqlError> {
    if context.query_id.is_none() {
        weir_engine::compile(&plan).map_err(|e| SqlError::statement(e.to_string()))?;
    }
    Ok(plan)
}

/// The id of the query whose place CREATE OR REPLACE takes, if there is one: the only writer of
/// the sink (spec/sql.md §12).
fn replaced(
    create: &CreateAs,
    plan: &QueryPlan,
    context: &PlanContext<'_>,
) -> Result<Option<String>, SqlError> {
    if !create.or_replace || context.query_id.is_some() {
        return Ok(None);
    }
    let sink = &create.name.name;
    let writers: Vec<_> = context.store.writers(sink).collect();
    match writers.as_slice() {
        [] => Ok(None),
        [old] => {
            check_upgrade(&old.id, &old.plan, plan)?;
            Ok(Some(old.id.clone()))
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|q| q.id.as_str()).collect();
            Err(SqlError::statement(format!(
                "REPLACE for sink {sink} is not supported because there are multiple queries \
                 writing into it: [{}]. Terminate all but one first.",
                ids.join(", ")
            )))
        }
    }
}

/// What refuses a statement after it was prepared is told about its canonical form; what the
/// runtime refuses, about the request.
fn about_canonical(mut error: SqlError, text: &str) -> SqlError {
    if error.code == ErrorCode::ServerError
        || error.message.starts_with("Exception while preparing")
        || error.message.starts_with("Failed to prepare")
    {
        return error;
    }
    if error.message.starts_with("Invalid result type") {
        error.message = format!("{}\nStatement: {text}", error.message);
    }
    error.in_statement(text)
}

/// INSERT INTO … SELECT.
pub(super) fn insert_select(
    target: &Ident,
    with: &Properties,
    query: &Query,
    text: &str,
    context: &PlanContext<'_>,
) -> Result<Planned, SqlError> {
    let catalog = context.catalog;
    ddl::check_insert_properties(with)?;
    let given = ddl::query_id(with)?;
    let plan = plan_query(query, catalog, QueryContext::Insert { target })?;
    let Some(sink) = catalog.source(&target.name) else {
        return Err(SqlError::statement(format!(
            "{} does not exist.",
            target.name
        )));
    };
    let id = match (context.query_id, given) {
        (Some(id), _) => id.to_owned(),
        (None, Some(id)) => id,
        (None, None) => format!("INSERTQUERY_{}", context.query_number),
    };
    if context.query_id.is_none() && context.store.query(&id).is_some() {
        return Err(SqlError::statement(format!(
            "Query ID '{id}' already exists."
        )));
    }
    check_limit(context)?;
    let query_info = PersistentQuery {
        id,
        kind: PersistentKind::Insert,
        sql: text.to_owned(),
        sink: Some((sink.name.clone(), sink.topic.clone())),
        plan: runnable(attach_sink(plan, &sink), context)?,
        overrides: context.effective(),
        paused: false,
    };
    let mut planned = planned(
        CommandId::new("stream", weir_types::ident::quoted(&target.name), "create"),
        text,
        Effect::StartQuery {
            sink: None,
            query: query_info,
        },
    );
    planned.warnings = join_warnings(query);
    Ok(planned)
}

/// `ksql.query.persistent.active.limit`
fn check_limit(context: &PlanContext<'_>) -> Result<(), SqlError> {
    let limit = context
        .catalog
        .config("ksql.query.persistent.active.limit")
        .and_then(|v| v.trim().parse::<usize>().ok());
    let running = context.store.queries().count();
    if limit.is_some_and(|limit| running >= limit) && context.query_id.is_none() {
        return Err(SqlError::request(format!(
            "Not executing statement(s) as it would cause the number of active, persistent \
             queries to exceed the configured limit. Use the TERMINATE command to terminate \
             existing queries. Current query count: {running}. Configured limit: {}.",
            limit.unwrap_or_default()
        )));
    }
    Ok(())
}

/// A stream-stream join without GRACE is answered with a warning.
fn join_warnings(query: &Query) -> Vec<String> {
    let without = query
        .joins
        .iter()
        .any(|j| j.within.is_some_and(|w| w.grace.is_none()));
    if !without {
        return Vec::new();
    }
    vec![
        "DEPRECATION NOTICE: Stream-stream joins statements without a GRACE PERIOD will not be \
         accepted in a future ksqlDB version.\nPlease use the GRACE PERIOD clause as specified \
         in https://docs.ksqldb.io/en/latest/developer-guide/ksqldb-reference/select-push-query/"
            .to_owned(),
    ]
}
