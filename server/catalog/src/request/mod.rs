//! `/ksql`: a request of statements (spec/api.md §3).
//!
//! ```text
//!  text ─► statements ─► each planned over a sandbox (refused: nothing happens)
//!                     ─► each run: command │ listing │ setting │ insert ─► entities
//! ```
//!
//! The first command of a request is run as it was planned over the sandbox. Those behind it are
//! planned again: the numbers in their queries' ids and the topics that they find follow from what
//! the first one did.
//!
//! Invariant: what a statement is (an answer, a command, the end of a push query) is decided once,
//! before the first one runs.

mod assert_topic;
mod connectors;
mod session;
mod terminate;

use indexmap::IndexMap;
use weir_parser::ast::{QueryTarget, Statement};
use weir_parser::{Parsed, Variables};
use weir_planner::catalog::{Catalog, TopicInfo};
use weir_planner::ddl::{Outcome, TopicSpec};
use weir_protocol::{ApiError, CommandStatus, CommandStatusEntity, Entity, KsqlRequest};
use weir_types::{ErrorCode, SqlError};

use crate::command::Command;
use crate::config::Overrides;
use crate::metastore::{Metastore, PlannedTopics, View};
use crate::planning::{self, PlanContext, Planned};
use crate::statements::listing::{self, Listing};
use crate::weir::Weir;
use crate::{command, inserter, query};

pub(crate) use session::Session;
pub(crate) use terminate::terminate_cluster;

/// A statement of a request, and who runs it.
struct Step {
    parsed: Parsed,
    role: Role,
    /// Its plan, once it was validated and if it may run as planned then.
    plan: Option<Outcome<Planned>>,
}

/// Who runs a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It goes through the command log.
    Command,
    /// TERMINATE of a push query, which belongs to this server alone.
    EndsPushQuery,
    /// Answered from what is there, or a setting.
    Other,
}

impl Step {
    fn new(weir: &Weir, parsed: Parsed) -> Self {
        let role = match &parsed.statement {
            Statement::Terminate(QueryTarget::Id(id)) if weir.push.contains(id) => {
                Role::EndsPushQuery
            }
            other if planning::is_command(other) => Role::Command,
            _ => Role::Other,
        };
        Self {
            parsed,
            role,
            plan: None,
        }
    }
}

/// Parses a request whose DEFINEs act on what follows.
fn parse(text: &str, session: &Session) -> Result<Vec<Parsed>, ApiError> {
    weir_parser::parse_all(text, &session.variables).map_err(|e| ApiError::from_sql(e, text))
}

/// Runs a request.
pub(crate) fn execute(weir: &Weir, request: &KsqlRequest) -> Result<Vec<Entity>, ApiError> {
    let mut session = match weir.session(&request.streams_properties, &request.session_variables) {
        Ok(session) => session,
        // A property that nobody knows is found with the first statement that it would act on.
        Err(error) if error.code == ErrorCode::ServerError => {
            let bare = weir.session(&IndexMap::new(), &request.session_variables)?;
            return match parse(&request.ksql, &bare)?.into_iter().next() {
                Some(first) => Err(ApiError::statement(error.code, error.message, first.text)),
                None => Ok(Vec::new()),
            };
        }
        Err(error) => return Err(error),
    };
    let mut steps: Vec<Step> = parse(&request.ksql, &session)?
        .into_iter()
        .map(|parsed| Step::new(weir, parsed))
        .collect();
    if steps.iter().all(|step| step.role != Role::Command) {
        validate(weir, &mut steps, &session, &request.ksql)?;
        return run(weir, steps, &mut session, None);
    }
    // Commands of other servers come first, and none may come between planning and appending.
    let mut commands = weir.commands.lock();
    let newer = commands
        .log
        .catch_up()
        .map_err(|e| ApiError::generic(ErrorCode::Unavailable, e.to_string()))?;
    for logged in newer {
        weir.apply_foreign(logged, true);
    }
    validate(weir, &mut steps, &session, &request.ksql)?;
    run(weir, steps, &mut session, Some(&mut commands))
}

