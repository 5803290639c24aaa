//! Which schemas a format can hold, and which delimiter it takes (spec/formats.md §1.1).

use weir_types::format_check::check_columns;
use weir_types::{FormatKind, SqlType, ValueFormat};

use crate::Side;
use crate::delimited::Delimiter;
use crate::error::FormatError;

/// Whether `format` can hold these columns on `side`.
///
/// # Errors
/// With the text for the user: format, schema and reason, or what is wrong with the delimiter.
pub fn check(
    format: &ValueFormat,
    side: Side,
    columns: &[(String, SqlType)],
) -> Result<(), FormatError> {
    let kind = format.format.kind;
    if kind == FormatKind::Delimited {
        Delimiter::of(format)?;
    }
    let columns: Vec<(&str, &SqlType)> = columns.iter().map(|(n, t)| (n.as_str(), t)).collect();
    check_columns(kind, side == Side::Key, &columns).map_err(FormatError::new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use weir_types::FormatSpec;

    #[test]
    fn keys_columns_and_delimiters_are_checked() {
        let map = SqlType::map(SqlType::String, SqlType::Integer);
        for (kind, side, sql_type, delimiter, fits) in [
            (FormatKind::Json, Side::Value, &map, None, true),
            (FormatKind::Json, Side::Key, &map, None, false),
            (
                FormatKind::Kafka,
                Side::Value,
                &SqlType::Boolean,
                None,
                false,
            ),
            (
                FormatKind::Delimited,
                Side::Value,
                &SqlType::Boolean,
                Some(";"),
                true,
            ),
            (
                FormatKind::Delimited,
                Side::Value,
                &SqlType::Boolean,
                Some(";;"),
                false,
            ),
        ] {
            let mut spec = FormatSpec::new(kind);
            spec.properties
                .extend(delimiter.map(|d| ("delimiter".to_owned(), d.to_owned())));
            let format = ValueFormat {
                format: spec,
                wrap_single: None,
            };
            let columns = [("C".to_owned(), sql_type.clone())];
            assert_eq!(
                check(&format, side, &columns).is_ok(),
                fits,
                "{kind} {side:?} {sql_type}"
            );
        }
    }
}
