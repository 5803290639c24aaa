//! Sources that a statement finds under its name, or expects there.

use std::sync::Arc;

use weir_parser::ast::{Ident, SourceKind};
use weir_types::SqlError;
use weir_types::ident::quoted;

use super::kind_word;
use crate::catalog::{Catalog, SourceInfo};
use crate::near;

/// What a CREATE finds under its name.
pub(super) enum Name {
    /// Nothing, or with OR REPLACE the source whose place it takes.
    Free(Option<Arc<SourceInfo>>),
    /// A source that IF NOT EXISTS leaves alone: the text of the warning.
    Kept(String),
}

/// Looks up the name of a source to create.
///
/// # Errors
///
/// The name is taken and neither OR REPLACE nor IF NOT EXISTS was said.
pub(super) fn name_of(
    kind: SourceKind,
    name: &Ident,
    or_replace: bool,
    if_not_exists: bool,
    catalog: &dyn Catalog,
) -> Result<Name, SqlError> {
    let (old, word) = (catalog.source(&name.name), kind_word(kind));
    let Some(taken) = old.as_ref().filter(|_| !or_replace) else {
        return Ok(Name::Free(old));
    };
    let same = format!(
        "A {} with the same name already exists",
        kind_word(taken.kind)
    );
    if if_not_exists {
        let warning = format!("Cannot add {word} {}: {same}.", quoted(&name.name));
        return Ok(Name::Kept(warning));
    }
    Err(
        SqlError::statement(format!("Cannot add {word} '{}': {same}", name.name))
            .at(name.span.into()),
    )
}

/// The source of that name, of that kind; `statement` is the verb for the message.
pub(super) fn existing(
    catalog: &dyn Catalog,
    kind: SourceKind,
    name: &Ident,
    statement: &str,
) -> Result<Arc<SourceInfo>, SqlError> {
    let Some(source) = catalog.source(&name.name) else {
        return Err(unknown_source(catalog, kind, name));
    };
    if source.kind != kind {
        return Err(SqlError::statement(format!(
            "Incompatible data source type is {}, but statement was {statement} {}",
            kind_word(source.kind),
            kind_word(kind)
        ))
        .at(name.span.into()));
    }
    Ok(source)
}

/// That no source has this name, and which name may have been meant.
fn unknown_source(catalog: &dyn Catalog, kind: SourceKind, name: &Ident) -> SqlError {
    let word = match kind {
        SourceKind::Stream => "Stream",
        SourceKind::Table => "Table",
    };
    let hint = near::source_hint(&name.name, catalog);
    SqlError::statement(format!("{word} {} does not exist.{hint}", name.name)).at(name.span.into())
}
