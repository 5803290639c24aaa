//! The sources of a query and how names are found in them.

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, TableReference};
use datafusion::logical_expr::Expr as PlanExpr;
use weir_parser::ast::{Expr, ExprKind, Ident, Span};
use weir_types::ident::pseudo;
use weir_types::{ColumnRole, SqlError, SqlType};

use crate::catalog::SourceInfo;
use crate::expr::tree;
use crate::near;
use crate::stream::SourceColumn;

/// A column that a source offers, pseudo columns included.
#[derive(Debug, Clone)]
pub(crate) struct ScopeColumn {
    /// Name.
    pub(crate) name: String,
    /// Type.
    pub(crate) sql_type: SqlType,
    /// What it holds.
    pub(crate) content: SourceColumn,
}

impl ScopeColumn {
    pub(crate) fn is_key(&self) -> bool {
        matches!(self.content, SourceColumn::Key(_))
    }

    /// ROWTIME and the like, not window bounds.
    pub(crate) fn is_pseudo(&self) -> bool {
        matches!(
            self.content,
            SourceColumn::RowTime | SourceColumn::RowPartition | SourceColumn::RowOffset
        )
    }

    pub(crate) fn is_window_bound(&self) -> bool {
        matches!(
            self.content,
            SourceColumn::WindowStart | SourceColumn::WindowEnd
        )
    }
}

/// A source under its alias.
#[derive(Debug, Clone)]
pub(crate) struct SourceScope {
    /// Alias; the name if none was given.
    pub(crate) alias: String,
    /// The source.
    pub(crate) info: Arc<SourceInfo>,
    /// Its columns: declared ones in order, then pseudo columns, then window bounds.
    pub(crate) columns: Vec<ScopeColumn>,
}

impl SourceScope {
    pub(crate) fn new(alias: String, info: Arc<SourceInfo>) -> Self {
        let (mut keys, mut values) = (0, 0);
        let mut columns: Vec<_> = info
            .schema
            .columns()
            .iter()
            .map(|column| {
                let content = match &column.role {
                    ColumnRole::Key => {
                        keys += 1;
                        SourceColumn::Key(keys - 1)
                    }
                    ColumnRole::Value => {
                        values += 1;
                        SourceColumn::Value(values - 1)
                    }
                    ColumnRole::Headers => SourceColumn::Headers,
                    ColumnRole::Header(key) => SourceColumn::Header(key.clone()),
                };
                ScopeColumn {
                    name: column.name.clone(),
                    sql_type: column.sql_type.clone(),
                    content,
                }
            })
            .collect();
        let mut add = |name: &str, sql_type, content| {
            columns.push(ScopeColumn {
                name: name.to_owned(),
                sql_type,
                content,
            });
        };
        add(pseudo::ROWTIME, SqlType::Bigint, SourceColumn::RowTime);
        add(
            pseudo::ROWPARTITION,
            SqlType::Integer,
            SourceColumn::RowPartition,
        );
        add(pseudo::ROWOFFSET, SqlType::Bigint, SourceColumn::RowOffset);
        if info.window.is_some() {
            add(
                pseudo::WINDOWSTART,
                SqlType::Bigint,
                SourceColumn::WindowStart,
            );
            add(pseudo::WINDOWEND, SqlType::Bigint, SourceColumn::WindowEnd);
        }
        Self {
            alias,
            info,
            columns,
        }
    }

    pub(crate) fn column(&self, name: &str) -> Option<&ScopeColumn> {
        self.columns.iter().find(|c| c.name == name)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &ScopeColumn> {
        self.columns.iter().filter(|c| c.is_key())
    }

    /// The columns of `*`: keys, window bounds where `with_bounds`, then values and headers in
    /// declared order (spec/sql.md §5.2).
    pub(crate) fn star(&self, with_bounds: bool) -> Vec<&ScopeColumn> {
        let bounds = self
            .columns
            .iter()
            .filter(|c| with_bounds && c.is_window_bound());
        let rest = self
            .columns
            .iter()
            .filter(|c| !c.is_key() && !c.is_pseudo() && !c.is_window_bound());
        self.keys().chain(bounds).chain(rest).collect()
    }

    /// Reference to one of this source's columns in the plan.
    pub(crate) fn plan_column(&self, name: &str) -> PlanExpr {
        qualified(&self.alias, name)
    }

    /// Reference to one of this source's columns in the tree.
    pub(crate) fn tree_column(&self, name: &str, span: Span) -> Expr {
        let ident = |name: &str| Ident {
            name: name.to_owned(),
            quoted: false,
            span,
        };
        Expr {
            kind: ExprKind::Column {
                source: Some(ident(&self.alias)),
                name: ident(name),
            },
            span,
        }
    }
}

/// A plan column under a qualifier.
pub(crate) fn qualified(qualifier: &str, name: &str) -> PlanExpr {
    PlanExpr::Column(PlanColumn::new(Some(TableReference::bare(qualifier)), name))
}

/// The sources of FROM and JOIN, left to right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    pub(crate) list: Vec<SourceScope>,
}

impl Sources {
    /// Which sources there are, for messages about one that is not.
    pub(crate) fn said(&self) -> String {
        let aliases: Vec<&str> = self.list.iter().map(|s| s.alias.as_str()).collect();
        format!(" This query reads {}.", aliases.join(", "))
    }

    pub(crate) fn get(&self, alias: &str) -> Option<&SourceScope> {
        self.list.iter().find(|s| s.alias == alias)
    }

    /// Whether any source has a column of that name.
    pub(crate) fn has_column(&self, name: &str) -> bool {
        self.list.iter().any(|s| s.column(name).is_some())
    }

