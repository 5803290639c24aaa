//! EXPLAIN of a statement: planned, described, not run (spec/api.md §3.3).

use indexmap::IndexMap;
use weir_parser::Parsed;
use weir_parser::ast::{QueryTarget, SourceKind, Statement};
use weir_planner::ddl::Outcome;
use weir_planner::stream::{QueryPlan, StreamNode};
use weir_planner::{QueryContext, plan_query};
use weir_protocol::{FieldInfo, QueryDescription};
use weir_types::{Column, ColumnRole, Schema, SqlError};

use super::push::query_id;
use crate::hash_order;
use crate::metastore::View;
use crate::planning::{self, PlanContext};
use crate::weir::Weir;

/// Describes what a SELECT, CREATE … AS or INSERT … SELECT would do.
pub(crate) fn explain(
    weir: &Weir,
    statement: &Statement,
    text: &str,
    view: &View<'_>,
) -> Result<QueryDescription, SqlError> {
    match statement {
        Statement::Query(query) => {
            // A pull query over a table has no operators of its own; it is planned to be checked.
            if query.emit.is_none() {
                let plan = weir_planner::pull::plan_pull(query, view)?;
                if plan.source.kind == SourceKind::Table {
                    let mut columns: Vec<Column> = plan.source.schema.keys().cloned().collect();
                    columns.extend(as_values(&plan.schema));
                    let id = query_id(query);
                    let sources = vec![plan.source.name.clone()];
                    let mut description = description(id, text, &columns, sources, String::new());
                    transient(&mut description, weir, view);
                    return Ok(description);
                }
            }
            let streaming = weir_parser::ast::Query {
                emit: Some(query.emit.unwrap_or(weir_parser::ast::Emit::Changes)),
                ..query.clone()
            };
            let plan = plan_query(&streaming, view, QueryContext::Push)?;
            let mut columns: Vec<Column> = keys_of(&plan);
            columns.extend(as_values(&plan.schema));
            let mut description = described(query_id(query), text, &columns, &plan)?;
            transient(&mut description, weir, view);
            Ok(description)
        }
        Statement::CreateAs(_) | Statement::InsertSelect { .. } => {
            let parsed = Parsed {
                statement: statement.clone(),
                text: text.to_owned(),
            };
            let context = PlanContext {
                store: view.store,
                catalog: view,
                overrides: view.overrides,
                query_number: weir.last_command() + 1,
                query_id: None,
            };
            let planned = match planning::plan(&parsed, &context)? {
                Outcome::Do(planned) => planned,
                Outcome::Nothing(warning) => return Err(SqlError::statement(warning)),
            };
            let Some(query) = planned.effect.started() else {
                return Err(SqlError::internal("a query was planned without a query"));
            };
            let columns = query.plan.schema.columns();
            let mut description = described(query.id.clone(), text, columns, &query.plan)?;
            description.sinks = query.sink.iter().map(|(name, _)| name.clone()).collect();
            description.overridden_properties = overridden(view);
            description.query_type = Some("PERSISTENT".to_owned());
            description.consumer_group_id = Some(weir.fleet.group_id(&query.id));
            Ok(description)
        }
        Statement::Terminate(QueryTarget::Id(id)) => Err(SqlError::statement(format!(
            "Cannot explain TERMINATE {id}."
        ))),
        _ => Err(SqlError::statement(
            "The provided statement does not run a ksql query",
        )),
    }
}

/// A query for a client: it has a group of its own each time.
fn transient(description: &mut QueryDescription, weir: &Weir, view: &View<'_>) {
    description.overridden_properties = overridden(view);
    let prefix = weir
        .config
        .value("ksql.transient.prefix")
        .unwrap_or_else(|| "transient_".to_owned());
    let service = weir.config.service_id();
    let group = weir_runtime::names::application_id(&service, &prefix, &description.id);
    description.query_type = Some("PUSH".to_owned());
    description.consumer_group_id = Some(format!("{group}_{}", crate::clock::now_ms()));
}

/// What the request sets for the query.
fn overridden(view: &View<'_>) -> IndexMap<String, serde_json::Value> {
    let set = view.overrides.0.iter();
    set.map(|(name, value)| (name.clone(), value.clone().into()))
        .collect()
}

/// The columns as a client sees them: keys are values among others.
fn as_values(schema: &Schema) -> impl Iterator<Item = Column> + '_ {
    let columns = schema.columns().iter();
    columns.map(|c| Column::value(&c.name, c.sql_type.clone()))
}

/// The key that the rows of a push query have, shown beside its columns; bounds of windows, which
/// belong to it, are not.
fn keys_of(plan: &QueryPlan) -> Vec<Column> {
    let Some(StreamNode::Output(output)) = StreamNode::of(&plan.root) else {
        return Vec::new();
    };
    let columns = output
        .key
        .iter()
        .filter_map(|&i| plan.schema.columns().get(i));
    columns
        .filter(|c| !["WINDOWSTART", "WINDOWEND"].contains(&c.name.as_str()))
        .map(|c| Column {
            role: ColumnRole::Key,
            ..c.clone()
        })
        .collect()
}

fn described(
    id: String,
    text: &str,
    columns: &[Column],
    plan: &QueryPlan,
) -> Result<QueryDescription, SqlError> {
    let topology = crate::fleet::compile(plan).map_err(SqlError::internal)?;
    let mut description = description(
        id,
        text,
        columns,
        plan.sources.clone(),
        topology.description,
    );
    description.window_type = plan.window.map(|w| w.kind.name().to_owned());
    description.execution_plan = plan.root.display_indent().to_string();
    Ok(description)
}

fn description(
    id: String,
    text: &str,
    columns: &[Column],
    mut sources: Vec<String>,
    topology: String,
) -> QueryDescription {
    hash_order::sort(&mut sources);
    QueryDescription {
        id,
        statement_text: format!("{};", text.trim_end().trim_end_matches(';')),
        window_type: None,
        fields: columns.iter().map(FieldInfo::from).collect(),
        sources,
        sinks: Vec::new(),
        execution_plan: topology.clone(),
        topology,
        overridden_properties: IndexMap::new(),
        ksql_host_query_status: IndexMap::new(),
        query_type: None,
        query_errors: Vec::new(),
        tasks_metadata: Vec::new(),
        consumer_group_id: None,
        state: None,
    }
}
