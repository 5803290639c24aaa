//! Key formats of internal topics (spec/semantics.md §2.3).

use weir_types::{FormatKind, FormatSpec, SqlType, ValueFormat};

use crate::catalog::Catalog;

/// The format in which keys of these types are written to an internal topic: that of the rows'
/// own keys where it can hold them, else JSON.
pub(crate) fn internal_key(
    own: &ValueFormat,
    types: &[&SqlType],
    catalog: &dyn Catalog,
) -> ValueFormat {
    let kind = match own.format.kind {
        FormatKind::None => catalog
            .config("ksql.persistence.default.format.key")
            .and_then(|name| name.parse().ok())
            .unwrap_or(FormatKind::Kafka),
        kind => kind,
    };
    let fits = match kind {
        FormatKind::None => types.is_empty(),
        FormatKind::Kafka => types.len() == 1 && types.iter().all(|t| is_kafka(t)),
        FormatKind::Delimited => !types.iter().any(|t| is_nested(t)),
        _ => true,
    };
    let format = match () {
        () if !fits => FormatSpec::new(FormatKind::Json),
        () if kind == own.format.kind => own.format.clone(),
        () => FormatSpec::new(kind),
    };
    ValueFormat {
        format,
        wrap_single: None,
    }
}

fn is_kafka(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Integer | SqlType::Bigint | SqlType::Double | SqlType::String | SqlType::Bytes
    )
}

fn is_nested(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)
    )
}
