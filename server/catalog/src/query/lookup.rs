//! Lookups by key the short way: a pull query of a shape that was planned before is answered
//! without a parser, a planner or a thread of its own.
//!
//! ```text
//!  SELECT C FROM T WHERE ID = 7; ─► shape `SELECT C FROM T WHERE ID = ?;` + literal 7
//!         │ known: key ─► partition ─► state ─► columns
//!         └ unknown, or anything unusual: planned as every query, and remembered if it was plain
//! ```
//!
//! Plain is a query of columns of a table whose key is one STRING, INTEGER or BIGINT column, with
//! `key = literal` as its whole WHERE and no other literal, no property of ksqlDB's own and no
//! variable.
//!
//! Invariant: a shape is answered from what was planned for the metastore of now, so the answer
//! is the one that planning would give.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::scalar::ScalarValue;
use indexmap::IndexMap;
use parking_lot::RwLock;
use serde_json::Value;
use weir_engine::{Access, KeyAccess, MaterializedInfo};
use weir_parser::ast::{BinaryOp, Expr, ExprKind, Query};
use weir_planner::catalog::SourceInfo;
use weir_planner::pull::{PullAccess, PullPlan};
use weir_types::{Column, SqlType};

use super::pull::{columns_of, rows_of};
use crate::api::{QueryRequest, RowStream};
use crate::config;
use crate::fleet::partition_of;
use crate::metastore::Metastore;
use crate::weir::Weir;

/// How long the number of partitions of a state is taken as known.
const FRESH: Duration = Duration::from_secs(10);

/// Shapes kept at once; more are those of a client that writes its values into names.
const CAPACITY: usize = 1000;

/// A statement without its literal.
struct Shape {
    text: String,
    literal: Literal,
}

/// The only literal of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Literal {
    Text(String),
    Number(i64),
}

impl Shape {
    /// Takes the literal out of a statement. `None`: there is none, there are several, or there is
    /// something in it that only the parser understands.
    fn of(sql: &str) -> Option<Self> {
        let bytes = sql.as_bytes();
        let mut text = String::with_capacity(sql.len());
        let mut literal = None;
        let mut copied = 0;
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\'' | b'0'..=b'9' => {
                    let (found, end) = if *byte == b'\'' {
                        quoted(sql, at)?
                    } else {
                        number(bytes, at)?
                    };
                    if literal.replace(found).is_some() {
                        return None;
                    }
                    text.push_str(sql.get(copied..at)?);
                    text.push(if *byte == b'\'' { '\'' } else { '?' });
                    (at, copied) = (end, end);
                }
                // A name, with the digits in it.
                b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                    let rest = bytes.get(at..)?;
                    let length = rest
                        .iter()
                        .position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'));
                    at += length.unwrap_or(rest.len());
                }
                b'`' => {
                    let length = bytes.get(at + 1..)?.iter().position(|b| *b == b'`')?;
                    at += length + 2;
                }
                // Comments, signs, variables, quoted names of the other kind, odd characters.
                b'-' | b'/' | b'$' | b'"' | b'@' | b'\\' | b'+' | b'.' | 0x80.. => {
                    // `alias.column` is a name; what follows decides about a number.
                    if *byte != b'.' || bytes.get(at + 1).is_none_or(u8::is_ascii_digit) {
                        return None;
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
        text.push_str(sql.get(copied..)?);
        Some(Self {
            text,
            literal: literal?,
        })
    }
}

/// A text literal that begins at `at`, and where it ends; `''` stands for a quote.
fn quoted(sql: &str, at: usize) -> Option<(Literal, usize)> {
    let mut value = String::new();
    let mut from = at + 1;
    loop {
        let rest = sql.get(from..)?;
        let length = rest.find('\'')?;
        value.push_str(rest.get(..length)?);
        from += length + 1;
        if sql.as_bytes().get(from) != Some(&b'\'') {
            break;
        }
        value.push('\'');
        from += 1;
    }
    // `${name}` inside of a literal is a variable, too.
    (!value.contains('$')).then_some((Literal::Text(value), from))
}

/// A whole number that begins at `at`, and where it ends.
fn number(bytes: &[u8], at: usize) -> Option<(Literal, usize)> {
    let rest = bytes.get(at..)?;
    let length = rest.iter().position(|b| !b.is_ascii_digit());
    let length = length.unwrap_or(rest.len());
    let behind = rest.get(length);
    if behind.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')) {
        return None;
    }
    let digits = std::str::from_utf8(rest.get(..length)?).ok()?;
    Some((Literal::Number(digits.parse().ok()?), at + length))
}

