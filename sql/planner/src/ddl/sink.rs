//! CREATE … AS: the sink's topic and the source it becomes (spec/sql.md §2.2, §3.2, §3.3;
//! spec/formats.md §1.5).
//!
//! ```text
//!  CreateAs ──sink_topic──► SinkTopic { WITH filled in, topic to create }     before analysis
//!                               │
//!  result of the query ──sink_source──► SourceInfo                            after it
//! ```
//!
//! What the clause leaves open comes from the left-most source.

use std::str::FromStr;
use std::sync::Arc;

use weir_parser::ast::{CreateAs, Literal, Properties, SourceKind, Statement};
use weir_parser::printer::print_statement;
use weir_types::{FormatKind, Schema, SqlError, ValueFormat, WindowInfo};

use super::create::{check_formats, check_timestamp, key_format, property};
use super::existing::{Name, name_of};
use super::topic::{
    DEFAULT_RETENTION_MS, check_topic, check_topic_name, is_read_only_topic, new_topic,
};
use super::with::{WithProperties, check_retention, format_kind, wrap_single};
use super::{Outcome, TopicSpec, check_replacement, flag, kind_word};
use crate::catalog::{Catalog, SourceInfo};
use crate::near;

/// The topic of a sink, and the clause as ksqlDB shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkTopic {
    /// The WITH clause with topic, partitions, replicas, retention and clean-up filled in.
    pub with: Properties,
    /// Name of the topic.
    pub name: String,
    /// The topic to create, if it is not there.
    pub create: Option<TopicSpec>,
    /// The clause as typed.
    typed: WithProperties,
    /// The left-most source.
    from: Arc<SourceInfo>,
}

/// What the query of a sink gives.
#[derive(Debug, Clone, Copy)]
pub struct QueryResult<'a> {
    /// Its columns.
    pub schema: &'a Schema,
    /// Stream or table.
    pub kind: SourceKind,
    /// Window in its key.
    pub window: Option<WindowInfo>,
}

/// Finds the topic that a CREATE … AS writes to. `create` may be as typed or already qualified.
///
/// # Errors
///
/// A wrong WITH clause; an unknown source in FROM; a topic name that Kafka refuses; a topic that
/// is there with other partitions, replicas or retention (50000).
pub fn sink_topic(create: &CreateAs, catalog: &dyn Catalog) -> Result<SinkTopic, SqlError> {
    let typed = WithProperties::of_create_as(&create.with)?;
    let from_name = &create.query.from.name;
    let from = catalog.source(&from_name.name).ok_or_else(|| {
        SqlError::statement(format!(
            "Exception while preparing statement: {} does not exist.{}",
            from_name.name,
            near::source_hint(&from_name.name, catalog)
        ))
        .at(from_name.span.into())
    })?;
    let windowed = create.query.window.is_some();
    check_retention(&typed, create.kind, windowed)?;
    let name = typed.topic.clone().unwrap_or_else(|| {
        let prefix = catalog
            .config("ksql.output.topic.name.prefix")
            .unwrap_or_default();
        format!("{prefix}{}", create.name.name)
    });
    check_topic_name(&name)?;
    if is_read_only_topic(&name, catalog) {
        return Err(SqlError::statement(format!(
            "Cannot write to the read-only topic {name}: 'ksql.readonly.topics' names it."
        )));
    }

    let origin = catalog.topic(&from.topic);
    let inherit = flag(
        catalog,
        "ksql.create.topic.inherit.source.replicas.enabled",
        true,
    );
    let replicas = configured(catalog, "ksql.sink.replicas")
        .or_else(|| origin.filter(|_| inherit).map(|t| t.replicas));
    let mut retention = typed
        .retention_ms
        .or(origin.and_then(|t| t.retention_ms))
        .unwrap_or(DEFAULT_RETENTION_MS);
    if let Some(kept) = create.query.window.as_ref().and_then(|w| w.retention) {
        retention = retention.max(kept.millis());
    }
    let wanted = WithProperties {
        retention_ms: Some(retention),
        ..typed.clone()
    };
    let partitions = configured(catalog, "ksql.sink.partitions")
        .or_else(|| origin.map(|t| t.partitions))
        .unwrap_or(1);
    let spec = new_topic(&name, &wanted, create.kind, windowed, partitions, replicas)?;
    let actual = catalog.topic(&name);
    if let Some(actual) = &actual {
        let wanted = WithProperties {
            partitions: i32::try_from(spec.partitions).ok(),
            replicas: spec.replicas.and_then(|r| i16::try_from(r).ok()),
            ..typed.clone()
        };
        check_topic(&name, actual, &wanted)?;
    }

    let mut with = create.with.clone();
    let mut fill = |name: &str, value: Literal| {
        if with.get(name).is_none() {
            with.0.push(property(name, value));
        }
    };
    let cleanup = match (create.kind, windowed) {
        (SourceKind::Stream, _) => "delete",
        (SourceKind::Table, false) => "compact",
        (SourceKind::Table, true) => "compact,delete",
    };
    fill("CLEANUP_POLICY", Literal::String(cleanup.to_owned()));
    fill("KAFKA_TOPIC", Literal::String(name.clone()));
    fill("PARTITIONS", integer(i64::from(spec.partitions)));
    let replicas = actual.map(|t| t.replicas).or(spec.replicas).unwrap_or(1);
    fill("REPLICAS", integer(i64::from(replicas)));
    fill("RETENTION_MS", integer(retention));
    Ok(SinkTopic {
        with,
        name,
        create: actual.is_none().then_some(spec),
        typed,
        from,
    })
}

