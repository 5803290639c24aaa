//! Rows as Protobuf messages (spec/api.md §4.1, spec/formats.md §3).
//!
//! ```text
//!  columns ─► RowSchema: fields numbered in order, a message for each STRUCT and MAP
//!                ├─► definition()   the text of the header's protoSchema
//!                └─► message(row)   bytes; NULL and default values are not written
//! ```
//!
//! Invariant: the bytes are what the definition describes. Types without a message of their own
//! (DECIMAL, DATE, TIME, TIMESTAMP) are written as the well-known ones that ksqlDB imports.

mod bytes;

use std::fmt::Write;

use arrow::array::ArrayRef;
use weir_types::{Column, SqlType};

/// The message that a row is.
pub(crate) struct RowSchema {
    root: Message,
    imports: Vec<&'static str>,
}

struct Message {
    name: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: Kind,
    is_repeated: bool,
}

/// What one value is.
enum Kind {
    Int32,
    Int64,
    Double,
    Bool,
    String,
    Bytes,
    Decimal {
        precision: u32,
        scale: u32,
    },
    Date,
    Time,
    Timestamp,
    Struct(Message),
    /// An entry with fields `key` and `value`.
    Entry(Message),
}

impl Kind {
    /// Its name in a definition.
    fn name(&self) -> &str {
        match self {
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Double => "double",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Decimal { .. } => "confluent.type.Decimal",
            Self::Date => "google.type.Date",
            Self::Time => "google.type.TimeOfDay",
            Self::Timestamp => "google.protobuf.Timestamp",
            Self::Struct(message) | Self::Entry(message) => &message.name,
        }
    }

    fn import(&self) -> Option<&'static str> {
        Some(match self {
            Self::Decimal { .. } => "confluent/type/decimal.proto",
            Self::Date => "google/type/date.proto",
            Self::Time => "google/type/timeofday.proto",
            Self::Timestamp => "google/protobuf/timestamp.proto",
            _ => return None,
        })
    }
}

/// Numbers messages as they are met, depth first, and collects what they import.
#[derive(Default)]
struct Builder {
    messages: usize,
    imports: Vec<&'static str>,
}

impl Builder {
    fn message<'a>(
        &mut self,
        suffix: &str,
        fields: impl Iterator<Item = (&'a str, &'a SqlType)>,
    ) -> Message {
        self.messages += 1;
        let name = format!("ConnectDefault{}{suffix}", self.messages);
        let fields = fields.map(|(name, sql_type)| self.field(name, sql_type));
        Message {
            fields: fields.collect(),
            name,
        }
    }

    fn field(&mut self, name: &str, sql_type: &SqlType) -> Field {
        let (kind, is_repeated) = match sql_type {
            SqlType::Array(element) => (self.field(name, element).kind, true),
            SqlType::Map(key, value) => {
                let fields = [("key", &**key), ("value", &**value)];
                (Kind::Entry(self.message("Entry", fields.into_iter())), true)
            }
            SqlType::Struct(fields) => {
                let fields = fields.iter().map(|f| (f.name.as_str(), &f.sql_type));
                (Kind::Struct(self.message("", fields)), false)
            }
            SqlType::Integer => (Kind::Int32, false),
            SqlType::Bigint => (Kind::Int64, false),
            SqlType::Double => (Kind::Double, false),
            SqlType::Boolean => (Kind::Bool, false),
            SqlType::String => (Kind::String, false),
            SqlType::Bytes => (Kind::Bytes, false),
            SqlType::Decimal { precision, scale } => (
                Kind::Decimal {
                    precision: *precision,
                    scale: *scale,
                },
                false,
            ),
            SqlType::Date => (Kind::Date, false),
            SqlType::Time => (Kind::Time, false),
            SqlType::Timestamp => (Kind::Timestamp, false),
        };
        if let Some(import) = kind.import()
            && !self.imports.contains(&import)
        {
            self.imports.push(import);
        }
        Field {
            name: name.to_owned(),
            kind,
            is_repeated,
        }
    }
}

impl RowSchema {
    /// The message of rows with these columns; `None` if Protobuf has no such field: lists cannot
    /// hold lists.
    pub(crate) fn new(columns: &[Column]) -> Option<Self> {
        if columns.iter().any(|c| nests_lists(&c.sql_type)) {
            return None;
        }
        let mut builder = Builder::default();
        let fields = columns.iter().map(|c| (c.name.as_str(), &c.sql_type));
        let root = builder.message("", fields);
        Some(Self {
            root,
            imports: builder.imports,
        })
    }

    /// The text of the `.proto` file.
    pub(crate) fn definition(&self) -> String {
        let mut text = String::from("syntax = \"proto3\";\n\n");
        for import in &self.imports {
            let _ = writeln!(text, "import \"{import}\";");
        }
        if !self.imports.is_empty() {
            text.push('\n');
        }
        self.root.define(&mut text);
        text
    }

    /// Row `row` of `columns`, whose types are those of the schema.
    pub(crate) fn message(&self, columns: &[ArrayRef], row: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.root
            .write(columns.iter().map(AsRef::as_ref), row, &mut out);
        out
    }
}

fn nests_lists(sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::Array(element) => matches!(**element, SqlType::Array(_)) || nests_lists(element),
        SqlType::Map(key, value) => nests_lists(key) || nests_lists(value),
        SqlType::Struct(fields) => fields.iter().any(|f| nests_lists(&f.sql_type)),
        _ => false,
    }
}

impl Message {
    fn define(&self, out: &mut String) {
        let _ = writeln!(out, "message {} {{", self.name);
        for (i, field) in self.fields.iter().enumerate() {
            let repeated = if field.is_repeated { "repeated " } else { "" };
            let (kind, name, number) = (field.kind.name(), &field.name, i + 1);
            let _ = write!(out, "  {repeated}{kind} {name} = {number}");
            if let Kind::Decimal { precision, scale } = field.kind {
                let parameter = |value, key| {
                    format!(
                        "      {{\n        value: \"{value}\",\n        key: \"{key}\"\n      }}"
                    )
                };
                let _ = write!(
                    out,
                    " [(confluent.field_meta) = {{\n    params: [\n{},\n{}\n    ]\n  }}]",
                    parameter(precision, "precision"),
                    parameter(scale, "scale")
                );
            }
            out.push_str(";\n");
        }
        let nested = self.fields.iter().filter_map(|field| match &field.kind {
            Kind::Struct(message) | Kind::Entry(message) => Some(message),
            _ => None,
        });
        for (i, message) in nested.enumerate() {
            if i == 0 {
                out.push('\n');
            }
            let mut text = String::new();
            message.define(&mut text);
            for line in text.lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
        out.push_str("}\n");
    }
}

#[cfg(test)]
mod tests;