/// Plans every statement over a sandbox; the first refusal refuses the request. The first command
/// keeps its plan. `request`: the whole text, which is what a refusal by the runtime tells of.
fn validate(
    weir: &Weir,
    steps: &mut [Step],
    session: &Session,
    request: &str,
) -> Result<(), ApiError> {
    let mut session = Session {
        overrides: session.overrides.clone(),
        variables: session.variables.clone(),
    };
    let mut sandbox = Metastore::clone(&weir.metastore());
    let mut topics = PlannedTopics::default();
    // Commands planned so far, each of which takes a number for its query.
    let mut ahead = 0;
    for Step {
        parsed,
        role,
        plan: kept,
    } in steps
    {
        if let Some(result) = session.apply(&parsed.statement, &parsed.text) {
            result?;
            continue;
        }
        if *role == Role::EndsPushQuery {
            continue;
        }
        if *role == Role::Command {
            let number = weir.last_command() + 1 + ahead;
            let overrides = &session.overrides;
            let outcome = plan(weir, &sandbox, &topics, overrides, parsed, (number, None))
                .map_err(|error| {
                    let by_runtime = error.code == ErrorCode::ServerError;
                    let text = if by_runtime { request } else { &parsed.text };
                    ApiError::from_sql(error, text)
                })?;
            if let Outcome::Do(planned) = &outcome {
                for spec in &planned.topics {
                    topics.made.insert(spec.name.clone(), topic_info(spec));
                    topics.deleted.remove(&spec.name);
                }
                if let Some(topic) = &planned.delete_topic {
                    topics.made.remove(topic);
                    topics.deleted.insert(topic.clone());
                }
                planning::apply(&mut sandbox, &planned.effect);
            }
            *kept = (ahead == 0).then_some(outcome);
            ahead += 1;
            continue;
        }
        let view = View {
            store: &sandbox,
            topics: weir.cluster_topics(),
            planned: &topics,
            config: &weir.config,
            overrides: &session.overrides,
        };
        check(weir, &sandbox, &view, parsed)?;
    }
    Ok(())
}

/// SELECT and PRINT do not belong here.
fn for_queries(text: &str) -> ApiError {
    ApiError::statement(
        ErrorCode::QueryEndpoint,
        "The following statement types should be issued to the websocket endpoint '/query':\
         \n\t* PRINT\n\t* SELECT",
        text,
    )
}

/// Checks a statement that is no command.
fn check(weir: &Weir, store: &Metastore, view: &View<'_>, parsed: &Parsed) -> Result<(), ApiError> {
    let text = &parsed.text;
    match &parsed.statement {
        // Sources are looked up before anybody asks what kind of statement it is.
        Statement::Query(query) => Err(query::sources_exist(store, query, text)
            .err()
            .unwrap_or_else(|| for_queries(text))),
        Statement::Print { .. } => Err(for_queries(text)),
        Statement::InsertValues {
            target,
            columns,
            values,
        } => inserter::check(target, columns, values, view)
            .map(drop)
            .map_err(|e| ApiError::from_sql(e, text)),
        Statement::DescribeSource { name, .. } => Listing {
            store,
            runtime: weir,
        }
        .describe(&name.name, false, text)
        .map(drop),
        Statement::DescribeFunction { name } => listing::describe_function(name, text).map(drop),
        Statement::ExplainQuery { id } => Listing {
            store,
            runtime: weir,
        }
        .explain_query(id, text)
        .map(drop),
        Statement::ExplainStatement {
            statement,
            text: inner,
        } => query::explain(weir, statement, inner, view)
            .map(drop)
            .map_err(|e| ApiError::from_sql(e, text)),
        Statement::AssertTopic { with, .. } => assert_topic::check(with),
        Statement::CreateConnector { .. }
        | Statement::DropConnector { .. }
        | Statement::ListConnectors { .. }
        | Statement::ListConnectorPlugins
        | Statement::DescribeConnector { .. } => Err(connectors::refusal(weir, parsed)),
        Statement::AssertSchema { .. } => Err(ApiError::generic(
            ErrorCode::SchemaRegistryNotConfigured,
            "ASSERT SCHEMA needs a schema registry: ksql.schema.registry.url is not set.",
        )),
        _ => Ok(()),
    }
}

fn topic_info(spec: &TopicSpec) -> TopicInfo {
    let retention = spec.configs.iter().find(|(name, _)| name == "retention.ms");
    TopicInfo {
        partitions: spec.partitions,
        replicas: spec.replicas.unwrap_or(1),
        retention_ms: retention.and_then(|(_, value)| value.parse().ok()),
    }
}

