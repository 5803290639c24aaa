//! Pull queries: one look at a table's state, or at a stream's records so far (spec/sql.md §10).
//!
//! ```text
//!  ast::Query ─► rules ─► WHERE ─┬─► constraints: key lookups, a key range, or a scan
//!                                └─► filter, applied to every row found
//!                SELECT ─────────► projection
//! ```
//!
//! Invariant: the filter is the whole WHERE, so an access path may find too many rows but the
//! answer never has one too many; it never finds too few.

mod constraints;

use std::sync::Arc;

use datafusion::common::{DFSchemaRef, TableReference};
use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::scalar::ScalarValue;
use weir_functions::FunctionKind;
use weir_parser::ast::{Expr, ExprKind, Query, SelectItem, SourceKind};
use weir_types::ident::pseudo;
use weir_types::{Column, ColumnRole, Schema, SqlError};

use crate::analysis::select::{Expansion, Item};
use crate::analysis::{Purpose, contains_kind, sources};
use crate::build::{in_clause, schema};
use crate::catalog::{Catalog, SourceInfo};
use crate::expr::scope::{Qualifier, ScopeColumn, SourceScope, Sources};
use crate::expr::{Lowering, refuse, time_text, tree};
use crate::stream::SourceColumn;

/// A planned pull query.
#[derive(Debug, Clone)]
pub struct PullPlan {
    /// The table or stream that is read.
    pub source: Arc<SourceInfo>,
    /// Columns of the rows that filter and projection read, under the source's alias: keys,
    /// WINDOWSTART and WINDOWEND if windowed, values and headers, ROWTIME.
    pub input: DFSchemaRef,
    /// What each of those columns holds.
    pub columns: Vec<SourceColumn>,
    /// How the rows are found.
    pub access: PullAccess,
    /// WHERE, boolean, over `input`.
    pub filter: Option<PlanExpr>,
    /// SELECT over `input`, one for each column of `schema`.
    pub projection: Vec<PlanExpr>,
    /// Columns of the answer, in the order of SELECT.
    pub schema: Schema,
    /// At most so many rows.
    pub limit: Option<usize>,
}

/// How the rows of a pull query are found.
#[derive(Debug, Clone, PartialEq)]
pub enum PullAccess {
    /// All rows.
    Scan,
    /// Rows of these keys, each once.
    Keys(Vec<KeyLookup>),
    /// Rows of a range of the single STRING or BYTES key, not windowed.
    Range(KeyRange),
}

/// One key to look up.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyLookup {
    /// The key columns' values, of exactly their types, in order.
    pub key: Vec<ScalarValue>,
    /// Windows wanted (of windowed tables), all bounds inclusive.
    pub windows: WindowBounds,
}

/// Bounds of the windows wanted; milliseconds, inclusive. The default has no bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowBounds {
    /// Least and greatest WINDOWSTART.
    pub start: (i64, i64),
    /// Least and greatest WINDOWEND.
    pub end: (i64, i64),
}

impl Default for WindowBounds {
    fn default() -> Self {
        Self {
            start: (i64::MIN, i64::MAX),
            end: (i64::MIN, i64::MAX),
        }
    }
}

/// A range of keys, both bounds inclusive (the filter drops what is too much).
#[derive(Debug, Clone, PartialEq)]
pub struct KeyRange {
    /// Least key.
    pub from: Option<ScalarValue>,
    /// Greatest key.
    pub to: Option<ScalarValue>,
}

/// What every refusal of a pull query ends with.
const HINT: &str = "See the documentation of pull queries for more info.\nAdd EMIT CHANGES if you \
                    intended to issue a push query.";

