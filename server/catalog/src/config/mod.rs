//! Configuration: the server's properties and what a session or request overrides.
//!
//! ```text
//!  properties file, key=value ──► ServerConfig ──► Effective { server + SET + streamsProperties }
//!                                     │
//!                        table of ksql.* properties, names of Kafka's
//! ```

mod kafka_names;
pub mod properties;
mod values;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;
use weir_protocol::{ApiError, PropertyInfo};
use weir_types::ErrorCode;

pub use properties::{PROPERTIES, Property};
pub use values::check_value;

/// Overrides that no client may make.
const DENIED: &[&str] = &["ksql.service.id"];

/// Why a value or a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such property.
    #[error("Not recognizable as ksql, streams, consumer, or producer property: '{0}'{1}")]
    Unknown(String, String),
    /// The property is there but a session may not set it.
    #[error("Cannot override property '{0}'")]
    NotEditable(String),
    /// The value does not fit.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    BadValue {
        /// Property.
        name: String,
        /// Value given.
        value: String,
        /// What is expected.
        reason: String,
    },
}

/// Properties set for the server or by a client, by canonical name (`ksql.streams.` names
/// without prefix where Kafka knows them).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(pub BTreeMap<String, String>);

impl Overrides {
    /// These properties, and where they say nothing those of `base`.
    pub fn over(&self, base: &Self) -> Self {
        let mut all = base.0.clone();
        all.extend(self.0.clone());
        Self(all)
    }
}

/// The server's configuration.
#[derive(Debug, Clone, Default)]
pub struct ServerConfig {
    /// As given, by the name given.
    given: BTreeMap<String, String>,
}

impl ServerConfig {
    /// A configuration of these properties.
    pub fn new(given: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            given: given.into_iter().collect(),
        }
    }

    /// Reads a Java properties file: `key=value` or `key:value` lines, `#` and `!` comments, `\`
    /// at the end of a line continues it.
    pub fn read_properties(text: &str) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut pending = String::new();
        for line in text.lines() {
            let line = line.trim_start();
            if pending.is_empty() && (line.is_empty() || line.starts_with(['#', '!'])) {
                continue;
            }
            if let Some(start) = line.strip_suffix('\\') {
                pending.push_str(start);
                continue;
            }
            pending.push_str(line);
            let full = std::mem::take(&mut pending);
            let split = full.find(['=', ':']).unwrap_or(full.len());
            let (name, value) = full.split_at(split);
            let value = value.get(1..).unwrap_or_default();
            out.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        out
    }

    /// Every property given.
    pub fn given(&self) -> impl Iterator<Item = (&str, &str)> {
        self.given.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The value given under `name`, or for a streams property under `ksql.streams.` and bare.
    pub fn given_value(&self, name: &str) -> Option<&str> {
        let bare = name.strip_prefix("ksql.streams.").unwrap_or(name);
        self.given
            .get(name)
            .or_else(|| self.given.get(bare))
            .or_else(|| self.given.get(&format!("ksql.streams.{bare}")))
            .map(String::as_str)
    }

    /// The value in force: given, else the default.
    pub fn value(&self, name: &str) -> Option<String> {
        self.given_value(name).map(str::to_owned).or_else(|| {
            properties::find(name)
                .or_else(|| properties::find(&format!("ksql.streams.{name}")))
                .and_then(|p| p.default.map(str::to_owned))
        })
    }

    /// A boolean in force; what does not read as one is false.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }

    /// A number in force.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.value(name)?.trim().parse().ok()
    }

    /// `ksql.service.id`.
    pub fn service_id(&self) -> String {
        self.value("ksql.service.id")
            .unwrap_or_else(|| "default_".to_owned())
    }

    /// What SHOW PROPERTIES lists: every known property, then Kafka's names where overridden.
    pub fn listing(&self, overrides: &Overrides) -> (Vec<PropertyInfo>, Vec<String>, Vec<String>) {
        let mut overridden: BTreeMap<&str, &str> = overrides
            .0
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let mut listed = Vec::new();
        let mut overwritten = Vec::new();
        let mut defaults = Vec::new();
        for property in PROPERTIES {
            let bare = property.name.strip_prefix("ksql.streams.");
            let session = overridden
                .remove(property.name)
                .or_else(|| bare.and_then(|name| overridden.remove(name)));
            let given = self.given_value(property.name);
            let value = session.or(given).or(property.default);
            // An unset Streams property is not listed.
            if value.is_none() && bare.is_some() {
                continue;
            }
            if session.is_some() {
                overwritten.push(property.name.to_owned());
            }
            let default = property
                .default
                .or_else(|| bare.and_then(kafka_names::default_of));
            if value == default && !property.preset {
                defaults.push(property.name.to_owned());
            }
            let value = value.map(|v| masked(property.name, v));
            listed.push(PropertyInfo {
                name: property.name.to_owned(),
                scope: "KSQL".to_owned(),
                value,
                editable: property.editable,
                level: if property.per_query {
                    "QUERY"
                } else {
                    "SERVER"
                }
                .to_owned(),
            });
        }
        for (bare, value) in overridden {
            let name = match properties::find(bare) {
                Some(_) => bare.to_owned(),
                None => format!("ksql.streams.{bare}"),
            };
            overwritten.push(name.clone());
            if kafka_names::default_of(bare) == Some(value) {
                defaults.push(name.clone());
            }
            listed.push(PropertyInfo {
                value: Some(masked(&name, value)),
                name,
                scope: "KSQL".to_owned(),
                editable: true,
                level: "SERVER".to_owned(),
            });
        }
        (listed, overwritten, defaults)
    }
}

