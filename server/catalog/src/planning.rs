//! Planning of statements that change the metastore: from a parsed statement to what it will do.
//!
//! ```text
//!  Parsed ──plan──► Planned { command id, canonical text, topics to make, Effect }
//!                                                            │
//!                           sandbox or metastore ◄──apply────┘
//! ```
//!
//! Invariant: planning reads the catalog and changes nothing; [`apply`] changes the metastore and
//! touches nothing else. Both run the same way for a new statement and for a replayed one.

use std::sync::Arc;

use weir_parser::Parsed;
use weir_parser::ast::{
    CreateAs, CreateSource, Ident, Properties, Query, QueryTarget, SourceKind, Statement,
};
use weir_parser::printer::print_statement;
use weir_planner::catalog::{Catalog, SourceInfo};
use weir_planner::ddl::{self, Outcome, QueryResult, TopicSpec};
use weir_planner::{QueryContext, attach_sink, canonical_query, plan_query};
use weir_types::{SqlError, SqlType};

use crate::command::CommandId;
use crate::config::Overrides;
use crate::metastore::{Metastore, PersistentKind, PersistentQuery, kind_word};

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

/// A change of the metastore.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)]
pub enum Effect {
    /// CREATE STREAM / TABLE, ALTER; with the query that materialises a SOURCE TABLE.
    PutSource {
        /// The source.
        source: SourceInfo,
        /// Its materialisation.
        query: Option<PersistentQuery>,
        /// ALTER, not CREATE.
        altered: bool,
    },
    /// CREATE … AS SELECT, INSERT INTO … SELECT.
    StartQuery {
        /// The sink, if it is new.
        sink: Option<SourceInfo>,
        /// The query.
        query: PersistentQuery,
    },
    /// DROP STREAM / TABLE.
    DropSource {
        /// Name.
        name: String,
        /// Its topic, for the message.
        topic: String,
        /// Its own query, which goes with it.
        query: Option<String>,
    },
    /// DROP of what is not there, by a replayed command.
    Terminate(Vec<String>),
    /// PAUSE.
    Pause(Vec<String>),
    /// RESUME.
    Resume(Vec<String>),
    /// CREATE TYPE.
    PutType(String, SqlType),
    /// DROP TYPE.
    RemoveType(String),
}

impl Effect {
    /// The message of a `commandStatus` that succeeded (spec/api.md §3.2).
    pub fn message(&self) -> String {
        match self {
            Self::PutSource {
                source,
                altered: true,
                ..
            } => {
                let word = match source.kind {
                    SourceKind::Stream => "Stream",
                    SourceKind::Table => "Table",
                };
                format!("{word} {} altered.", source.name)
            }
            Self::PutSource {
                query: Some(query), ..
            }
            | Self::StartQuery { query, .. } => {
                format!("Created query with ID {}", query.id)
            }
            Self::PutSource { source, .. } => match source.kind {
                SourceKind::Stream => "Stream created".to_owned(),
                SourceKind::Table => "Table created".to_owned(),
            },
            Self::DropSource { name, topic, .. } => {
                format!("Source `{name}` (topic: {topic}) was dropped.")
            }
            Self::Terminate(_) => "Query terminated.".to_owned(),
            Self::Pause(_) => "Query paused.".to_owned(),
            Self::Resume(_) => "Query resumed.".to_owned(),
            Self::PutType(name, sql_type) => {
                format!("Registered custom type with name '{name}' and SQL type {sql_type}")
            }
            Self::RemoveType(name) => format!("Dropped type '{name}'"),
        }
    }

    /// The query that it starts.
    pub fn started(&self) -> Option<&PersistentQuery> {
        match self {
            Self::PutSource {
                query: Some(query), ..
            }
            | Self::StartQuery { query, .. } => Some(query),
            _ => None,
        }
    }
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

/// Whether a statement changes the metastore.
pub fn is_command(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::CreateSource(_)
            | Statement::CreateAs(_)
            | Statement::InsertSelect { .. }
            | Statement::DropSource { .. }
            | Statement::AlterSource { .. }
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

/// The query that materialises a SOURCE TABLE: reads it from the beginning and writes nothing.
fn source_table_query(
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
        plan: weir_planner::plan_source_table(&Arc::new(source.clone()))?,
        overrides: context.overrides.clone(),
        paused: false,
    })
}