/// What was planned for a shape.
pub(super) struct Prepared {
    /// For which metastore; another one may hold other sources of these names.
    store: Weak<Metastore>,
    made: Instant,
    query_id: String,
    info: MaterializedInfo,
    source: Arc<SourceInfo>,
    key_type: SqlType,
    partitions: u32,
    /// Columns of the answer, as positions in what the state gives.
    positions: Vec<usize>,
    columns: Vec<Column>,
}

/// What was planned for the shapes seen.
#[derive(Default)]
pub(crate) struct Lookups {
    shapes: RwLock<HashMap<String, Arc<Prepared>>>,
}

/// Answers a query of a known shape. `None`: it is to be planned.
pub(crate) fn answer(weir: &Weir, request: &QueryRequest) -> Option<RowStream> {
    if !have_no_effect(&request.properties) || !request.request_properties.is_empty() {
        return None;
    }
    let shape = Shape::of(&request.sql)?;
    let prepared = weir.lookups.shapes.read().get(&shape.text)?.clone();
    let current = std::ptr::eq(prepared.store.as_ptr(), Arc::as_ptr(&weir.metastore()));
    if !current || prepared.made.elapsed() > FRESH {
        return None;
    }
    let key: ArrayRef = match (&prepared.key_type, shape.literal) {
        (SqlType::String, Literal::Text(text)) => Arc::new(StringArray::from(vec![text])),
        (SqlType::Integer, Literal::Number(number)) => {
            Arc::new(Int32Array::from(vec![i32::try_from(number).ok()?]))
        }
        (SqlType::Bigint, Literal::Number(number)) => Arc::new(Int64Array::from(vec![number])),
        _ => return None,
    };
    let key = vec![key];
    let partition = partition_of(&prepared.source, &key, prepared.partitions).ok()?;
    let anything = (i64::MIN, i64::MAX);
    let access = Access::Keys(vec![KeyAccess {
        key,
        start: anything,
        end: anything,
    }]);
    let read = weir
        .fleet
        .read_state(&prepared.query_id, &prepared.info, Some(partition), &access)
        .ok()?;
    let columns = &prepared.columns;
    let batch = match read.into_iter().next() {
        Some(batch) => {
            let arrays = prepared
                .positions
                .iter()
                .map(|position| batch.columns().get(*position).cloned())
                .collect::<Option<Vec<_>>>()?;
            columns_of(columns, arrays, batch.num_rows()).ok()?
        }
        None => RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())),
    };
    Some(rows_of(batch, columns.clone()))
}

/// Whether properties are right and none of them means anything to a lookup: those of Kafka
/// Streams, such as `auto.offset.reset`, do not.
fn have_no_effect(properties: &IndexMap<String, Value>) -> bool {
    let of_streams = |name: &str| !name.starts_with("ksql.") || name.starts_with("ksql.streams.");
    properties.is_empty()
        || properties.keys().all(|name| of_streams(name))
            && config::request_overrides(properties).is_ok()
}

/// What a planned query leaves behind for those of its shape, if it is plain.
pub(super) struct Candidate<'a> {
    pub(super) query: &'a Query,
    pub(super) plan: &'a PullPlan,
    pub(super) query_id: &'a str,
    pub(super) info: &'a MaterializedInfo,
    pub(super) partitions: u32,
}

