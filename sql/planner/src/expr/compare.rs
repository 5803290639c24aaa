//! Comparisons, BETWEEN, IN, LIKE and `||`.

use weir_functions::operators::{self, Comparison};
use weir_parser::ast::{BinaryOp, Expr};
use weir_types::{SqlError, SqlType};

use super::{Lowering, Typed, refuse, refused};
use crate::printed;

impl Lowering<'_> {
    pub(super) fn comparison(
        &mut self,
        expr: &Expr,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
    ) -> Result<Typed, SqlError> {
        let (op, word, sign) = match op {
            BinaryOp::NotEq => (Comparison::NotEq, "NOT_EQUAL", "<>"),
            BinaryOp::Lt => (Comparison::Lt, "LESS_THAN", "<"),
            BinaryOp::LtEq => (Comparison::LtEq, "LESS_THAN_OR_EQUAL", "<="),
            BinaryOp::Gt => (Comparison::Gt, "GREATER_THAN", ">"),
            BinaryOp::GtEq => (Comparison::GtEq, "GREATER_THAN_OR_EQUAL", ">="),
            BinaryOp::IsDistinctFrom => (
                Comparison::IsDistinctFrom,
                "IS_DISTINCT_FROM",
                "IS DISTINCT FROM",
            ),
            BinaryOp::IsNotDistinctFrom => (
                Comparison::IsNotDistinctFrom,
                "IS_NOT_DISTINCT_FROM",
                "IS NOT DISTINCT FROM",
            ),
            _ => (Comparison::Eq, "EQUAL", "="),
        };
        let (l, r) = (self.lower(left)?, self.lower(right)?);
        let (Some(left_type), Some(right_type)) = (&l.sql_type, &r.sql_type) else {
            return Err(refuse(
                expr,
                format!(
                    "Comparison with NULL not supported: {} {sign} {}\nUse 'IS NULL' or 'IS NOT \
                     NULL' instead.\nStatement: {}",
                    l.type_text(),
                    r.type_text(),
                    printed::plain(expr)
                ),
            ));
        };
        let call = operators::comparison(op, left_type, right_type).map_err(|_| {
            refuse(
                expr,
                format!(
                    "Cannot compare {} ({left_type}) to {} ({right_type}) with {word}.\nStatement: \
                     {}",
                    printed::plain(left),
                    printed::plain(right),
                    printed::plain(expr)
                ),
            )
        })?;
        self.apply(expr, call, vec![l, r])
    }

    pub(super) fn concat(
        &mut self,
        expr: &Expr,
        left: &Expr,
        right: &Expr,
    ) -> Result<Typed, SqlError> {
        let (l, r) = (self.lower(left)?, self.lower(right)?);
        let text = SqlType::String;
        let left_type = l
            .sql_type
            .as_ref()
            .or(r.sql_type.as_ref())
            .unwrap_or(&text)
            .clone();
        let right_type = r.sql_type.clone().unwrap_or_else(|| left_type.clone());
        let call = operators::concat(&left_type, &right_type).map_err(|e| refused(expr, e))?;
        self.apply(expr, call, vec![l, r])
    }

    pub(super) fn between(
        &mut self,
        expr: &Expr,
        value: &Expr,
        negated: bool,
        low: &Expr,
        high: &Expr,
    ) -> Result<Typed, SqlError> {
        let from = self.comparison(expr, BinaryOp::GtEq, value, low)?;
        let to = self.comparison(expr, BinaryOp::LtEq, value, high)?;
        let both = self.apply(expr, operators::and(), vec![from, to])?;
        self.negate_if(expr, negated, both)
    }

    pub(super) fn in_list(
        &mut self,
        expr: &Expr,
        value: &Expr,
        negated: bool,
        list: &[Expr],
    ) -> Result<Typed, SqlError> {
        let items: Vec<_> = std::iter::once(value).chain(list).collect();
        let Some((args, common)) = self.unify(&items)? else {
            return Err(refuse(
                expr,
                format!(
                    "Comparison with NULL not supported: {}\nUse 'IS NULL' or 'IS NOT NULL' \
                     instead.",
                    printed::plain(expr)
                ),
            ));
        };
        let call = operators::in_list(&common, list.len());
        let found = Typed::new(call.udf.call(args), SqlType::Boolean);
        self.negate_if(expr, negated, found)
    }

    pub(super) fn like(
        &mut self,
        expr: &Expr,
        value: &Expr,
        negated: bool,
        pattern: &Expr,
        escape: Option<&str>,
    ) -> Result<Typed, SqlError> {
        let escape = match escape.map(|text| (text, text.chars().collect::<Vec<_>>())) {
            None => None,
            // ksqlDB writes the character into Java source as it is, where these end the literal.
            Some((text, chars)) if matches!(chars.as_slice(), ['\\' | '\'' | '\n' | '\r']) => {
                return Err(refuse(
                    expr,
                    format!("The escape of LIKE cannot be {text:?}. Use another character."),
                ));
            }
            Some((_, chars)) if chars.len() == 1 => chars.first().copied(),
            Some((text, _)) => {
                return Err(refuse(
                    expr,
                    format!("Expected a single character escape: '{text}'"),
                ));
            }
        };
        let mut args = Vec::with_capacity(2);
        for side in [value, pattern] {
            let lowered = self.lower(side)?;
            if lowered
                .sql_type
                .as_ref()
                .is_some_and(|t| *t != SqlType::String)
            {
                return Err(refuse(
                    expr,
                    format!(
                        "LIKE condition must be between strings. Got {} ({}) in {}.",
                        printed::plain(side),
                        lowered.type_text(),
                        printed::plain(expr)
                    ),
                ));
            }
            args.push(lowered);
        }
        let found = self.apply(expr, operators::like(escape), args)?;
        self.negate_if(expr, negated, found)
    }

    fn negate_if(&self, expr: &Expr, negated: bool, found: Typed) -> Result<Typed, SqlError> {
        if negated {
            self.apply(expr, operators::not(), vec![found])
        } else {
            Ok(found)
        }
    }
}
