//! Definitions and bytes of rows.

#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, ListArray,
    MapBuilder, StringArray, StringBuilder, StructArray, Time32MillisecondArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field as ArrowField, Int32Type, i256};
use weir_types::sql_type::StructField;

use weir_types::{Column, SqlType};

use super::RowSchema;

fn schema(columns: &[(&str, SqlType)]) -> Option<RowSchema> {
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, sql_type)| Column::value(*name, sql_type.clone()))
        .collect();
    RowSchema::new(&columns)
}

fn address() -> SqlType {
    let field = |name: &str, sql_type| StructField {
        name: name.to_owned(),
        sql_type,
    };
    let map = SqlType::Map(Box::new(SqlType::String), Box::new(SqlType::Bigint));
    SqlType::Struct(vec![field("CITY", SqlType::String), field("M", map)])
}

#[test]
fn definitions_number_messages_as_they_are_met() {
    let schema = schema(&[
        ("ID", SqlType::Integer),
        ("P", SqlType::decimal(6, 2)),
        ("TAGS", SqlType::Array(Box::new(SqlType::String))),
        ("ADDR", address()),
        ("T", SqlType::Timestamp),
    ]);
    let text = schema.unwrap().definition();
    let expected = [
        "syntax = \"proto3\";",
        "",
        "import \"confluent/type/decimal.proto\";",
        "import \"google/protobuf/timestamp.proto\";",
        "",
        "message ConnectDefault1 {",
        "  int32 ID = 1;",
        "  confluent.type.Decimal P = 2 [(confluent.field_meta) = {",
        "    params: [",
        "      {",
        "        value: \"6\",",
        "        key: \"precision\"",
        "      },",
        "      {",
        "        value: \"2\",",
        "        key: \"scale\"",
        "      }",
        "    ]",
        "  }];",
        "  repeated string TAGS = 3;",
        "  ConnectDefault2 ADDR = 4;",
        "  google.protobuf.Timestamp T = 5;",
        "",
        "  message ConnectDefault2 {",
        "    string CITY = 1;",
        "    repeated ConnectDefault3Entry M = 2;",
        "  ",
        "    message ConnectDefault3Entry {",
        "      string key = 1;",
        "      int64 value = 2;",
        "    }",
        "  }",
        "}",
        "",
    ];
    assert_eq!(text, expected.join("\n"));
}

#[test]
fn lists_of_lists_are_refused() {
    let list = SqlType::Array(Box::new(SqlType::Array(Box::new(SqlType::Integer))));
    assert!(schema(&[("L", list)]).is_none());
}

#[test]
fn values_have_the_bytes_of_their_kinds() {
    let decimal = |unscaled: i64| {
        let array = arrow::array::Decimal256Array::from(vec![i256::from(unscaled)]);
        Arc::new(array.with_precision_and_scale(6, 2).unwrap()) as ArrayRef
    };
    let price = || SqlType::decimal(6, 2);
    let cases: Vec<(SqlType, ArrayRef, &[u8])> = vec![
        (SqlType::Integer, Arc::new(Int32Array::from(vec![0])), &[]),
        (
            SqlType::Integer,
            Arc::new(Int32Array::from(vec![None::<i32>])),
            &[],
        ),
        (
            SqlType::Integer,
            Arc::new(Int32Array::from(vec![300])),
            &[0x08, 0xAC, 0x02],
        ),
        (
            SqlType::Bigint,
            Arc::new(Int64Array::from(vec![-1])),
            &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ),
        (
            SqlType::Double,
            Arc::new(Float64Array::from(vec![1.5])),
            &[9, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F],
        ),
        (
            SqlType::Boolean,
            Arc::new(BooleanArray::from(vec![true])),
            &[8, 1],
        ),
        (
            SqlType::String,
            Arc::new(StringArray::from(vec!["é"])),
            &[10, 2, 0xC3, 0xA9],
        ),
        (
            price(),
            decimal(-150),
            &[10, 8, 10, 2, 0xFF, 0x6A, 16, 3, 24, 2],
        ),
        (price(), decimal(0), &[10, 7, 10, 1, 0, 16, 1, 24, 2]),
        // 2020-02-03, 10:20:30.5 and both.
        (
            SqlType::Date,
            Arc::new(Date32Array::from(vec![18_295])),
            &[10, 7, 8, 0xE4, 0x0F, 16, 2, 24, 3],
        ),
        (
            SqlType::Time,
            Arc::new(Time32MillisecondArray::from(vec![37_230_500])),
            &[10, 12, 8, 10, 16, 20, 24, 30, 32, 0x80, 0xCA, 0xB5, 0xEE, 1],
        ),
        (
            SqlType::Timestamp,
            Arc::new(TimestampMillisecondArray::from(vec![-500])),
            &[
                10, 17, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 16, 0x80, 0xCA, 0xB5,
                0xEE, 1,
            ],
        ),
        (
            SqlType::Array(Box::new(SqlType::Integer)),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some([
                Some(0),
                Some(300),
            ])])),
            &[10, 3, 0, 0xAC, 2],
        ),
    ];
    for (sql_type, array, bytes) in cases {
        let schema = schema(&[("A", sql_type.clone())]).unwrap();
        assert_eq!(schema.message(&[array], 0), bytes, "{sql_type}");
    }
}

#[test]
fn structs_and_maps_are_messages() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Array::builder(1));
    map.keys().append_value("k");
    map.values().append_value(0);
    map.append(true).unwrap();
    let map = map.finish();
    let map_field = ArrowField::new("M", map.data_type().clone(), true);
    let struct_array = StructArray::from(vec![
        (
            Arc::new(ArrowField::new("CITY", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["x"])) as ArrayRef,
        ),
        (Arc::new(map_field), Arc::new(map) as ArrayRef),
    ]);
    let schema = schema(&[("ADDR", address())]).unwrap();
    let bytes = schema.message(&[Arc::new(struct_array)], 0);
    assert_eq!(bytes, [10, 8, 10, 1, b'x', 18, 3, 10, 1, b'k']);
}
