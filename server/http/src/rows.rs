//! Rows as an answer holds them (spec/api.md §4.2).
//!
//! ```text
//!  header ─► row ─► row ─► end        as StreamedRow array (rows also of Protobuf),
//!                                     delimited lines, or one JSON array
//! ```
//!
//! Invariant: what a writer gave so far, and its end, is a whole answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_catalog::{EndReason, LookupRows, QueryKind, Scalar};
use weir_protocol::ApiError;
use weir_types::{Column, ColumnRole};

use crate::json_row::{write_row, write_scalars, write_string};
use crate::proto_row::RowSchema;
use crate::respond::{self, DELIMITED, JSON, KSQL_V1, KSQL_V1_PROTOBUF};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowFormat {
    /// `[{"header":…},\n{"row":…},\n…]`
    Streamed,
    /// A metadata line, then an array per line.
    Delimited,
    /// The same, wrapped as one JSON array.
    JsonArray,
    /// As [`Streamed`](Self::Streamed), with Protobuf messages for rows.
    Protobuf,
}

impl RowFormat {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Streamed => KSQL_V1,
            Self::Delimited => DELIMITED,
            Self::JsonArray => JSON,
            Self::Protobuf => KSQL_V1_PROTOBUF,
        }
    }
}

/// A whole answer and where its chunks end.
pub(crate) struct Whole {
    pub(crate) text: String,
    pub(crate) ends: Vec<usize>,
}

impl Whole {
    /// The answer of a lookup, in the chunks in which a stream of its rows would come.
    pub(crate) fn of(
        query_id: &str,
        columns: &[Column],
        rows: &LookupRows,
        format: RowFormat,
    ) -> Self {
        let mut writer = RowWriter::new(QueryKind::PullTable, format);
        let mut whole = Self {
            text: String::with_capacity(512),
            ends: Vec::with_capacity(4),
        };
        writer.header(query_id, columns, &mut whole.text);
        whole.end_chunk();
        let mut row = |cells| {
            writer.row(cells, false, &mut whole.text);
            whole.end_chunk();
        };
        match rows {
            LookupRows::One(one) => one.iter().for_each(|one| row(Cells::Scalars(one))),
            LookupRows::Columns(columns, rows) => {
                (0..*rows).for_each(|index| row(Cells::Columns(columns, index)));
            }
        }
        let mut rest = Vec::new();
        writer.end(None, &mut rest);
        for part in rest {
            whole.text.push_str(&part);
            whole.end_chunk();
        }
        whole
    }

    /// What was written since the last one is a chunk.
    fn end_chunk(&mut self) {
        if self.ends.last().copied().unwrap_or(0) < self.text.len() {
            self.ends.push(self.text.len());
        }
    }
}

/// The values of a row.
pub(crate) enum Cells<'a> {
    /// Those of a row of columns.
    Columns(&'a [arrow::array::ArrayRef], usize),
    /// A row of their own; Protobuf has none.
    Scalars(&'a [Scalar<'a>]),
}

impl Cells<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::Columns(columns, row) => write_row(columns, *row, out),
            Self::Scalars(row) => write_scalars(row, out),
        }
    }
}

/// Writes one answer in one format.
pub(crate) struct RowWriter {
    format: RowFormat,
    kind: QueryKind,
    /// A pull query over a table is written at once: its text so far.
    held: String,
    /// The message that each row of a StreamedRow array is, if rows are Protobuf.
    pub(crate) messages: Option<RowSchema>,
    /// The `sourceHost` of each row of a StreamedRow array.
    pub(crate) source_host: Option<String>,
}

impl RowWriter {
    /// A writer at the begin of an answer.
    pub(crate) fn new(kind: QueryKind, format: RowFormat) -> Self {
        Self {
            format,
            kind,
            held: String::new(),
            messages: None,
            source_host: None,
        }
    }

    /// A small table pull in a StreamedRow array goes out as one chunk (spec §4.2).
    fn holds_back(&self) -> bool {
        let is_array = matches!(self.format, RowFormat::Streamed | RowFormat::Protobuf);
        self.kind == QueryKind::PullTable && is_array
    }

    /// Flush of a held answer, bytes (spec §4.2).
    const FLUSH: usize = 5 * 1024;

    /// Appends what comes before the rows, unless it is held back.
    pub(crate) fn header(&mut self, query_id: &str, columns: &[Column], out: &mut String) {
        match self.format {
            RowFormat::Streamed | RowFormat::Protobuf => {
                let text = if self.holds_back() {
                    &mut self.held
                } else {
                    &mut *out
                };
                text.push_str("[{\"header\":{\"queryId\":");
                write_string(query_id, text);
                text.push_str(",\"schema\":");
                write_string(&schema_text(columns), text);
                if let Some(schema) = &self.messages {
                    text.push_str(",\"protoSchema\":");
                    write_string(&schema.definition(), text);
                }
                text.push_str("}}");
                if !self.holds_back() {
                    out.push_str(",\n");
                }
            }
            RowFormat::Delimited => {
                metadata(query_id, columns, out);
                out.push('\n');
            }
            RowFormat::JsonArray => {
                out.push('[');
                metadata(query_id, columns, out);
            }
        }
    }

