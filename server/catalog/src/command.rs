//! Commands: what changes the metastore, as written to the command topic (spec/semantics.md
//! §10.4; ksqlDB's topic, our content).
//!
//! A record's key is the command id as a JSON string (``"stream/`X`/create"``), its value a JSON
//! object. The statement is stored as it was accepted; applying it plans it again over the same
//! metastore, which gives the same plan on every server.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Version of the value's form; a higher one cannot be applied by this server.
pub const VERSION: u32 = 1;

/// `type/entity/action` (spec/api.md §2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandId {
    /// `stream`, `table`, `type`, `terminate`, `pause`, `resume`, `cluster`, `topic`.
    pub kind: String,
    /// Name of what it is about.
    pub entity: String,
    /// `create`, `drop`, `execute`, `terminate`, `alter`.
    pub action: String,
}

impl CommandId {
    /// The id of these parts.
    pub fn new(kind: &str, entity: impl Into<String>, action: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            entity: entity.into(),
            action: action.to_owned(),
        }
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.entity, self.action)
    }
}

/// The value of a command record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// Form of this value.
    pub version: u32,
    /// The statement, variables substituted.
    pub statement: String,
    /// What the request overrode.
    pub streams_properties: BTreeMap<String, String>,
    /// Id of the query that it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
    /// Server that wrote it and its count there: finds a server's own commands in the log.
    pub origin: String,
}

/// The record of a command.
pub fn encode(id: &CommandId, command: &Command) -> Result<(Vec<u8>, Vec<u8>), serde_json::Error> {
    Ok((
        serde_json::to_vec(&id.to_string())?,
        serde_json::to_vec(command)?,
    ))
}

/// The command of a record.
///
/// # Errors
///
/// Plain words: not ours, or of a newer version.
pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(CommandId, Command), String> {
    let key = key.ok_or("a command without key")?;
    let value = value.ok_or("a command without value")?;
    let text: String = serde_json::from_slice(key).map_err(|e| format!("command key: {e}"))?;
    // The entity may hold slashes: the first and the last part are words.
    let (kind, rest) = text.split_once('/').ok_or("command key has no type")?;
    let (entity, action) = rest.rsplit_once('/').ok_or("command key has no action")?;
    let command: Command =
        serde_json::from_slice(value).map_err(|e| format!("command {text}: {e}"))?;
    if command.version > VERSION {
        return Err(format!(
            "command {text} is of version {}, this server knows up to {VERSION}",
            command.version
        ));
    }
    Ok((CommandId::new(kind, entity, action), command))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn round_trip() {
        let id = CommandId::new("stream", "`A/B`", "create");
        let command = Command {
            version: VERSION,
            statement: "CREATE STREAM …;".into(),
            streams_properties: BTreeMap::from([("auto.offset.reset".into(), "earliest".into())]),
            query_id: Some("CSAS_X_1".into()),
            origin: "s:1".into(),
        };
        let (key, value) = encode(&id, &command).unwrap();
        assert_eq!(decode(Some(&key), Some(&value)).unwrap(), (id, command));
    }

    #[test]
    fn refuses_newer_versions_and_foreign_records() {
        let newer = br#"{"version":9,"statement":"","streamsProperties":{},"origin":""}"#;
        assert!(
            decode(Some(b"\"a/b/c\""), Some(newer))
                .unwrap_err()
                .contains("version 9")
        );
        assert!(decode(None, Some(b"{}")).is_err());
        assert!(decode(Some(b"x"), Some(b"{}")).is_err());
    }
}
