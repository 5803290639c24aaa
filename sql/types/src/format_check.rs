//! Which columns a record format can hold (spec/formats.md §1.1).

use crate::{FormatKind, SqlType, ident};

/// Whether `kind` can hold these columns as a record's key (`is_key`) or value.
///
/// # Errors
///
/// The message for the user: for a key with a MAP inside the column and its type; else the
/// format, the schema as ksqlDB prints it (`Persistence{columns=[…]}`) and the reason, one line
/// each.
pub fn check_columns(
    kind: FormatKind,
    is_key: bool,
    columns: &[(&str, &SqlType)],
) -> Result<(), String> {
    if is_key && let Some((name, sql_type)) = columns.iter().find(|(_, t)| t.contains_map()) {
        return Err(format!(
            "Map keys, including types that contain maps, are not supported: equal maps may be \
             written as different bytes. Key column name: {}. Column type: {sql_type}. Use a \
             STRUCT instead.",
            ident::quoted(name)
        ));
    }
    let Some(reason) = reason(kind, is_key, columns) else {
        return Ok(());
    };
    let side = if is_key { "Key" } else { "Value" };
    Err(format!(
        "{side} format does not support schema.\nformat: {kind}\nschema: \
         Persistence{{columns={}, features=[]}}\nreason: {reason}",
        listed(is_key, columns)
    ))
}

/// Why `kind` cannot hold these columns.
fn reason(kind: FormatKind, is_key: bool, columns: &[(&str, &SqlType)]) -> Option<String> {
    match kind {
        FormatKind::None => (!columns.is_empty()).then(|| {
            format!(
                "The 'NONE' format can only be used when no columns are defined. Got: {}",
                listed(is_key, columns)
            )
        }),
        FormatKind::Kafka => match columns {
            [] => None,
            [(_, sql_type)] => (!is_kafka(sql_type)).then(|| unsupported(kind, sql_type, None)),
            _ => Some(format!(
                "The 'KAFKA' format only supports a single field. Got: {}",
                listed(is_key, columns)
            )),
        },
        FormatKind::Delimited => columns
            .iter()
            .find(|(_, t)| matches!(t, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)))
            .map(|(name, sql_type)| unsupported(kind, sql_type, Some(name))),
        _ => columns
            .iter()
            .find_map(|(_, sql_type)| nested_reason(kind, sql_type)),
    }
}

fn is_kafka(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Integer | SqlType::Bigint | SqlType::Double | SqlType::String | SqlType::Bytes
    )
}

fn unsupported(kind: FormatKind, sql_type: &SqlType, column: Option<&str>) -> String {
    let column = column.map_or_else(String::new, |c| format!(", column: {}", ident::quoted(c)));
    format!(
        "The '{kind}' format does not support type '{}'{column}",
        sql_type.base_name()
    )
}

/// Why a structured format cannot hold a type, at any depth.
fn nested_reason(kind: FormatKind, sql_type: &SqlType) -> Option<String> {
    let is_protobuf = matches!(kind, FormatKind::Protobuf | FormatKind::ProtobufNoSr);
    match sql_type {
        SqlType::Array(item) if is_protobuf && matches!(**item, SqlType::Array(_)) => {
            Some(format!(
                "The '{kind}' format does not support an ARRAY of ARRAY: wrap the inner one in a STRUCT"
            ))
        }
        SqlType::Array(item) => nested_reason(kind, item),
        SqlType::Map(key, _) if **key != SqlType::String => Some(format!(
            "{kind} only supports MAP types with STRING keys. Got: {sql_type}"
        )),
        SqlType::Map(_, value) => nested_reason(kind, value),
        SqlType::Struct(fields) => fields.iter().find_map(|f| nested_reason(kind, &f.sql_type)),
        _ => None,
    }
}

/// The columns as ksqlDB prints them: ``[`K` INTEGER KEY]``.
fn listed(is_key: bool, columns: &[(&str, &SqlType)]) -> String {
    let key = if is_key { " KEY" } else { "" };
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, t)| format!("{} {t}{key}", ident::quoted(name)))
        .collect();
    format!("[{}]", columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StructField;

    #[test]
    fn formats_hold_what_the_table_says() {
        use FormatKind::{Avro, Delimited, Json, JsonSr, Kafka, None, Protobuf, ProtobufNoSr};
        let array = SqlType::array(SqlType::Integer);
        let deep = SqlType::Struct(vec![StructField::new("A", SqlType::array(array.clone()))]);
        let wrong_map = SqlType::array(SqlType::map(SqlType::Integer, SqlType::Integer));
        let map = SqlType::map(SqlType::String, SqlType::Integer);
        let structured = [Json, JsonSr, Avro, Protobuf, ProtobufNoSr];
        let cases: &[(&SqlType, &[FormatKind])] = &[
            (
                &SqlType::Integer,
                &[Kafka, Delimited, Json, JsonSr, Avro, Protobuf, ProtobufNoSr],
            ),
            (
                &SqlType::Boolean,
                &[Delimited, Json, JsonSr, Avro, Protobuf, ProtobufNoSr],
            ),
            (&array, &structured),
            (&map, &structured),
            (&deep, &[Json, JsonSr, Avro]),
            (&wrong_map, &[]),
        ];
        for (sql_type, holders) in cases {
            for kind in [
                None,
                Kafka,
                Delimited,
                Json,
                JsonSr,
                Avro,
                Protobuf,
                ProtobufNoSr,
            ] {
                let holds = check_columns(kind, false, &[("C", sql_type)]).is_ok();
                assert_eq!(holds, holders.contains(&kind), "{kind} {sql_type}");
                assert!(check_columns(kind, false, &[]).is_ok(), "{kind}");
            }
        }
    }

    #[test]
    fn refusals_name_format_schema_and_reason() {
        let int = SqlType::Integer;
        let map = SqlType::array(SqlType::map(SqlType::String, SqlType::Double));
        let two = check_columns(FormatKind::Kafka, true, &[("A", &int), ("b", &int)]);
        assert_eq!(
            two,
            Err(
                "Key format does not support schema.\nformat: KAFKA\nschema: \
                 Persistence{columns=[`A` INTEGER KEY, `b` INTEGER KEY], features=[]}\nreason: The \
                 'KAFKA' format only supports a single field. Got: [`A` INTEGER KEY, `b` INTEGER \
                 KEY]"
                    .to_owned()
            )
        );
        assert!(check_columns(FormatKind::Json, false, &[("A", &map)]).is_ok());
        let key = check_columns(FormatKind::Json, true, &[("A", &map)])
            .err()
            .unwrap_or_default();
        assert!(
            key.contains("`A`") && key.contains("ARRAY<MAP<STRING, DOUBLE>>"),
            "{key}"
        );
    }
}
