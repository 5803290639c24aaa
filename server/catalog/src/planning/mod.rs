//! Planning of statements that change the metastore: from a parsed statement to what it will do.
//!
//! ```text
//!  Parsed ──plan──► Planned { command id, canonical text, topics to make, Effect }
//!                                                            │
//!                           sandbox or metastore ◄──apply────┘
//! ```
//!
//! [`effect`]: what a statement changes; [`queries`]: statements that start a query; [`removal`]:
//! DROP and what is said to running queries.
//!
//! Invariant: planning reads the catalog and changes nothing; [`apply`] changes the metastore and
//! touches nothing else. Both run the same way for a new statement and for a replayed one.

mod effect;
mod queries;
mod removal;
#[cfg(test)]
mod tests;

use weir_parser::Parsed;
use weir_parser::ast::{CreateSource, SourceKind, Statement};
use weir_planner::catalog::Catalog;
use weir_planner::ddl::{self, Outcome, TopicSpec};
use weir_types::SqlError;

pub use effect::{Effect, apply};

use self::queries::{create_as, insert_select, source_table_query};
use self::removal::{control, drop_source};
use crate::command::CommandId;
use crate::config::{self, Overrides};
use crate::metastore::{Metastore, kind_word};

/// What a statement will do.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Id of its command.
    pub id: CommandId,
    /// Its text as `statementText` shows it.
    pub text: String,
    /// Topics to make before.
    pub topics: Vec<TopicSpec>,
    /// Topic to delete after (DROP … DELETE TOPIC).
    pub delete_topic: Option<String>,
    /// Warnings beside the answer.
    pub warnings: Vec<String>,
    /// Change of the metastore.
    pub effect: Effect,
}

/// What planning needs beside the catalog.
pub struct PlanContext<'a> {
    /// The metastore (for queries; sources come through `catalog`).
    pub store: &'a Metastore,
    /// Sources, types, topics and configuration.
    pub catalog: &'a dyn Catalog,
    /// Overrides of the request, kept with queries.
    pub overrides: &'a Overrides,
    /// Number in the id of a query that is started: offset of the last command + 1.
    pub query_number: i64,
    /// Id given by a replayed command.
    pub query_id: Option<&'a str>,
}

impl PlanContext<'_> {
    /// The properties that a query of this statement keeps: those of ALTER SYSTEM, then what the
    /// request overrides.
    fn effective(&self) -> Overrides {
        self.overrides.over(self.store.system())
    }
}

/// Whether a statement changes the metastore.
pub fn is_command(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::CreateSource(_)
            | Statement::CreateAs(_)
            | Statement::InsertSelect { .. }
            | Statement::DropSource { .. }
            | Statement::AlterSource { .. }
            | Statement::AlterSystem { .. }
            | Statement::CreateType { .. }
            | Statement::DropType { .. }
            | Statement::Terminate(_)
            | Statement::Pause(_)
            | Statement::Resume(_)
    )
}

