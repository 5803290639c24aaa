//! Types of expressions of the SELECT list before their plan is there.

use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::scalar::ScalarValue;
use weir_functions::FunctionKind;
use weir_functions::registry;
use weir_parser::ast::{Expr, ExprKind};
use weir_types::{SqlError, SqlType};

use crate::build::function_of;
use crate::catalog::Catalog;
use crate::expr::scope::Sources;
use crate::expr::{Lowering, Resolve};

/// The type of `expr`, whose columns are qualified; `None` is that of NULL. Calls of aggregates and
/// table functions have the type that their node will compute.
///
/// # Errors
/// As [`Lowering::lower`].
pub(super) fn type_of(
    expr: &Expr,
    sources: &Sources,
    catalog: &dyn Catalog,
) -> Result<Option<SqlType>, SqlError> {
    let scope = Computed { sources, catalog };
    Ok(Lowering::new(&scope, catalog).lower(expr)?.sql_type)
}

/// Columns of the sources, and what nodes will have computed; only types are of use.
struct Computed<'a> {
    sources: &'a Sources,
    catalog: &'a dyn Catalog,
}

impl Resolve for Computed<'_> {
    fn column(&self, source: Option<&str>, name: &str) -> Option<(PlanExpr, SqlType)> {
        self.sources.column(source, name)
    }

    fn computed(&self, expr: &Expr) -> Option<(PlanExpr, SqlType)> {
        let ExprKind::Call { function, args } = &expr.kind else {
            return None;
        };
        let mut lowering = Lowering::new(self.sources, self.catalog);
        let sql_type = match registry::registry().kind(&function.name)? {
            FunctionKind::Scalar => return None,
            FunctionKind::Table => match lowering.table_function(expr).ok()?.sql_type? {
                SqlType::Array(row) => *row,
                _ => return None,
            },
            FunctionKind::Aggregate => {
                let args = args.iter().filter(|arg| arg.kind != ExprKind::Star);
                let args = args.map(|arg| lowering.lower(arg));
                let args: Vec<_> = args.collect::<Result<_, _>>().ok()?;
                function_of(self.catalog, expr, &args).ok()?.return_type()
            }
        };
        Some((PlanExpr::Literal(ScalarValue::Null, None), sql_type))
    }
}
