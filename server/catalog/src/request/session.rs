//! What SET and DEFINE change for the rest of a request.

use indexmap::IndexMap;
use serde_json::Value;
use weir_parser::Variables;
use weir_parser::ast::Statement;
use weir_protocol::{ApiError, Entity};
use weir_types::ErrorCode;

use crate::config::{self, Overrides};
use crate::weir::Weir;

/// Properties and variables in force at one point of a request.
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
            variables.define(name, variable_text(value));
        }
        Self {
            overrides,
            variables,
        }
    }

    /// SET, UNSET, DEFINE, UNDEFINE. `None`: another statement.
    pub(super) fn apply(
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

/// The text of a variable's value: nested values as Java prints them.
fn variable_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(variable_text).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name}={}", variable_text(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::variable_text;

    #[test]
    fn variables_have_the_text_that_java_gives_their_values() {
        for (value, text) in [
            (json!("a b"), "a b"),
            (json!(1), "1"),
            (json!(true), "true"),
            (json!(null), "null"),
            (json!(["x", 1]), "[x, 1]"),
            (json!({"a": {"b": "c"}, "d": []}), "{a={b=c}, d=[]}"),
        ] {
            assert_eq!(variable_text(&value), text);
        }
    }
}
