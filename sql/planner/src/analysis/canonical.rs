//! The canonical form of a query, as `statementText` and SHOW QUERIES show it: every column under
//! its source, every result column under its name, every source under its alias.

use weir_parser::ast::{Emit, Expr, Ident, Query, SelectItem, SourceRef, Span};

use super::names::Namer;
use super::{joins, names, sources};
use crate::catalog::Catalog;
use crate::expr::scope::Qualifier;

/// `query` in canonical form. What cannot be resolved stays as it was written, so that a refused
/// statement can be shown, too.
pub fn canonical_query(query: &Query, catalog: &dyn Catalog) -> Query {
    let mut query = query.clone();
    query.emit.get_or_insert(Emit::Changes);
    let resolved = sources::resolve(&query, catalog);
    name_source(&mut query.from);
    for join in &mut query.joins {
        name_source(&mut join.source);
    }
    let Ok(sources) = resolved else {
        return query;
    };
    let synthetic_key = match joins::analyse(&query, &sources) {
        Ok(joins) if joins.last().is_some_and(|j| j.synthetic_key()) => {
            Some(names::synthetic_key(&sources))
        }
        _ => None,
    };
    let qualifier = Qualifier {
        sources: &sources,
        clause: "",
        window_bounds: query.window.is_some(),
        synthetic_key: synthetic_key.as_deref(),
    };
    // Whatever fails stays bare.
    let qualify = |expr: &mut Expr| {
        let _ = qualifier.qualify(expr);
    };
    let mut namer = Namer::new(&sources);
    for item in &mut query.select {
        match item {
            SelectItem::Star(_) | SelectItem::QualifiedStar(_) => {}
            SelectItem::StructStar(base) => qualify(base),
            SelectItem::Expr { expr, alias } => {
                qualify(expr);
                if alias.is_none() {
                    *alias = Some(ident(namer.name(expr), expr.span));
                }
            }
        }
    }
    query
        .joins
        .iter_mut()
        .for_each(|join| qualify(&mut join.on));
    query.filter.iter_mut().for_each(&qualify);
    query.group_by.iter_mut().for_each(&qualify);
    query.partition_by.iter_mut().for_each(&qualify);
    query.having.iter_mut().for_each(&qualify);
    query
}

fn name_source(source: &mut SourceRef) {
    if source.alias.is_none() {
        source.alias = Some(source.name.clone());
    }
}

fn ident(name: String, span: Span) -> Ident {
    Ident {
        name,
        quoted: false,
        span,
    }
}