impl Candidate<'_> {
    /// Keeps it under the shape of the request's text.
    pub(super) fn remember(&self, weir: &Weir, store: &Arc<Metastore>, request: &QueryRequest) {
        let Some((shape, prepared)) = Shape::of(&request.sql).zip(self.prepared(store)) else {
            return;
        };
        let mut shapes = weir.lookups.shapes.write();
        if shapes.len() >= CAPACITY {
            shapes.clear();
        }
        shapes.insert(shape.text, Arc::new(prepared));
    }

    fn prepared(&self, store: &Arc<Metastore>) -> Option<Prepared> {
        let PullAccess::Keys(lookups) = &self.plan.access else {
            return None;
        };
        let [lookup] = lookups.as_slice() else {
            return None;
        };
        let mut keys = self.plan.source.schema.keys();
        let (key, None) = (keys.next()?, keys.next()) else {
            return None;
        };
        let fits = matches!(
            (&key.sql_type, lookup.key.as_slice()),
            (SqlType::String, [ScalarValue::Utf8(Some(_))])
                | (SqlType::Integer, [ScalarValue::Int32(Some(_))])
                | (SqlType::Bigint, [ScalarValue::Int64(Some(_))])
        );
        let whole = self.query.filter.as_ref().is_some_and(is_equality);
        if !fits || !whole || self.plan.limit.is_some() {
            return None;
        }
        let positions = self
            .plan
            .projection
            .iter()
            .map(|expr| self.position(expr))
            .collect::<Option<Vec<_>>>()?;
        Some(Prepared {
            store: Arc::downgrade(store),
            made: Instant::now(),
            query_id: self.query_id.to_owned(),
            info: self.info.clone(),
            source: self.plan.source.clone(),
            key_type: key.sql_type.clone(),
            partitions: self.partitions,
            positions,
            columns: self.plan.schema.columns().to_vec(),
        })
    }

    /// Where the state gives a projected column.
    fn position(&self, expr: &PlanExpr) -> Option<usize> {
        match expr {
            PlanExpr::Alias(alias) => self.position(&alias.expr),
            PlanExpr::Column(column) => self.plan.input.maybe_index_of_column(column),
            _ => None,
        }
    }
}

/// `column = literal`, in either order.
fn is_equality(filter: &Expr) -> bool {
    let ExprKind::Binary { op, left, right } = &filter.kind else {
        return false;
    };
    let is_column = |expr: &Expr| matches!(expr.kind, ExprKind::Column { .. });
    let is_literal = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(_));
    *op == BinaryOp::Eq
        && (is_column(left) && is_literal(right) || is_literal(left) && is_column(right))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn shapes_of_statements() {
        let text = |value: &str| Literal::Text(value.to_owned());
        for (sql, shape, literal) in [
            (
                "SELECT C FROM T WHERE ID = 17;",
                "SELECT C FROM T WHERE ID = ?;",
                Literal::Number(17),
            ),
            (
                "select T1.C, `a 1` from T1 where 'it''s' = K",
                "select T1.C, `a 1` from T1 where ' = K",
                text("it's"),
            ),
            (
                "SELECT * FROM T WHERE K='é'",
                "SELECT * FROM T WHERE K='",
                text("é"),
            ),
        ] {
            let found = Shape::of(sql).unwrap();
            assert_eq!(
                (found.text.as_str(), found.literal),
                (shape, literal),
                "{sql}"
            );
        }
    }

    #[test]
    fn properties_that_a_lookup_does_not_know() {
        for (name, value, expected) in [
            ("auto.offset.reset", "earliest", true),
            ("ksql.streams.auto.offset.reset", "latest", true),
            ("auto.offset.reset", "none", false),
            ("no.such", "x", false),
            ("ksql.query.pull.table.scan.enabled", "false", false),
        ] {
            let properties = IndexMap::from([(name.to_owned(), Value::from(value))]);
            assert_eq!(have_no_effect(&properties), expected, "{name}={value}");
        }
        assert!(have_no_effect(&IndexMap::new()));
    }

    #[test]
    fn what_only_the_parser_understands_has_no_shape() {
        for sql in [
            "",
            "SELECT * FROM T;",
            "SELECT * FROM T WHERE ID = 1 LIMIT 2;",
            "SELECT * FROM T WHERE ID = -1;",
            "SELECT * FROM T WHERE ID = 1.5;",
            "SELECT * FROM T WHERE ID = 1e3;",
            "SELECT * FROM T WHERE ID = 99999999999999999999;",
            "SELECT * FROM T WHERE ID = .5;",
            "SELECT * FROM T WHERE ID = 1 -- one",
            "SELECT * FROM T /* t */ WHERE ID = 1",
            "SELECT * FROM ${t} WHERE ID = 1",
            "SELECT * FROM T WHERE ID = '${id}'",
            "SELECT * FROM T WHERE ID = 'open",
            "SELECT * FROM `T WHERE ID = 1",
            "SELECT \"C\" FROM T WHERE ID = 1",
        ] {
            assert!(Shape::of(sql).is_none(), "{sql}");
        }
    }
}
