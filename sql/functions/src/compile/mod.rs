//! From a DataFusion expression over our functions to one that is evaluated on batches.
//!
//! ```text
//!  Expr::ScalarFunction ──► CallExpr   all arguments on all rows
//!                       └─► LazyExpr   AND, OR, CASE: an argument only where it counts
//!  Expr::Column, Literal, Alias ──► DataFusion's own
//! ```
//!
//! A node gives its values and the rows that *failed*: arithmetic on NULL, division by zero, an
//! impossible cast. A failed row is NULL in every operator around it, so that
//! `CASE WHEN 1 / 0 > 1 THEN 'a' ELSE 'b' END` is NULL; a function call ends the failure with a
//! NULL result. Invariants: a failed row is NULL in its node's values; an argument that may report
//! is never evaluated on a row that does not need it, so no spurious row errors come (spec/sql.md
//! §4.3, §4.7).

mod call;
#[cfg(test)]
mod hostile_tests;
mod lazy;
mod outcome;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::common::{DFSchema, Result, not_impl_err};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::PhysicalExpr;

pub(crate) use outcome::evaluate;

/// Lowers `expr`, made of columns, literals, aliases and our functions, over batches of `schema`.
///
/// # Errors
/// A column that `schema` does not have, or another kind of expression.
pub fn physical(expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    match expr {
        Expr::Column(column) => {
            let index = schema.index_of_column(column)?;
            Ok(Arc::new(Column::new(schema.field(index).name(), index)))
        }
        Expr::Literal(value, _) => Ok(Arc::new(Literal::new(value.clone()))),
        Expr::Alias(alias) => physical(&alias.expr, schema),
        Expr::ScalarFunction(function) => {
            let args = function
                .args
                .iter()
                .map(|arg| physical(arg, schema))
                .collect::<Result<Vec<_>>>()?;
            call::lower(&function.func, args)
        }
        other => not_impl_err!("the expression {other} cannot be evaluated on a stream"),
    }
}
