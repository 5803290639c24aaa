//! CREATE STREAM / TABLE (spec/sql.md §2.1).
//!
//! ```text
//!  CreateSource ─► types resolved ─► formats filled in ─► topic found or specified ─► checks
//!                                                                                       │
//!                                                     CreateSourcePlan { SourceInfo, TopicSpec }
//! ```
//!
//! The order of the checks is ksqlDB's: it decides which of several mistakes is reported, and
//! whether the statement is shown as typed or in canonical form.

use weir_parser::ast::{
    ColumnConstraint, ColumnDef, CreateSource, Literal, Properties, Property, SourceKind,
    Statement, TypeName,
};
use weir_parser::printer::print_statement;
use weir_types::ident::{pseudo, quoted};
use weir_types::{
    Column, ColumnRole, FormatKind, FormatSpec, Schema, SqlError, SqlType, StructField,
    ValueFormat, format_check,
};

use super::existing::{Name, name_of};
use super::inference::{check_registry, inferred};
use super::replace::source_not_replaced;
use super::topic::{check_topic, check_topic_name, new_topic};
use super::with::{WithProperties, check_retention, format_kind, prepare, wrap_single};
use super::{Outcome, TopicSpec, check_replacement, flag, resolve_type};
use crate::catalog::{Catalog, SourceInfo, TimestampColumn};

/// A source to create, and what it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateSourcePlan {
    /// The source; `sql` is the canonical statement.
    pub source: SourceInfo,
    /// The topic to create, if it is not there.
    pub create_topic: Option<TopicSpec>,
    /// Whether a source of that name is there and is replaced.
    pub replaces: bool,
}

/// Plans a CREATE STREAM or CREATE TABLE. Columns that come from a registry are to be in the
/// statement already (see [`super::inference`]).
///
/// # Errors
///
/// Every check of spec/sql.md §2.1. 40001, but: 40000 if the topic is missing and no PARTITIONS
/// are given; 50000 for topics that Kafka would refuse or that differ from the statement; 42801
/// if the columns would come from a registry and none is configured.
pub fn create_source(
    create: &CreateSource,
    catalog: &dyn Catalog,
) -> Result<Outcome<CreateSourcePlan>, SqlError> {
    let typed = WithProperties::of_create(&create.with)?;
    let columns = resolved(create, catalog)?;
    let schema = schema(&columns)?;
    let mut completed = with_formats(&create.with, &typed, catalog)?;
    let with = WithProperties::of_create(&completed)?;
    let in_statement = |completed: &Properties, e: SqlError| {
        e.in_statement(canonical(create, &columns, completed))
    };
    let needs = inferred(create, &with).map_err(|e| in_statement(&completed, e))?;
    check_registry(create.kind, &needs, catalog)?;

    check_retention(&with, create.kind, with.window.is_some())?;
    let create_topic = topic(create, &columns, &completed, &with, catalog)?;
    completed.0.push(property(
        "CLEANUP_POLICY",
        Literal::String(cleanup(create.kind).to_owned()),
    ));

    let sql = canonical(create, &columns, &completed);
    let plan = build(create, &with, schema, sql, create_topic, catalog)
        .map_err(|e| in_statement(&completed, e))?;
    Ok(plan)
}

/// The source, after its statement is complete.
fn build(
    create: &CreateSource,
    with: &WithProperties,
    schema: Schema,
    sql: String,
    create_topic: Option<TopicSpec>,
    catalog: &dyn Catalog,
) -> Result<Outcome<CreateSourcePlan>, SqlError> {
    let kind = create.kind;
    let name = &create.name.name;
    if create.or_replace && create.read_only {
        return Err(source_not_replaced(kind, name));
    }
    let (replace, keep) = (create.or_replace, create.if_not_exists);
    let old = match name_of(kind, &create.name, replace, keep, catalog)? {
        Name::Free(old) => old,
        Name::Kept(warning) => return Ok(Outcome::Nothing(warning)),
    };
    check_columns(create, with, &schema, catalog)?;
    let key_kind = format_kind(with.key.format.as_deref().unwrap_or_default())?;
    let value_kind = format_kind(with.value.format.as_deref().unwrap_or_default())?;
    let key_format = key_format(with.key.spec(key_kind, None)?, name);
    let value_format = with.value.spec(value_kind, None)?;
    check_formats(key_kind, value_kind, &schema)?;
    let wrap = wrap_single(
        with.wrap_single,
        value_kind,
        schema.values().count(),
        catalog,
    )?;
    let is_source_table = create.read_only && kind == SourceKind::Table;
    if is_source_table && !flag(catalog, "ksql.source.table.materialization.enabled", true) {
        return Err(SqlError::statement(
            "Cannot execute command because source table materialization is disabled. Set \
             'ksql.source.table.materialization.enabled' to true.",
        ));
    }
    let source = SourceInfo {
        name: name.clone(),
        kind,
        schema,
        topic: with.topic.clone().unwrap_or_default(),
        key_format: ValueFormat {
            format: key_format,
            wrap_single: None,
        },
        value_format: ValueFormat {
            format: value_format,
            wrap_single: wrap,
        },
        window: with.window,
        timestamp: with.timestamp.clone(),
        read_only: create.read_only,
        created_as: false,
        materialized: is_source_table,
        sql,
    };
    if let Some(old) = &old {
        check_replacement(old, &source, catalog)?;
    }
    Ok(Outcome::Do(CreateSourcePlan {
        source,
        create_topic,
        replaces: old.is_some(),
    }))
}

