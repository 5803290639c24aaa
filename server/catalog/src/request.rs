//! `/ksql`: a request of statements (spec/api.md §3).
//!
//! ```text
//!  text ─► statements ─► each planned over a sandbox (refused: nothing happens)
//!                     ─► each run: command │ listing │ setting │ insert ─► entities
//! ```

use indexmap::IndexMap;
use serde_json::Value;
use weir_parser::ast::{Properties, QueryTarget, Statement};
use weir_parser::{Parsed, Variables};
use weir_planner::catalog::{Catalog, TopicInfo};
use weir_planner::ddl::{Outcome, TopicSpec};
use weir_protocol::{
    ApiError, AssertTopic, CommandStatus, CommandStatusEntity, Entity, KsqlRequest,
};
use weir_types::{ErrorCode, SqlError};

use crate::command::Command;
use crate::config::{self, Overrides};
use crate::metastore::{Metastore, PlannedTopics, View};
use crate::planning::{self, PlanContext, Planned};
use crate::statements::listing::{self, Listing};
use crate::weir::Weir;
use crate::{command, inserter, query};

/// What SET and DEFINE change for the rest of a request.
pub struct Session {
    /// Properties in force beside the server's.
    pub overrides: Overrides,
    /// Variables.
    pub variables: Variables,
}

impl Session {
    /// A session with what the request brought.
    pub fn new(weir: &Weir, overrides: Overrides, given: &IndexMap<String, Value>) -> Self {
        let name = "ksql.variable.substitution.enable";
        let enabled = match overrides.0.get(name) {
            Some(value) => value.eq_ignore_ascii_case("true"),
            None => weir.config.flag(name),
        };
        let mut variables = Variables::new().with_substitution(enabled);
        for (name, value) in given {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            variables.define(name, text);
        }
        Self {
            overrides,
            variables,
        }
    }

    /// SET, UNSET, DEFINE, UNDEFINE. `None`: another statement.
    fn apply(
        &mut self,
        statement: &Statement,
        text: &str,
    ) -> Option<Result<Option<Entity>, ApiError>> {
        let refused = |e: config::ConfigError| {
            ApiError::statement(ErrorCode::BadStatement, e.to_string(), text)
        };
        Some(match statement {
            Statement::Set { name, value } => config::canonical(name)
                .and_then(|name| {
                    // SET checks less than a request's overrides (spec/api.md §3.1).
                    if value != "none" {
                        config::check_value(&name, value)?;
                    }
                    self.overrides.0.insert(name, value.clone());
                    Ok(None)
                })
                .map_err(refused),
            Statement::Unset { name } => config::canonical(name)
                .map(|name| {
                    self.overrides.0.remove(&name);
                    None
                })
                .map_err(refused),
            Statement::Define { name, value } => {
                self.variables.define(name, value);
                Ok(None)
            }
            Statement::Undefine { name } => Ok((!self.variables.undefine(name)).then(|| {
                let message = format!("Cannot undefine variable '{name}' which was never defined");
                Entity::warning(text, &message)
            })),
            _ => return None,
        })
    }
}

/// Parses a request whose DEFINEs act on what follows.
fn parse(text: &str, session: &Session) -> Result<Vec<Parsed>, ApiError> {
    weir_parser::parse_all(text, &session.variables).map_err(|e| ApiError::from_sql(e, text))
}

/// Runs a request.
pub(crate) fn execute(weir: &Weir, request: &KsqlRequest) -> Result<Vec<Entity>, ApiError> {
    let mut session = weir.session(&request.streams_properties, &request.session_variables)?;
    let statements = parse(&request.ksql, &session)?;
    let writes = statements
        .iter()
        .any(|s| planning::is_command(&s.statement) && ended_push_query(weir, s).is_none());
    if !writes {
        validate(weir, &statements, &session)?;
        return run(weir, &statements, &mut session, None);
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
    validate(weir, &statements, &session)?;
    run(weir, &statements, &mut session, Some(&mut commands))
}

/// The push query that a TERMINATE names: it belongs to this server alone, so that ending it is no
/// command.
fn ended_push_query<'a>(weir: &Weir, parsed: &'a Parsed) -> Option<&'a str> {
    match &parsed.statement {
        Statement::Terminate(QueryTarget::Id(id)) if weir.push.contains(id) => Some(id),
        _ => None,
    }
}

