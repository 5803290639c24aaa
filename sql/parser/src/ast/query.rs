//! SELECT and its clauses.

use super::{Expr, Ident, Span, TimeSpan};

/// One entry of a SELECT list.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*`
    Star(Span),
    /// `source.*`
    QualifiedStar(Ident),
    /// `struct->*`
    StructStar(Expr),
    /// `expr [AS alias]`
    Expr {
        /// The expression.
        expr: Expr,
        /// The alias.
        alias: Option<Ident>,
    },
}

/// A source in FROM or JOIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRef {
    /// Name of a stream or table.
    pub name: Ident,
    /// Alias.
    pub alias: Option<Ident>,
}

/// Kinds of joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// [INNER] JOIN
    Inner,
    /// LEFT [OUTER] JOIN
    Left,
    /// RIGHT [OUTER] JOIN
    Right,
    /// FULL [OUTER] JOIN
    Full,
}

/// WITHIN of a stream-stream join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    /// How much earlier a right record may be.
    pub before: TimeSpan,
    /// How much later a right record may be.
    pub after: TimeSpan,
    /// Whether two numbers were given: `(before, after)`.
    pub asymmetric: bool,
    /// GRACE PERIOD.
    pub grace: Option<TimeSpan>,
}

/// One JOIN clause.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Kind.
    pub kind: JoinKind,
    /// The source joined.
    pub source: SourceRef,
    /// WITHIN.
    pub within: Option<Within>,
    /// ON.
    pub on: Expr,
    /// Where the clause stands.
    pub span: Span,
}

/// A WINDOW clause (spec/sql.md §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Shape of the windows.
    pub shape: WindowShape,
    /// RETENTION.
    pub retention: Option<TimeSpan>,
    /// GRACE PERIOD.
    pub grace: Option<TimeSpan>,
    /// Where the clause stands.
    pub span: Span,
}

/// Shape of the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowShape {
    /// TUMBLING (SIZE n u)
    Tumbling(TimeSpan),
    /// HOPPING (SIZE n u, ADVANCE BY n u)
    Hopping {
        /// SIZE
        size: TimeSpan,
        /// ADVANCE BY
        advance: TimeSpan,
    },
    /// SESSION (n u)
    Session(TimeSpan),
}

/// EMIT clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// EMIT CHANGES
    Changes,
    /// EMIT FINAL
    Final,
}

/// A SELECT (spec/sql.md §2.5).
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The SELECT list.
    pub select: Vec<SelectItem>,
    /// FROM.
    pub from: SourceRef,
    /// JOINs, left-deep.
    pub joins: Vec<Join>,
    /// WINDOW.
    pub window: Option<Window>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// GROUP BY; empty if there is none.
    pub group_by: Vec<Expr>,
    /// PARTITION BY; empty if there is none.
    pub partition_by: Vec<Expr>,
    /// HAVING.
    pub having: Option<Expr>,
    /// EMIT.
    pub emit: Option<Emit>,
    /// LIMIT.
    pub limit: Option<i64>,
    /// Where it stands.
    pub span: Span,
}
