//! Time strings compared with system columns (spec/sql.md §4.6): `ROWTIME > '2020-01-01'`.

use weir_functions::convert;
use weir_parser::ast::{BinaryOp, Expr, ExprKind, Literal};
use weir_types::SqlError;
use weir_types::ident::pseudo;

use super::tree;

/// Replaces every string literal that stands against ROWTIME, WINDOWSTART or WINDOWEND by its
/// milliseconds since the epoch.
///
/// # Errors
/// A text that is no time.
pub(crate) fn replace(expr: &mut Expr) -> Result<(), SqlError> {
    match &mut expr.kind {
        ExprKind::Binary {
            op:
                BinaryOp::Eq
                | BinaryOp::NotEq
                | BinaryOp::Lt
                | BinaryOp::LtEq
                | BinaryOp::Gt
                | BinaryOp::GtEq,
            left,
            right,
        } => {
            if is_time(left) {
                read(right)?;
            } else if is_time(right) {
                read(left)?;
            }
        }
        ExprKind::Between {
            expr, low, high, ..
        } if is_time(expr) => {
            read(low)?;
            read(high)?;
        }
        _ => {}
    }
    tree::children_mut(expr).into_iter().try_for_each(replace)
}

fn is_time(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Column { name, .. }
        if [pseudo::ROWTIME, pseudo::WINDOWSTART, pseudo::WINDOWEND].contains(&name.name.as_str()))
}

fn read(expr: &mut Expr) -> Result<(), SqlError> {
    let ExprKind::Literal(Literal::String(text)) = &expr.kind else {
        return Ok(());
    };
    let millis = convert::parse_timestamp(text).map_err(|reason| {
        SqlError::statement(format!(
            "Failed to parse timestamp '{text}': {reason}\nRequired format is: \
             \"yyyy-MM-dd'T'HH:mm:ss.SSS\", with an optional numeric 4-digit timezone, for example: \
             '2020-05-26T23:59:58.000' or with tz: '2020-05-26T23:59:58.000+0200'. A trailing 'Z' \
             stands for UTC. Partials are also supported, for example \"2020-05-26\""
        ))
        .at(expr.span.into())
    })?;
    expr.kind = ExprKind::Literal(Literal::Bigint(millis));
    Ok(())
}
