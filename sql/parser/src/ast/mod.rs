//! The syntax tree. Names are in stored form (unquoted ones upper-cased); spans count from 1 in
//! the whole request text.
//!
//! ```text
//!  Statement ─► Query ─► SelectItem, Join, Window ─► Expr ─► Literal, Ident, Span
//! ```
//!
//! Invariant: a tree says what was written, not what it means; nothing in it was looked up.

mod expression;
mod query;
mod statement;

pub use expression::{BinaryOp, Expr, ExprKind, Literal, TimeSpan, TimeUnit, TypeName};
pub use query::{Emit, Join, JoinKind, Query, SelectItem, SourceRef, Window, WindowShape, Within};
pub use statement::{
    ColumnConstraint, ColumnDef, CreateAs, CreateSource, Properties, Property, QueryTarget,
    SourceKind, Statement,
};

/// Where a node begins and ends in the request text: byte offsets, and line and column (from 1)
/// of the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Line of `start`, from 1.
    pub line: u32,
    /// Column of `start` in characters, from 1 (ksqlDB's messages count as it does).
    pub column: u32,
}

impl From<Span> for weir_types::Position {
    fn from(span: Span) -> Self {
        Self {
            line: span.line,
            column: span.column,
        }
    }
}

/// A name in stored form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ident {
    /// Upper-cased unless quoted.
    pub name: String,
    /// Whether it was quoted.
    pub quoted: bool,
    /// Where it stands.
    pub span: Span,
}
