//! The common type of the items of a constructor or an IN list (spec/sql.md §4.4): found left to
//! right from the first that is not NULL; text literals adapt to their neighbours.

use datafusion::logical_expr::Expr as PlanExpr;
use weir_functions::operators;
use weir_parser::ast::{Expr, ExprKind, Literal};
use weir_types::{SqlError, SqlType, StructField};

use super::{Lowering, Typed, literal, refuse};
use crate::printed;

impl Lowering<'_> {
    /// All `items` as values of their common type; `None` if all are NULL.
    ///
    /// # Errors
    /// Types without a common one, a text literal that its neighbours' type cannot read.
    pub(crate) fn unify(
        &mut self,
        items: &[&Expr],
    ) -> Result<Option<(Vec<PlanExpr>, SqlType)>, SqlError> {
        let lowered = items
            .iter()
            .map(|e| self.lower(e))
            .collect::<Result<Vec<_>, _>>()?;
        let mut common: Option<SqlType> = None;
        for (expr, typed) in items.iter().zip(&lowered) {
            let Some(sql_type) = &typed.sql_type else {
                continue;
            };
            common = Some(match &common {
                None => sql_type.clone(),
                Some(so_far) => self.merge(so_far, expr, sql_type)?,
            });
        }
        let Some(common) = common else {
            return Ok(None);
        };
        let converted = items
            .iter()
            .zip(lowered)
            .map(|(expr, typed)| self.convert(expr, typed, &common))
            .collect::<Result<_, _>>()?;
        Ok(Some((converted, common)))
    }

    fn merge(
        &mut self,
        common: &SqlType,
        expr: &Expr,
        sql_type: &SqlType,
    ) -> Result<SqlType, SqlError> {
        if common == sql_type && !is_constructor(expr) {
            return Ok(common.clone());
        }
        let text = text_literal(expr);
        match (common, sql_type) {
            (SqlType::Boolean, SqlType::String) if text.is_some() => {
                let text = text.unwrap_or_default().trim().to_ascii_lowercase();
                let reads = !text.is_empty()
                    && ["true", "false", "yes", "no"]
                        .iter()
                        .any(|w| w.starts_with(&text));
                if reads {
                    Ok(SqlType::Boolean)
                } else {
                    Err(bad_text(expr, common))
                }
            }
            (number, SqlType::String) if number.is_numeric() && text.is_some() => {
                let own =
                    number_type(text.unwrap_or_default()).ok_or_else(|| bad_text(expr, common))?;
                Ok(wider(number, &own))
            }
            (a, b) if a.is_numeric() && b.is_numeric() => Ok(wider(a, b)),
            (SqlType::String, scalar) if is_scalar(scalar) && is_literal(expr) => {
                Ok(SqlType::String)
            }
            (SqlType::Bytes, SqlType::String) if text.is_some() => Ok(SqlType::Bytes),
            (SqlType::Array(item), SqlType::Array(other)) => {
                let mut item = item.as_ref().clone();
                match &expr.kind {
                    ExprKind::Array(items) => {
                        for inner in items {
                            item = self.merge_inner(item, inner)?;
                        }
                    }
                    _ => {
                        item = self
                            .merge(&item, expr, other)
                            .map_err(|_| no_op(expr, common, sql_type))?
                    }
                }
                Ok(SqlType::array(item))
            }
            (SqlType::Map(k, v), SqlType::Map(other_k, other_v)) => {
                let (mut k, mut v) = (k.as_ref().clone(), v.as_ref().clone());
                match &expr.kind {
                    ExprKind::Map(entries) => {
                        for (key, value) in entries {
                            k = self.merge_inner(k, key)?;
                            v = self.merge_inner(v, value)?;
                        }
                    }
                    _ => {
                        let fail = |_| no_op(expr, common, sql_type);
                        k = self.merge(&k, expr, other_k).map_err(fail)?;
                        v = self.merge(&v, expr, other_v).map_err(fail)?;
                    }
                }
                Ok(SqlType::map(k, v))
            }
            (SqlType::Struct(fields), SqlType::Struct(others)) => {
                let mut fields = fields.clone();
                for other in others {
                    let inner = match &expr.kind {
                        ExprKind::Struct(inner) => inner
                            .iter()
                            .find(|(name, _)| name.name == other.name)
                            .map(|(_, e)| e),
                        _ => None,
                    };
                    match fields.iter_mut().find(|f| f.name == other.name) {
                        None => fields.push(StructField::new(&other.name, other.sql_type.clone())),
                        Some(field) => {
                            field.sql_type = match inner {
                                Some(inner) => self.merge_inner(field.sql_type.clone(), inner)?,
                                None => self
                                    .merge(&field.sql_type, expr, &other.sql_type)
                                    .map_err(|_| no_op(expr, common, sql_type))?,
                            };
                        }
                    }
                }
                Ok(SqlType::Struct(fields))
            }
            (a, b) if a == b => Ok(a.clone()),
            _ => Err(no_op(expr, common, sql_type)),
        }
    }

    fn merge_inner(&mut self, common: SqlType, expr: &Expr) -> Result<SqlType, SqlError> {
        match self.lower(expr)?.sql_type {
            Some(sql_type) => self.merge(&common, expr, &sql_type),
            None => Ok(common),
        }
    }

    /// `typed`, which is `expr` lowered, as a value of the common type `wanted`.
    fn convert(
        &mut self,
        expr: &Expr,
        typed: Typed,
        wanted: &SqlType,
    ) -> Result<PlanExpr, SqlError> {
        let Some(own) = &typed.sql_type else {
            return literal::typed_null(wanted).map_err(|m| refuse(expr, m));
        };
        if own == wanted {
            return Ok(typed.expr);
        }
        match (&expr.kind, wanted) {
            (ExprKind::Array(items), SqlType::Array(item)) => {
                let args = items
                    .iter()
                    .map(|e| {
                        let typed = self.lower(e)?;
                        self.convert(e, typed, item)
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                return Ok(operators::array(item, args.len()).udf.call(args));
            }
            (ExprKind::Map(entries), SqlType::Map(key, value)) => {
                let mut args = Vec::with_capacity(entries.len() * 2);
                for (k, v) in entries {
                    let lowered = self.lower(k)?;
                    args.push(self.convert(k, lowered, key)?);
                    let lowered = self.lower(v)?;
                    args.push(self.convert(v, lowered, value)?);
                }
                return Ok(operators::map(key, value, entries.len()).udf.call(args));
            }
            (ExprKind::Struct(fields), SqlType::Struct(wanted_fields)) => {
                let mut args = Vec::with_capacity(wanted_fields.len());
                for field in wanted_fields {
                    args.push(
                        match fields.iter().find(|(name, _)| name.name == field.name) {
                            Some((_, e)) => {
                                let lowered = self.lower(e)?;
                                self.convert(e, lowered, &field.sql_type)?
                            }
                            None => {
                                literal::typed_null(&field.sql_type).map_err(|m| refuse(expr, m))?
                            }
                        },
                    );
                }
                return Ok(operators::struct_(wanted_fields).udf.call(args));
            }
            _ => {}
        }
        if let Some(converted) = literal::converted(&typed.expr, wanted) {
            return Ok(converted);
        }
        let call = operators::cast(own, wanted).map_err(|_| no_op(expr, wanted, own))?;
        Ok(call.udf.call(vec![typed.expr]))
    }
}

fn is_constructor(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Array(_) | ExprKind::Map(_) | ExprKind::Struct(_)
    )
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(_))
}

