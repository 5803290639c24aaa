//! The rows between two nodes of the plan being built.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::{Column as PlanColumn, DFSchema, DFSchemaRef, TableReference};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan};
use weir_parser::ast::{Expr, SourceKind};
use weir_types::{SqlError, SqlType, ValueFormat, WindowInfo};

use crate::analysis::select::Item;
use crate::expr::{Resolve, tree};

/// A key column of the rows.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumn {
    /// Where it stands in the plan's schema.
    pub(crate) column: PlanColumn,
    pub(crate) sql_type: SqlType,
    /// The expressions of the statement that mean it, best first.
    pub(crate) means: Vec<Expr>,
}

/// Why the rows are keyed as they are; the words of "key missing" messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOrigin {
    /// The source's own key.
    Source,
    /// PARTITION BY.
    Partition,
    /// GROUP BY.
    Group,
    /// A join.
    Join,
    /// A foreign-key join: all key columns of the left table.
    ForeignKey,
}

/// The plan so far, and what its rows are.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) plan: LogicalPlan,
    pub(crate) kind: SourceKind,
    pub(crate) keys: Vec<KeyColumn>,
    pub(crate) origin: KeyOrigin,
    /// Format of the record keys that the rows came with.
    pub(crate) key_format: ValueFormat,
    /// Window in the key, with the columns of its bounds.
    pub(crate) window: Option<(WindowInfo, [PlanExpr; 2])>,
    /// Expressions that nodes have computed: shape, column, type.
    pub(crate) computed: Vec<(Expr, PlanExpr, SqlType)>,
}

impl Stage {
    /// Adds an expression that the plan has computed.
    pub(crate) fn add_computed(&mut self, expr: &Expr, column: PlanExpr, sql_type: SqlType) {
        self.computed.push((tree::shape(expr), column, sql_type));
    }

    /// Whether `expr` is the single key column of these rows.
    pub(crate) fn is_key(&self, expr: &Expr) -> bool {
        match self.keys.as_slice() {
            [key] => key.means.iter().any(|e| tree::same(e, expr)),
            _ => false,
        }
    }

    /// Whether `exprs` are the key columns of these rows, all of them and in their order. A column
    /// that several expressions mean goes by the first that SELECT has.
    pub(crate) fn is_keyed_by(&self, exprs: &[Expr], select: &[Item]) -> bool {
        let selected = |meant: &&Expr| select.iter().any(|item| tree::same(&item.expr, meant));
        let goes_by = |key: &KeyColumn, expr: &Expr| {
            let chosen = key.means.iter().find(selected).or(key.means.first());
            chosen.is_some_and(|meant| tree::same(meant, expr))
        };
        let mut pairs = self.keys.iter().zip(exprs);
        self.keys.len() == exprs.len() && pairs.all(|(key, expr)| goes_by(key, expr))
    }
}

/// Columns of sources over what a stage has computed.
pub(crate) struct StageScope<'a> {
    pub(crate) sources: &'a dyn Resolve,
    pub(crate) stage: &'a Stage,
}

impl Resolve for StageScope<'_> {
    fn column(&self, source: Option<&str>, name: &str) -> Option<(PlanExpr, SqlType)> {
        self.sources.column(source, name)
    }

    fn computed(&self, expr: &Expr) -> Option<(PlanExpr, SqlType)> {
        if self.stage.computed.is_empty() {
            return None;
        }
        let shape = tree::shape(expr);
        self.stage
            .computed
            .iter()
            .find(|(computed, ..)| *computed == shape)
            .map(|(_, column, sql_type)| (column.clone(), sql_type.clone()))
    }
}

/// A node's schema of columns `(qualifier, name, type)`.
///
/// # Errors
/// Two columns of one name: a fault of ours.
pub(crate) fn schema(
    columns: impl IntoIterator<Item = (Option<TableReference>, String, SqlType)>,
) -> Result<DFSchemaRef, SqlError> {
    let fields = columns
        .into_iter()
        .map(|(qualifier, name, sql_type)| {
            (
                qualifier,
                Arc::new(Field::new(name, sql_type.to_arrow(), true)),
            )
        })
        .collect();
    DFSchema::new_with_metadata(fields, HashMap::new())
        .map(Arc::new)
        .map_err(internal)
}

/// `schema` with columns before or after it.
///
/// # Errors
/// As [`schema`].
pub(crate) fn extended(
    before: Vec<(Option<TableReference>, String, SqlType)>,
    schema: &DFSchema,
    after: Vec<(Option<TableReference>, String, SqlType)>,
) -> Result<DFSchemaRef, SqlError> {
    let new = |columns: Vec<(Option<TableReference>, String, SqlType)>| {
        columns.into_iter().map(|(qualifier, name, sql_type)| {
            (
                qualifier,
                Arc::new(Field::new(name, sql_type.to_arrow(), true)),
            )
        })
    };
    let old = schema
        .iter()
        .map(|(q, field)| (q.cloned(), Arc::clone(field)));
    let fields = new(before).chain(old).chain(new(after)).collect();
    DFSchema::new_with_metadata(fields, HashMap::new())
        .map(Arc::new)
        .map_err(internal)
}

/// Index of a column in the plan's schema.
///
/// # Errors
/// No such column: a fault of ours.
pub(crate) fn index_of(plan: &LogicalPlan, column: &PlanColumn) -> Result<usize, SqlError> {
    plan.schema().index_of_column(column).map_err(internal)
}

/// A fault of ours, told with DataFusion's words.
pub(crate) fn internal(error: impl std::fmt::Display) -> SqlError {
    SqlError::internal(format!("The plan could not be built: {error}"))
}
