//! Walking over syntax trees of expressions, and their comparison regardless of place.

use weir_parser::ast::{Expr, ExprKind, Ident, Span};

/// The operands of an expression of that kind, left to right, as references that `$iter` and `$as`
/// of its collections and boxes give: shared ones or such to change.
macro_rules! operands {
    ($kind:expr, $iter:ident, $as:ident) => {
        match $kind {
            ExprKind::Literal(_) | ExprKind::Column { .. } | ExprKind::Star => Vec::new(),
            ExprKind::Binary { left, right, .. } | ExprKind::AtTimeZone(left, right) => {
                vec![left, right]
            }
            ExprKind::Not(inner) | ExprKind::Negate(inner) | ExprKind::Plus(inner) => vec![inner],
            ExprKind::IsNull { expr, .. } | ExprKind::Cast { expr, .. } => vec![expr],
            ExprKind::Between {
                expr, low, high, ..
            } => vec![expr, low, high],
            ExprKind::In { expr, list, .. } => {
                std::iter::once(expr.$as()).chain(list.$iter()).collect()
            }
            ExprKind::Like { expr, pattern, .. } => vec![expr, pattern],
            ExprKind::Case {
                operand,
                branches,
                otherwise,
            } => operand
                .$iter()
                .map(|e| e.$as())
                .chain(branches.$iter().flat_map(|(when, then)| [when, then]))
                .chain(otherwise.$iter().map(|e| e.$as()))
                .collect(),
            ExprKind::Call { args, .. } | ExprKind::Array(args) => args.$iter().collect(),
            ExprKind::Lambda { body, .. } => vec![body],
            ExprKind::Map(entries) => entries.$iter().flat_map(|(k, v)| [k, v]).collect(),
            ExprKind::Struct(fields) => fields.$iter().map(|(_, value)| value).collect(),
            ExprKind::Subscript { base, index } => vec![base, index],
            ExprKind::Field { base, .. } => vec![base],
        }
    };
}

/// The direct operands of `expr`, left to right.
pub(crate) fn children(expr: &Expr) -> Vec<&Expr> {
    operands!(&expr.kind, iter, as_ref)
}

/// As [`children`], to be changed.
pub(crate) fn children_mut(expr: &mut Expr) -> Vec<&mut Expr> {
    operands!(&mut expr.kind, iter_mut, as_mut)
}

/// Calls `visit` for `expr` and everything below, outermost first; where it says `false`, the
/// operands are left out.
pub(crate) fn walk<'a>(expr: &'a Expr, visit: &mut impl FnMut(&'a Expr) -> bool) {
    if visit(expr) {
        for child in children(expr) {
            walk(child, visit);
        }
    }
}

/// The expression without places and without the memory of quotes: two expressions that mean the
/// same by the letter have equal shapes.
pub(crate) fn shape(expr: &Expr) -> Expr {
    let mut shape = expr.clone();
    strip(&mut shape);
    shape
}

/// Whether both mean the same by the letter.
pub(crate) fn same(a: &Expr, b: &Expr) -> bool {
    shape(a) == shape(b)
}

fn strip(expr: &mut Expr) {
    expr.span = Span::default();
    let plain = |ident: &mut Ident| {
        ident.span = Span::default();
        ident.quoted = false;
    };
    match &mut expr.kind {
        ExprKind::Column { source, name } => {
            source.iter_mut().for_each(plain);
            plain(name);
        }
        ExprKind::Call { function, .. } => plain(function),
        ExprKind::Lambda { params, .. } => params.iter_mut().for_each(plain),
        ExprKind::Struct(fields) => fields.iter_mut().for_each(|(name, _)| plain(name)),
        ExprKind::Field { field, .. } => plain(field),
        _ => {}
    }
    for child in children_mut(expr) {
        strip(child);
    }
}