/// Columns with their types resolved.
fn resolved(create: &CreateSource, catalog: &dyn Catalog) -> Result<Vec<ColumnDef>, SqlError> {
    create
        .columns
        .iter()
        .map(|c| {
            let type_name = TypeName::Sql(resolve_type(&c.type_name, catalog)?);
            Ok(ColumnDef {
                type_name,
                ..c.clone()
            })
        })
        .collect()
}

/// The schema of resolved columns; checks what headers may be, and names.
fn schema(columns: &[ColumnDef]) -> Result<Schema, SqlError> {
    let mut result: Vec<Column> = Vec::with_capacity(columns.len());
    for def in columns {
        let TypeName::Sql(sql_type) = &def.type_name else {
            continue;
        };
        let name = &def.name.name;
        let refuse = |detail: String| Err(prepare(detail).at(def.name.span.into()));
        if result.iter().any(|c| c.name == *name) {
            return refuse(format!("Duplicate column names: {}", quoted(name)));
        }
        let role = match &def.constraint {
            ColumnConstraint::None => ColumnRole::Value,
            ColumnConstraint::Key | ColumnConstraint::PrimaryKey => ColumnRole::Key,
            ColumnConstraint::Headers => ColumnRole::Headers,
            ColumnConstraint::Header(key) => ColumnRole::Header(key.clone()),
        };
        let expected = match &role {
            ColumnRole::Headers => Some(("HEADERS".to_owned(), headers_type())),
            ColumnRole::Header(key) => Some((format!("HEADER('{key}')"), SqlType::Bytes)),
            _ => None,
        };
        if let Some((word, expected)) = expected {
            if *sql_type != expected {
                return refuse(format!(
                    "Invalid type for {word} column: expected {expected}, got {sql_type}"
                ));
            }
            let clash = result.iter().any(|c| match (&c.role, &role) {
                (ColumnRole::Headers, ColumnRole::Headers | ColumnRole::Header(_))
                | (ColumnRole::Header(_), ColumnRole::Headers) => true,
                (ColumnRole::Header(a), ColumnRole::Header(b)) => a == b,
                _ => false,
            });
            if clash {
                return refuse(format!(
                    "Schema already contains a header column that {word} repeats: {}. Declare \
                     either one HEADERS column or one HEADER column for each key.",
                    quoted(name)
                ));
            }
        }
        result.push(Column {
            name: name.clone(),
            sql_type: sql_type.clone(),
            role,
        });
    }
    Ok(Schema::new(result))
}

fn headers_type() -> SqlType {
    SqlType::array(SqlType::Struct(vec![
        StructField::new("KEY", SqlType::String),
        StructField::new("VALUE", SqlType::Bytes),
    ]))
}

/// The clause with KEY_FORMAT and VALUE_FORMAT filled in from the defaults.
pub(super) fn with_formats(
    given: &Properties,
    with: &WithProperties,
    catalog: &dyn Catalog,
) -> Result<Properties, SqlError> {
    let mut completed = given.clone();
    if with.key.format.is_none() {
        let default = catalog.config("ksql.persistence.default.format.key");
        let default = default.unwrap_or_else(|| FormatKind::Kafka.name().to_owned());
        completed
            .0
            .push(property("KEY_FORMAT", Literal::String(default)));
    }
    if with.value.format.is_none() {
        let default = catalog.config("ksql.persistence.default.format.value");
        let Some(default) = default.filter(|d| !d.is_empty()) else {
            return Err(SqlError::statement(
                "Statement is missing the 'VALUE_FORMAT' property from the WITH clause. Either \
                 provide one or set a default via the 'ksql.persistence.default.format.value' \
                 config.",
            ));
        };
        completed
            .0
            .push(property("VALUE_FORMAT", Literal::String(default)));
    }
    Ok(completed)
}

/// The topic to create, or `None` if it is there and fits.
fn topic(
    create: &CreateSource,
    columns: &[ColumnDef],
    completed: &Properties,
    with: &WithProperties,
    catalog: &dyn Catalog,
) -> Result<Option<TopicSpec>, SqlError> {
    let name = with.topic.as_deref().unwrap_or_default();
    check_topic_name(name)?;
    if let Some(actual) = catalog.topic(name) {
        if with.partitions.is_some() || with.replicas.is_some() {
            check_topic(name, &actual, with)?;
        }
        return Ok(None);
    }
    if with.partitions.is_none() {
        let mut example = completed.clone();
        example.0.push(property("PARTITIONS", Literal::Integer(2)));
        return Err(SqlError::request(format!(
            "Topic '{name}' does not exist. If you want to create a new topic for the \
             stream/table please re-run the statement providing the required 'PARTITIONS' \
             configuration in the WITH clause (and optionally 'REPLICAS'). For example: {}",
            canonical(create, columns, &example)
        )));
    }
    new_topic(name, with, create.kind, with.window.is_some(), 1, None).map(Some)
}