fn is_scalar(sql_type: &SqlType) -> bool {
    !matches!(
        sql_type,
        SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)
    )
}

fn text_literal(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Literal(Literal::String(text)) => Some(text),
        _ => None,
    }
}

/// The type of a number written as text: INTEGER, BIGINT, else DECIMAL.
fn number_type(text: &str) -> Option<SqlType> {
    let text = text.trim();
    if text.parse::<i32>().is_ok() {
        return Some(SqlType::Integer);
    }
    if text.parse::<i64>().is_ok() {
        return Some(SqlType::Bigint);
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    if !numeric(whole) || !numeric(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole = i64::try_from(whole.trim_start_matches('0').len()).ok()? + exponent;
    let scale = (i64::try_from(fraction.len()).ok()? - exponent).max(0);
    let precision = u32::try_from(whole.max(1) + scale).ok()?;
    Some(SqlType::decimal(precision, u32::try_from(scale).ok()?))
}

/// The type that holds values of both numeric types.
pub(crate) fn wider(a: &SqlType, b: &SqlType) -> SqlType {
    match (a, b) {
        (SqlType::Double, _) | (_, SqlType::Double) => SqlType::Double,
        (SqlType::Integer, SqlType::Integer) => SqlType::Integer,
        (SqlType::Integer | SqlType::Bigint, SqlType::Integer | SqlType::Bigint) => SqlType::Bigint,
        _ => match (a.as_decimal(), b.as_decimal()) {
            (Some((p1, s1)), Some((p2, s2))) => {
                let scale = s1.max(s2);
                SqlType::decimal((p1 - s1).max(p2 - s2) + scale, scale)
            }
            _ => a.clone(),
        },
    }
}

fn bad_text(expr: &Expr, wanted: &SqlType) -> SqlError {
    refuse(
        expr,
        format!(
            "invalid input syntax for type {wanted}: \"{}\".",
            text_literal(expr).unwrap_or_default()
        ),
    )
}

fn no_op(expr: &Expr, common: &SqlType, own: &SqlType) -> SqlError {
    refuse(
        expr,
        format!(
            "operator does not exist: {common} = {own} ({})\nHint: You might need to add explicit \
             type casts.",
            printed::plain(expr)
        ),
    )
}
