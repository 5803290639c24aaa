//! WITH clauses, typed (spec/sql.md §3, spec/formats.md §1.2).
//!
//! ```text
//!  ast::Properties ──names, literal types, exclusions──► WithProperties ──► FormatSpec, wrapping
//! ```

use std::str::FromStr;

use weir_parser::ast::{Literal, Properties, Property, SourceKind, TimeUnit};
use weir_types::{FormatKind, FormatSpec, SqlError, WindowInfo, WindowKind};

use super::properties::{WithScope, names};
use crate::catalog::{Catalog, TimestampColumn};
use crate::near;

/// What a WITH clause says about one side of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SideProperties {
    /// KEY_FORMAT, VALUE_FORMAT or FORMAT, as written.
    pub(super) format: Option<String>,
    pub(super) delimiter: Option<String>,
    pub(super) schema_id: Option<i32>,
    pub(super) full_name: Option<String>,
    pub(super) nullable: Option<&'static str>,
}

/// A WITH clause of CREATE or CREATE … AS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WithProperties {
    pub(super) topic: Option<String>,
    pub(super) partitions: Option<i32>,
    pub(super) replicas: Option<i16>,
    pub(super) retention_ms: Option<i64>,
    pub(super) key: SideProperties,
    pub(super) value: SideProperties,
    pub(super) timestamp: Option<TimestampColumn>,
    pub(super) wrap_single: Option<bool>,
    pub(super) window: Option<WindowInfo>,
}

impl WithProperties {
    /// Reads the clause of CREATE STREAM / TABLE.
    pub(super) fn of_create(with: &Properties) -> Result<Self, SqlError> {
        let mut properties = Self::read(with, WithScope::Create)?;
        if properties.topic.is_none() {
            return Err(prepare(
                "Missing required property \"KAFKA_TOPIC\" which has no default value.",
            ));
        }
        properties.window = window(with)?;
        Ok(properties)
    }

    /// Reads the clause of CREATE STREAM / TABLE … AS SELECT.
    pub(super) fn of_create_as(with: &Properties) -> Result<Self, SqlError> {
        Self::read(with, WithScope::CreateAs)
    }

    fn read(with: &Properties, scope: WithScope) -> Result<Self, SqlError> {
        check_names(with, scope)?;
        if with.get("CLEANUP_POLICY").is_some() {
            return Err(prepare(
                "Invalid config variable in the WITH clause: CLEANUP_POLICY. It follows from the \
                 kind of source: leave it out.",
            ));
        }
        let topic = string(with, "KAFKA_TOPIC")?;
        if topic.as_deref() == Some("") {
            return Err(prepare(
                "Invalid value  for property KAFKA_TOPIC: String must be non-empty",
            ));
        }
        let format = string(with, "FORMAT")?;
        let side = |prefix: &str| -> Result<SideProperties, SqlError> {
            let property = |suffix: &str| format!("{prefix}_{suffix}");
            let own = string(with, &property("FORMAT"))?;
            if own.is_some() && format.is_some() {
                return Err(prepare(format!(
                    "Cannot supply both '{prefix}_FORMAT' and 'FORMAT' properties, as 'FORMAT' \
                     sets both key and value formats. Either use just 'FORMAT', or use \
                     'KEY_FORMAT' and 'VALUE_FORMAT'."
                )));
            }
            Ok(SideProperties {
                format: own.or_else(|| format.clone()),
                delimiter: delimiter(with, &property("DELIMITER"))?,
                schema_id: number(with, &property("SCHEMA_ID"), "INT")?,
                full_name: string(with, &property("SCHEMA_FULL_NAME"))?,
                nullable: nullable(with, &property("PROTOBUF_NULLABLE_REPRESENTATION"))?,
            })
        };
        let key = side("KEY")?;
        let mut value = side("VALUE")?;
        if let Some(older) = string(with, "VALUE_AVRO_SCHEMA_FULL_NAME")? {
            if value.full_name.is_some() {
                return Err(prepare(
                    "Cannot supply both 'VALUE_AVRO_SCHEMA_FULL_NAME' and \
                     'VALUE_SCHEMA_FULL_NAME' properties. Please use 'VALUE_SCHEMA_FULL_NAME'.",
                ));
            }
            value.full_name = Some(older);
        }
        let timestamp_format = string(with, "TIMESTAMP_FORMAT")?;
        if let Some(pattern) = &timestamp_format {
            check_pattern(pattern)?;
        }
        Ok(Self {
            topic,
            partitions: number(with, "PARTITIONS", "INT")?,
            replicas: number(with, "REPLICAS", "SHORT")?,
            retention_ms: number(with, "RETENTION_MS", "LONG")?,
            key,
            value,
            timestamp: string(with, "TIMESTAMP")?.map(|name| TimestampColumn {
                column: stored_name(&name),
                format: timestamp_format,
            }),
            wrap_single: boolean(with, "WRAP_SINGLE_VALUE")?,
            window: None,
        })
    }
}