/// A value as it may be shown: secrets are not.
fn masked(name: &str, value: &str) -> String {
    let secret = [
        "password",
        "secret",
        "jaas.config",
        "credentials",
        "basic.auth.user.info",
    ];
    let hides = |part: &&str| name.contains(*part) && !name.contains("credentials.");
    if !value.is_empty() && secret.iter().any(hides) {
        "[hidden]".to_owned()
    } else {
        value.to_owned()
    }
}

/// The canonical name of a property that a client may name: `ksql.*` as it is, Kafka's without
/// `ksql.streams.`, `consumer.`, `producer.`.
///
/// # Errors
///
/// [`ConfigError::Unknown`].
pub fn canonical(name: &str) -> Result<String, ConfigError> {
    if properties::find(name).is_some() && !name.starts_with("ksql.streams.") {
        return Ok(name.to_owned());
    }
    let rest = name.strip_prefix("ksql.streams.").unwrap_or(name);
    let (consumer, producer) = (
        rest.strip_prefix("consumer."),
        rest.strip_prefix("producer."),
    );
    let bare = consumer.or(producer).unwrap_or(rest);
    let in_list = |list: &[&str]| list.contains(&bare);
    let known = match (consumer, producer) {
        (Some(_), _) => in_list(kafka_names::CONSUMER),
        (_, Some(_)) => in_list(kafka_names::PRODUCER),
        _ => {
            in_list(kafka_names::STREAMS)
                || in_list(kafka_names::CONSUMER)
                || in_list(kafka_names::PRODUCER)
        }
    };
    let security = kafka_names::SECURITY_PREFIXES
        .iter()
        .any(|p| bare.starts_with(p));
    let functions =
        name.starts_with("ksql.functions.") || name.starts_with("ksql.error.classifier");
    if functions {
        return Ok(name.to_owned());
    }
    if known || security {
        return Ok(rest.to_owned());
    }
    // Unset `ksql.*` names that the listing does not show but sessions may set.
    if matches!(
        name,
        "ksql.fail.on.deserialization.error" | "ksql.fail.on.production.error"
    ) {
        return Ok(name.to_owned());
    }
    let names = PROPERTIES.iter().map(|p| p.name);
    let kafka = kafka_names::STREAMS.iter().copied();
    let hint = weir_planner::near::hint(name, names.chain(kafka));
    Err(ConfigError::Unknown(name.to_owned(), hint))
}

