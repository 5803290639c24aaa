//! Aggregate functions.

use crate::registry::AggregateFunction;

/// The table of aggregate functions.
pub(crate) const FUNCTIONS: &[AggregateFunction] = &[];