impl SideProperties {
    /// The format with its properties, `inherited` ones of the same format first.
    ///
    /// # Errors
    ///
    /// A property that the format does not have; a blank schema name.
    pub(super) fn spec(
        &self,
        kind: FormatKind,
        inherited: Option<&FormatSpec>,
    ) -> Result<FormatSpec, SqlError> {
        let mut own: Vec<(&str, String)> = Vec::new();
        own.extend(self.delimiter.clone().map(|d| ("delimiter", d)));
        own.extend(
            self.full_name
                .as_ref()
                .map(|n| ("fullSchemaName", n.trim().to_owned())),
        );
        own.extend(
            self.nullable
                .map(|n| ("nullableRepresentation", n.to_owned())),
        );
        own.extend(self.schema_id.map(|id| ("schemaId", id.to_string())));
        let known = known_properties(kind);
        let unknown: Vec<&str> = own
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !known.contains(name))
            .collect();
        if !unknown.is_empty() {
            return Err(SqlError::statement(format!(
                "{kind} does not support the following configs: [{}]",
                unknown.join(", ")
            )));
        }
        if own
            .iter()
            .any(|(name, value)| *name == "fullSchemaName" && value.is_empty())
        {
            return Err(SqlError::statement(
                "fullSchemaName cannot be empty. Format configuration: {fullSchemaName=}",
            ));
        }
        let mut spec = FormatSpec::new(kind);
        if let Some(inherited) = inherited.filter(|i| i.kind == kind) {
            let passed_on = inherited_properties(kind);
            spec.properties.extend(
                inherited
                    .properties
                    .iter()
                    .filter(|(name, _)| passed_on.contains(&name.as_str()))
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        spec.properties.extend(
            own.into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        if kind == FormatKind::Protobuf {
            spec.properties
                .insert("unwrapPrimitives".to_owned(), "true".to_owned());
        }
        Ok(spec)
    }
}

/// Properties that a format has, by internal name.
fn known_properties(kind: FormatKind) -> &'static [&'static str] {
    match kind {
        FormatKind::Delimited => &["delimiter"],
        FormatKind::Avro | FormatKind::JsonSr => &["fullSchemaName", "schemaId"],
        FormatKind::Protobuf => &[
            "fullSchemaName",
            "nullableRepresentation",
            "schemaId",
            "unwrapPrimitives",
        ],
        FormatKind::ProtobufNoSr => &["nullableRepresentation", "unwrapPrimitives"],
        FormatKind::None | FormatKind::Kafka | FormatKind::Json => &[],
    }
}

/// Properties that a sink takes over from its source, if the format is the same.
fn inherited_properties(kind: FormatKind) -> &'static [&'static str] {
    match kind {
        FormatKind::Delimited => &["delimiter"],
        FormatKind::Protobuf => &["fullSchemaName"],
        FormatKind::ProtobufNoSr => &["nullableRepresentation", "unwrapPrimitives"],
        _ => &[],
    }
}

/// The format of that name.
pub(super) fn format_kind(name: &str) -> Result<FormatKind, SqlError> {
    FormatKind::from_str(name.trim()).map_err(|unknown| {
        let names = FormatKind::ALL.map(FormatKind::name);
        let hint = match near::nearest(name, names) {
            Some(near) => format!(" Did you mean '{near}'?"),
            None => format!(". The formats are {}.", names.join(", ")),
        };
        SqlError::statement(format!("{unknown}{hint}"))
    })
}

