//! Trees back to SQL, as ksqlDB writes it: what `statementText` of the API, SHOW QUERIES and
//! messages show (spec/api.md §3.2).
//!
//! ```text
//!  Statement ──print_statement──► one clause per line, WITH sorted by name, types canonical, `;`
//!  Query ─────print_query───────►    SELECT\n  item,\n  item\nFROM …\nEMIT CHANGES
//!  Expr ──────print_expr────────►    every operator in parentheses
//! ```
//!
//! Invariant: what is printed parses to the same tree (spans aside), but for connector properties
//! and query ids, which have no other form.

mod expression;
mod statement;

use weir_types::{SqlType, ident};

use crate::ast::{Ident, TypeName};
use crate::keywords;

pub use expression::print_expr;
pub use statement::{mask_connector, mask_insert_values, print_query, print_statement};

/// `name` as it may stand in a statement: bare where it reads back as itself.
pub fn print_name(name: &str) -> String {
    let digits_first = name.starts_with(|c: char| c.is_ascii_digit())
        && name.contains(|c: char| !c.is_ascii_digit());
    let plain = if digits_first {
        name.chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '@')
            && !reads_as_number(name)
    } else {
        ident::is_plain(name)
    };
    if plain && !keywords::is_reserved(name) {
        name.to_owned()
    } else {
        ident::quoted(name)
    }
}

/// `1E5` is a number although it looks like a digit identifier.
fn reads_as_number(name: &str) -> bool {
    name.parse::<f64>().is_ok()
}

fn print_ident(ident: &Ident) -> String {
    print_name(&ident.name)
}

/// A string literal.
fn print_string(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn join<T>(items: &[T], mut print: impl FnMut(&T) -> String) -> String {
    items.iter().map(&mut print).collect::<Vec<_>>().join(", ")
}

/// A type: canonical words, names of fields in quotes only where they need them.
pub fn print_type(type_name: &TypeName) -> String {
    match type_name {
        TypeName::Sql(sql_type) => print_sql_type(sql_type),
        TypeName::Custom(name) => print_ident(name),
        TypeName::Array(item) => format!("ARRAY<{}>", print_type(item)),
        TypeName::Map(key, value) => format!("MAP<{}, {}>", print_type(key), print_type(value)),
        TypeName::Struct(fields) => {
            let fields = join(fields, |(name, t)| {
                format!("{} {}", print_name(name), print_type(t))
            });
            struct_of(&fields)
        }
    }
}

/// A built-in type as statements show it: [`SqlType`]'s own form quotes every field.
pub fn print_sql_type(sql_type: &SqlType) -> String {
    match sql_type {
        SqlType::Array(item) => format!("ARRAY<{}>", print_sql_type(item)),
        SqlType::Map(key, value) => {
            format!("MAP<{}, {}>", print_sql_type(key), print_sql_type(value))
        }
        SqlType::Struct(fields) => struct_of(&join(fields, |f| {
            format!("{} {}", print_name(&f.name), print_sql_type(&f.sql_type))
        })),
        scalar => scalar.to_string(),
    }
}

fn struct_of(fields: &str) -> String {
    // `<>` is an operator, so an empty list keeps a blank.
    if fields.is_empty() {
        "STRUCT< >".to_owned()
    } else {
        format!("STRUCT<{fields}>")
    }
}