    /// Appends a row, unless it is held back.
    pub(crate) fn row(&mut self, cells: Cells<'_>, tombstone: bool, out: &mut String) {
        match self.format {
            RowFormat::Streamed | RowFormat::Protobuf => {
                let holds_back = self.holds_back();
                let text = if holds_back {
                    &mut self.held
                } else {
                    &mut *out
                };
                if holds_back {
                    text.push_str(",\n");
                }
                match (&self.messages, &cells) {
                    (Some(schema), Cells::Columns(columns, row)) if !tombstone => {
                        text.push_str("{\"row\":{\"protobufBytes\":\"");
                        STANDARD.encode_string(schema.message(columns, *row), text);
                        text.push_str("\"}");
                    }
                    _ => {
                        text.push_str("{\"row\":{\"columns\":");
                        cells.write(text);
                        text.push_str(if tombstone {
                            ",\"tombstone\":true}"
                        } else {
                            "}"
                        });
                    }
                }
                if let Some(host) = &self.source_host {
                    text.push_str(",\"sourceHost\":");
                    write_string(host, text);
                }
                text.push('}');
                if !holds_back {
                    out.push_str(",\n");
                } else if self.held.len() >= Self::FLUSH {
                    out.push_str(&std::mem::take(&mut self.held));
                }
            }
            // Tombstones do not reach these formats.
            RowFormat::Delimited | RowFormat::JsonArray if tombstone => {}
            RowFormat::Delimited => {
                cells.write(out);
                out.push('\n');
            }
            RowFormat::JsonArray => {
                out.push(',');
                cells.write(out);
            }
        }
    }

    /// Appends an error, after which nothing follows.
    pub(crate) fn failed(&mut self, error: &ApiError, out: &mut Vec<String>) {
        let text = respond::error_text(error);
        match self.format {
            RowFormat::Streamed | RowFormat::Protobuf => {
                let mut held = std::mem::take(&mut self.held);
                if self.holds_back() {
                    held.push_str(",\n");
                }
                out.push(format!("{held}{{\"errorMessage\":{text}}}"));
                out.push("]".to_owned());
            }
            RowFormat::Delimited => out.push(format!("{text}\n")),
            RowFormat::JsonArray => {
                out.push(format!(",{text}"));
                out.push("]".to_owned());
            }
        }
    }

    /// Appends what comes after the rows.
    pub(crate) fn end(&mut self, reason: Option<EndReason>, out: &mut Vec<String>) {
        match self.format {
            RowFormat::Streamed | RowFormat::Protobuf if self.holds_back() => {
                let mut text = std::mem::take(&mut self.held);
                text.push(']');
                out.push(text);
            }
            RowFormat::Streamed | RowFormat::Protobuf => {
                let message = match reason {
                    Some(EndReason::Limit) => "Limit Reached",
                    _ => "Query Completed",
                };
                out.push(format!("{{\"finalMessage\":\"{message}\"}}"));
                out.push("]".to_owned());
            }
            RowFormat::Delimited => {}
            RowFormat::JsonArray => out.push("]".to_owned()),
        }
    }
}

/// ``` `ID` INTEGER KEY, `V` STRING```, roles as the catalog marked them. ksqlDB names header columns
/// before values here, although the rows hold them in declared order.
fn schema_text(columns: &[Column]) -> String {
    let mut columns = columns.to_vec();
    let of_header = |c: &Column| matches!(c.role, ColumnRole::Headers | ColumnRole::Header(_));
    if columns.iter().any(of_header) {
        columns.sort_by_key(|column| match column.role {
            ColumnRole::Key => 0,
            ColumnRole::Headers | ColumnRole::Header(_) => 1,
            ColumnRole::Value => 2,
        });
    }
    weir_types::Schema::new(columns).to_string()
}

/// `{"queryId":…,"columnNames":[…],"columnTypes":[…]}`
fn metadata(query_id: &str, columns: &[Column], out: &mut String) {
    out.push_str("{\"queryId\":");
    write_string(query_id, out);
    out.push_str(",\"columnNames\":[");
    for (i, column) in columns.iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        write_string(&column.name, out);
    }
    out.push_str("],\"columnTypes\":[");
    for (i, column) in columns.iter().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        write_string(&column.sql_type.to_string(), out);
    }
    out.push_str("]}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array};
    use weir_types::SqlType;

    use super::*;

    fn row(writer: &mut RowWriter, tombstone: bool) -> String {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        let mut out = String::new();
        writer.row(Cells::Columns(&[column], 0), tombstone, &mut out);
        out
    }

    /// A row and the end.
    fn whole(mut writer: RowWriter) -> String {
        let mut out = vec![row(&mut writer, false)];
        writer.end(None, &mut out);
        out.concat()
    }

    #[test]
    fn rows_of_a_streamed_row_array_take_what_the_request_asks_for() {
        let mut writer = RowWriter {
            format: RowFormat::Streamed,
            kind: QueryKind::Push,
            held: String::new(),
            messages: None,
            source_host: None,
        };
        assert_eq!(row(&mut writer, false), "{\"row\":{\"columns\":[7]}},\n");
        let tombstone = "{\"row\":{\"columns\":[7],\"tombstone\":true}},\n";
        assert_eq!(row(&mut writer, true), tombstone);
        writer.messages = RowSchema::new(&[Column::value("ID", SqlType::Integer)]);
        let message = "{\"row\":{\"protobufBytes\":\"CAc=\"}},\n";
        assert_eq!(row(&mut writer, false), message);
        assert_eq!(row(&mut writer, true), tombstone);
        writer.messages = None;
        writer.source_host = Some("h1:8088".to_owned());
        let pulled = RowWriter {
            format: RowFormat::Protobuf,
            kind: QueryKind::PullTable,
            held: "[{}".to_owned(),
            messages: RowSchema::new(&[Column::value("ID", SqlType::Integer)]),
            source_host: None,
        };
        assert_eq!(
            whole(pulled),
            "[{},\n{\"row\":{\"protobufBytes\":\"CAc=\"}}]"
        );
        let of_host = "{\"row\":{\"columns\":[7]},\"sourceHost\":\"h1:8088\"},\n";
        assert_eq!(row(&mut writer, false), of_host);
    }
}
