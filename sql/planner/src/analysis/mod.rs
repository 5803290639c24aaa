//! Analysis of a query: its sources, clauses with every column's source found, its result
//! columns with their names, and the rules that can be told from the text and the catalog alone.
//!
//! ```text
//!  ast::Query ─► sources (FROM, JOIN) ─► joins (sides, kinds) ─► items (*, names) ─► clauses
//! ```

mod canonical;
pub(crate) mod joins;
pub(crate) mod names;
pub(crate) mod select;
pub(crate) mod sources;
mod typing;

pub use canonical::canonical_query;

use weir_functions::{FunctionKind, registry};
use weir_parser::ast::{Emit, Expr, ExprKind, Query, SourceKind, Window};
use weir_types::ident::pseudo;
use weir_types::{FormatKind, SqlError};

use crate::catalog::Catalog;
use crate::expr::scope::{Qualifier, Sources};
use crate::expr::tree;
use crate::printed;
use joins::JoinClause;
use select::Item;

/// What a query is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose<'a> {
    /// A persistent query that writes to the sink of this name.
    Persistent(&'a str),
    /// A client's query.
    Push,
}

impl Purpose<'_> {
    pub(crate) fn is_persistent(self) -> bool {
        matches!(self, Self::Persistent(_))
    }
}

/// A query with all its names found.
#[derive(Debug)]
pub(crate) struct Analysis<'a> {
    pub(crate) catalog: &'a dyn Catalog,
    pub(crate) purpose: Purpose<'a>,
    pub(crate) sources: Sources,
    /// One for each source after the first.
    pub(crate) joins: Vec<JoinClause>,
    pub(crate) items: Vec<Item>,
    pub(crate) filter: Option<Expr>,
    pub(crate) group_by: Vec<Expr>,
    pub(crate) partition_by: Vec<Expr>,
    pub(crate) having: Option<Expr>,
    pub(crate) window: Option<Window>,
    pub(crate) emit: Emit,
    pub(crate) limit: Option<i64>,
}

impl std::fmt::Debug for dyn Catalog + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Catalog")
    }
}

impl<'a> Analysis<'a> {
    /// Analyses `query`.
    ///
    /// # Errors
    /// Whatever spec/sql.md §5, §8, §9 and §11 refuse and needs no types of expressions.
    pub(crate) fn new(
        query: &Query,
        catalog: &'a dyn Catalog,
        purpose: Purpose<'a>,
    ) -> Result<Self, SqlError> {
        let sources = sources::resolve(query, catalog)?;
        let joins = joins::analyse(query, &sources)?;
        let synthetic_key = joins
            .last()
            .filter(|j| j.synthetic_key())
            .map(|_| names::synthetic_key(&sources));
        let qualifier = |clause, window_bounds| Qualifier {
            sources: &sources,
            clause,
            window_bounds,
            synthetic_key: synthetic_key.as_deref(),
        };
        let all = |exprs: &[Expr], clause| {
            let mut exprs = exprs.to_vec();
            for expr in &mut exprs {
                refuse_own_bounds(expr, query, &sources, clause)?;
                qualifier(clause, false).qualify(expr)?;
            }
            Ok::<_, SqlError>(exprs)
        };
        let one = |expr: &Option<Expr>, clause| {
            let mut expr = expr.clone();
            if let Some(expr) = &mut expr {
                if clause == "HAVING" {
                    refuse_own_bounds(expr, query, &sources, clause)?;
                }
                qualifier(clause, false).qualify(expr)?;
            }
            Ok::<_, SqlError>(expr)
        };
        let partition_by = all(&query.partition_by, "PARTITION BY")?;
        // ksqlDB knows them in queries of one source only.
        let own_bounds = query.window.is_some() && query.joins.is_empty();
        let items = select::Expansion {
            catalog,
            sources: &sources,
            qualifier: qualifier("SELECT", own_bounds),
            partition_by: &partition_by,
            synthetic_key: synthetic_key.as_deref(),
            purpose,
        }
        .expand(&query.select)?;
        let analysis = Self {
            catalog,
            purpose,
            items,
            filter: one(&query.filter, "WHERE")?,
            group_by: all(&query.group_by, "GROUP BY")?,
            having: one(&query.having, "HAVING")?,
            partition_by,
            window: query.window.clone(),
            emit: query.emit.unwrap_or(Emit::Changes),
            limit: query.limit,
            joins,
            sources,
        };
        analysis.check()?;
        Ok(analysis)
    }