/// Plans every statement over a sandbox; the first refusal refuses the request.
fn validate(weir: &Weir, statements: &[Parsed], session: &Session) -> Result<(), ApiError> {
    let mut session = Session {
        overrides: session.overrides.clone(),
        variables: session.variables.clone(),
    };
    let mut sandbox = Metastore::clone(&weir.metastore());
    let mut topics = PlannedTopics::default();
    for parsed in statements {
        if let Some(result) = session.apply(&parsed.statement, &parsed.text) {
            result?;
            continue;
        }
        if ended_push_query(weir, parsed).is_some() {
            continue;
        }
        if planning::is_command(&parsed.statement) {
            let outcome = plan(weir, &sandbox, &topics, &session.overrides, parsed, None)
                .map_err(|e| ApiError::from_sql(e, &parsed.text))?;
            if let Outcome::Do(planned) = outcome {
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
        Statement::AssertTopic { with, .. } => assert_properties(with),
        Statement::CreateConnector { .. }
        | Statement::DropConnector { .. }
        | Statement::ListConnectors { .. }
        | Statement::ListConnectorPlugins
        | Statement::DescribeConnector { .. } => Err(ApiError::statement(
            ErrorCode::ServerError,
            "No Kafka Connect worker answers: ksql.connect.url is not set or not reachable.",
            text.clone(),
        )),
        Statement::AlterSystem { .. } => Err(ApiError::statement(
            ErrorCode::ServerError,
            format!(
                "Could not write the statement '{text}' into the command topic.\nCaused by: ALTER \
                 SYSTEM needs ksql.runtime.feature.shared.enabled=true, which is not set."
            ),
            text.clone(),
        )),
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

fn plan(
    weir: &Weir,
    store: &Metastore,
    topics: &PlannedTopics,
    overrides: &Overrides,
    parsed: &Parsed,
    query_id: Option<&str>,
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
        query_number: weir.last_command() + 1,
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
    match plan(
        weir,
        &store,
        &topics,
        &overrides,
        &parsed,
        command.query_id.as_deref(),
    )? {
        Outcome::Do(planned) => Ok(planned),
        Outcome::Nothing(warning) => Err(SqlError::statement(warning)),
    }
}

/// Runs statements that were validated.
fn run(
    weir: &Weir,
    statements: &[Parsed],
    session: &mut Session,
    mut commands: Option<&mut crate::weir::Commands>,
) -> Result<Vec<Entity>, ApiError> {
    let mut entities = Vec::new();
    for parsed in statements {
        if let Some(result) = session.apply(&parsed.statement, &parsed.text) {
            entities.extend(result?);
            continue;
        }
        if let Some(id) = ended_push_query(weir, parsed) {
            let ended = weir.push.close(id);
            entities.push(Entity::terminate_query(&parsed.text, id, ended));
            continue;
        }
        if planning::is_command(&parsed.statement) {
            let Some(commands) = commands.as_deref_mut() else {
                return Err(ApiError::generic(
                    ErrorCode::ServerError,
                    "the command log is closed",
                ));
            };
            entities.push(run_command(weir, parsed, &session.overrides, commands)?);
            continue;
        }
        entities.extend(run_other(weir, parsed, session)?);
    }
    Ok(entities)
}

/// Appends a command and applies it.
fn run_command(
    weir: &Weir,
    parsed: &Parsed,
    overrides: &Overrides,
    commands: &mut crate::weir::Commands,
) -> Result<Entity, ApiError> {
    let text = &parsed.text;
    let store = weir.metastore();
    let topics = PlannedTopics::default();
    let outcome = plan(weir, &store, &topics, overrides, parsed, None)
        .map_err(|e| ApiError::from_sql(e, text))?;
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
            let (listed, overwritten, defaults) = weir.config.listing(&session.overrides);
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
        } => assert_topic(
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

/// ASSERT TOPIC knows two properties.
fn assert_properties(with: &Properties) -> Result<(), ApiError> {
    for property in &with.0 {
        if !["PARTITIONS", "REPLICAS"].contains(&property.name.as_str()) {
            return Err(ApiError::generic(
                ErrorCode::AssertionFailed,
                format!(
                    "Cannot assert unknown topic property: {}. Only PARTITIONS and REPLICAS can \
                     be asserted.",
                    property.name
                ),
            ));
        }
    }
    Ok(())
}

/// Looks every 100 ms until the assertion holds or its time is up (spec/sql.md §2.12).
fn assert_topic(
    weir: &Weir,
    text: &str,
    not_exists: bool,
    topic: &str,
    with: &Properties,
    timeout: Option<i64>,
) -> Result<Entity, ApiError> {
    use weir_parser::ast::Literal;
    let timeout = timeout
        .or_else(|| weir.config.number("ksql.assert.topic.default.timeout.ms"))
        .unwrap_or(1000);
    let deadline = std::time::Instant::now()
        + std::time::Duration::from_millis(u64::try_from(timeout).unwrap_or(0));
    let wanted = |name: &str| match with.get(name) {
        Some(Literal::Integer(n)) => Some(i64::from(*n)),
        Some(Literal::Bigint(n)) => Some(*n),
        _ => None,
    };
    loop {
        let found = weir.cluster_topics().describe(topic).map_err(|e| {
            ApiError::generic(
                ErrorCode::AssertionFailed,
                format!("Cannot look at topics: {e}"),
            )
        })?;
        let failure = match (&found, not_exists) {
            (None, true) => None,
            (Some(_), true) => Some(format!("Topic {topic} exists.")),
            (None, false) => Some(format!("Topic {topic} does not exist.")),
            (Some(info), false) => {
                let differs = |name: &str, actual: i64| {
                    wanted(name).filter(|w| *w != actual).map(|w| {
                        format!("Mismatched configuration for topic {topic}: For config {name}, expected {w} got {actual}")
                    })
                };
                differs("PARTITIONS", i64::from(info.partitions))
                    .or_else(|| differs("REPLICAS", i64::from(info.replicas)))
            }
        };
        match failure {
            None => {
                let body = AssertTopic {
                    topic_name: topic.to_owned(),
                    exists: !not_exists,
                };
                return Ok(Entity::assert_topic(text, &body));
            }
            Some(message) if std::time::Instant::now() >= deadline => {
                return Err(ApiError::generic(ErrorCode::AssertionFailed, message));
            }
            Some(_) => std::thread::sleep(std::time::Duration::from_millis(100)),
        }
    }
}

/// `POST /ksql/terminate`
pub(crate) fn terminate_cluster(weir: &Weir, delete: Vec<String>) -> Result<Vec<Entity>, ApiError> {
    let mut patterns = Vec::new();
    for pattern in &delete {
        let compiled = regex::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
            ApiError::generic(ErrorCode::BadRequest, format!("Invalid pattern: {pattern}"))
        })?;
        patterns.push(compiled);
    }
    let store = weir.metastore();
    let sinks: Vec<String> = store
        .sources()
        .filter(|s| s.created_as && patterns.iter().any(|p| p.is_match(&s.topic)))
        .map(|s| s.topic.clone())
        .collect();
    weir.push.close_all();
    for query in store.queries() {
        weir.fleet.drop_query(&query.id);
    }
    let commands = weir.commands.lock();
    for topic in sinks
        .iter()
        .map(String::as_str)
        .chain([commands.log.topic()])
    {
        if let Err(error) = weir.admin.delete_topic(topic) {
            tracing::warn!(topic, %error, "topic not deleted");
        }
    }
    *weir.store.write() = std::sync::Arc::new(Metastore::default());
    let status = CommandStatus {
        status: "QUEUED".to_owned(),
        message: "Statement written to command topic".to_owned(),
        query_id: None,
    };
    Ok(vec![Entity::command(
        "TERMINATE CLUSTER;",
        &CommandStatusEntity {
            command_id: "cluster/TerminateCluster/terminate".to_owned(),
            command_status: status,
            command_sequence_number: weir.last_command() + 1,
        },
    )])
}
