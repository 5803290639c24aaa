//! Expressions as messages show them.

use weir_parser::ast::{Expr, ExprKind};
use weir_parser::printer::print_expr;

use crate::expr::tree;

/// With qualified columns: `(INPUT.ID + 1)`.
pub(crate) fn qualified(expr: &Expr) -> String {
    print_expr(expr)
}

/// As it stands in the rows of the plan: `(ID + 1)`, and `(L_ID + 1)` where several sources are
/// read.
pub(crate) fn plain(expr: &Expr) -> String {
    let mut first: Option<&str> = None;
    let mut several = false;
    tree::walk(expr, &mut |e| {
        if let ExprKind::Column {
            source: Some(source),
            ..
        } = &e.kind
        {
            several |= first.is_some_and(|f| f != source.name);
            first.get_or_insert(&source.name);
        }
        true
    });
    let mut expr = expr.clone();
    unqualify(&mut expr, several);
    print_expr(&expr)
}

fn unqualify(expr: &mut Expr, prefix: bool) {
    if let ExprKind::Column { source, name } = &mut expr.kind
        && let Some(source) = source.take()
        && prefix
    {
        name.name = format!("{}_{}", source.name, name.name);
    }
    for child in tree::children_mut(expr) {
        unqualify(child, prefix);
    }
}

/// Several, unqualified, with commas.
pub(crate) fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(plain).collect::<Vec<_>>().join(", ")
}
