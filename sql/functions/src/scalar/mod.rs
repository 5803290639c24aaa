//! Scalar and table functions, a module for each family; [`families`] is what the registry holds.
//!
//! Kernels work on whole columns; what they need of single values (texts in UTF-16 units, Java's
//! regular expressions, decimal rounding) is in pure functions with tests of their own.

mod array;
mod bytes;
mod conditional;
mod datetime;
mod extremes;
mod java_math;
mod java_regex;
mod json;
mod json_path;
mod json_text;
mod lambda;
mod map;
mod mask;
mod math;
mod parts;
mod regex;
mod rounding;
mod string;
mod text;
mod uri;
mod url;

use arrow::array::MapFieldNames;

use crate::registry::Function;

/// The tables of all families.
pub(crate) fn families() -> Vec<&'static [Function]> {
    vec![
        math::FUNCTIONS,
        rounding::FUNCTIONS,
        extremes::FUNCTIONS,
        string::FUNCTIONS,
        parts::FUNCTIONS,
        bytes::FUNCTIONS,
        mask::FUNCTIONS,
        regex::FUNCTIONS,
        array::FUNCTIONS,
        map::FUNCTIONS,
        json::FUNCTIONS,
        url::FUNCTIONS,
        conditional::FUNCTIONS,
        lambda::FUNCTIONS,
        datetime::CONVERSIONS,
        datetime::ARITHMETIC,
        datetime::PATTERNS,
    ]
}

/// The names of the parts of a MAP column, as `SqlType::to_arrow` has them.
fn map_names() -> MapFieldNames {
    MapFieldNames {
        entry: "entries".into(),
        key: "key".into(),
        value: "value".into(),
    }
}
