//! The SELECT list: what stands behind stars, and the names of result columns.

use weir_parser::ast::{Expr, ExprKind, Ident, SelectItem, Span};
use weir_types::{SqlError, SqlType};

use super::Purpose;
use super::names::{Namer, star_name};
use super::typing::type_of;
use crate::catalog::Catalog;
use crate::expr::scope::{Qualifier, SourceScope, Sources};
use crate::expr::tree;

/// One result column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// What it computes; columns are qualified.
    pub(crate) expr: Expr,
    /// Its name.
    pub(crate) name: String,
    /// Whether it stands behind a star.
    pub(crate) star: bool,
}

/// How a SELECT list is expanded.
pub(crate) struct Expansion<'a> {
    pub(crate) catalog: &'a dyn Catalog,
    pub(crate) sources: &'a Sources,
    /// Finds the columns of the list.
    pub(crate) qualifier: Qualifier<'a>,
    /// PARTITION BY, qualified: its expressions lead a `*`.
    pub(crate) partition_by: &'a [Expr],
    /// The join's synthetic key: it leads a `*`.
    pub(crate) synthetic_key: Option<&'a str>,
    pub(crate) purpose: Purpose<'a>,
}

impl Expansion<'_> {
    /// The result columns of the list, in its order.
    ///
    /// # Errors
    /// Columns that cannot be found, stars of unknown sources.
    pub(crate) fn expand(&self, list: &[SelectItem]) -> Result<Vec<Item>, SqlError> {
        let mut namer = Namer::new(self.sources);
        let mut items = Vec::new();
        for item in list {
            match item {
                SelectItem::Star(span) => self.star(*span, &mut namer, &mut items),
                SelectItem::QualifiedStar(source) => {
                    let scope = self.sources.get(&source.name).ok_or_else(|| {
                        SqlError::statement(format!(
                            "'{}' is not a valid stream/table name or alias.{}",
                            source.name,
                            self.sources.said()
                        ))
                        .at(source.span.into())
                    })?;
                    self.source_star(scope, source.span, &mut items);
                }
                SelectItem::StructStar(base) => {
                    let mut base = base.clone();
                    self.qualifier.qualify(&mut base)?;
                    for field in self.fields(&base)? {
                        let ident = Ident {
                            name: field,
                            quoted: false,
                            span: base.span,
                        };
                        items.push(Item {
                            name: ident.name.clone(),
                            star: true,
                            expr: Expr {
                                span: base.span,
                                kind: ExprKind::Field {
                                    base: Box::new(base.clone()),
                                    field: ident,
                                },
                            },
                        });
                    }
                }
                SelectItem::Expr { expr, alias } => {
                    let mut expr = expr.clone();
                    self.qualifier.qualify(&mut expr)?;
                    let name = match alias {
                        Some(alias) => alias.name.clone(),
                        None => namer.name(&expr),
                    };
                    items.push(Item {
                        expr,
                        name,
                        star: false,
                    });
                }
            }
        }
        Ok(items)
    }

    /// `*`: a new key first (PARTITION BY, a join's synthetic key), then the sources' columns;
    /// the old key last where there is a new one.
    fn star(&self, span: Span, namer: &mut Namer<'_>, items: &mut Vec<Item>) {
        if let Some(name) = self.synthetic_key {
            let ident = Ident {
                name: name.to_owned(),
                quoted: false,
                span,
            };
            items.push(Item {
                expr: Expr {
                    kind: ExprKind::Column {
                        source: None,
                        name: ident,
                    },
                    span,
                },
                name: name.to_owned(),
                star: true,
            });
        }
        let new_key: Vec<_> = self
            .partition_by
            .iter()
            .filter(|e| !is_null_literal(e))
            .collect();
        if new_key.is_empty() {
            for source in &self.sources.list {
                self.source_star(source, span, items);
            }
            return;
        }
        let first = items.len();
        for expr in new_key {
            let name = match &expr.kind {
                ExprKind::Column {
                    source: Some(source),
                    name,
                } => star_name(self.sources, &source.name, &name.name),
                _ => namer.name(expr),
            };
            items.push(Item {
                expr: expr.clone(),
                name,
                star: true,
            });
        }
        // What a source has, its key last.
        let mut rest = Vec::new();
        for source in &self.sources.list {
            let pseudo = source
                .columns
                .iter()
                .filter(|c| self.sources.is_join() && c.is_pseudo());
            let values = source.star(self.sources.is_join());
            let (keys, values): (Vec<_>, Vec<_>) = values.into_iter().partition(|c| c.is_key());
            for column in values.into_iter().chain(pseudo).chain(keys) {
                rest.push(Item {
                    expr: source.tree_column(&column.name, span),
                    name: star_name(self.sources, &source.alias, &column.name),
                    star: true,
                });
            }
        }
        let keys = items.split_off(first);
        rest.retain(|item| !keys.iter().any(|key| tree::same(&key.expr, &item.expr)));
        items.extend(keys);
        items.extend(rest);
    }

    fn source_star(&self, source: &SourceScope, span: Span, items: &mut Vec<Item>) {
        let bounds = self.sources.is_join() || !self.purpose.is_persistent();
        for column in source.star(bounds) {
            items.push(Item {
                expr: source.tree_column(&column.name, span),
                name: star_name(self.sources, &source.alias, &column.name),
                star: true,
            });
        }
    }

    fn fields(&self, base: &Expr) -> Result<Vec<String>, SqlError> {
        match type_of(base, self.sources, self.catalog)? {
            Some(SqlType::Struct(fields)) => Ok(fields.into_iter().map(|f| f.name).collect()),
            other => Err(SqlError::statement(format!(
                "Expected STRUCT type, got: {}",
                other.map_or_else(|| "NULL".to_owned(), |t| t.to_string())
            ))
            .at(base.span.into())),
        }
    }
}

/// Whether `expr` is the literal NULL.
pub(crate) fn is_null_literal(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Literal(weir_parser::ast::Literal::Null)
    )
}
