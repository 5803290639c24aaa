//! Function calls, lambdas included.

use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::scalar::ScalarValue;
use weir_functions::{ArgType, FunctionKind, ResolvedLambda, registry};
use weir_parser::ast::{Expr, ExprKind, Ident};
use weir_types::{SqlError, SqlType};

use super::scope::is_time_unit;
use super::{LambdaParam, Lowering, Typed, refuse, refused};

/// The arguments of a call.
struct Arguments {
    /// Types of all of them.
    types: Vec<ArgType>,
    /// The ordinary ones, lowered.
    lowered: Vec<Typed>,
    /// The lambdas.
    lambdas: Vec<ResolvedLambda>,
}

/// The function that somebody who wrote `name` may have meant: spelt nearly so, or beginning so.
fn similar_function(name: &str) -> Option<&'static str> {
    let registry = registry::registry();
    let begins = |known: &&str| name.len() > 2 && known.starts_with(&name.to_ascii_uppercase());
    let near = registry.similar_names(name).first().copied();
    near.or_else(|| registry.list().into_iter().map(|(n, ..)| n).find(begins))
}

impl Lowering<'_> {
    pub(super) fn call(
        &mut self,
        expr: &Expr,
        function: &Ident,
        args: &[Expr],
    ) -> Result<Typed, SqlError> {
        let name = function.name.as_str();
        // Where aggregates and table functions may stand, a node has computed them before.
        let hint = match registry::registry().kind(name) {
            Some(FunctionKind::Scalar) => None,
            Some(FunctionKind::Aggregate) => Some(": aggregate functions cannot be used here"),
            Some(FunctionKind::Table) => Some(": table functions cannot be used here"),
            None => Some(""),
        };
        if let Some(why) = hint {
            let near = match similar_function(name) {
                Some(near) if why.is_empty() => format!("\nDid you mean '{near}'?"),
                _ => String::new(),
            };
            return Err(refuse(
                expr,
                format!("Can't find any functions with the name '{name}'{why}{near}"),
            ));
        }
        let Arguments {
            types,
            lowered,
            lambdas,
        } = self.arguments(name, expr, args)?;
        let call = registry::registry()
            .resolve_scalar(name, &types, lambdas)
            .map_err(|e| refused(expr, e))?;
        self.apply(expr, call, lowered)
    }

    fn arguments(&mut self, name: &str, expr: &Expr, args: &[Expr]) -> Result<Arguments, SqlError> {
        let mut types = Vec::with_capacity(args.len());
        let mut lowered = Vec::with_capacity(args.len());
        for arg in args {
            match &arg.kind {
                ExprKind::Lambda { params, .. } => {
                    types.push(ArgType::Lambda {
                        params: params.len(),
                        body: None,
                    });
                }
                ExprKind::Column { source: None, name } if is_time_unit(name) => {
                    types.push(ArgType::Unit);
                    let unit = ScalarValue::from(name.name.as_str());
                    lowered.push(Typed::new(PlanExpr::Literal(unit, None), SqlType::String));
                }
                // `f(*)` is a call without arguments.
                ExprKind::Star => {}
                _ => {
                    let arg = self.lower(arg)?;
                    types.push(arg.sql_type.clone().map_or(ArgType::Null, ArgType::Sql));
                    lowered.push(arg);
                }
            }
        }
        let mut lambdas = Vec::new();
        if types.iter().any(|t| matches!(t, ArgType::Lambda { .. })) {
            if self
                .catalog
                .config("ksql.lambdas.enabled")
                .is_some_and(|v| v == "false")
            {
                return Err(refuse(expr, "Lambdas are not enabled at this time."));
            }
            let params = registry::registry()
                .lambda_params(name, &types)
                .map_err(|e| refused(expr, e))?;
            let bodies = args.iter().filter_map(|arg| match &arg.kind {
                ExprKind::Lambda { params, body } => Some((params, body)),
                _ => None,
            });
            for ((names, body), types) in bodies.zip(params) {
                lambdas.push(self.lambda(names, body, types)?);
            }
            let mut resolved = lambdas.iter();
            for arg_type in &mut types {
                if let ArgType::Lambda { body, .. } = arg_type {
                    *body = resolved.next().map(|lambda| lambda.body_type.clone());
                }
            }
        }
        Ok(Arguments {
            types,
            lowered,
            lambdas,
        })
    }

    fn lambda(
        &mut self,
        names: &[Ident],
        body: &Expr,
        types: Vec<SqlType>,
    ) -> Result<ResolvedLambda, SqlError> {
        self.lambdas += 1;
        let outer = self.params.len();
        let mut params = Vec::with_capacity(names.len());
        for (name, sql_type) in names.iter().zip(types) {
            let column = format!("{}#{}", name.name, self.lambdas);
            params.push((column.clone(), sql_type.clone()));
            self.params.push(LambdaParam {
                name: name.name.clone(),
                column,
                sql_type,
            });
        }
        let lowered = self.lower(body);
        self.params.truncate(outer);
        let lowered = lowered?;
        let Some(body_type) = lowered.sql_type else {
            return Err(refuse(
                body,
                "The type of a lambda's body cannot be inferred from NULL. Please cast it to the \
                 desired type.",
            ));
        };
        Ok(ResolvedLambda {
            params,
            body: lowered.expr,
            body_type,
        })
    }

    /// A table function's call: its rows, with the type of one.
    ///
    /// # Errors
    /// As for other calls; table functions in one another.
    pub(crate) fn table_function(&mut self, expr: &Expr) -> Result<Typed, SqlError> {
        let ExprKind::Call { function, args } = &expr.kind else {
            return Err(refuse(expr, "A table function was expected here."));
        };
        let Arguments { types, lowered, .. } = self.arguments(&function.name, expr, args)?;
        let call = registry::registry()
            .resolve_table(&function.name, &types)
            .map_err(|e| refused(expr, e))?;
        self.apply(expr, call, lowered)
    }
}
