//! Implicit conversions and common types (spec/sql.md §4.4).

use weir_types::{SqlType, StructField};

fn rank(sql_type: &SqlType) -> Option<u8> {
    match sql_type {
        SqlType::Integer => Some(0),
        SqlType::Bigint => Some(1),
        SqlType::Decimal { .. } => Some(2),
        SqlType::Double => Some(3),
        _ => None,
    }
}

/// Whether `from` is converted to `to` without a CAST: numbers widen (a DECIMAL must have room
/// for all digits), STRING becomes a time or BYTES.
pub fn implicit_cast(from: &SqlType, to: &SqlType) -> bool {
    match (from, to) {
        _ if from == to => true,
        (SqlType::String, to) => to.is_temporal() || *to == SqlType::Bytes,
        (from, SqlType::Decimal { precision, scale }) => from
            .as_decimal()
            .is_some_and(|(p, s)| s <= *scale && p - s <= *precision - *scale),
        _ => matches!((rank(from), rank(to)), (Some(from), Some(to)) if from <= to),
    }
}

/// The type that elements of types `left` and `right` share in ARRAY, MAP and IN lists: numbers
/// widen, structs merge their fields, arrays and maps go element by element. `None` if there is
/// none; texts adapt to their neighbours only as literals, which is the planner's part.
pub fn common_type(left: &SqlType, right: &SqlType) -> Option<SqlType> {
    match (left, right) {
        _ if left == right => Some(left.clone()),
        (SqlType::Array(l), SqlType::Array(r)) => Some(SqlType::array(common_type(l, r)?)),
        (SqlType::Map(lk, lv), SqlType::Map(rk, rv)) => {
            Some(SqlType::map(common_type(lk, rk)?, common_type(lv, rv)?))
        }
        (SqlType::Struct(l), SqlType::Struct(r)) => {
            let mut fields = l.clone();
            for field in r {
                match fields.iter_mut().find(|known| known.name == field.name) {
                    Some(known) => {
                        known.sql_type = common_type(&known.sql_type, &field.sql_type)?;
                    }
                    None => fields.push(StructField::new(&field.name, field.sql_type.clone())),
                }
            }
            Some(SqlType::Struct(fields))
        }
        _ => {
            let (l, r) = (rank(left)?, rank(right)?);
            match l.max(r) {
                2 => {
                    let ((lp, ls), (rp, rs)) = (left.as_decimal()?, right.as_decimal()?);
                    let scale = ls.max(rs);
                    Some(SqlType::decimal((lp - ls).max(rp - rs) + scale, scale))
                }
                _ if l >= r => Some(left.clone()),
                _ => Some(right.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_types() {
        let text = |l: &SqlType, r: &SqlType| common_type(l, r).map(|t| t.to_string());
        let field = |name: &str, sql_type| StructField::new(name, sql_type);
        let (int, decimal) = (SqlType::Integer, SqlType::decimal(4, 2));
        for (left, right, expected) in [
            (int.clone(), SqlType::Bigint, Some("BIGINT")),
            (int.clone(), decimal.clone(), Some("DECIMAL(12, 2)")),
            (
                decimal.clone(),
                SqlType::decimal(8, 1),
                Some("DECIMAL(9, 2)"),
            ),
            (decimal.clone(), SqlType::Double, Some("DOUBLE")),
            (
                SqlType::array(int.clone()),
                SqlType::array(SqlType::Double),
                Some("ARRAY<DOUBLE>"),
            ),
            (
                SqlType::Struct(vec![field("A", int.clone())]),
                SqlType::Struct(vec![
                    field("B", SqlType::String),
                    field("A", SqlType::Bigint),
                ]),
                Some("STRUCT<`A` BIGINT, `B` STRING>"),
            ),
            (SqlType::String, int.clone(), None),
            (SqlType::Date, SqlType::Timestamp, None),
        ] {
            assert_eq!(text(&left, &right).as_deref(), expected, "{left} {right}");
        }
    }

    #[test]
    fn implicit_casts() {
        for (from, to, expected) in [
            (SqlType::Integer, SqlType::Bigint, true),
            (SqlType::Bigint, SqlType::Integer, false),
            (SqlType::Integer, SqlType::decimal(10, 0), true),
            (SqlType::Integer, SqlType::decimal(9, 0), false),
            (SqlType::decimal(4, 2), SqlType::decimal(5, 3), true),
            (SqlType::decimal(4, 2), SqlType::decimal(4, 3), false),
            (SqlType::decimal(4, 2), SqlType::Double, true),
            (SqlType::Double, SqlType::decimal(38, 10), false),
            (SqlType::String, SqlType::Time, true),
            (SqlType::String, SqlType::Bytes, true),
            (SqlType::String, SqlType::Integer, false),
            (SqlType::Date, SqlType::Timestamp, false),
        ] {
            assert_eq!(implicit_cast(&from, &to), expected, "{from} {to}");
        }
    }
}
