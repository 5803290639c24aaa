//! What a caller sees of a function.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, ScalarUDF};
use weir_types::SqlType;

/// The type of an argument as the planner knows it.
#[derive(Debug, Clone, PartialEq)]
pub enum ArgType {
    /// A typed expression.
    Sql(SqlType),
    /// The bare literal NULL.
    Null,
    /// A lambda of so many parameters. `registry::lambda_params` tells their types; once the
    /// bodies are typed, `registry::resolve_scalar` takes them as [`ResolvedLambda`]s.
    Lambda {
        /// Number of parameters.
        params: usize,
        /// Type of the body; `None` while the parameters' types are still asked for.
        body: Option<SqlType>,
    },
    /// A bare time unit word (DAYS, HOURS, MINUTES, SECONDS, MILLISECONDS).
    Unit,
}

/// A lambda argument with a typed body.
#[derive(Debug, Clone)]
pub struct ResolvedLambda {
    /// Parameter names, unique in scope, with their types.
    pub params: Vec<(String, SqlType)>,
    /// The body; parameters are columns without qualifier, captured columns are as outside.
    pub body: Expr,
    /// Type of the body.
    pub body_type: SqlType,
}

/// A scalar (or table) function, or an operator, chosen for given argument types.
#[derive(Debug, Clone)]
pub struct ScalarCall {
    /// The implementation; `ScalarUDF::call(args)` makes the expression.
    pub udf: Arc<ScalarUDF>,
    /// The types that the arguments must be cast to first (implicit casts), one per argument.
    pub arg_types: Vec<SqlType>,
    /// Columns that lambda bodies capture: passed after the ordinary arguments (which exclude the
    /// lambdas themselves).
    pub captures: Vec<Expr>,
    /// Type of the result. A table function gives `ARRAY<row type>`: the rows of each input row.
    pub return_type: SqlType,
}

/// Why a call cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// No function of that name.
    #[error("Can't find any functions with the name '{0}'")]
    Unknown(String),
    /// No variant takes these arguments; the text lists the variants, or says what is ambiguous,
    /// or what is wrong with an argument.
    #[error("{0}")]
    Unsuitable(String),
}

/// Kind of a function, as SHOW FUNCTIONS tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FunctionKind {
    /// One value from each row.
    Scalar,
    /// One value from many rows.
    Aggregate,
    /// Many rows from each row.
    Table,
}

/// One argument in the documentation of a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentDoc {
    /// Name; may be empty.
    pub name: String,
    /// Type as DESCRIBE FUNCTION prints it (`ARRAY<T>`, `INT`, `LAMBDA`).
    pub type_name: String,
    /// What it is.
    pub description: String,
    /// Whether it may be repeated.
    pub variadic: bool,
}

/// One variant in the documentation of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantDoc {
    /// Arguments in order.
    pub arguments: Vec<ArgumentDoc>,
    /// Type of the result as printed.
    pub return_type: String,
    /// What this variant does.
    pub description: String,
}

/// What SHOW FUNCTIONS, DESCRIBE FUNCTION and the reference page say of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDoc {
    /// Upper-case name.
    pub name: String,
    /// Kind.
    pub kind: FunctionKind,
    /// Category of SHOW FUNCTIONS (`MATHEMATICAL`, `STRING`, `DATE / TIME`, …).
    pub category: String,
    /// Overview.
    pub description: String,
    /// Whose function it is: clients show the reference's name, which defined what it does.
    pub author: String,
    /// Version, may be empty.
    pub version: String,
    /// Variants.
    pub variants: Vec<VariantDoc>,
}
