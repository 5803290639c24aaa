//! Which schemas a format can hold (spec/formats.md §1.1).

use std::fmt::Write;

use weir_types::{FormatKind, SqlType, ValueFormat, ident};

use crate::Side;
use crate::delimited::Delimiter;
use crate::error::FormatError;

/// Whether `format` can hold these columns on `side`.
///
/// The error names the format, the schema as ksqlDB prints it (`Persistence{columns=[...]}`) and
/// the reason, one line each. A key with a MAP inside is refused whatever the format.
pub fn check(
    format: &ValueFormat,
    side: Side,
    columns: &[(String, SqlType)],
) -> Result<(), FormatError> {
    if side == Side::Key
        && let Some((name, sql_type)) = columns.iter().find(|(_, t)| t.contains_map())
    {
        return Err(FormatError::new(format!(
            "A key column cannot be a MAP nor contain one: equal maps may be written as different \
             bytes. Key column: {}, type: {sql_type}. Use a STRUCT or an ARRAY of STRUCT instead.",
            ident::quoted(name)
        )));
    }
    let kind = format.format.kind;
    let reason = match kind {
        FormatKind::None => none_reason(side, columns),
        FormatKind::Kafka => kafka_reason(side, columns),
        FormatKind::Delimited => {
            if let Some(text) = format.format.properties.get("delimiter") {
                Delimiter::parse(text)?;
            }
            delimited_reason(columns)
        }
        FormatKind::Json
        | FormatKind::JsonSr
        | FormatKind::Avro
        | FormatKind::Protobuf
        | FormatKind::ProtobufNoSr => structured_reason(kind, columns),
    };
    match reason {
        None => Ok(()),
        Some(reason) => {
            let side_word = match side {
                Side::Key => "Key",
                Side::Value => "Value",
            };
            Err(FormatError::new(format!(
                "{side_word} format does not support schema.\nformat: {kind}\n\
                 schema: Persistence{{columns={}, features=[]}}\nreason: {reason}",
                print_columns(side, columns)
            )))
        }
    }
}

/// The columns as ksqlDB prints them: ``[`K` INTEGER KEY]``.
fn print_columns(side: Side, columns: &[(String, SqlType)]) -> String {
    let mut out = String::from("[");
    for (i, (name, sql_type)) in columns.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        let key = if side == Side::Key { " KEY" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(out, "{comma}{} {sql_type}{key}", ident::quoted(name));
    }
    out.push(']');
    out
}

fn none_reason(side: Side, columns: &[(String, SqlType)]) -> Option<String> {
    if columns.is_empty() {
        return None;
    }
    Some(format!(
        "The 'NONE' format holds no columns at all, but the {} has: {}",
        side.word(),
        print_columns(side, columns)
    ))
}

fn kafka_reason(side: Side, columns: &[(String, SqlType)]) -> Option<String> {
    match columns {
        [] => None,
        [(_, sql_type)] => match sql_type {
            SqlType::Integer
            | SqlType::Bigint
            | SqlType::Double
            | SqlType::String
            | SqlType::Bytes => None,
            other => Some(format!(
                "The 'KAFKA' format does not support type '{}'",
                other.base_name()
            )),
        },
        _ => Some(format!(
            "The 'KAFKA' format holds a single column only. Got: {}",
            print_columns(side, columns)
        )),
    }
}

fn delimited_reason(columns: &[(String, SqlType)]) -> Option<String> {
    columns.iter().find_map(|(name, sql_type)| match sql_type {
        SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_) => Some(format!(
            "The 'DELIMITED' format does not support type '{}', column: {}",
            sql_type.base_name(),
            ident::quoted(name)
        )),
        _ => None,
    })
}

fn structured_reason(kind: FormatKind, columns: &[(String, SqlType)]) -> Option<String> {
    columns.iter().find_map(|(_, t)| type_reason(kind, t))
}