/// Properties that are read for each statement, so that a request may set them, though the
/// listing calls them the server's (spec/sql.md §10, spec/api.md §3.1, §4.1).
const READ_PER_REQUEST: &[&str] = &[
    "ksql.create.or.replace.enabled",
    "ksql.endpoint.migrate.query",
    "ksql.headers.columns.enabled",
    "ksql.lambdas.enabled",
    "ksql.output.topic.name.prefix",
    "ksql.persistence.default.format.key",
    "ksql.persistence.default.format.value",
    "ksql.persistence.wrap.single.values",
    "ksql.query.pull.enable.standby.reads",
    "ksql.query.pull.interpreter.enabled",
    "ksql.query.pull.limit.clause.enabled",
    "ksql.query.pull.range.scan.enabled",
    "ksql.query.pull.stream.enabled",
    "ksql.source.table.materialization.enabled",
    "ksql.suppress.enabled",
    "ksql.variable.substitution.enable",
];

/// Properties that protect the server: whatever a request says, the server's own value holds.
const PROTECTED: &[&str] = &[
    "ksql.hidden.topics",
    "ksql.insert.into.values.enabled",
    "ksql.pull.queries.enable",
    "ksql.query.persistent.active.limit",
    "ksql.readonly.topics",
    "ksql.schema.registry.url",
    "ksql.service.id",
];

/// Whether only the server's own value of the property counts.
pub fn is_protected(name: &str) -> bool {
    PROTECTED.contains(&name)
}

/// Whether a request may set the property of that canonical name.
pub fn is_overridable(name: &str) -> bool {
    READ_PER_REQUEST.contains(&name) || is_editable(name)
}

/// Whether ALTER SYSTEM may set the property of that canonical name, as the listing says.
pub fn is_editable(name: &str) -> bool {
    match properties::find(name) {
        Some(property) => property.editable,
        None => {
            let listed = properties::find(&format!("ksql.streams.{name}"));
            let fixed = [
                "bootstrap.servers",
                "application.id",
                "application.server",
                "state.dir",
            ];
            listed.is_none_or(|p| p.editable || p.name.ends_with("num.stream.threads"))
                && !fixed.contains(&name)
        }
    }
}

/// The text of a JSON override: scalars as they are, lists joined by commas.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Checks the overrides of a request (spec/api.md §3.1) and gives them by canonical name.
///
/// # Errors
///
/// 500/50000 for an unknown name, 400/40000 for a bad value or one that may not be set.
pub fn request_overrides(given: &IndexMap<String, Value>) -> Result<Overrides, ApiError> {
    let mut out = BTreeMap::new();
    for (name, value) in given {
        if DENIED.contains(&name.as_str()) {
            return Err(denied(name));
        }
        let canonical = canonical(name)
            .map_err(|e| ApiError::generic(ErrorCode::ServerError, e.to_string()))?;
        let text = text_of(value);
        let refused = |cause: ConfigError| {
            ApiError::generic(
                ErrorCode::BadRequest,
                format!(
                    "Failed to coerce type of value '{text}' for key '{name}'\nCaused by: {cause}"
                ),
            )
        };
        if !is_overridable(&canonical) {
            return Err(refused(ConfigError::NotEditable(name.clone())));
        }
        check_value(&canonical, &text).map_err(refused)?;
        out.insert(canonical, text);
    }
    Ok(Overrides(out))
}

/// The refusal of a property on the deny list.
pub fn denied(name: &str) -> ApiError {
    ApiError::generic(
        ErrorCode::BadRequest,
        format!(
            "One or more properties overrides set locally are prohibited by the KSQL server \
             (use UNSET to reset their default value): [{name}]"
        ),
    )
}