    /// Whether the query aggregates.
    pub(crate) fn aggregates(&self) -> bool {
        !self.group_by.is_empty()
            || self
                .items
                .iter()
                .any(|item| contains_kind(&item.expr, FunctionKind::Aggregate))
    }

    /// Whether the rows before any aggregation form a stream or a table.
    pub(crate) fn input_kind(&self) -> SourceKind {
        match self.sources.list.as_slice() {
            [] => SourceKind::Stream,
            list => {
                let stream = list.iter().any(|s| s.info.kind == SourceKind::Stream);
                if stream {
                    SourceKind::Stream
                } else {
                    SourceKind::Table
                }
            }
        }
    }

    fn check(&self) -> Result<(), SqlError> {
        self.check_sources()?;
        self.check_clauses()?;
        let table_function = |expr: &Expr| contains_kind(expr, FunctionKind::Table);
        if self.items.iter().any(|item| table_function(&item.expr)) {
            if self.aggregates() {
                return Err(SqlError::statement(
                    "Table functions cannot be used with aggregations.",
                ));
            }
            if self.input_kind() == SourceKind::Table {
                return Err(SqlError::statement(
                    "Table source is not supported with table functions",
                ));
            }
        }
        let clauses = [
            ("WHERE", self.filter.as_slice()),
            ("GROUP BY", self.group_by.as_slice()),
            ("PARTITION BY", self.partition_by.as_slice()),
            ("HAVING", self.having.as_slice()),
        ];
        for (clause, exprs) in clauses {
            for expr in exprs {
                if let Some(name) = first_of_kind(expr, FunctionKind::Table) {
                    return Err(SqlError::statement(format!(
                        "Table functions are not allowed in {clause}: {name} is a table function."
                    ))
                    .at(expr.span.into()));
                }
            }
        }
        self.check_reserved()
    }

    fn check_sources(&self) -> Result<(), SqlError> {
        let kafka: Vec<_> = self
            .sources
            .list
            .iter()
            .filter(|s| s.info.value_format.format.kind == FormatKind::Kafka)
            .map(|s| s.info.name.as_str())
            .collect();
        let clause = if !self.joins.is_empty() {
            "JOIN"
        } else if !self.group_by.is_empty() {
            "GROUP BY"
        } else {
            ""
        };
        if !kafka.is_empty() && !clause.is_empty() {
            return Err(SqlError::statement(format!(
                "Source(s) {} are using the 'KAFKA' value format. This format does not yet support \
                 {clause}.",
                kafka.join(", ")
            )));
        }
        let windowed_table = self
            .sources
            .list
            .iter()
            .find(|s| s.info.window.is_some() && s.info.kind == SourceKind::Table);
        if let (Some(table), true) = (windowed_table, self.purpose.is_persistent()) {
            return Err(SqlError::statement(format!(
                "KSQL does not support persistent queries on windowed tables: {} is windowed.",
                table.info.name
            )));
        }
        Ok(())
    }