/// Plans a query without EMIT.
///
/// # Errors
/// The refusals of spec/sql.md §10.
pub fn plan_pull(query: &Query, catalog: &dyn Catalog) -> Result<PullPlan, SqlError> {
    let disabled = |name: &str| catalog.config(name).is_some_and(|v| v == "false");
    let all = sources::resolve(query, catalog)?;
    check_clauses(query)?;
    if disabled("ksql.pull.queries.enable") {
        return Err(SqlError::statement(format!(
            "Pull queries are disabled. Please set ksql.pull.queries.enable=true to enable this \
             feature. {HINT}"
        )));
    }
    if query.limit.is_some() && disabled("ksql.query.pull.limit.clause.enabled") {
        return Err(SqlError::statement(
            "LIMIT clause in pull queries is disabled. Please set \
             ksql.query.pull.limit.clause.enabled=true to enable it.",
        ));
    }
    let limit = match query.limit {
        Some(limit) => Some(usize::try_from(limit).map_err(|_| {
            SqlError::statement(format!(
                "Pull queries don't support negative integers in the LIMIT clause. {HINT}"
            ))
        })?),
        None => None,
    };
    let Some(source) = all.list.first() else {
        return Err(SqlError::internal("A query without a source."));
    };
    let items = items(query, catalog, &all)?;
    let filter = filter(query, &all)?;
    check_source(source, catalog)?;
    check_pseudo(&items, &filter)?;
    let columns = row_columns(source);
    let qualifier = TableReference::bare(source.alias.as_str());
    let input = schema(
        columns
            .iter()
            .map(|c| (Some(qualifier.clone()), c.name.clone(), c.sql_type.clone())),
    )?;
    if let Some(filter) = &filter {
        constraints::check_nulls(filter, source)?;
    }
    let lowered = match &filter {
        Some(filter) => Some(
            Lowering::new(&all, catalog)
                .boolean(filter, "WHERE")
                .map_err(|e| in_clause(e, "WHERE", filter))?
                .expr,
        ),
        None => None,
    };
    let access = match &filter {
        Some(filter) => constraints::access(filter, source, catalog)?,
        None => constraints::without_where(source, catalog)?,
    };
    let (projection, result) = project(&items, source, &all, catalog)?;
    Ok(PullPlan {
        source: Arc::clone(&source.info),
        input,
        columns: columns.iter().map(|c| c.content.clone()).collect(),
        access,
        filter: lowered,
        projection,
        schema: result,
        limit,
    })
}

fn check_clauses(query: &Query) -> Result<(), SqlError> {
    let forbidden = [
        (!query.joins.is_empty(), "JOIN"),
        (query.window.is_some(), "WINDOW"),
        (!query.group_by.is_empty(), "GROUP BY"),
        (!query.partition_by.is_empty(), "PARTITION BY"),
        (query.having.is_some(), "HAVING"),
        (query.emit.is_some(), "EMIT"),
    ];
    match forbidden.iter().find(|(present, _)| *present) {
        Some((_, clause)) => Err(SqlError::statement(format!(
            "Pull queries don't support {clause} clauses. {HINT}"
        ))),
        None => Ok(()),
    }
}

fn check_source(source: &SourceScope, catalog: &dyn Catalog) -> Result<(), SqlError> {
    let info = &source.info;
    let disabled = |name: &str| catalog.config(name).is_some_and(|v| v == "false");
    match info.kind {
        SourceKind::Table if !info.materialized => Err(SqlError::statement(format!(
            "The `{0}` table isn't queryable. To derive a queryable table, you can do 'CREATE \
             TABLE QUERYABLE_{0} AS SELECT * FROM {0}'. {HINT}",
            info.name
        ))),
        SourceKind::Stream if disabled("ksql.query.pull.stream.enabled") => {
            Err(SqlError::statement(format!(
                "Pull queries on streams are disabled. To create a push query on the stream, add \
                 EMIT CHANGES to the end. To enable pull queries on streams, set \
                 ksql.query.pull.stream.enabled=true. Stream: {}",
                info.name
            )))
        }
        _ => Ok(()),
    }
}

fn qualifier<'a>(sources: &'a Sources, clause: &'static str) -> Qualifier<'a> {
    Qualifier {
        sources,
        clause,
        window_bounds: false,
        synthetic_key: None,
    }
}