/// Checks of the columns as a whole.
fn check_columns(
    create: &CreateSource,
    with: &WithProperties,
    schema: &Schema,
    catalog: &dyn Catalog,
) -> Result<(), SqlError> {
    if schema.columns().is_empty() && create.kind == SourceKind::Stream {
        return Err(SqlError::statement("No columns supplied."));
    }
    if let Some(column) = schema.columns().iter().find(|c| pseudo::is_pseudo(&c.name)) {
        return Err(SqlError::statement(format!(
            "'{}' is a reserved column name. You cannot use it as a name for a column.",
            column.name
        )));
    }
    let has_key = schema.keys().next().is_some();
    if create.kind == SourceKind::Table && !has_key {
        return Err(SqlError::statement(
            "Tables require a PRIMARY KEY. Please define the PRIMARY KEY.",
        ));
    }
    if with.window.is_some() && !has_key {
        return Err(SqlError::statement(
            "Windowed sources require a key column.",
        ));
    }
    let has_headers = schema
        .columns()
        .iter()
        .any(|c| matches!(c.role, ColumnRole::Headers | ColumnRole::Header(_)));
    if has_headers && !flag(catalog, "ksql.headers.columns.enabled", true) {
        return Err(SqlError::statement(
            "Cannot create header columns: 'ksql.headers.columns.enabled' is false.",
        ));
    }
    check_timestamp(with.timestamp.as_ref(), schema)
}

/// Whether the column of WITH TIMESTAMP can give a record its time.
pub(super) fn check_timestamp(
    timestamp: Option<&TimestampColumn>,
    schema: &Schema,
) -> Result<(), SqlError> {
    let Some(TimestampColumn {
        column: name,
        format,
    }) = timestamp
    else {
        return Ok(());
    };
    let Some(column) = schema.find(name) else {
        return Err(SqlError::statement(format!(
            "The TIMESTAMP column set in the WITH clause does not exist in the schema: '{name}'"
        )));
    };
    match (&column.sql_type, format) {
        (SqlType::String, Some(_)) | (SqlType::Bigint | SqlType::Timestamp, None) => Ok(()),
        (SqlType::Bigint | SqlType::Timestamp, Some(_)) => Err(SqlError::statement(format!(
            "'TIMESTAMP_FORMAT' set in the WITH clause can only be used when the timestamp column \
             is of type STRING. Column {} is {}.",
            quoted(name),
            column.sql_type
        ))),
        _ => Err(SqlError::statement(format!(
            "Timestamp column, {}, should be LONG(INT64), TIMESTAMP, or a String with a \
             timestamp_format specified. It is {}.",
            quoted(name),
            column.sql_type
        ))),
    }
}

/// Whether the formats can hold the columns.
pub(super) fn check_formats(
    key: FormatKind,
    value: FormatKind,
    schema: &Schema,
) -> Result<(), SqlError> {
    let keys: Vec<_> = schema
        .keys()
        .map(|c| (c.name.as_str(), &c.sql_type))
        .collect();
    let values: Vec<_> = schema
        .values()
        .map(|c| (c.name.as_str(), &c.sql_type))
        .collect();
    format_check::check_columns(key, true, &keys)
        .and_then(|()| format_check::check_columns(value, false, &values))
        .map_err(SqlError::statement)
}

/// A key format with the record name that ksqlDB gives Avro keys.
pub(super) fn key_format(mut format: FormatSpec, source: &str) -> FormatSpec {
    if format.kind == FormatKind::Avro {
        let name = || {
            let camel: String = source.split('_').map(capitalized).collect();
            format!("io.confluent.ksql.avro_schemas.{camel}Key")
        };
        format
            .properties
            .entry("fullSchemaName".to_owned())
            .or_insert_with(name);
    }
    format
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first
        .into_iter()
        .chain(chars.map(|c| c.to_ascii_lowercase()))
        .collect()
}

/// The statement with these columns and this clause, as ksqlDB writes it.
pub(super) fn canonical(create: &CreateSource, columns: &[ColumnDef], with: &Properties) -> String {
    print_statement(&Statement::CreateSource(CreateSource {
        columns: columns.to_vec(),
        with: with.clone(),
        ..create.clone()
    }))
}

fn cleanup(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Stream => "delete",
        SourceKind::Table => "compact",
    }
}

/// A property that no text stands for.
pub(super) fn property(name: &str, value: Literal) -> Property {
    Property {
        name: name.to_owned(),
        value,
        span: weir_parser::ast::Span::default(),
    }
}
