//! The documented table of all functions: one row gives the implementation, SHOW FUNCTIONS,
//! DESCRIBE FUNCTION and the reference page.
//!
//! ```text
//!  scalar::<family>::FUNCTIONS ──┐
//!  aggregates::FUNCTIONS ────────┼─► Registry ─► resolve_scalar / _table / _aggregate   (planner)
//!  table functions ──────────────┘      └──────► list, describe                       (catalog)
//! ```
//!
//! Resolution (spec/sql.md §6): exact types first, a variadic variant only where no other fits,
//! then implicit casts; two equally good variants are an error.

mod definition;
mod describe;
mod resolve;
mod udf;

use std::sync::{Arc, LazyLock};

use datafusion::scalar::ScalarValue;
use indexmap::IndexMap;
use weir_types::SqlType;

use crate::aggregate::Aggregate;
use crate::api::{ArgType, FunctionDoc, FunctionError, FunctionKind, ResolvedLambda, ScalarCall};

pub use definition::{
    AggregateCall, AggregateFunction, AggregateVariant, Category, CollectLimits, Function, Param,
    Returns, T, Type, Variant,
};
pub use udf::{Body, Laziness, NullMeans, OnFailure, Traits, Udf};

/// A row of the table.
#[derive(Debug, Clone, Copy)]
enum Entry {
    Function(&'static Function),
    Aggregate(&'static AggregateFunction),
}

/// All functions by upper-case name, in alphabetical order.
#[derive(Debug)]
pub struct Registry {
    entries: IndexMap<&'static str, Entry>,
}

/// The registry of this build.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> =
        LazyLock::new(|| Registry::new(&crate::scalar::families(), crate::aggregates::FUNCTIONS));
    &REGISTRY
}

impl Registry {
    /// A registry of these families.
    pub fn new(families: &[&'static [Function]], aggregates: &'static [AggregateFunction]) -> Self {
        let functions = families.iter().flat_map(|family| family.iter());
        let mut entries: IndexMap<_, _> = functions
            .map(|function| (function.name, Entry::Function(function)))
            .chain(aggregates.iter().map(|f| (f.name, Entry::Aggregate(f))))
            .collect();
        entries.sort_keys();
        Self { entries }
    }

    /// The scalar and table functions, by name.
    #[cfg(test)]
    pub(crate) fn functions(&self) -> impl Iterator<Item = &'static Function> + '_ {
        self.entries.values().filter_map(|entry| match entry {
            Entry::Function(function) => Some(*function),
            Entry::Aggregate(_) => None,
        })
    }

    fn entry(&self, name: &str) -> Option<Entry> {
        self.entries
            .get(name.to_ascii_uppercase().as_str())
            .copied()
    }

    /// What kind of function `name` (any case) is, `None` if there is none.
    pub fn kind(&self, name: &str) -> Option<FunctionKind> {
        self.entry(name).map(|entry| match entry {
            Entry::Function(function) => function.kind,
            Entry::Aggregate(_) => FunctionKind::Aggregate,
        })
    }

    /// Chooses a scalar function. `lambdas` are the lambda arguments in order, their bodies typed
    /// by [`Registry::lambda_params`]; empty where `args` has none. A bare NULL is cast to the
    /// type that [`ScalarCall::arg_types`] says; a bare time unit is passed as STRING.
    ///
    /// # Errors
    /// Unknown name, no variant for these arguments, or several equally good ones.
    pub fn resolve_scalar(
        &self,
        name: &str,
        args: &[ArgType],
        lambdas: Vec<ResolvedLambda>,
    ) -> Result<ScalarCall, FunctionError> {
        match self.entry(name) {
            Some(Entry::Function(function)) if function.kind == FunctionKind::Scalar => {
                resolve::function(function, args, lambdas)
            }
            _ => Err(FunctionError::Unknown(name.to_owned())),
        }
    }

    /// Chooses a table function; its call gives `ARRAY<row type>`.
    ///
    /// # Errors
    /// As [`Registry::resolve_scalar`].
    pub fn resolve_table(&self, name: &str, args: &[ArgType]) -> Result<ScalarCall, FunctionError> {
        match self.entry(name) {
            Some(Entry::Function(function)) if function.kind == FunctionKind::Table => {
                resolve::function(function, args, Vec::new())
            }
            _ => Err(FunctionError::Unknown(name.to_owned())),
        }
    }

    /// The types of each lambda argument's parameters, in order of the lambdas, given the other
    /// arguments. The accumulator of REDUCE has the type of the initial value.
    ///
    /// # Errors
    /// As [`Registry::resolve_scalar`].
    pub fn lambda_params(
        &self,
        name: &str,
        args: &[ArgType],
    ) -> Result<Vec<Vec<SqlType>>, FunctionError> {
        match self.entry(name) {
            Some(Entry::Function(function)) => resolve::lambda_params(function, args),
            _ => Err(FunctionError::Unknown(name.to_owned())),
        }
    }

    /// Chooses an aggregate function. `constants[i]` is the value of argument `i` where it is a
    /// literal; the last arguments of some functions must be.
    ///
    /// # Errors
    /// As [`Registry::resolve_scalar`]; also when an argument that must be a literal is none, or
    /// its value is refused.
    pub fn resolve_aggregate(
        &self,
        name: &str,
        args: &[ArgType],
        constants: &[Option<ScalarValue>],
        limits: CollectLimits,
    ) -> Result<Arc<dyn Aggregate>, FunctionError> {
        match self.entry(name) {
            Some(Entry::Aggregate(function)) => {
                resolve::aggregate(function, args, constants, limits)
            }
            _ => Err(FunctionError::Unknown(name.to_owned())),
        }
    }

    /// All functions: name, kind, category, in alphabetical order.
    pub fn list(&self) -> Vec<(&'static str, FunctionKind, &'static str)> {
        self.entries
            .iter()
            .map(|(name, entry)| match entry {
                Entry::Function(f) => (*name, f.kind, f.category.name()),
                Entry::Aggregate(_) => (*name, FunctionKind::Aggregate, Category::Aggregate.name()),
            })
            .collect()
    }

    /// The documentation of `name` (any case).
    pub fn describe(&self, name: &str) -> Option<FunctionDoc> {
        self.entry(name).map(|entry| match entry {
            Entry::Function(function) => describe::function(function),
            Entry::Aggregate(function) => describe::aggregate(function),
        })
    }

    /// Names that somebody who wrote `name` may have meant, the nearest first.
    pub fn similar_names(&self, name: &str) -> Vec<&'static str> {
        let wanted = name.to_ascii_uppercase();
        let mut near: Vec<(usize, &'static str)> = self
            .entries
            .keys()
            .map(|candidate| (edit_distance(&wanted, candidate), *candidate))
            .filter(|(distance, _)| *distance <= 2)
            .collect();
        near.sort_unstable();
        near.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

/// Insertions, deletions and replacements that turn `left` into `right`.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.bytes().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        for (slot, r) in previous[1..].iter_mut().zip(right.bytes()) {
            let replaced = diagonal + usize::from(l != r);
            diagonal = *slot;
            last = replaced.min(last + 1).min(diagonal + 1);
            *slot = last;
        }
        previous[0] = i + 1;
    }
    previous.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
