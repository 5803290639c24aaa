//! EXPLAIN of a statement: planned, described, not run (spec/api.md §3.3).

use indexmap::IndexMap;
use weir_parser::Parsed;
use weir_parser::ast::{QueryTarget, SourceKind, Statement};
use weir_planner::ddl::Outcome;
use weir_planner::stream::QueryPlan;
use weir_planner::{QueryContext, plan_query};
use weir_protocol::{FieldInfo, QueryDescription};
use weir_types::SqlError;

use super::push::query_id;
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
                    let fields = plan.schema.columns().iter().map(FieldInfo::from).collect();
                    let sources = vec![plan.source.name.clone()];
                    return Ok(description(
                        query_id(query),
                        text,
                        fields,
                        sources,
                        String::new(),
                    ));
                }
            }
            let streaming = weir_parser::ast::Query {
                emit: Some(query.emit.unwrap_or(weir_parser::ast::Emit::Changes)),
                ..query.clone()
            };
            let plan = plan_query(&streaming, view, QueryContext::Push)?;
            described(query_id(query), text, &plan)
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
            let mut description = described(query.id.clone(), text, &query.plan)?;
            description.sinks = query.sink.iter().map(|(name, _)| name.clone()).collect();
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

fn described(id: String, text: &str, plan: &QueryPlan) -> Result<QueryDescription, SqlError> {
    let topology = crate::fleet::compile(plan).map_err(SqlError::internal)?;
    let fields = plan.schema.columns().iter().map(FieldInfo::from).collect();
    let mut description = description(
        id,
        text,
        fields,
        plan.sources.clone(),
        topology.description.clone(),
    );
    description.window_type = plan.window.map(|w| w.kind.name().to_owned());
    description.execution_plan = topology.description;
    Ok(description)
}

fn description(
    id: String,
    text: &str,
    fields: Vec<FieldInfo>,
    sources: Vec<String>,
    topology: String,
) -> QueryDescription {
    QueryDescription {
        id,
        statement_text: format!("{};", text.trim_end().trim_end_matches(';')),
        window_type: None,
        fields,
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