/// Why `sql_type` cannot be held by JSON, Avro or Protobuf.
fn type_reason(kind: FormatKind, sql_type: &SqlType) -> Option<String> {
    match sql_type {
        SqlType::Array(item) => {
            let protobuf = matches!(kind, FormatKind::Protobuf | FormatKind::ProtobufNoSr);
            if protobuf && matches!(**item, SqlType::Array(_)) {
                return Some(format!(
                    "{kind} does not support an ARRAY of ARRAY: wrap the inner one in a STRUCT"
                ));
            }
            type_reason(kind, item)
        }
        SqlType::Map(key, value) => {
            if **key == SqlType::String {
                type_reason(kind, value)
            } else {
                Some(format!(
                    "{kind} supports only MAP types with STRING keys, not {sql_type}"
                ))
            }
        }
        SqlType::Struct(fields) => fields.iter().find_map(|f| type_reason(kind, &f.sql_type)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use weir_types::{FormatSpec, StructField};

    fn refusal(kind: FormatKind, side: Side, types: &[SqlType]) -> Option<String> {
        let columns: Vec<_> = types
            .iter()
            .enumerate()
            .map(|(i, t)| (format!("C{i}"), t.clone()))
            .collect();
        let format = ValueFormat {
            format: FormatSpec::new(kind),
            wrap_single: None,
        };
        check(&format, side, &columns).err().map(|e| e.message)
    }

    #[test]
    fn scalar_types() {
        let all = [
            SqlType::Boolean,
            SqlType::Integer,
            SqlType::Bigint,
            SqlType::Double,
            SqlType::decimal(4, 2),
            SqlType::String,
            SqlType::Bytes,
            SqlType::Date,
            SqlType::Time,
            SqlType::Timestamp,
        ];
        let kafka = [
            SqlType::Integer,
            SqlType::Bigint,
            SqlType::Double,
            SqlType::String,
            SqlType::Bytes,
        ];
        for sql_type in all {
            let one = std::slice::from_ref(&sql_type);
            for side in [Side::Key, Side::Value] {
                assert_eq!(
                    refusal(FormatKind::Kafka, side, one).is_none(),
                    kafka.contains(&sql_type),
                    "{sql_type}"
                );
                assert!(refusal(FormatKind::None, side, one).is_some());
                for kind in [FormatKind::Delimited, FormatKind::Json, FormatKind::Avro] {
                    assert_eq!(refusal(kind, side, one), None, "{kind} {sql_type}");
                }
            }
        }
    }

    #[test]
    fn no_columns_fit_anywhere() {
        for kind in [
            FormatKind::None,
            FormatKind::Kafka,
            FormatKind::Delimited,
            FormatKind::Json,
        ] {
            assert_eq!(refusal(kind, Side::Key, &[]), None);
        }
    }

    #[test]
    fn nested_types() {
        let string_map = SqlType::map(SqlType::String, SqlType::Integer);
        let int_map = SqlType::map(SqlType::Integer, SqlType::Integer);
        let arrays = SqlType::array(SqlType::array(SqlType::Integer));
        let within = SqlType::Struct(vec![StructField::new("F", int_map.clone())]);
        for (kind, side, sql_type, fits) in [
            (FormatKind::Json, Side::Value, &string_map, true),
            (FormatKind::Json, Side::Value, &int_map, false),
            (FormatKind::Avro, Side::Value, &within, false),
            (FormatKind::Json, Side::Key, &string_map, false),
            (FormatKind::Json, Side::Value, &arrays, true),
            (FormatKind::Protobuf, Side::Value, &arrays, false),
            (FormatKind::ProtobufNoSr, Side::Value, &arrays, false),
            (FormatKind::Delimited, Side::Value, &arrays, false),
            (FormatKind::Delimited, Side::Value, &string_map, false),
        ] {
            let refused = refusal(kind, side, std::slice::from_ref(sql_type));
            assert_eq!(
                refused.is_none(),
                fits,
                "{kind} {side:?} {sql_type}: {refused:?}"
            );
        }
    }

    #[test]
    fn the_message_shows_format_schema_and_reason() {
        let two = [SqlType::Integer, SqlType::String];
        assert_eq!(
            refusal(FormatKind::Kafka, Side::Key, &two).unwrap(),
            "Key format does not support schema.\nformat: KAFKA\n\
             schema: Persistence{columns=[`C0` INTEGER KEY, `C1` STRING KEY], features=[]}\n\
             reason: The 'KAFKA' format holds a single column only. \
             Got: [`C0` INTEGER KEY, `C1` STRING KEY]"
        );
    }
}