fn create_as(create: &CreateAs, context: &PlanContext<'_>) -> Result<Outcome<Planned>, SqlError> {
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
    let replaced = create
        .or_replace
        .then(|| context.store.own_query(&sink.name).map(|q| q.id.clone()))
        .flatten();
    let query = PersistentQuery {
        id: match (context.query_id, replaced) {
            (Some(id), _) => id.to_owned(),
            (None, Some(id)) => id,
            (None, None) => format!("{prefix}_{}_{}", sink.name, context.query_number),
        },
        kind: PersistentKind::CreateAs,
        sql: sink.sql.clone(),
        sink: Some((sink.name.clone(), sink.topic.clone())),
        plan: attach_sink(plan, &sink),
        overrides: context.overrides.clone(),
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

/// What refuses a statement after it was prepared is told about its canonical form.
fn about_canonical(mut error: SqlError, text: &str) -> SqlError {
    if error.message.starts_with("Exception while preparing")
        || error.message.starts_with("Failed to prepare")
    {
        return error;
    }
    if error.message.starts_with("Invalid result type") {
        error.message = format!("{}\nStatement: {text}", error.message);
    }
    error.in_statement(text)
}

fn insert_select(
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
        plan: attach_sink(plan, &sink),
        overrides: context.overrides.clone(),
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

fn drop_source(
    kind: SourceKind,
    name: &Ident,
    if_exists: bool,
    delete_topic: bool,
    context: &PlanContext<'_>,
) -> Result<Outcome<Planned>, SqlError> {
    let plan = match ddl::drop_source(kind, name, if_exists, delete_topic, context.catalog)? {
        Outcome::Do(plan) => plan,
        Outcome::Nothing(warning) => return Ok(Outcome::Nothing(warning)),
    };
    let source = plan.source;
    let dependents = context.store.dependents(&source.name);
    if !dependents.is_empty() {
        return Err(SqlError::statement(format!(
            "Cannot drop {}.\nThe following streams and/or tables read from this source: [{}].\n\
             You need to drop them before dropping {}.",
            source.name,
            dependents.join(", "),
            source.name
        )));
    }
    let own = context.store.own_query(&source.name).map(|q| q.id.clone());
    let other = |queries: Vec<String>| {
        let mut ids: Vec<String> = queries
            .into_iter()
            .filter(|id| Some(id) != own.as_ref())
            .collect();
        ids.sort();
        ids
    };
    let readers = other(
        context
            .store
            .readers(&source.name)
            .map(|q| q.id.clone())
            .collect(),
    );
    let writers = other(
        context
            .store
            .writers(&source.name)
            .map(|q| q.id.clone())
            .collect(),
    );
    if !readers.is_empty() || !writers.is_empty() {
        return Err(SqlError::statement(format!(
            "Cannot drop {}.\nThe following queries read from this source: [{}].\nThe following \
             queries write into this source: [{}].\nYou need to terminate them before dropping {}.",
            source.name,
            readers.join(", "),
            writers.join(", "),
            source.name
        )));
    }
    let word = kind_word(kind);
    let exists = if if_exists { "IF EXISTS " } else { "" };
    let text = format!(
        "DROP {word} {exists}{};",
        weir_parser::printer::print_name(&source.name)
    );
    let mut planned = planned(
        CommandId::new(&word.to_ascii_lowercase(), &source.name, "drop"),
        &text,
        Effect::DropSource {
            name: source.name.clone(),
            topic: source.topic.clone(),
            query: own,
        },
    );
    planned.delete_topic = plan.delete_topic.then(|| source.topic.clone());
    Ok(Outcome::Do(planned))
}

/// TERMINATE, PAUSE, RESUME.
fn control(
    kind: &str,
    target: &QueryTarget,
    text: &str,
    context: &PlanContext<'_>,
    effect: impl FnOnce(Vec<String>) -> Effect,
) -> Result<Outcome<Planned>, SqlError> {
    let (entity, ids) = match target {
        QueryTarget::All => {
            let all = context
                .store
                .queries()
                .filter(|q| q.kind != PersistentKind::SourceTable)
                .map(|q| q.id.clone())
                .collect();
            ("ALL".to_owned(), all)
        }
        QueryTarget::Id(id) => {
            let query = context
                .store
                .query(id)
                .ok_or_else(|| SqlError::statement(format!("Unknown queryId: {id}")))?;
            if query.kind == PersistentKind::SourceTable {
                return Err(SqlError::statement(format!(
                    "Cannot {kind} query '{id}' because it is linked to a source table."
                )));
            }
            (id.clone(), vec![id.clone()])
        }
    };
    Ok(Outcome::Do(planned(
        CommandId::new(kind, entity, "execute"),
        text,
        effect(ids),
    )))
}

/// Applies a change to a metastore or a sandbox.
pub fn apply(store: &mut Metastore, effect: &Effect) {
    match effect {
        Effect::PutSource { source, query, .. } => {
            store.put_source(source.clone());
            if let Some(query) = query {
                store.put_query(query.clone());
            }
        }
        Effect::StartQuery { sink, query } => {
            if let Some(sink) = sink {
                store.put_source(sink.clone());
            }
            store.put_query(query.clone());
        }
        Effect::DropSource { name, query, .. } => {
            store.remove_source(name);
            if let Some(query) = query {
                store.remove_query(query);
            }
        }
        Effect::Terminate(ids) => {
            for id in ids {
                store.remove_query(id);
            }
        }
        Effect::Pause(ids) => ids.iter().for_each(|id| store.set_paused(id, true)),
        Effect::Resume(ids) => ids.iter().for_each(|id| store.set_paused(id, false)),
        Effect::PutType(name, sql_type) => store.put_type(name, sql_type.clone()),
        Effect::RemoveType(name) => {
            store.remove_type(name);
        }
    }
}