fn items(query: &Query, catalog: &dyn Catalog, sources: &Sources) -> Result<Vec<Item>, SqlError> {
    let items = Expansion {
        catalog,
        sources,
        qualifier: qualifier(sources, "SELECT"),
        partition_by: &[],
        synthetic_key: None,
        purpose: Purpose::Push,
    }
    .expand(&query.select)?;
    for item in &items {
        if contains_kind(&item.expr, FunctionKind::Table) {
            return Err(refuse(
                &item.expr,
                "Table source is not supported with table functions",
            ));
        }
        if contains_kind(&item.expr, FunctionKind::Aggregate) {
            return Err(refuse(
                &item.expr,
                format!("Pull queries don't support aggregate functions. {HINT}"),
            ));
        }
    }
    let stars = query
        .select
        .iter()
        .filter(|item| matches!(item, SelectItem::Star(_)))
        .count();
    if stars > 0 && query.select.len() > 1 && disallowed(items.iter().map(|i| &i.expr)).is_empty() {
        return Err(SqlError::statement(format!(
            "Pull queries only support wildcards in the projection if they are the only \
             expression. {HINT}"
        )));
    }
    Ok(items)
}

/// Where a selected column of a table lives: its key, its window, a header; all else are values.
fn role(item: &Item, source: &SourceScope) -> ColumnRole {
    let column = match &item.expr.kind {
        ExprKind::Column { name, .. } if source.info.kind == SourceKind::Table => {
            source.column(&name.name)
        }
        _ => None,
    };
    match column.map(|c| (c.is_key() || c.is_window_bound(), &c.content)) {
        Some((true, _)) => ColumnRole::Key,
        Some((_, SourceColumn::Headers)) => ColumnRole::Headers,
        Some((_, SourceColumn::Header(key))) => ColumnRole::Header(key.clone()),
        _ => ColumnRole::Value,
    }
}

fn filter(query: &Query, sources: &Sources) -> Result<Option<Expr>, SqlError> {
    let mut filter = query.filter.clone();
    if let Some(filter) = &mut filter {
        qualifier(sources, "WHERE").qualify(filter)?;
        time_text::replace(filter)?;
    }
    Ok(filter)
}

/// Names of the pseudo columns that pull queries cannot read.
fn disallowed<'a>(exprs: impl Iterator<Item = &'a Expr>) -> Vec<String> {
    let mut found = Vec::new();
    for expr in exprs {
        tree::walk(expr, &mut |e| {
            if let ExprKind::Column {
                source: Some(_),
                name,
            } = &e.kind
                && [pseudo::ROWPARTITION, pseudo::ROWOFFSET].contains(&name.name.as_str())
                && !found.contains(&name.name)
            {
                found.push(name.name.clone());
            }
            true
        });
    }
    found
}

fn check_pseudo(items: &[Item], filter: &Option<Expr>) -> Result<(), SqlError> {
    let select = ("SELECT", disallowed(items.iter().map(|i| &i.expr)));
    let clauses = [select, ("WHERE", disallowed(filter.iter()))];
    match clauses.iter().find(|(_, names)| !names.is_empty()) {
        Some((clause, names)) => {
            let names: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
            Err(SqlError::statement(format!(
                "Pull queries don't support the following columns in {clause} clauses: {}",
                names.join(", ")
            )))
        }
        None => Ok(()),
    }
}

/// Keys, window bounds, values and headers, ROWTIME.
fn row_columns(source: &SourceScope) -> Vec<&ScopeColumn> {
    let row_time = source
        .columns
        .iter()
        .filter(|c| c.content == SourceColumn::RowTime);
    source.star(true).into_iter().chain(row_time).collect()
}

fn project(
    items: &[Item],
    source: &SourceScope,
    sources: &Sources,
    catalog: &dyn Catalog,
) -> Result<(Vec<PlanExpr>, Schema), SqlError> {
    let mut projection = Vec::with_capacity(items.len());
    let mut columns: Vec<Column> = Vec::with_capacity(items.len());
    for item in items {
        let typed = Lowering::new(sources, catalog).lower(&item.expr)?;
        let Some(sql_type) = typed.sql_type else {
            return Err(refuse(
                &item.expr,
                "Can't infer a type of null. Please explicitly cast it to a required type, e.g. \
                 CAST(null AS VARCHAR).",
            ));
        };
        let column = Column {
            name: item.name.clone(),
            sql_type,
            role: role(item, source),
        };
        if columns.iter().any(|c| c.name == column.name) {
            return Err(SqlError::statement(format!(
                "Duplicate value columns found in schema: `{}` {}",
                column.name, column.sql_type
            )));
        }
        projection.push(typed.expr);
        columns.push(column);
    }
    Ok((projection, Schema::new(columns)))
}