/// How a value of `columns` columns is wrapped (spec/formats.md §1.3).
///
/// # Errors
///
/// The statement asks for what the format cannot do, or for any way with several columns.
pub(super) fn wrap_single(
    asked: Option<bool>,
    kind: FormatKind,
    columns: usize,
    catalog: &dyn Catalog,
) -> Result<Option<bool>, SqlError> {
    let can = |wrap: bool| {
        if wrap {
            kind.can_wrap()
        } else {
            kind.can_unwrap()
        }
    };
    if let Some(wrap) = asked {
        if !can(wrap) {
            return Err(SqlError::statement(format!(
                "Format '{kind}' does not support 'WRAP_SINGLE_VALUE' set to '{wrap}'."
            )));
        }
        if columns != 1 {
            return Err(SqlError::statement(
                "'WRAP_SINGLE_VALUE' is only valid for single-field value schemas",
            ));
        }
        return Ok(Some(wrap));
    }
    if columns != 1 {
        return Ok(None);
    }
    let default = catalog.config("ksql.persistence.wrap.single.values");
    Ok(default
        .and_then(|v| v.trim().to_ascii_lowercase().parse().ok())
        .filter(|wrap| can(*wrap)))
}

/// RETENTION_MS has no meaning where old rows are compacted, not expired.
pub(super) fn check_retention(
    with: &WithProperties,
    kind: SourceKind,
    windowed: bool,
) -> Result<(), SqlError> {
    if with.retention_ms.is_some() && kind == SourceKind::Table && !windowed {
        return Err(prepare(
            "Invalid config variable in the WITH clause: RETENTION_MS. Non-windowed tables do not \
             support retention.",
        ));
    }
    Ok(())
}

/// Checks the WITH clause of INSERT INTO … SELECT.
///
/// # Errors
///
/// Another name than QUERY_ID, or an id that is not allowed.
pub fn check_insert_properties(with: &Properties) -> Result<(), SqlError> {
    check_names(with, WithScope::Insert)?;
    query_id(with).map(|_| ())
}

/// The id that WITH (QUERY_ID = …) of INSERT INTO gives, upper-cased. Whether it is free is the
/// catalog's to say.
///
/// # Errors
///
/// Not a string, characters other than letters, digits and `_`, a prefix that ksqlDB itself uses.
pub fn query_id(with: &Properties) -> Result<Option<String>, SqlError> {
    let Some(id) = string(with, "QUERY_ID")? else {
        return Ok(None);
    };
    let id = id.to_uppercase();
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(prepare(format!(
            "Invalid value {id} for property QUERY_ID: Query IDs may contain only alphanumeric \
             characters and '_'"
        )));
    }
    let reserved = [
        "INSERTQUERY_",
        "CTAS_",
        "CSAS_",
        "CST_",
        "TRANSIENT_",
        "SCALABLE_PUSH_QUERY_",
    ];
    if let Some(prefix) = reserved.iter().find(|prefix| id.starts_with(**prefix)) {
        return Err(prepare(format!(
            "Invalid value {id} for property QUERY_ID: Query IDs must not start with {prefix}, \
             which is kept for the server's own"
        )));
    }
    Ok(Some(id))
}

/// That the clause cannot be read at all.
pub(super) fn prepare(detail: impl AsRef<str>) -> SqlError {
    SqlError::statement(format!("Failed to prepare statement: {}", detail.as_ref()))
}

fn check_names(with: &Properties, scope: WithScope) -> Result<(), SqlError> {
    let known = names(scope);
    let unknown: Vec<&Property> = with
        .0
        .iter()
        .filter(|p| !known.contains(&p.name.as_str()))
        .collect();
    if let Some(first) = unknown.first() {
        let names: Vec<&str> = unknown.iter().map(|p| p.name.as_str()).collect();
        let hint = near::hint(&first.name, known.iter().copied());
        return Err(prepare(format!(
            "Invalid config variable(s) in the WITH clause: {}{hint}",
            names.join(",")
        ))
        .at(first.span.into()));
    }
    for (i, property) in with.0.iter().enumerate() {
        if with
            .0
            .iter()
            .take(i)
            .any(|earlier| earlier.name == property.name)
        {
            return Err(prepare(format!(
                "The WITH clause sets {} more than once",
                property.name
            ))
            .at(property.span.into()));
        }
    }
    Ok(())
}

