//! FROM and JOIN: which sources a query reads.

use weir_parser::ast::{Query, SourceRef};
use weir_types::SqlError;

use crate::catalog::Catalog;
use crate::expr::scope::{SourceScope, Sources};
use crate::near;

/// The sources of `query`, left to right.
///
/// # Errors
/// Unknown sources, a source joined to itself or more than once, an alias used twice.
pub(crate) fn resolve(query: &Query, catalog: &dyn Catalog) -> Result<Sources, SqlError> {
    let mut sources = Sources::default();
    for reference in std::iter::once(&query.from).chain(query.joins.iter().map(|j| &j.source)) {
        let scope = resolve_one(reference, catalog)?;
        if let Some(earlier) = sources.list.iter().find(|s| s.info.name == scope.info.name) {
            let message = if query.joins.len() == 1 {
                format!(
                    "Can not join '{0}' to '{1}': self joins are not yet supported.",
                    earlier.info.name, scope.info.name
                )
            } else {
                format!(
                    "N-way joins do not support multiple occurrences of the same source. Source: \
                     '{}'. Please read it through a second stream or table.",
                    scope.info.name
                )
            };
            return Err(SqlError::statement(message).at(reference.name.span.into()));
        }
        if sources.get(&scope.alias).is_some() {
            let span = reference.alias.as_ref().unwrap_or(&reference.name).span;
            return Err(SqlError::statement(format!(
                "Duplicate key `{0}`: the alias {0} stands for two sources. Please give each \
                 source an alias of its own.",
                scope.alias
            ))
            .at(span.into()));
        }
        sources.list.push(scope);
    }
    Ok(sources)
}

/// The source behind one name, under its alias.
///
/// # Errors
/// No such source.
pub(crate) fn resolve_one(
    reference: &SourceRef,
    catalog: &dyn Catalog,
) -> Result<SourceScope, SqlError> {
    let name = &reference.name.name;
    let Some(info) = catalog.source(name) else {
        let hint = near::source_hint(name, catalog);
        return Err(SqlError::statement(format!(
            "Exception while preparing statement: {name} does not exist.{hint}"
        ))
        .at(reference.name.span.into()));
    };
    let alias = reference
        .alias
        .as_ref()
        .map_or_else(|| info.name.clone(), |a| a.name.clone());
    Ok(SourceScope::new(alias, info))
}
