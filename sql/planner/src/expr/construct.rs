//! Constructors, access to their parts, CASE and CAST.

use weir_functions::operators;
use weir_parser::ast::{Expr, Ident, TypeName};
use weir_types::{SqlError, SqlType, StructField};

use super::{Lowering, Typed, coerce, literal, refuse, refused};
use crate::ddl;
use crate::printed;

impl Lowering<'_> {
    pub(super) fn array(&mut self, expr: &Expr, items: &[Expr]) -> Result<Typed, SqlError> {
        if items.is_empty() {
            return Err(refuse(
                expr,
                "Array constructor cannot be empty. Please supply at least one element.",
            ));
        }
        let items: Vec<_> = items.iter().collect();
        let Some((args, item)) = self.unify(&items)? else {
            return Err(refuse(
                expr,
                "Cannot construct an array with all NULL elements. As a workaround, you may cast a \
                 NULL value to the desired type.",
            ));
        };
        let call = operators::array(&item, args.len());
        Ok(Typed::new(call.udf.call(args), SqlType::array(item)))
    }

    pub(super) fn map(&mut self, expr: &Expr, entries: &[(Expr, Expr)]) -> Result<Typed, SqlError> {
        if entries.is_empty() {
            return Err(refuse(
                expr,
                "Map constructor cannot be empty. Please supply at least one key value pair.",
            ));
        }
        let keys: Vec<_> = entries.iter().map(|(k, _)| k).collect();
        let values: Vec<_> = entries.iter().map(|(_, v)| v).collect();
        let (Some((keys, key)), Some((values, value))) = (self.unify(&keys)?, self.unify(&values)?)
        else {
            return Err(refuse(
                expr,
                "Cannot construct a map with all NULL keys or all NULL values. As a workaround, \
                 you may cast a NULL value to the desired type.",
            ));
        };
        let call = operators::map(&key, &value, entries.len());
        let args = keys
            .into_iter()
            .zip(values)
            .flat_map(|(k, v)| [k, v])
            .collect();
        Ok(Typed::new(call.udf.call(args), SqlType::map(key, value)))
    }

    pub(super) fn structure(
        &mut self,
        expr: &Expr,
        fields: &[(Ident, Expr)],
    ) -> Result<Typed, SqlError> {
        let mut types: Vec<StructField> = Vec::with_capacity(fields.len());
        let mut args = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            if types.iter().any(|f| f.name == name.name) {
                return Err(refuse(
                    expr,
                    format!("Duplicate field names found in STRUCT: {}", name.name),
                ));
            }
            let lowered = self.lower(value)?;
            let Some(sql_type) = lowered.sql_type else {
                return Err(refuse(
                    value,
                    format!(
                        "Cannot infer the type of the NULL in field {} of a STRUCT. Please cast it \
                         to the desired type.",
                        name.name
                    ),
                ));
            };
            types.push(StructField::new(&name.name, sql_type));
            args.push(lowered.expr);
        }
        let call = operators::struct_(&types);
        Ok(Typed::new(call.udf.call(args), SqlType::Struct(types)))
    }

    pub(super) fn subscript(
        &mut self,
        expr: &Expr,
        base: &Expr,
        index: &Expr,
    ) -> Result<Typed, SqlError> {
        let lowered_base = self.lower(base)?;
        let lowered_index = self.lower(index)?;
        let not_apply = || {
            refuse(
                expr,
                format!(
                    "Subscript expression ({}) do not apply to {}.",
                    printed::plain(expr),
                    lowered_base.type_text()
                ),
            )
        };
        let Some(base_type) = lowered_base.sql_type.clone() else {
            return Err(not_apply());
        };
        let index_type = match (&base_type, &lowered_index.sql_type) {
            (SqlType::Array(_) | SqlType::Map(..), Some(index)) => index.clone(),
            (SqlType::Array(_), None) => SqlType::Integer,
            (SqlType::Map(_, value), None) => return nothing(expr, value),
            _ => return Err(not_apply()),
        };
        // A map has no entry under a key of another type.
        if let SqlType::Map(key, value) = &base_type
            && **key != index_type
        {
            return nothing(expr, value);
        }
        let call = operators::subscript(&base_type, &index_type).map_err(|e| refused(expr, e))?;
        self.apply(expr, call, vec![lowered_base, lowered_index])
    }

    pub(super) fn field(
        &mut self,
        expr: &Expr,
        base: &Expr,
        field: &str,
    ) -> Result<Typed, SqlError> {
        let lowered = self.lower(base)?;
        let Some(SqlType::Struct(fields)) = &lowered.sql_type else {
            return Err(refuse(
                expr,
                format!("Expected STRUCT type, got: {}", lowered.type_text()),
            ));
        };
        if !fields.iter().any(|f| f.name == field) {
            let names: Vec<_> = fields.iter().map(|f| f.name.as_str()).collect();
            return Err(refuse(
                expr,
                format!(
                    "Could not find field '{field}' in '{}'. Its fields are: {}.",
                    printed::plain(base),
                    names.join(", ")
                ),
            ));
        }
        let sql_type = SqlType::Struct(fields.clone());
        let call = operators::field(&sql_type, field).map_err(|e| refused(expr, e))?;
        self.apply(expr, call, vec![lowered])
    }

    pub(super) fn case(
        &mut self,
        expr: &Expr,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Typed, SqlError> {
        if operand.is_some() {
            return Err(refuse(
                expr,
                "CASE with an operand (CASE x WHEN v …) is not supported. Please write CASE WHEN \
                 x = v ….",
            ));
        }
        let mut conditions = Vec::with_capacity(branches.len());
        let mut results = Vec::with_capacity(branches.len() + 1);
        for (when, then) in branches {
            let condition = self.lower(when)?;
            if condition.sql_type != Some(SqlType::Boolean) {
                return Err(refuse(
                    when,
                    format!(
                        "WHEN operand type should be boolean. Type for '{}' is {}",
                        printed::plain(when),
                        condition.type_text()
                    ),
                ));
            }
            conditions.push(condition.expr);
            results.push((then, self.lower(then)?));
        }
        if let Some(otherwise) = otherwise {
            results.push((otherwise, self.lower(otherwise)?));
        }
        let Some(result) = results.iter().find_map(|(_, typed)| typed.sql_type.clone()) else {
            return Err(refuse(
                expr,
                "Invalid Case expression. All case branches have a NULL type. Please cast one of \
                 them to the desired type.",
            ));
        };
        let mut values = Vec::with_capacity(results.len());
        for (branch, typed) in results {
            match &typed.sql_type {
                Some(own) if *own != result => {
                    return Err(refuse(
                        branch,
                        format!(
                            "Invalid Case expression. Type for all 'THEN' clauses and for ELSE \
                             should be the same. THEN expression: {}. Previous THEN or ELSE type: \
                             {result}. Type of this one: {own}.",
                            printed::plain(branch)
                        ),
                    ));
                }
                _ => values.push(coerce(typed, &result).map_err(|m| refuse(branch, m))?),
            }
        }
        let call = operators::case(branches.len(), otherwise.is_some(), &result);
        let last = otherwise.and_then(|_| values.pop());
        let args = conditions
            .into_iter()
            .zip(values)
            .flat_map(|(c, v)| [c, v])
            .chain(last)
            .collect();
        Ok(Typed::new(call.udf.call(args), result))
    }

    pub(super) fn cast(
        &mut self,
        expr: &Expr,
        inner: &Expr,
        target: &TypeName,
    ) -> Result<Typed, SqlError> {
        let target = ddl::resolve_type(target, self.catalog)?;
        let lowered = self.lower(inner)?;
        let Some(own) = &lowered.sql_type else {
            let null = literal::typed_null(&target).map_err(|m| refuse(expr, m))?;
            return Ok(Typed::new(null, target));
        };
        if *own == target {
            return Ok(lowered);
        }
        let call = operators::cast(own, &target).map_err(|_| {
            refuse(
                expr,
                format!(
                    "Cast of {own} to {target} is not supported: {}",
                    printed::plain(expr)
                ),
            )
        })?;
        self.apply(expr, call, vec![lowered])
    }
}

/// NULL of that type.
fn nothing(expr: &Expr, sql_type: &SqlType) -> Result<Typed, SqlError> {
    let null = literal::typed_null(sql_type).map_err(|m| refuse(expr, m))?;
    Ok(Typed::new(null, sql_type.clone()))
}
