//! ksqlDB statements and expressions as a syntax tree (spec/sql.md §1, §2, §6).
//!
//! ```text
//!  text ──split──► statements ──tokens of sqlparser──► productions of ours ──► ast::Statement
//!                     │                                                            │
//!                  ${variables} substituted                            printer: back to SQL
//! ```
//!
//! Invariant: parsing knows no catalog; names are folded to their stored form here and nowhere
//! else, and every node that an error may point at keeps its [`ast::Span`].

pub mod ast;
