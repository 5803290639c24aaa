//! Expressions, literals, types and units.

use weir_types::SqlType;

use super::{Ident, Span};

/// A type as written: a built-in one, or the name of a custom type not yet resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeName {
    /// A type without custom parts.
    Sql(SqlType),
    /// A custom type.
    Custom(Ident),
    /// ARRAY of a type with custom parts.
    Array(Box<TypeName>),
    /// MAP with custom parts.
    Map(Box<TypeName>, Box<TypeName>),
    /// STRUCT with custom parts.
    Struct(Vec<(String, TypeName)>),
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// NULL.
    Null,
    /// TRUE, FALSE.
    Boolean(bool),
    /// Fits 32 bits.
    Integer(i32),
    /// Fits 64 bits.
    Bigint(i64),
    /// With a point, no exponent: the digits as written, one zero at least before the point,
    /// sign included where it was folded in.
    Decimal(String),
    /// With an exponent.
    Double(f64),
    /// `'…'`, unescaped.
    String(String),
}

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `||`
    Concat,
    /// `=`
    Eq,
    /// `<>` or `!=`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// `IS DISTINCT FROM`
    IsDistinctFrom,
    /// `IS NOT DISTINCT FROM`
    IsNotDistinctFrom,
    /// `AND`
    And,
    /// `OR`
    Or,
}

/// Units of windows and of date arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// DAY[S]
    Days,
    /// HOUR[S]
    Hours,
    /// MINUTE[S]
    Minutes,
    /// SECOND[S]
    Seconds,
    /// MILLISECOND[S]
    Milliseconds,
}

impl TimeUnit {
    /// Milliseconds in one unit.
    pub fn millis(self) -> i64 {
        match self {
            Self::Days => 86_400_000,
            Self::Hours => 3_600_000,
            Self::Minutes => 60_000,
            Self::Seconds => 1_000,
            Self::Milliseconds => 1,
        }
    }

    /// The word as ksqlDB prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Days => "DAYS",
            Self::Hours => "HOURS",
            Self::Minutes => "MINUTES",
            Self::Seconds => "SECONDS",
            Self::Milliseconds => "MILLISECONDS",
        }
    }
}

/// `n unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeSpan {
    /// Count.
    pub amount: i64,
    /// Unit.
    pub unit: TimeUnit,
}

impl TimeSpan {
    /// In milliseconds, saturating.
    pub fn millis(self) -> i64 {
        self.amount.saturating_mul(self.unit.millis())
    }
}

/// An expression with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// Expressions (spec/sql.md §6).
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A literal.
    Literal(Literal),
    /// `column` or `source.column`; also a lambda parameter, and the bare words DAYS, HOURS… as
    /// arguments (the analysis tells them apart).
    Column {
        /// The qualifier.
        source: Option<Ident>,
        /// The column.
        name: Ident,
    },
    /// `*` as an argument of COUNT.
    Star,
    /// `a op b`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
    },
    /// `NOT x`.
    Not(Box<Expr>),
    /// `-x` (of a literal: folded into it).
    Negate(Box<Expr>),
    /// `+x`.
    Plus(Box<Expr>),
    /// `x IS [NOT] NULL`.
    IsNull {
        /// The operand.
        expr: Box<Expr>,
        /// NOT given.
        negated: bool,
    },
    /// `x [NOT] BETWEEN low AND high`.
    Between {
        /// The operand.
        expr: Box<Expr>,
        /// NOT given.
        negated: bool,
        /// Lower bound, inclusive.
        low: Box<Expr>,
        /// Upper bound, inclusive.
        high: Box<Expr>,
    },
    /// `x [NOT] IN (…)`.
    In {
        /// The operand.
        expr: Box<Expr>,
        /// NOT given.
        negated: bool,
        /// The list, not empty.
        list: Vec<Expr>,
    },
    /// `x [NOT] LIKE p [ESCAPE 'c']`.
    Like {
        /// The operand.
        expr: Box<Expr>,
        /// NOT given.
        negated: bool,
        /// The pattern.
        pattern: Box<Expr>,
        /// The escape text as written.
        escape: Option<String>,
    },
    /// `CASE WHEN … THEN … [ELSE …] END`, or with an operand after CASE (refused by analysis).
    Case {
        /// `CASE x`.
        operand: Option<Box<Expr>>,
        /// Conditions with results.
        branches: Vec<(Expr, Expr)>,
        /// ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(x AS type)`.
    Cast {
        /// The operand.
        expr: Box<Expr>,
        /// The target.
        target: TypeName,
    },
    /// `f(args)`, lambdas among the last ones.
    Call {
        /// Name, upper-cased unless quoted.
        function: Ident,
        /// The arguments.
        args: Vec<Expr>,
    },
    /// `x => body`, `(x, y) => body`.
    Lambda {
        /// Parameters.
        params: Vec<Ident>,
        /// Body.
        body: Box<Expr>,
    },
    /// `ARRAY[…]`.
    Array(Vec<Expr>),
    /// `MAP(k := v, …)`.
    Map(Vec<(Expr, Expr)>),
    /// `STRUCT(f := v, …)`.
    Struct(Vec<(Ident, Expr)>),
    /// `base[index]`.
    Subscript {
        /// Array or map.
        base: Box<Expr>,
        /// Index or key.
        index: Box<Expr>,
    },
    /// `base->field`.
    Field {
        /// A struct.
        base: Box<Expr>,
        /// The field.
        field: Ident,
    },
    /// `x AT TIME ZONE 'z'`: in the grammar, refused by analysis.
    AtTimeZone(Box<Expr>, Box<Expr>),
}