/// Whether a client may not set this property at all.
pub fn is_denied(name: &str) -> bool {
    DENIED.contains(&name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_recognised_with_and_without_prefix() {
        assert_eq!(
            canonical("ksql.streams.auto.offset.reset").unwrap(),
            "auto.offset.reset"
        );
        assert_eq!(
            canonical("consumer.max.poll.records").unwrap(),
            "consumer.max.poll.records"
        );
        assert_eq!(canonical("ksql.service.id").unwrap(), "ksql.service.id");
        assert!(canonical("no.such.property").is_err());
    }

    #[test]
    fn overrides_are_checked() {
        let request = |name: &str, value: Value| {
            request_overrides(&IndexMap::from([(name.to_owned(), value)]))
        };
        let set = request("auto.offset.reset", "earliest".into()).unwrap();
        assert_eq!(set.0["auto.offset.reset"], "earliest");
        let limit = "ksql.query.pull.limit.clause.enabled";
        assert_eq!(request(limit, false.into()).unwrap().0[limit], "false");
        let unknown = request("no.such", "x".into()).unwrap_err();
        assert_eq!(unknown.code, ErrorCode::ServerError);
        for (name, value) in [
            ("auto.offset.reset", Value::from("none")),
            ("bootstrap.servers", "x".into()),
            ("ksql.connect.url", "x".into()),
            ("ksql.extension.dir", "x".into()),
            ("ksql.pull.queries.enable", "false".into()),
            ("ksql.query.pull.limit.clause.enabled", "no".into()),
            ("ksql.service.id", "x".into()),
            ("ksql.streams.commit.interval.ms", "soon".into()),
        ] {
            assert_eq!(
                request(name, value).unwrap_err().code,
                ErrorCode::BadRequest,
                "{name}"
            );
        }
    }

    #[test]
    fn reads_properties_files() {
        let text = "# c\nlisteners=http://0.0.0.0:8088\nksql.service.id : x_\na=b\\\n  c\n";
        assert_eq!(
            ServerConfig::read_properties(text),
            [
                ("listeners".to_owned(), "http://0.0.0.0:8088".to_owned()),
                ("ksql.service.id".to_owned(), "x_".to_owned()),
                ("a".to_owned(), "bc".to_owned()),
            ]
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = ServerConfig::new([("ssl.key.password".to_owned(), "x".to_owned())]);
        assert_eq!(masked("ssl.key.password", "x"), "[hidden]");
        let (listed, overwritten, defaults) = config.listing(&Overrides::default());
        assert!(listed.iter().any(|p| p.name == "ksql.service.id"));
        assert!(overwritten.is_empty());
        assert!(defaults.iter().any(|n| n == "ksql.service.id"));
    }

    #[test]
    fn listings_tell_defaults_from_what_was_given() {
        let config = ServerConfig::new([
            ("ksql.streams.num.stream.threads".to_owned(), "1".to_owned()),
            (
                "ksql.connect.url".to_owned(),
                "http://localhost:8083".to_owned(),
            ),
        ]);
        let session = Overrides(BTreeMap::from([(
            "auto.offset.reset".to_owned(),
            "latest".to_owned(),
        )]));
        let (listed, overwritten, defaults) = config.listing(&session);
        let listed: Vec<&str> = listed.iter().map(|p| p.name.as_str()).collect();
        let defaults: Vec<&str> = defaults.iter().map(String::as_str).collect();
        // Listed, default.
        for (name, is_listed, is_default) in [
            ("ksql.streams.auto.offset.reset", true, true),
            ("ksql.streams.num.stream.threads", true, true),
            ("ksql.streams.replication.factor", true, false),
            ("ksql.streams.commit.interval.ms", false, false),
            ("ksql.connect.url", true, false),
            ("ksql.lambdas.enabled", true, true),
        ] {
            assert_eq!(listed.contains(&name), is_listed, "{name}");
            assert_eq!(defaults.contains(&name), is_default, "{name}");
        }
        assert_eq!(overwritten, ["ksql.streams.auto.offset.reset"]);
    }
}
