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

use arrow::array::ArrayRef;
use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::scalar::ScalarValue;
use indexmap::IndexMap;
use parking_lot::RwLock;
use serde_json::Value;
use weir_engine::{EngineError, MaterializedInfo, Scalar};
use weir_parser::ast::{BinaryOp, Expr, ExprKind, Query};
use weir_planner::catalog::SourceInfo;
use weir_planner::pull::{PullAccess, PullPlan};
use weir_state::KvStore;
use weir_types::{Column, FormatKind, SqlType};

use super::pull::{columns_of, query_id, rows_of};
use super::shape::{Literal, Shape};
use crate::api::{QueryRequest, RowStream};
use crate::config;
use crate::fleet::partition_of;
use crate::metastore::Metastore;
use crate::weir::Weir;

/// How long the number of partitions of a state is taken as known.
const FRESH: Duration = Duration::from_secs(10);

/// Shapes kept at once; more are those of a client that writes its values into names.
const CAPACITY: usize = 1000;

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

impl Prepared {
    /// Reads the state of a key: `read` gets the store, and the key as the store has it.
    fn read<T>(
        &self,
        weir: &Weir,
        literal: &Literal,
        read: impl FnOnce(&dyn KvStore, &[u8]) -> Result<T, EngineError>,
    ) -> Option<T> {
        let mut key = Vec::with_capacity(64);
        let partition = self.partition(literal, &mut key)?;
        key.clear();
        literal.write_store_key(&self.key_type, &mut key)?;
        weir.fleet
            .read_store(&self.query_id, &self.info, partition, |store| {
                read(store, &key)
            })
            .ok()
    }

    /// The columns of the answer for a key, and how many rows.
    fn columns_of_key(&self, weir: &Weir, literal: &Literal) -> Option<(Vec<ArrayRef>, usize)> {
        let view = &self.info.view;
        let (read, rows) = self.read(weir, literal, |store, key| view.read_key(store, key))?;
        let column = |position: &usize| read.get(*position).cloned();
        let columns = self.positions.iter().map(column).collect::<Option<_>>()?;
        Some((columns, rows))
    }

    /// Where the rows of a key are; `scratch` is used.
    fn partition(&self, literal: &Literal, scratch: &mut Vec<u8>) -> Option<u32> {
        if self.source.key_format.format.kind == FormatKind::Kafka {
            literal.write_kafka_key(&self.key_type, scratch)?;
            return Some(weir_types::partition::partition_of(
                scratch,
                self.partitions,
            ));
        }
        let key = [literal.column(&self.key_type)?];
        partition_of(&self.source, &key, self.partitions).ok()
    }
}

/// What was planned for the shapes seen.
#[derive(Default)]
pub(crate) struct Lookups {
    shapes: RwLock<HashMap<String, Arc<Prepared>>>,
}

/// The answer of a lookup by key.
pub struct Lookup {
    prepared: Arc<Prepared>,
    /// `query_…`
    pub query_id: String,
    /// The values.
    pub rows: LookupRows,
}

/// Rows of a lookup; values in the order of [`Lookup::columns`].
pub enum LookupRows {
    /// At most one row, of plain types.
    One(Option<Vec<Scalar<'static>>>),
    /// Columns, and how many rows.
    Columns(Vec<ArrayRef>, usize),
}

impl Lookup {
    /// Columns of the rows, roles as the header shows them.
    pub fn columns(&self) -> &[Column] {
        &self.prepared.columns
    }
}

/// Answers a query of a known shape; that of a windowed table, which may read thousands of
/// windows, only where that `may_take_long`. `None`: it is to be planned.
pub(crate) fn answer(
    weir: &Weir,
    request: &QueryRequest,
    may_take_long: bool,
) -> Option<RowStream> {
    if !have_no_effect(&request.properties) || !request.request_properties.is_empty() {
        return None;
    }
    let (prepared, literal) = prepared(weir, &request.sql, may_take_long)?;
    let (values, rows) = prepared.columns_of_key(weir, &literal)?;
    let columns = prepared.columns.clone();
    let batch = columns_of(&columns, values, rows).ok()?;
    Some(rows_of(batch, columns))
}

/// The row of a query of a known shape that sets no properties, of a table without windows.
/// `None`: it is to be planned.
pub(crate) fn find(weir: &Weir, sql: &str) -> Option<Lookup> {
    let (prepared, literal) = prepared(weir, sql, false)?;
    let view = &prepared.info.view;
    let rows = if view.has_scalars() {
        LookupRows::One(prepared.read(weir, &literal, |store, key| {
            view.read_scalars(store, key, &prepared.positions)
        })?)
    } else {
        let (columns, rows) = prepared.columns_of_key(weir, &literal)?;
        LookupRows::Columns(columns, rows)
    };
    Some(Lookup {
        prepared,
        query_id: query_id(),
        rows,
    })
}

/// What was planned for a statement's shape, if that still holds; `may_take_long`: windows too.
fn prepared(weir: &Weir, sql: &str, may_take_long: bool) -> Option<(Arc<Prepared>, Literal)> {
    let shape = Shape::of(sql)?;
    let prepared = weir.lookups.shapes.read().get(&shape.text)?.clone();
    let current = std::ptr::eq(prepared.store.as_ptr(), Arc::as_ptr(&weir.metastore()));
    let is_short = may_take_long || prepared.source.window.is_none();
    (current && is_short && prepared.made.elapsed() <= FRESH).then_some((prepared, shape.literal))
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
}
