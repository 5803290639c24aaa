//! What ARRAY_SORT does to the column that it is given.
//!
//! ksqlDB sorts the list of the row itself. Whatever reads the column afterwards, in the order of
//! SELECT, reads it sorted, and so is the list wherever it was handed on to the result:
//!
//! ```text
//!  SELECT A, A[1], ARRAY_SORT(A), A[1], SLICE(A, 1, 2)
//!         │   │                    └──────┴─ read after the sort: sorted
//!         │   └─ read before: as it came
//!         └─ the list itself, written when all is computed: sorted
//! ```
//!
//! A sort that gives NULL (elements without an order, an unknown direction) leaves the column as
//! it is. Invariant: a projection in which nothing reads a column beside its sort is not changed.
//! Sorts in branches that only some rows take, in lambdas and of parts of a column are left out.
//!
//! Source of the rule: recorded case `functions/array.json: nested arrays`.

use std::ops::Range;

use datafusion::common::Column;
use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::logical_expr::expr::ScalarFunction;
use weir_functions::registry::{Udf, registry};
use weir_functions::{ArgType, FunctionError};

/// A sort of a column, in the order of evaluation.
struct Sort {
    column: Column,
    call: ScalarFunction,
}

/// Lets each of `exprs`, which are evaluated in this order, see what earlier sorts of a column
/// left of it.
///
/// # Errors
/// A registry without the functions that the rule needs: a fault of ours.
pub(super) fn in_place(exprs: &mut [&mut PlanExpr]) -> Result<(), FunctionError> {
    let mut sorts = Vec::new();
    exprs.iter().for_each(|expr| collect(expr, &mut sorts));
    if sorts.is_empty() {
        return Ok(());
    }
    let mut walk = Walk {
        sorts: &sorts,
        done: 0,
    };
    for expr in exprs {
        **expr = walk.seen(expr, true)?;
    }
    Ok(())
}

/// The function of a call, if it is one of ours.
fn ours(call: &ScalarFunction) -> Option<&Udf> {
    call.func.inner().downcast_ref()
}

/// The column that this call sorts.
fn sorted_column(call: &ScalarFunction) -> Option<&Column> {
    match call.args.first() {
        Some(PlanExpr::Column(column)) if call.func.name() == "ARRAY_SORT" => Some(column),
        _ => None,
    }
}

/// How many arguments of a call are evaluated for every row.
fn unconditional(call: &ScalarFunction) -> usize {
    match ours(call).and_then(Udf::laziness) {
        Some(_) => 1,
        None => call.args.len(),
    }
}

fn collect(expr: &PlanExpr, sorts: &mut Vec<Sort>) {
    if let PlanExpr::ScalarFunction(call) = expr {
        for arg in call.args.iter().take(unconditional(call)) {
            collect(arg, sorts);
        }
        if let Some(column) = sorted_column(call) {
            sorts.push(Sort {
                column: column.clone(),
                call: call.clone(),
            });
        }
    }
}

/// The expressions once more, in the same order.
struct Walk<'a> {
    sorts: &'a [Sort],
    /// Sorts that are behind.
    done: usize,
}

impl Walk<'_> {
    /// `expr` over the columns as they are now; `kept`: its value goes to the result as it is, and
    /// shows what comes later as well.
    fn seen(&mut self, expr: &PlanExpr, kept: bool) -> Result<PlanExpr, FunctionError> {
        match expr {
            PlanExpr::Column(column) => {
                let end = if kept { self.sorts.len() } else { self.done };
                self.resorted(expr.clone(), column, 0..end)
            }
            PlanExpr::ScalarFunction(call) => {
                let kept_args =
                    kept && matches!(call.func.name(), "AS_VALUE" | "ARRAY" | "MAP" | "STRUCT");
                let always = unconditional(call);
                let sorted = sorted_column(call);
                let mut seen = call.clone();
                // A sort does not depend on the order in which it finds the list.
                let own = usize::from(sorted.is_some());
                for (i, arg) in seen.args.iter_mut().enumerate().skip(own) {
                    *arg = if i < always {
                        self.seen(arg, kept_args)?
                    } else {
                        self.branch(arg)?
                    };
                }
                let seen = PlanExpr::ScalarFunction(seen);
                let Some(column) = sorted else {
                    return Ok(seen);
                };
                self.done += 1;
                if kept {
                    self.resorted(seen, column, self.done..self.sorts.len())
                } else {
                    Ok(seen)
                }
            }
            other => Ok(other.clone()),
        }
    }

    /// As [`Self::seen`], of what only some rows evaluate: its own sorts were not collected.
    fn branch(&self, expr: &PlanExpr) -> Result<PlanExpr, FunctionError> {
        match expr {
            PlanExpr::Column(column) => self.resorted(expr.clone(), column, 0..self.done),
            PlanExpr::ScalarFunction(call) => {
                let mut seen = call.clone();
                for arg in &mut seen.args {
                    *arg = self.branch(arg)?;
                }
                Ok(PlanExpr::ScalarFunction(seen))
            }
            other => Ok(other.clone()),
        }
    }

    /// `value`, a list that `column` holds, after those of the sorts that are of this column: the
    /// last one that succeeds decides.
    fn resorted(
        &self,
        value: PlanExpr,
        column: &Column,
        sorts: Range<usize>,
    ) -> Result<PlanExpr, FunctionError> {
        let sorts = self.sorts.get(sorts).unwrap_or_default();
        let mut choices = Vec::new();
        let mut types = Vec::new();
        for sort in sorts.iter().rev().filter(|sort| sort.column == *column) {
            let mut call = sort.call.clone();
            if let (Some(list), Some(udf)) = (call.args.first_mut(), ours(&sort.call)) {
                *list = value.clone();
                types.push(ArgType::Sql(udf.sql_return_type().clone()));
                choices.push(PlanExpr::ScalarFunction(call));
            }
        }
        let Some(list) = types.last().cloned() else {
            return Ok(value);
        };
        types.push(list);
        choices.push(value);
        let first = registry().resolve_scalar("COALESCE", &types, Vec::new())?;
        Ok(first.udf.call(choices))
    }
}
