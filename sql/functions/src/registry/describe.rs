//! The documentation of a table row.

use std::fmt;

use crate::api::{ArgumentDoc, FunctionDoc, FunctionKind, VariantDoc};

use super::definition::{
    AggregateFunction, AggregateVariant, Category, Function, Param, Returns, Type, Variant,
};

/// Whom the reference names as the author of its functions.
const AUTHOR: &str = "Confluent";
/// Functions of which it names nobody.
const UNSIGNED: &[&str] = &["CONCAT"];

fn author(name: &str) -> String {
    if UNSIGNED.contains(&name) {
        String::new()
    } else {
        AUTHOR.to_owned()
    }
}

/// Variants in the order in which the reference lists those that differ in the type of a number.
fn sorted(mut variants: Vec<VariantDoc>) -> Vec<VariantDoc> {
    let length = |v: &VariantDoc| v.arguments.len();
    let first = variants.first().map_or(0, length);
    if variants.iter().all(|v| length(v) == first) {
        variants.sort_by_key(|variant| {
            let numbers = ["DECIMAL", "DOUBLE", "INT", "BIGINT"];
            let first = variant.arguments.first().map(|a| a.type_name.as_str());
            numbers
                .iter()
                .position(|name| Some(*name) == first)
                .unwrap_or(numbers.len())
        });
    }
    variants
}

impl fmt::Display for Type {
    /// As DESCRIBE FUNCTION prints a type: `INT`, `VARCHAR`, `ARRAY<T>`, `LAMBDA (K, V) => R`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Integer => f.write_str("INT"),
            Self::Bigint => f.write_str("BIGINT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal => f.write_str("DECIMAL"),
            Self::String => f.write_str("VARCHAR"),
            Self::Bytes => f.write_str("BYTES"),
            Self::Date => f.write_str("DATE"),
            Self::Time => f.write_str("TIME"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::Var(name) => f.write_str(name),
            Self::Any => f.write_str("ANY"),
            Self::Array(item) => write!(f, "ARRAY<{item}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (i, (name, field)) in fields.iter().enumerate() {
                    write!(f, "{}{name} {field}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(">")
            }
            Self::Lambda(params, result) => {
                f.write_str("LAMBDA (")?;
                for (i, param) in params.iter().enumerate() {
                    write!(f, "{}{param}", if i > 0 { ", " } else { "" })?;
                }
                write!(f, ") => {result}")
            }
            Self::Unit => f.write_str("INTERVALUNIT"),
        }
    }
}

impl Returns {
    /// The type that stands for the result in documentation.
    pub(super) fn shown(&self) -> Type {
        match self {
            Self::Type(shown) | Self::Computed(shown, _) => *shown,
        }
    }
}

pub(super) fn function(function: &Function) -> FunctionDoc {
    let describe = |variant: &Variant| {
        variant_doc(variant.params, variant.returns.shown(), variant.description)
    };
    FunctionDoc {
        name: function.name.to_owned(),
        kind: function.kind,
        category: function.category.name().to_owned(),
        description: function.description.to_owned(),
        author: author(function.name),
        version: String::new(),
        variants: sorted(function.variants.iter().map(describe).collect()),
    }
}

pub(super) fn aggregate(function: &AggregateFunction) -> FunctionDoc {
    let describe = |variant: &AggregateVariant| {
        variant_doc(variant.params, variant.returns, variant.description)
    };
    FunctionDoc {
        name: function.name.to_owned(),
        kind: FunctionKind::Aggregate,
        category: Category::Aggregate.name().to_owned(),
        description: function.description.to_owned(),
        author: author(function.name),
        version: String::new(),
        variants: {
            // `COUNT(*)` is listed as one of a column.
            let listed = function.variants.iter().filter(|v| {
                !v.params.is_empty()
                    && !function.variants.iter().any(|w| covers(w.params, v.params))
            });
            sorted(listed.map(describe).collect())
        },
    }
}

/// Whether `wide` is `narrow` with a parameter that may be repeated, or left out: the two are
/// documented as one.
fn covers(wide: &[Param], narrow: &[Param]) -> bool {
    wide.iter().any(|param| param.variadic)
        && wide
            .iter()
            .filter(|param| !param.variadic)
            .map(|param| param.param_type)
            .eq(narrow.iter().map(|param| param.param_type))
}

fn variant_doc(params: &[Param], returns: Type, description: &str) -> VariantDoc {
    VariantDoc {
        arguments: params
            .iter()
            .map(|param| ArgumentDoc {
                name: param.name.to_owned(),
                type_name: param.param_type.to_string(),
                description: param.description.to_owned(),
                variadic: param.variadic,
            })
            .collect(),
        return_type: returns.to_string(),
        description: description.to_owned(),
    }
}