/// A number that the older settings for all sinks give.
fn configured<T: FromStr>(catalog: &dyn Catalog, name: &str) -> Option<T> {
    catalog
        .config(name)
        .and_then(|value| value.trim().parse().ok())
}

fn integer(value: i64) -> Literal {
    i32::try_from(value).map_or(Literal::Bigint(value), Literal::Integer)
}

/// The source that a CREATE … AS makes of its query's result. `create` is the statement with its
/// names qualified; its canonical text becomes `sql`.
///
/// # Errors
///
/// The result is of the other kind; the name is taken (a warning with IF NOT EXISTS); formats
/// that are unknown, lack a property or cannot hold the columns; WRAP_SINGLE_VALUE or TIMESTAMP
/// that do not fit the result; a replacement that is not allowed (spec/sql.md §12).
pub fn sink_source(
    create: &CreateAs,
    topic: &SinkTopic,
    result: QueryResult<'_>,
    catalog: &dyn Catalog,
) -> Result<Outcome<SourceInfo>, SqlError> {
    let statement = CreateAs {
        with: topic.with.clone(),
        ..create.clone()
    };
    let sql = print_statement(&Statement::CreateAs(statement));
    build(create, topic, result, &sql, catalog).map_err(|e| e.in_statement(sql.clone()))
}

fn build(
    create: &CreateAs,
    topic: &SinkTopic,
    result: QueryResult<'_>,
    sql: &str,
    catalog: &dyn Catalog,
) -> Result<Outcome<SourceInfo>, SqlError> {
    let (kind, name) = (create.kind, &create.name.name);
    if result.kind != kind {
        let word = kind_word(result.kind).to_ascii_uppercase();
        return Err(SqlError::statement(format!(
            "Invalid result type. Your SELECT query produces a {word}. Please use CREATE {word} \
             AS SELECT statement instead."
        )));
    }
    let (replace, keep) = (create.or_replace, create.if_not_exists);
    let old = match name_of(kind, &create.name, replace, keep, catalog)? {
        Name::Free(old) => old,
        Name::Kept(warning) => return Ok(Outcome::Nothing(warning)),
    };
    let (with, from, schema) = (&topic.typed, &topic.from, result.schema);
    let key_kind = key_kind(with, from, schema, create, catalog)?;
    let value_kind = match &with.value.format {
        Some(name) => format_kind(name)?,
        None => from.value_format.format.kind,
    };
    let key = with.key.spec(key_kind, Some(&from.key_format.format))?;
    let value = with
        .value
        .spec(value_kind, Some(&from.value_format.format))?;
    // Found by the engine, after the statement was accepted: no error of the statement.
    check_formats(key_kind, value_kind, schema).map_err(|e| SqlError::request(e.message))?;
    check_timestamp(with.timestamp.as_ref(), schema)?;
    let wrap = wrap_single(
        with.wrap_single,
        value_kind,
        schema.values().count(),
        catalog,
    )?;
    let source = SourceInfo {
        name: name.clone(),
        kind,
        schema: schema.clone(),
        topic: topic.name.clone(),
        key_format: ValueFormat {
            format: key_format(key, name),
            wrap_single: None,
        },
        value_format: ValueFormat {
            format: value,
            wrap_single: wrap,
        },
        window: result.window,
        timestamp: with.timestamp.clone(),
        read_only: false,
        created_as: true,
        materialized: kind == SourceKind::Table,
        sql: sql.to_owned(),
    };
    if let Some(old) = &old {
        check_replacement(old, &source, catalog)?;
    }
    Ok(Outcome::Do(source))
}

/// The sink's key format: given, or the source's; NONE exactly if PARTITION BY NULL took the key
/// away or there never was one.
fn key_kind(
    with: &WithProperties,
    from: &SourceInfo,
    schema: &Schema,
    create: &CreateAs,
    catalog: &dyn Catalog,
) -> Result<FormatKind, SqlError> {
    let given = with.key.format.as_deref().map(format_kind).transpose()?;
    if schema.keys().next().is_none() && !create.query.partition_by.is_empty() {
        return match given {
            None | Some(FormatKind::None) => Ok(FormatKind::None),
            Some(other) => Err(SqlError::statement(format!(
                "Key format specified for stream without key columns: PARTITION BY NULL takes the \
                 key away, so the key format can only be NONE, not {other}."
            ))),
        };
    }
    if let Some(given) = given {
        return Ok(given);
    }
    match from.key_format.format.kind {
        FormatKind::None if schema.keys().next().is_some() => {
            let default = catalog.config("ksql.persistence.default.format.key");
            default
                .as_deref()
                .map_or(Ok(FormatKind::Kafka), format_kind)
        }
        kind => Ok(kind),
    }
}
