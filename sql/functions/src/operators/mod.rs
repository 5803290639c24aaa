//! The operators of the language and its conversions.

use weir_types::SqlType;

/// Whether `from` is converted to `to` without a CAST (spec/sql.md §4.4).
pub fn implicit_cast(from: &SqlType, to: &SqlType) -> bool {
    let rank = |sql_type: &SqlType| match sql_type {
        SqlType::Integer => Some(0),
        SqlType::Bigint => Some(1),
        SqlType::Decimal { .. } => Some(2),
        SqlType::Double => Some(3),
        _ => None,
    };
    match (from, to) {
        _ if from == to => true,
        (SqlType::String, SqlType::Bytes) => true,
        (SqlType::String, to) => to.is_temporal(),
        _ => matches!((rank(from), rank(to)), (Some(from), Some(to)) if from <= to),
    }
}