/// Plans a statement for which [`is_command`] holds.
///
/// # Errors
///
/// Whatever refuses the statement.
pub fn plan(parsed: &Parsed, context: &PlanContext<'_>) -> Result<Outcome<Planned>, SqlError> {
    match &parsed.statement {
        Statement::CreateSource(create) => create_source(create, context),
        Statement::CreateAs(create) => create_as(create, context),
        Statement::InsertSelect {
            target,
            with,
            query,
        } => insert_select(target, with, query, &parsed.text, context).map(Outcome::Do),
        Statement::DropSource {
            kind,
            if_exists,
            name,
            delete_topic,
        } => drop_source(*kind, name, *if_exists, *delete_topic, context),
        Statement::AlterSource { kind, name, add } => {
            let source = ddl::alter_source(*kind, name, add, context.catalog)?;
            let word = kind_word(*kind).to_ascii_lowercase();
            Ok(Outcome::Do(planned(
                CommandId::new(&word, &source.name, "alter"),
                &parsed.text,
                Effect::PutSource {
                    source,
                    query: None,
                    altered: true,
                },
            )))
        }
        Statement::AlterSystem { name, value } => {
            alter_system(name, value, &parsed.text, context).map(Outcome::Do)
        }
        Statement::CreateType {
            if_not_exists,
            name,
            type_name,
        } => {
            let outcome = ddl::create_type(name, type_name, *if_not_exists, context.catalog)?;
            Ok(map(outcome, |sql_type| {
                planned(
                    CommandId::new("type", &name.name, "create"),
                    &parsed.text,
                    Effect::PutType(name.name.clone(), sql_type),
                )
            }))
        }
        Statement::DropType { if_exists, name } => {
            let outcome = ddl::drop_type(name, *if_exists, context.catalog)?;
            Ok(map(outcome, |()| {
                planned(
                    CommandId::new("type", &name.name, "drop"),
                    &parsed.text,
                    Effect::RemoveType(name.name.clone()),
                )
            }))
        }
        Statement::Terminate(target) => control(
            "terminate",
            target,
            &parsed.text,
            context,
            Effect::Terminate,
        ),
        Statement::Pause(target) => control("pause", target, &parsed.text, context, Effect::Pause),
        Statement::Resume(target) => {
            control("resume", target, &parsed.text, context, Effect::Resume)
        }
        _ => Err(SqlError::internal("statement is not a command")),
    }
}

fn planned(id: CommandId, text: &str, effect: Effect) -> Planned {
    Planned {
        id,
        text: text.to_owned(),
        topics: Vec::new(),
        delete_topic: None,
        warnings: Vec::new(),
        effect,
    }
}

fn map<T, U>(outcome: Outcome<T>, f: impl FnOnce(T) -> U) -> Outcome<U> {
    match outcome {
        Outcome::Do(value) => Outcome::Do(f(value)),
        Outcome::Nothing(warning) => Outcome::Nothing(warning),
    }
}

/// ALTER SYSTEM: a property for the whole cluster, which queries made from now on keep.
fn alter_system(
    name: &str,
    value: &str,
    text: &str,
    context: &PlanContext<'_>,
) -> Result<Planned, SqlError> {
    let switch = "ksql.runtime.feature.shared.enabled";
    let enabled = context.catalog.config(switch);
    if !enabled.is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        return Err(SqlError::internal(format!(
            "Could not write the statement '{text}' into the command topic.\nCaused by: ALTER \
             SYSTEM needs {switch}=true, which is not set."
        )));
    }
    let refused = |e: config::ConfigError| SqlError::statement(e.to_string());
    let property = config::canonical(name).map_err(refused)?;
    if config::is_denied(&property) || !config::is_editable(&property) {
        return Err(refused(config::ConfigError::NotEditable(name.to_owned())));
    }
    config::check_value(&property, value).map_err(refused)?;
    Ok(planned(
        CommandId::new("cluster", &property, "alter"),
        text,
        Effect::SetSystem(property.clone(), value.to_owned()),
    ))
}

fn create_source(
    create: &CreateSource,
    context: &PlanContext<'_>,
) -> Result<Outcome<Planned>, SqlError> {
    let plan = match ddl::create_source(create, context.catalog)? {
        Outcome::Do(plan) => plan,
        Outcome::Nothing(warning) => return Ok(Outcome::Nothing(warning)),
    };
    let mut source = plan.source;
    let word = kind_word(source.kind).to_ascii_lowercase();
    let id = CommandId::new(&word, weir_types::ident::quoted(&source.name), "create");
    let text = source.sql.clone();
    let query = if source.kind == SourceKind::Table && source.read_only {
        source.materialized = true;
        Some(source_table_query(&source, context)?)
    } else {
        None
    };
    let mut planned = planned(
        id,
        &text,
        Effect::PutSource {
            source,
            query,
            altered: false,
        },
    );
    planned.topics = plan.create_topic.into_iter().collect();
    Ok(Outcome::Do(planned))
}
