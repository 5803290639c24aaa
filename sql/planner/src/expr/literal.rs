//! Literals as values of the plan.

use arrow::datatypes::i256;
use datafusion::logical_expr::Expr as PlanExpr;
use datafusion::scalar::ScalarValue;
use weir_parser::ast::Literal;
use weir_types::{SqlError, SqlType};

use super::Typed;

/// A literal with its type (spec/sql.md §1).
///
/// # Errors
/// A decimal of more digits than values can hold.
pub(crate) fn lower(literal: &Literal) -> Result<Typed, SqlError> {
    let typed = |value, sql_type| Ok(Typed::new(PlanExpr::Literal(value, None), sql_type));
    match literal {
        Literal::Null => Ok(Typed {
            expr: PlanExpr::Literal(ScalarValue::Null, None),
            sql_type: None,
        }),
        Literal::Boolean(value) => typed(ScalarValue::Boolean(Some(*value)), SqlType::Boolean),
        Literal::Integer(value) => typed(ScalarValue::Int32(Some(*value)), SqlType::Integer),
        Literal::Bigint(value) => typed(ScalarValue::Int64(Some(*value)), SqlType::Bigint),
        Literal::Double(value) => typed(ScalarValue::Float64(Some(*value)), SqlType::Double),
        Literal::String(value) => typed(ScalarValue::from(value.as_str()), SqlType::String),
        Literal::Decimal(text) => {
            let (unscaled, precision, scale) = decimal(text).ok_or_else(|| {
                SqlError::statement(format!(
                    "Invalid numeric literal: {text} has more digits than a DECIMAL can hold."
                ))
            })?;
            let sql_type = SqlType::decimal(precision, scale);
            typed(decimal_value(unscaled, &sql_type), sql_type)
        }
    }
}

/// The unscaled value, precision and scale of a decimal literal: for a magnitude below 1 the
/// precision is scale + 1, else the count of digits without leading zeros.
fn decimal(text: &str) -> Option<(i256, u32, u32)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let scale = u32::try_from(fraction.len()).ok()?;
    let precision = u32::try_from(whole.len()).ok()?.max(1) + scale;
    if precision > u32::from(weir_types::sql_type::MAX_DECIMAL_PRECISION) {
        return None;
    }
    let unscaled = i256::from_string(&format!("0{whole}{fraction}"))?;
    Some((
        if negative {
            unscaled.wrapping_neg()
        } else {
            unscaled
        },
        precision,
        scale,
    ))
}

fn decimal_value(unscaled: i256, sql_type: &SqlType) -> ScalarValue {
    match sql_type.to_arrow() {
        arrow::datatypes::DataType::Decimal256(precision, scale) => {
            ScalarValue::Decimal256(Some(unscaled), precision, scale)
        }
        _ => ScalarValue::Null,
    }
}

/// NULL of that type.
///
/// # Errors
/// The message for the user, if there is no such value.
pub(crate) fn typed_null(sql_type: &SqlType) -> Result<PlanExpr, String> {
    ScalarValue::try_from(&sql_type.to_arrow())
        .map(|value| PlanExpr::Literal(value, None))
        .map_err(|e| e.to_string())
}

/// A numeric literal as one of a wider type, where that is exact; `None` for anything else.
pub(crate) fn converted(expr: &PlanExpr, wanted: &SqlType) -> Option<PlanExpr> {
    let PlanExpr::Literal(value, _) = expr else {
        return None;
    };
    let whole = match value {
        ScalarValue::Int32(Some(value)) => i64::from(*value),
        ScalarValue::Int64(Some(value)) => *value,
        _ => return None,
    };
    let value = match wanted {
        SqlType::Bigint => ScalarValue::Int64(Some(whole)),
        SqlType::Double => ScalarValue::Float64(Some(whole as f64)),
        SqlType::Decimal { precision, scale } => {
            let factor = i256::from_string(&format!("1{}", "0".repeat(*scale as usize)))?;
            let unscaled = i256::from(whole).checked_mul(factor)?;
            let digits = unscaled.to_string().trim_start_matches('-').len();
            if digits > *precision as usize {
                return None;
            }
            decimal_value(unscaled, wanted)
        }
        _ => return None,
    };
    Some(PlanExpr::Literal(value, None))
}

/// A decimal with the precision and scale of `wanted`, where no digit is lost.
pub(crate) fn rescaled(value: &ScalarValue, wanted: &SqlType) -> Option<ScalarValue> {
    let SqlType::Decimal { precision, scale } = wanted else {
        return None;
    };
    let ScalarValue::Decimal256(Some(unscaled), _, own_scale) = value else {
        return None;
    };
    let power = |digits: i64| i256::from_i128(10).checked_pow(u32::try_from(digits).ok()?);
    let more = i64::from(*scale) - i64::from(*own_scale);
    let unscaled = if more >= 0 {
        unscaled.checked_mul(power(more)?)?
    } else {
        let divisor = power(-more)?;
        if unscaled.checked_rem(divisor)? != i256::ZERO {
            return None;
        }
        unscaled.checked_div(divisor)?
    };
    let digits = unscaled.to_string().trim_start_matches('-').len();
    (digits <= *precision as usize).then(|| decimal_value(unscaled, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_count_their_digits() {
        for (text, unscaled, precision, scale) in [
            ("1.2", 12, 2, 1),
            (".5", 5, 2, 1),
            ("1.", 1, 1, 0),
            ("0.10", 10, 3, 2),
            ("-12.340", -12340, 5, 3),
            ("007.5", 75, 2, 1),
            ("0.0", 0, 2, 1),
        ] {
            let found = decimal(text);
            assert_eq!(
                found,
                Some((i256::from(unscaled), precision, scale)),
                "{text}"
            );
        }
        assert_eq!(decimal(&format!("1.{}", "0".repeat(80))), None);
    }
}