    /// In how many sources a column of that name occurs.
    pub(crate) fn occurrences(&self, name: &str) -> usize {
        self.list
            .iter()
            .filter(|s| s.column(name).is_some())
            .count()
    }

    pub(crate) fn is_join(&self) -> bool {
        self.list.len() > 1
    }
}

/// Finds the source of every column of an expression of one clause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Qualifier<'a> {
    /// The sources.
    pub(crate) sources: &'a Sources,
    /// Name of the clause, for errors.
    pub(crate) clause: &'static str,
    /// Whether WINDOWSTART and WINDOWEND of the query's own windows may be named here.
    pub(crate) window_bounds: bool,
    /// Name of the join's synthetic key, which has no source.
    pub(crate) synthetic_key: Option<&'a str>,
}

impl Qualifier<'_> {
    /// Writes the alias of its source in front of every column that has none (lambda parameters
    /// and time units stay bare). Columns that cannot be found stay as they are; the first of
    /// them is the error.
    ///
    /// # Errors
    /// Unknown or ambiguous columns, unknown sources, lambda parameters that hide a column.
    pub(crate) fn qualify(&self, expr: &mut Expr) -> Result<(), SqlError> {
        self.visit(expr, &mut Vec::new(), false)
    }

    fn visit(
        &self,
        expr: &mut Expr,
        params: &mut Vec<String>,
        argument: bool,
    ) -> Result<(), SqlError> {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Column { source, name } => {
                if let Some(source) = source {
                    return self.check(source, name, span);
                }
                if params.contains(&name.name) || (argument && is_time_unit(name)) {
                    return Ok(());
                }
                *source = self.source_of(name, span)?.map(|alias| Ident {
                    name: alias,
                    quoted: false,
                    span: name.span,
                });
                Ok(())
            }
            ExprKind::Lambda { params: own, body } => {
                let mut result = Ok(());
                for (i, param) in own.iter().enumerate() {
                    let twice = own.iter().take(i).any(|p| p.name == param.name);
                    let taken = twice || params.contains(&param.name);
                    if taken || self.sources.has_column(&param.name) {
                        result = result.and(Err(SqlError::statement(format!(
                            "Lambda parameter '{}' has the name of a column or of another \
                             parameter. Please give it another name.",
                            param.name
                        ))
                        .at(param.span.into())));
                    }
                }
                let outer = params.len();
                params.extend(own.iter().map(|p| p.name.clone()));
                result = result.and(self.visit(body, params, false));
                params.truncate(outer);
                result
            }
            kind => {
                let argument = matches!(kind, ExprKind::Call { .. });
                let mut result = Ok(());
                for child in tree::children_mut(expr) {
                    let child = self.visit(child, params, argument);
                    result = result.and(child);
                }
                result
            }
        }
    }

    fn check(&self, source: &Ident, name: &Ident, span: Span) -> Result<(), SqlError> {
        let Some(scope) = self.sources.get(&source.name) else {
            return Err(SqlError::statement(format!(
                "'{}' is not a valid stream/table name or alias.{}",
                source.name,
                self.sources.said()
            ))
            .at(source.span.into()));
        };
        if scope.column(&name.name).is_some() {
            return Ok(());
        }
        Err(self.unresolved(&format!("{}.{}", source.name, name.name), &name.name, span))
    }

    fn source_of(&self, name: &Ident, span: Span) -> Result<Option<String>, SqlError> {
        let bound = [pseudo::WINDOWSTART, pseudo::WINDOWEND].contains(&name.name.as_str());
        if (bound && self.window_bounds) || self.synthetic_key == Some(name.name.as_str()) {
            return Ok(None);
        }
        let found: Vec<_> = self
            .sources
            .list
            .iter()
            .filter(|s| s.column(&name.name).is_some())
            .collect();
        match found.as_slice() {
            [source] => Ok(Some(source.alias.clone())),
            [] => Err(self.unresolved(&name.name, &name.name, span)),
            several => {
                let candidates: Vec<_> = several
                    .iter()
                    .map(|s| format!("{}.{}", s.alias, name.name))
                    .collect();
                Err(SqlError::statement(format!(
                    "Line: {}, Col: {}: Column '{}' is ambiguous. Could be {}.",
                    span.line,
                    span.column,
                    name.name,
                    candidates.join(" or ")
                ))
                .at(span.into()))
            }
        }
    }

    fn unresolved(&self, written: &str, name: &str, span: Span) -> SqlError {
        let mut message = format!(
            "Line: {}, Col: {}: {} column '{written}' cannot be resolved.",
            span.line, span.column, self.clause
        );
        if ["PARTITION BY", "GROUP BY"].contains(&self.clause) {
            message.push_str(&format!(
                " '{written}' must be a column in the source schema since {} is applied on the \
                 input.",
                self.clause
            ));
        }
        let names = self
            .sources
            .list
            .iter()
            .flat_map(|s| &s.columns)
            .map(|c| c.name.as_str());
        if let Some(near) = near::nearest(name, names) {
            message.push_str(&format!(" Did you mean '{near}'?"));
        }
        SqlError::statement(message).at(span.into())
    }
}

/// Whether a bare argument is one of the words DAYS, HOURS, … (spec/sql.md §7.1).
pub(crate) fn is_time_unit(name: &Ident) -> bool {
    !name.quoted
        && [
            "DAYS",
            "HOURS",
            "MINUTES",
            "SECONDS",
            "MILLISECONDS",
            "MILLISECOND",
        ]
        .contains(&name.name.as_str())
}