/// Plans a command, whose query gets the number or the id.
fn plan(
    weir: &Weir,
    store: &Metastore,
    topics: &PlannedTopics,
    overrides: &Overrides,
    parsed: &Parsed,
    (query_number, query_id): (i64, Option<&str>),
) -> Result<Outcome<Planned>, SqlError> {
    let view = View {
        store,
        topics: weir.cluster_topics(),
        planned: topics,
        config: &weir.config,
        overrides,
    };
    let context = PlanContext {
        store,
        catalog: &view as &dyn Catalog,
        overrides,
        query_number,
        query_id,
    };
    planning::plan(parsed, &context)
}

/// Plans a command of the log again.
pub(crate) fn replan(weir: &Weir, command: &Command) -> Result<Planned, SqlError> {
    let overrides = Overrides(command.streams_properties.clone());
    // Variables were substituted before the command was written.
    let variables = Variables::new().with_substitution(false);
    let all = weir_parser::parse_all(&command.statement, &variables)?;
    let Some(parsed) = all.into_iter().next() else {
        return Err(SqlError::internal("a command without statement"));
    };
    let store = weir.metastore();
    let topics = PlannedTopics::default();
    let id = (weir.last_command() + 1, command.query_id.as_deref());
    match plan(weir, &store, &topics, &overrides, &parsed, id)? {
        Outcome::Do(planned) => Ok(planned),
        Outcome::Nothing(warning) => Err(SqlError::statement(warning)),
    }
}

/// Runs statements that were validated.
fn run(
    weir: &Weir,
    steps: Vec<Step>,
    session: &mut Session,
    mut commands: Option<&mut crate::weir::Commands>,
) -> Result<Vec<Entity>, ApiError> {
    let mut entities = Vec::new();
    for Step { parsed, role, plan } in steps {
        if let Some(result) = session.apply(&parsed.statement, &parsed.text) {
            entities.extend(result?);
            continue;
        }
        match (role, &parsed.statement) {
            (Role::EndsPushQuery, Statement::Terminate(QueryTarget::Id(id))) => {
                let ended = weir.push.close(id);
                entities.push(Entity::terminate_query(&parsed.text, id, ended));
                continue;
            }
            (Role::Command, _) => {
                let Some(commands) = commands.as_deref_mut() else {
                    return Err(ApiError::generic(
                        ErrorCode::ServerError,
                        "the command log is closed",
                    ));
                };
                let overrides = &session.overrides;
                entities.push(run_command(weir, &parsed, plan, overrides, commands)?);
                continue;
            }
            _ => {}
        }
        entities.extend(run_other(weir, &parsed, session)?);
    }
    Ok(entities)
}

/// Appends a command and applies it; without a plan it is planned first.
fn run_command(
    weir: &Weir,
    parsed: &Parsed,
    plan_made: Option<Outcome<Planned>>,
    overrides: &Overrides,
    commands: &mut crate::weir::Commands,
) -> Result<Entity, ApiError> {
    let text = &parsed.text;
    let outcome = match plan_made {
        Some(outcome) => outcome,
        None => {
            let (store, topics) = (weir.metastore(), PlannedTopics::default());
            let number = weir.last_command() + 1;
            plan(weir, &store, &topics, overrides, parsed, (number, None))
                .map_err(|e| ApiError::from_sql(e, text))?
        }
    };
    let planned = match outcome {
        Outcome::Do(planned) => planned,
        Outcome::Nothing(warning) => return Ok(Entity::warning(text, &warning)),
    };
    for spec in &planned.topics {
        weir.create_topic(spec).map_err(|message| {
            ApiError::statement(ErrorCode::ServerError, message, text.clone())
        })?;
    }
    commands.count += 1;
    let record = Command {
        version: command::VERSION,
        statement: text.clone(),
        streams_properties: overrides.0.clone(),
        query_id: planned.effect.started().map(|q| q.id.clone()),
        origin: format!("{}:{}", commands.origin, commands.count),
    };
    let logged = commands.log.append(&planned.id, &record).map_err(|e| {
        let message = format!(
            "Could not write the statement '{text}' into the command topic.\nCaused by: {e}"
        );
        ApiError::statement(ErrorCode::Unavailable, message, text.clone())
    })?;
    let mut offset = -1;
    for other in logged {
        if other
            .command
            .as_ref()
            .is_ok_and(|(_, c)| c.origin == record.origin)
        {
            offset = other.offset;
        } else {
            weir.apply_foreign(other, true);
        }
    }
    if planned.effect.started().is_none() {
        // A query waits for its topics by itself.
        for spec in &planned.topics {
            if let Err(error) = weir.admin.await_topic(&spec.name) {
                tracing::warn!(topic = spec.name, %error, "topic not seen yet");
            }
        }
    }
    let status = match weir.change(&planned.effect, true) {
        Ok(()) => CommandStatus {
            status: "SUCCESS".to_owned(),
            message: planned.effect.message(),
            query_id: planned.effect.started().map(|q| q.id.clone()),
        },
        Err(message) => CommandStatus {
            status: "ERROR".to_owned(),
            message,
            query_id: None,
        },
    };
    let id = planned.id.to_string();
    weir.finished(&id, status.clone(), offset);
    if let Some(topic) = &planned.delete_topic
        && let Err(error) = weir.admin.delete_topic(topic)
    {
        // A topic that is gone already is what was asked for.
        tracing::info!(topic, %error, "topic not deleted");
    }
    let entity = Entity::command(
        &planned.text,
        &CommandStatusEntity {
            command_id: id,
            command_status: status,
            command_sequence_number: offset,
        },
    );
    Ok(planned.warnings.into_iter().fold(entity, Entity::warn))
}

