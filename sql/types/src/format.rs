//! How a row lies on a topic: formats, their properties, windowed keys (spec/formats.md §1).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A record format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FormatKind {
    /// No bytes, no columns.
    None,
    /// Kafka's own serializers: one column.
    Kafka,
    /// Separated values.
    Delimited,
    /// JSON text.
    Json,
    /// JSON with a registered schema.
    JsonSr,
    /// Avro with a registered schema.
    Avro,
    /// Protobuf with a registered schema.
    Protobuf,
    /// Protobuf without a registry.
    ProtobufNoSr,
}

impl FormatKind {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Kafka,
        Self::Delimited,
        Self::Json,
        Self::JsonSr,
        Self::Avro,
        Self::Protobuf,
        Self::ProtobufNoSr,
    ];

    /// The name in SQL and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Kafka => "KAFKA",
            Self::Delimited => "DELIMITED",
            Self::Json => "JSON",
            Self::JsonSr => "JSON_SR",
            Self::Avro => "AVRO",
            Self::Protobuf => "PROTOBUF",
            Self::ProtobufNoSr => "PROTOBUF_NOSR",
        }
    }

    /// Whether columns can be inferred from a schema registry.
    pub fn uses_registry(self) -> bool {
        matches!(self, Self::JsonSr | Self::Avro | Self::Protobuf)
    }

    /// Whether a single column can be written as a one-field object.
    pub fn can_wrap(self) -> bool {
        !matches!(self, Self::None | Self::Kafka | Self::Delimited)
    }

    /// Whether a single column can be written bare.
    pub fn can_unwrap(self) -> bool {
        !matches!(self, Self::None | Self::Protobuf)
    }
}

impl fmt::Display for FormatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FormatKind {
    type Err = String;

    /// Reads a format name, any case. The error is the message for the user.
    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "NONE" => Self::None,
            "KAFKA" => Self::Kafka,
            "DELIMITED" => Self::Delimited,
            "JSON" => Self::Json,
            "JSON_SR" => Self::JsonSr,
            "AVRO" => Self::Avro,
            "PROTOBUF" => Self::Protobuf,
            "PROTOBUF_NOSR" => Self::ProtobufNoSr,
            _ => return Err(format!("Unknown format: {name}")),
        })
    }
}

/// A format with its properties (`delimiter`, `fullSchemaName`, `schemaId`, `subjectName`,
/// `unwrapPrimitives`, `nullableRepresentation`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FormatSpec {
    /// Which format.
    pub kind: FormatKind,
    /// Its properties by internal name.
    pub properties: BTreeMap<String, String>,
}

impl FormatSpec {
    /// The format without properties.
    pub fn new(kind: FormatKind) -> Self {
        Self {
            kind,
            properties: BTreeMap::new(),
        }
    }
}

/// The format of one side (key or value) of a source's records.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ValueFormat {
    /// Format and properties.
    pub format: FormatSpec,
    /// Whether a single column is wrapped: `Some` where the statement or a default decided it,
    /// `None` for the format's own way (spec/formats.md §1.3).
    pub wrap_single: Option<bool>,
}

/// Kind of window in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowKind {
    /// Fixed, not overlapping.
    Tumbling,
    /// Fixed, overlapping.
    Hopping,
    /// Bounded by inactivity.
    Session,
}

impl WindowKind {
    /// The word in SQL and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tumbling => "TUMBLING",
            Self::Hopping => "HOPPING",
            Self::Session => "SESSION",
        }
    }
}

/// The window part of a windowed source's key (spec/formats.md §1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowInfo {
    /// Kind of window.
    pub kind: WindowKind,
    /// Size in milliseconds; `None` for sessions.
    pub size_ms: Option<i64>,
}