    fn check_clauses(&self) -> Result<(), SqlError> {
        if self.emit == Emit::Final && (self.window.is_none() || self.group_by.is_empty()) {
            return Err(SqlError::statement(
                "EMIT FINAL is only supported for windowed aggregations.",
            ));
        }
        if self.emit == Emit::Final
            && self
                .catalog
                .config("ksql.suppress.enabled")
                .is_some_and(|v| v == "false")
        {
            return Err(SqlError::statement(
                "EMIT FINAL is disabled. Set ksql.suppress.enabled to true to use it.",
            ));
        }
        if let Some(window) = &self.window {
            if self.input_kind() == SourceKind::Table {
                return Err(SqlError::statement(
                    "WINDOW clause is only supported for streams: windowing is not supported for \
                     table aggregations.",
                )
                .at(window.span.into()));
            }
            if self.group_by.is_empty() {
                return Err(
                    SqlError::statement("WINDOW clause requires a GROUP BY clause.")
                        .at(window.span.into()),
                );
            }
        }
        if !self.partition_by.is_empty() && self.input_kind() == SourceKind::Table {
            let keys: Vec<_> = self
                .sources
                .list
                .iter()
                .flat_map(|s| s.keys())
                .map(|c| c.name.as_str())
                .collect();
            return Err(SqlError::statement(format!(
                "Cannot repartition a TABLE source. If this is a join, make sure that the criteria \
                 uses the TABLE's key column {} instead of [{}]",
                keys.join(", "),
                printed::list(&self.partition_by)
            )));
        }
        for (clause, exprs) in [
            ("GROUP BY", &self.group_by),
            ("PARTITION BY", &self.partition_by),
        ] {
            for (i, expr) in exprs.iter().enumerate() {
                if let Some(name) = first_of_kind(expr, FunctionKind::Aggregate) {
                    return Err(SqlError::statement(format!(
                        "{clause} does not support aggregate functions: {name} is an aggregate \
                         function."
                    ))
                    .at(expr.span.into()));
                }
                if exprs
                    .iter()
                    .take(i)
                    .any(|earlier| tree::same(earlier, expr))
                {
                    return Err(SqlError::statement(format!(
                        "Duplicate {clause} expression: {}",
                        printed::qualified(expr)
                    ))
                    .at(expr.span.into()));
                }
            }
        }
        Ok(())
    }

    /// Persistent queries may not name a result column as a system column is named.
    fn check_reserved(&self) -> Result<(), SqlError> {
        if !self.purpose.is_persistent() {
            return Ok(());
        }
        for item in &self.items {
            if item.star || !pseudo::is_pseudo(&item.name) {
                continue;
            }
            let itself =
                matches!(&item.expr.kind, ExprKind::Column { name, .. } if name.name == item.name);
            let message = if itself {
                format!(
                    "Reserved column name in select: `{}`. Please remove or alias the column.",
                    item.name
                )
            } else {
                format!(
                    "`{}` is a reserved column name. You cannot use it as an alias for a column.",
                    item.name
                )
            };
            return Err(SqlError::statement(message).at(item.expr.span.into()));
        }
        Ok(())
    }
}

/// WINDOWSTART and WINDOWEND of the query's own windows exist after the aggregation only, and
/// those of a windowed source cannot be group columns beside them.
fn refuse_own_bounds(
    expr: &Expr,
    query: &Query,
    sources: &Sources,
    clause: &str,
) -> Result<(), SqlError> {
    if query.window.is_none() {
        return Ok(());
    }
    let mut found = None;
    tree::walk(expr, &mut |e| {
        if let ExprKind::Column { source, name } = &e.kind
            && [pseudo::WINDOWSTART, pseudo::WINDOWEND].contains(&name.name.as_str())
            && (clause == "GROUP BY" || (source.is_none() && !sources.has_column(&name.name)))
        {
            found.get_or_insert(name.clone());
        }
        true
    });
    match found {
        Some(name) => Err(SqlError::statement(format!(
            "Window bounds column {} can only be used in the SELECT clause of windowed \
             aggregations and can not be passed to aggregate functions.",
            name.name
        ))
        .at(name.span.into())),
        None => Ok(()),
    }
}

/// The first call of a function of that kind in `expr`.
pub(crate) fn first_of_kind(expr: &Expr, kind: FunctionKind) -> Option<&str> {
    let mut found = None;
    tree::walk(expr, &mut |e| {
        if let ExprKind::Call { function, .. } = &e.kind
            && found.is_none()
            && registry::registry().kind(&function.name) == Some(kind)
        {
            found = Some(function.name.as_str());
        }
        found.is_none()
    });
    found
}

/// Whether `expr` calls a function of that kind.
pub(crate) fn contains_kind(expr: &Expr, kind: FunctionKind) -> bool {
    first_of_kind(expr, kind).is_some()
}
