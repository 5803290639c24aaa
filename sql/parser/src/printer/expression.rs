//! Expressions.

use super::{join, print_ident, print_string, print_type};
use crate::ast::{BinaryOp, Expr, ExprKind, Literal};

/// The text of an expression.
pub fn print_expr(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Literal(literal) => print_literal(literal),
        ExprKind::Column { source: None, name } if is_unit_word(&name.name) && !name.quoted => {
            name.name.clone()
        }
        ExprKind::Column { source, name } => match source {
            Some(source) => format!("{}.{}", print_ident(source), print_ident(name)),
            None => print_ident(name),
        },
        ExprKind::Star => "*".to_owned(),
        ExprKind::Binary {
            op: BinaryOp::IsNotDistinctFrom,
            left,
            right,
        } => {
            format!(
                "(NOT ({} IS DISTINCT FROM {}))",
                print_expr(left),
                print_expr(right)
            )
        }
        ExprKind::Binary { op, left, right } => {
            format!(
                "({} {} {})",
                print_expr(left),
                operator(*op),
                print_expr(right)
            )
        }
        ExprKind::Not(inner) => format!("(NOT {})", print_expr(inner)),
        ExprKind::Negate(inner) => {
            let inner = print_expr(inner);
            if inner.starts_with('-') {
                // Two dashes would begin a comment.
                format!("- {inner}")
            } else if inner.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                // A dash before digits is the number's own.
                format!("-({inner})")
            } else {
                format!("-{inner}")
            }
        }
        ExprKind::Plus(inner) => format!("+{}", print_expr(inner)),
        ExprKind::IsNull { expr, negated } => {
            format!(
                "({} IS {}NULL)",
                print_expr(expr),
                if *negated { "NOT " } else { "" }
            )
        }
        ExprKind::Between {
            expr,
            negated,
            low,
            high,
        } => {
            let (expr, low, high) = (print_expr(expr), print_expr(low), print_expr(high));
            negate(*negated, format!("({expr} BETWEEN {low} AND {high})"))
        }
        ExprKind::In {
            expr,
            negated,
            list,
        } => negate(
            *negated,
            format!("({} IN ({}))", print_expr(expr), join(list, print_expr)),
        ),
        ExprKind::Like {
            expr,
            negated,
            pattern,
            escape,
        } => {
            let escape = escape
                .as_ref()
                .map_or_else(String::new, |e| format!(" ESCAPE {}", print_string(e)));
            let (expr, pattern) = (print_expr(expr), print_expr(pattern));
            negate(*negated, format!("({expr} LIKE {pattern}{escape})"))
        }
        ExprKind::Case {
            operand,
            branches,
            otherwise,
        } => {
            let mut text = "(CASE".to_owned();
            if let Some(operand) = operand {
                text.push_str(&format!(" {}", print_expr(operand)));
            }
            for (condition, result) in branches {
                text.push_str(&format!(
                    " WHEN {} THEN {}",
                    print_expr(condition),
                    print_expr(result)
                ));
            }
            if let Some(otherwise) = otherwise {
                text.push_str(&format!(" ELSE {}", print_expr(otherwise)));
            }
            text.push_str(" END)");
            text
        }
        ExprKind::Cast { expr, target } => {
            format!("CAST({} AS {})", print_expr(expr), print_type(target))
        }
        ExprKind::Call { function, args } => {
            format!("{}({})", print_ident(function), join(args, print_expr))
        }
        ExprKind::Lambda { params, body } => {
            format!("({}) => {}", join(params, print_ident), print_expr(body))
        }
        ExprKind::Array(items) => format!("ARRAY[{}]", join(items, print_expr)),
        ExprKind::Map(entries) => format!(
            "MAP({})",
            join(entries, |(k, v)| format!(
                "{}:={}",
                print_expr(k),
                print_expr(v)
            ))
        ),
        ExprKind::Struct(fields) => format!(
            "STRUCT({})",
            join(fields, |(name, v)| format!(
                "{}:={}",
                print_ident(name),
                print_expr(v)
            ))
        ),
        ExprKind::Subscript { base, index } => {
            format!("{}[{}]", print_base(base), print_expr(index))
        }
        ExprKind::Field { base, field } => format!("{}->{}", print_base(base), print_ident(field)),
        ExprKind::AtTimeZone(expr, zone) => {
            format!("({} AT TIME ZONE {})", print_base(expr), print_expr(zone))
        }
    }
}

/// Words that stand for themselves as arguments although they are reserved.
fn is_unit_word(name: &str) -> bool {
    [
        "DAYS",
        "HOURS",
        "MINUTES",
        "SECONDS",
        "MILLISECOND",
        "MILLISECONDS",
    ]
    .contains(&name)
}

/// `NOT BETWEEN` and the like as the negation of the whole.
fn negate(negated: bool, text: String) -> String {
    if negated {
        format!("(NOT {text})")
    } else {
        text
    }
}

/// What binds to a primary expression alone: a subscript, `->`, AT TIME ZONE.
fn print_base(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Negate(_) | ExprKind::Plus(_) => {
            format!("({})", print_expr(expr))
        }
        _ => print_expr(expr),
    }
}

/// A literal as statements show it.
pub(super) fn print_literal(literal: &Literal) -> String {
    match literal {
        Literal::Null => "null".to_owned(),
        Literal::Boolean(value) => value.to_string(),
        Literal::Integer(value) => value.to_string(),
        Literal::Bigint(value) => value.to_string(),
        Literal::Decimal(text) => text.clone(),
        Literal::Double(value) => print_double(*value),
        Literal::String(value) => print_string(value),
    }
}

/// Shortest digits with an exponent: `1E3`, `2.5E-1`.
fn print_double(value: f64) -> String {
    format!("{value:E}")
}

fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::Modulo => "%",
        BinaryOp::Concat => "||",
        BinaryOp::Eq => "=",
        BinaryOp::NotEq => "<>",
        BinaryOp::Lt => "<",
        BinaryOp::LtEq => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::GtEq => ">=",
        BinaryOp::IsDistinctFrom | BinaryOp::IsNotDistinctFrom => "IS DISTINCT FROM",
        BinaryOp::And => "AND",
        BinaryOp::Or => "OR",
    }
}