/// The words for a literal in a message.
fn shown(literal: &Literal) -> (String, &'static str) {
    match literal {
        Literal::Null => ("null".to_owned(), "NULL"),
        Literal::Boolean(value) => (value.to_string(), "a boolean"),
        Literal::Integer(value) => (value.to_string(), "an integer"),
        Literal::Bigint(value) => (value.to_string(), "an integer"),
        Literal::Decimal(text) => (text.clone(), "a decimal"),
        Literal::Double(value) => (value.to_string(), "a double"),
        Literal::String(text) => (text.clone(), "a string"),
    }
}

fn wrong_type(name: &str, literal: &Literal, wanted: &str) -> SqlError {
    let (value, found) = shown(literal);
    prepare(format!(
        "Invalid value {value} for property {name}: Expected value to be {wanted}, but it was {found}"
    ))
}

fn string(with: &Properties, name: &str) -> Result<Option<String>, SqlError> {
    match with.get(name) {
        None => Ok(None),
        Some(Literal::String(value)) => Ok(Some(value.clone())),
        Some(other) => Err(wrong_type(name, other, "a string")),
    }
}

/// A number that fits `T`, or its text.
fn number<T: TryFrom<i64>>(
    with: &Properties,
    name: &str,
    type_word: &str,
) -> Result<Option<T>, SqlError> {
    let Some(literal) = with.get(name) else {
        return Ok(None);
    };
    let value = match literal {
        Literal::Integer(value) => Some(i64::from(*value)),
        Literal::Bigint(value) => Some(*value),
        Literal::String(text) => text.trim().parse().ok(),
        other => return Err(wrong_type(name, other, "a number")),
    };
    match value.and_then(|value| T::try_from(value).ok()) {
        Some(value) => Ok(Some(value)),
        None => Err(prepare(format!(
            "Invalid value {} for property {name}: Not a number of type {type_word}",
            shown(literal).0
        ))),
    }
}

fn boolean(with: &Properties, name: &str) -> Result<Option<bool>, SqlError> {
    match with.get(name) {
        None => Ok(None),
        Some(Literal::Boolean(value)) => Ok(Some(*value)),
        Some(Literal::String(text)) if text.trim().eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Literal::String(text)) if text.trim().eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(other) => Err(wrong_type(name, other, "either true or false")),
    }
}

/// A delimiter: one character, or the word for a blank or a tab.
fn delimiter(with: &Properties, name: &str) -> Result<Option<String>, SqlError> {
    let Some(text) = string(with, name)? else {
        return Ok(None);
    };
    let invalid = |why: String| {
        Err(prepare(format!(
            "Configuration {name} is invalid: {why}\nExample valid value: ';'"
        )))
    };
    if text.is_empty() || text == " " || text == "\t" {
        return invalid(
            "Delimiter cannot be empty, if you meant to have a tab or space for delimiter, please \
             use the special values 'TAB' or 'SPACE'"
                .to_owned(),
        );
    }
    if text != "TAB" && text != "SPACE" && text.encode_utf16().count() != 1 {
        return invalid(format!(
            "Invalid delimiter value: '{text}'. Delimiter must be a single character or TAB,SPACE"
        ));
    }
    Ok(Some(text))
}

fn nullable(with: &Properties, name: &str) -> Result<Option<&'static str>, SqlError> {
    let Some(text) = string(with, name)? else {
        return Ok(None);
    };
    match text.to_ascii_uppercase().as_str() {
        "OPTIONAL" => Ok(Some("optional")),
        "WRAPPER" => Ok(Some("wrapper")),
        _ => Err(prepare(format!(
            "Invalid value {text} for property {name}: String must be one of: OPTIONAL, WRAPPER"
        ))),
    }
}