/// Runs a statement that is neither a command nor a setting.
fn run_other(weir: &Weir, parsed: &Parsed, session: &Session) -> Result<Option<Entity>, ApiError> {
    let text = parsed.text.as_str();
    let store = weir.metastore();
    let listing = Listing {
        store: &store,
        runtime: weir,
    };
    let view = View {
        store: &store,
        topics: weir.cluster_topics(),
        planned: &PlannedTopics::default(),
        config: &weir.config,
        overrides: &session.overrides,
    };
    use weir_parser::ast::SourceKind::{Stream, Table};
    Ok(Some(match &parsed.statement {
        Statement::InsertValues {
            target,
            columns,
            values,
        } => {
            let row = inserter::check(target, columns, values, &view)
                .map_err(|e| ApiError::from_sql(e, text))?;
            weir.fleet.insert(&row).map_err(|message| {
                let message = format!("Failed to insert values into '{}'. {message}", target.name);
                ApiError::statement(ErrorCode::BadStatement, message, text)
            })?;
            return Ok(None);
        }
        Statement::ListStreams { extended } => listing.sources(Stream, *extended, text),
        Statement::ListTables { extended } => listing.sources(Table, *extended, text),
        Statement::DescribeStreams { extended } => listing.describe_all(Stream, *extended, text),
        Statement::DescribeTables { extended } => listing.describe_all(Table, *extended, text),
        Statement::DescribeSource { name, extended } => {
            listing.describe(&name.name, *extended, text)?
        }
        Statement::ListTopics { all, extended } => listing.topics(*all, *extended, text)?,
        Statement::ListQueries { extended } => listing.queries(*extended, text),
        Statement::ListProperties => {
            let (listed, overwritten, defaults) = weir.config.listing(&view.effective());
            Entity::properties(text, &listed, &overwritten, &defaults)
        }
        Statement::ListFunctions => listing::functions(text),
        Statement::DescribeFunction { name } => listing::describe_function(name, text)?,
        Statement::ListTypes => listing.types(text),
        Statement::ListVariables => listing::variables(session.variables.iter(), text),
        Statement::ExplainQuery { id } => listing.explain_query(id, text)?,
        Statement::ExplainStatement {
            statement,
            text: inner,
        } => {
            let description = query::explain(weir, statement, inner, &view)
                .map_err(|e| ApiError::from_sql(e, text))?;
            Entity::query_description(text, &description)
        }
        Statement::AssertTopic {
            not_exists,
            topic,
            with,
            timeout,
        } => assert_topic::run(
            weir,
            text,
            *not_exists,
            topic,
            with,
            timeout.map(|t| t.millis()),
        )?,
        _ => {
            return Err(ApiError::statement(
                ErrorCode::BadStatement,
                "The server does not run this statement.",
                text,
            ));
        }
    }))
}
