//! Scalar and table functions, a module for each family; [`families`] is what the registry holds.

use crate::registry::Function;

/// The tables of all families.
pub(crate) fn families() -> Vec<&'static [Function]> {
    vec![]
}