/// WINDOW_TYPE and WINDOW_SIZE.
fn window(with: &Properties) -> Result<Option<WindowInfo>, SqlError> {
    let Some(word) = string(with, "WINDOW_TYPE")? else {
        return Ok(None);
    };
    let size = string(with, "WINDOW_SIZE")?;
    let kind = match word.trim().to_ascii_uppercase().as_str() {
        "TUMBLING" => WindowKind::Tumbling,
        "HOPPING" => WindowKind::Hopping,
        "SESSION" => WindowKind::Session,
        _ => {
            return Err(prepare(format!(
                "Invalid value {word} for property WINDOW_TYPE: String must be one of: SESSION, \
                 HOPPING, TUMBLING"
            )));
        }
    };
    match (kind, size) {
        (WindowKind::Session, Some(_)) => Err(prepare(
            "'WINDOW_SIZE' should not be set for SESSION windows.",
        )),
        (WindowKind::Session, None) => Ok(Some(WindowInfo {
            kind,
            size_ms: None,
        })),
        (_, None) => Err(prepare(format!(
            "{} windows require 'WINDOW_SIZE' to be provided in the WITH clause. For example: \
             'WINDOW_SIZE'='10 SECONDS'",
            kind.name()
        ))),
        (_, Some(size)) => Ok(Some(WindowInfo {
            kind,
            size_ms: Some(duration(&size)?),
        })),
    }
}

/// `10 SECONDS` in milliseconds.
fn duration(text: &str) -> Result<i64, SqlError> {
    let invalid = |why: String| {
        prepare(format!(
            "Configuration WINDOW_SIZE is invalid: Invalid duration: '{text}'. {why}"
        ))
    };
    let mut words = text.split_whitespace();
    let (Some(amount), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        return Err(invalid(
            "Expected a number and a unit, for example '10 SECONDS'".to_owned(),
        ));
    };
    let amount: i64 = amount
        .parse()
        .map_err(|_| invalid(format!("Not a whole number: '{amount}'")))?;
    let unit = match unit.to_ascii_uppercase().as_str() {
        "DAY" | "DAYS" => TimeUnit::Days,
        "HOUR" | "HOURS" => TimeUnit::Hours,
        "MINUTE" | "MINUTES" => TimeUnit::Minutes,
        "SECOND" | "SECONDS" => TimeUnit::Seconds,
        "MILLISECOND" | "MILLISECONDS" => TimeUnit::Milliseconds,
        other => return Err(invalid(format!("Unknown time unit: '{other}'"))),
    };
    match amount.checked_mul(unit.millis()) {
        Some(millis) if millis > 0 => Ok(millis),
        _ => Err(invalid(
            "The size must be positive and fit 64 bits of milliseconds".to_owned(),
        )),
    }
}

/// A column as a string property names it: upper-cased unless in quotes.
fn stored_name(text: &str) -> String {
    for quote in ['`', '"'] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner {
            let double: String = [quote, quote].iter().collect();
            return inner.replace(&double, &quote.to_string());
        }
    }
    text.to_uppercase()
}

/// Whether every letter of a Java date pattern means something. Which combinations can be read is
/// found out by compiling it.
fn check_pattern(pattern: &str) -> Result<(), SqlError> {
    const LETTERS: &str = "GuyDMLdgQqYwWEecFaBhKkHmsSAnNVvzOXxZp";
    let invalid = |why: String| {
        Err(prepare(format!(
            "Invalid datetime format for config:TIMESTAMP_FORMAT, reason:{why}"
        )))
    };
    let mut in_quotes = false;
    for c in pattern.chars() {
        match c {
            '\'' => in_quotes = !in_quotes,
            _ if in_quotes => {}
            '{' | '}' | '#' => {
                return invalid(format!("Pattern includes reserved character: '{c}'"));
            }
            _ if c.is_ascii_alphabetic() && !LETTERS.contains(c) => {
                return invalid(format!("Unknown pattern letter: {c}"));
            }
            _ => {}
        }
    }
    if in_quotes {
        return invalid(format!(
            "Pattern ends with an incomplete string literal: {pattern}"
        ));
    }
    Ok(())
}
