//! Typing and lowering of expressions: from the syntax tree to DataFusion expressions over the
//! functions and operators of the registry (spec/sql.md §4, §6).
//!
//! ```text
//!  ast::Expr ─qualify─► every column has its source ─lower─► Typed { DataFusion Expr, SqlType }
//!                                  │                              ▲
//!                                  └── Resolve: columns of a node, expressions computed before
//! ```
//!
//! Invariant: a lowered expression is made of columns, literals and registry calls only, and each
//! argument of a call has exactly the type that the call names.

pub(crate) mod call;
pub(crate) mod common;
pub(crate) mod compare;
pub(crate) mod constant;
pub(crate) mod construct;
pub(crate) mod literal;
pub(crate) mod scope;
pub(crate) mod time_text;
pub(crate) mod tree;

use datafusion::logical_expr::Expr as PlanExpr;
use weir_functions::operators::{self, Arithmetic};
use weir_functions::{FunctionError, ScalarCall};
use weir_parser::ast::{BinaryOp, Expr, ExprKind};
use weir_types::{SqlError, SqlType};

use crate::catalog::Catalog;
use crate::printed;
use scope::Sources;

/// A lowered expression with its type; `None` is the bare literal NULL.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) expr: PlanExpr,
    pub(crate) sql_type: Option<SqlType>,
}

impl Typed {
    pub(crate) fn new(expr: PlanExpr, sql_type: SqlType) -> Self {
        Self {
            expr,
            sql_type: Some(sql_type),
        }
    }

    /// The type as messages name it.
    pub(crate) fn type_text(&self) -> String {
        self.sql_type
            .as_ref()
            .map_or_else(|| "NULL".to_owned(), ToString::to_string)
    }
}

/// Where the columns of an expression come from.
pub(crate) trait Resolve {
    /// The column of that source; no source: a lambda's, a key's or an aggregation's column.
    fn column(&self, source: Option<&str>, name: &str) -> Option<(PlanExpr, SqlType)>;

    /// A whole expression that an earlier node has computed: a group expression, an aggregate,
    /// a table function, a new key.
    fn computed(&self, _expr: &Expr) -> Option<(PlanExpr, SqlType)> {
        None
    }
}

impl Resolve for Sources {
    fn column(&self, source: Option<&str>, name: &str) -> Option<(PlanExpr, SqlType)> {
        let scope = self.get(source?)?;
        let column = scope.column(name)?;
        Some((scope.plan_column(name), column.sql_type.clone()))
    }
}

/// No columns at all: the values of INSERT, the constants of pull queries.
pub(crate) struct NoColumns;

impl Resolve for NoColumns {
    fn column(&self, _source: Option<&str>, _name: &str) -> Option<(PlanExpr, SqlType)> {
        None
    }
}

/// A parameter of a lambda whose body is being lowered.
#[derive(Debug, Clone)]
pub(crate) struct LambdaParam {
    /// As written.
    name: String,
    /// Unique in the whole expression: the column that the body reads.
    column: String,
    sql_type: SqlType,
}

