//! DROP STREAM / TABLE (spec/sql.md §2.7), as far as it depends on the source alone.

use std::sync::Arc;

use weir_parser::ast::{Ident, SourceKind};
use weir_types::SqlError;

use super::Outcome;
use super::existing::existing;
use crate::catalog::{Catalog, SourceInfo};

/// A source to drop. Whether sources or queries depend on it is the catalog's to find out.
#[derive(Debug, Clone, PartialEq)]
pub struct DropPlan {
    /// The source.
    pub source: Arc<SourceInfo>,
    /// Whether its topic goes too, and for registry formats the topic's subjects.
    pub delete_topic: bool,
}

/// Plans a DROP.
///
/// # Errors
///
/// Unknown source (a warning with IF EXISTS), another kind, DELETE TOPIC of a SOURCE or of a
/// topic that another source reads.
pub fn drop_source(
    kind: SourceKind,
    name: &Ident,
    if_exists: bool,
    delete_topic: bool,
    catalog: &dyn Catalog,
) -> Result<Outcome<DropPlan>, SqlError> {
    if if_exists && catalog.source(&name.name).is_none() {
        return Ok(Outcome::Nothing(format!(
            "Source `{}` does not exist.",
            name.name
        )));
    }
    let source = existing(catalog, kind, name, "DROP")?;
    if delete_topic {
        if source.read_only {
            return Err(SqlError::statement(format!(
                "Cannot delete topic for read-only source: {}",
                source.name
            )));
        }
        let sharing: Vec<String> = catalog
            .source_names()
            .into_iter()
            .filter(|n| *n != source.name)
            .filter(|n| {
                catalog
                    .source(n)
                    .is_some_and(|other| other.topic == source.topic)
            })
            .collect();
        if !sharing.is_empty() {
            return Err(SqlError::statement(format!(
                "Refusing to delete topic. Found other data sources ({}) using topic {}",
                sharing.join(", "),
                source.topic
            )));
        }
    }
    Ok(Outcome::Do(DropPlan {
        source,
        delete_topic,
    }))
}