/// Lowers expressions of one clause.
pub(crate) struct Lowering<'a> {
    pub(crate) scope: &'a dyn Resolve,
    pub(crate) catalog: &'a dyn Catalog,
    pub(crate) params: Vec<LambdaParam>,
    pub(crate) lambdas: usize,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(scope: &'a dyn Resolve, catalog: &'a dyn Catalog) -> Self {
        Self {
            scope,
            catalog,
            params: Vec::new(),
            lambdas: 0,
        }
    }

    /// Lowers `expr`, whose columns are qualified.
    ///
    /// # Errors
    /// Whatever spec/sql.md §4 and §6 refuse: types that do not fit, unknown functions.
    pub(crate) fn lower(&mut self, expr: &Expr) -> Result<Typed, SqlError> {
        if let Some((column, sql_type)) = self.scope.computed(expr) {
            return Ok(Typed::new(column, sql_type));
        }
        match &expr.kind {
            ExprKind::Literal(value) => literal::lower(value).map_err(|e| e.at(expr.span.into())),
            ExprKind::Column { source, name } => {
                self.column(expr, source.as_ref().map(|s| s.name.as_str()), &name.name)
            }
            ExprKind::Star => Err(refuse(expr, "'*' can only be the argument of COUNT.")),
            ExprKind::Binary { op, left, right } => self.binary(expr, *op, left, right),
            ExprKind::Not(inner) => {
                let inner = self.boolean(inner, "NOT")?;
                self.apply(expr, operators::not(), vec![inner])
            }
            ExprKind::Negate(inner) => {
                let lowered = self.lower(inner)?;
                let Some(sql_type) = &lowered.sql_type else {
                    return Err(refuse(expr, "Negation of NULL is not supported."));
                };
                let call = operators::negate(sql_type).map_err(|_| {
                    refuse(
                        expr,
                        format!(
                            "Negation can only be applied to numbers. Got {} ({sql_type}).",
                            printed::plain(inner)
                        ),
                    )
                })?;
                self.apply(expr, call, vec![lowered])
            }
            ExprKind::Plus(inner) => {
                let lowered = self.lower(inner)?;
                match &lowered.sql_type {
                    Some(sql_type) if sql_type.is_numeric() => Ok(lowered),
                    _ => Err(refuse(
                        expr,
                        format!(
                            "A sign can only be applied to numbers. Got {} ({}).",
                            printed::plain(inner),
                            lowered.type_text()
                        ),
                    )),
                }
            }
            ExprKind::IsNull {
                expr: inner,
                negated,
            } => {
                let inner = self.lower(inner)?;
                let operand = inner.sql_type.clone().unwrap_or(SqlType::String);
                let call = operators::is_null(*negated, &operand);
                self.apply(expr, call, vec![inner])
            }
            ExprKind::Between {
                expr: value,
                negated,
                low,
                high,
            } => self.between(expr, value, *negated, low, high),
            ExprKind::In {
                expr: value,
                negated,
                list,
            } => self.in_list(expr, value, *negated, list),
            ExprKind::Like {
                expr: value,
                negated,
                pattern,
                escape,
            } => self.like(expr, value, *negated, pattern, escape.as_deref()),
            ExprKind::Case {
                operand,
                branches,
                otherwise,
            } => self.case(expr, operand.as_deref(), branches, otherwise.as_deref()),
            ExprKind::Cast {
                expr: inner,
                target,
            } => self.cast(expr, inner, target),
            ExprKind::Call { function, args } => self.call(expr, function, args),
            ExprKind::Lambda { .. } => Err(refuse(
                expr,
                "A lambda can only be an argument of a function that takes one.",
            )),
            ExprKind::Array(items) => self.array(expr, items),
            ExprKind::Map(entries) => self.map(expr, entries),
            ExprKind::Struct(fields) => self.structure(expr, fields),
            ExprKind::Subscript { base, index } => self.subscript(expr, base, index),
            ExprKind::Field { base, field } => self.field(expr, base, &field.name),
            ExprKind::AtTimeZone(..) => Err(refuse(
                expr,
                "AT TIME ZONE is not supported. Use CONVERT_TZ instead.",
            )),
        }
    }

    /// Lowers `expr`, which must be boolean.
    ///
    /// # Errors
    /// As [`Self::lower`], and another type.
    pub(crate) fn boolean(&mut self, expr: &Expr, place: &str) -> Result<Typed, SqlError> {
        let lowered = self.lower(expr)?;
        match &lowered.sql_type {
            Some(SqlType::Boolean) => Ok(lowered),
            _ => Err(refuse(
                expr,
                format!(
                    "Type error in {place} expression: Should evaluate to boolean but is {} ({}) \
                     instead.",
                    printed::plain(expr),
                    lowered.type_text()
                ),
            )),
        }
    }

    fn column(&self, expr: &Expr, source: Option<&str>, name: &str) -> Result<Typed, SqlError> {
        if source.is_none()
            && let Some(param) = self.params.iter().rev().find(|p| p.name == name)
        {
            let column = datafusion::common::Column::new_unqualified(param.column.clone());
            return Ok(Typed::new(PlanExpr::Column(column), param.sql_type.clone()));
        }
        match self.scope.column(source, name) {
            Some((column, sql_type)) => Ok(Typed::new(column, sql_type)),
            None => Err(refuse(
                expr,
                format!(
                    "Line: {}, Col: {}: column '{}' cannot be resolved.",
                    expr.span.line,
                    expr.span.column,
                    printed::qualified(expr)
                ),
            )),
        }
    }

    fn binary(
        &mut self,
        expr: &Expr,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
    ) -> Result<Typed, SqlError> {
        let arithmetic = match op {
            BinaryOp::Add => Arithmetic::Add,
            BinaryOp::Subtract => Arithmetic::Subtract,
            BinaryOp::Multiply => Arithmetic::Multiply,
            BinaryOp::Divide => Arithmetic::Divide,
            BinaryOp::Modulo => Arithmetic::Modulo,
            BinaryOp::And | BinaryOp::Or => {
                let word = if op == BinaryOp::And { "AND" } else { "OR" };
                let call = if op == BinaryOp::And {
                    operators::and()
                } else {
                    operators::or()
                };
                let args = vec![self.boolean(left, word)?, self.boolean(right, word)?];
                return self.apply(expr, call, args);
            }
            BinaryOp::Concat => return self.concat(expr, left, right),
            _ => return self.comparison(expr, op, left, right),
        };
        let (l, r) = (self.lower(left)?, self.lower(right)?);
        let call = match (&l.sql_type, &r.sql_type) {
            (Some(l), Some(r)) => operators::arithmetic(arithmetic, l, r).ok(),
            _ => None,
        };
        let Some(call) = call else {
            return Err(refuse(
                expr,
                format!(
                    "Error processing expression: {}. Unsupported arithmetic types. {} {}\n\
                     Statement: {0}",
                    printed::plain(expr),
                    l.type_text(),
                    r.type_text()
                ),
            ));
        };
        self.apply(expr, call, vec![l, r])
    }

    /// The expression that calls `call`, its arguments converted to what it takes.
    ///
    /// # Errors
    /// An argument of a type that is not converted by itself.
    pub(crate) fn apply(
        &self,
        expr: &Expr,
        call: ScalarCall,
        args: Vec<Typed>,
    ) -> Result<Typed, SqlError> {
        let mut lowered = Vec::with_capacity(args.len() + call.captures.len());
        for (arg, wanted) in args.into_iter().zip(&call.arg_types) {
            lowered.push(coerce(arg, wanted).map_err(|message| refuse(expr, message))?);
        }
        lowered.extend(call.captures);
        Ok(Typed::new(call.udf.call(lowered), call.return_type))
    }
}

/// `arg` as a value of type `wanted`, by the conversions that need no CAST (spec/sql.md §4.4).
///
/// # Errors
/// The message for the user, where there is no such conversion.
pub(crate) fn coerce(arg: Typed, wanted: &SqlType) -> Result<PlanExpr, String> {
    let Some(from) = &arg.sql_type else {
        return literal::typed_null(wanted);
    };
    if from == wanted {
        return Ok(arg.expr);
    }
    if let Some(literal) = literal::converted(&arg.expr, wanted) {
        return Ok(literal);
    }
    match operators::coerce(from, wanted) {
        Some(call) => Ok(call.udf.call(vec![arg.expr])),
        None => Err(format!(
            "A value of type {from} cannot be used as {wanted}."
        )),
    }
}

/// A refusal that points at `expr`.
pub(crate) fn refuse(expr: &Expr, message: impl Into<String>) -> SqlError {
    SqlError::statement(message).at(expr.span.into())
}

/// A refusal by the registry that points at `expr`.
pub(crate) fn refused(expr: &Expr, error: FunctionError) -> SqlError {
    refuse(expr, error.to_string())
}
