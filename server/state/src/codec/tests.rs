#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal256Array, Float64Array, Int32Array,
    Int64Array, ListArray, MapArray, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Int32Type, i256};
use proptest::prelude::*;
use weir_types::{SqlType, StructField};

use super::*;

fn row_bytes(columns: &[ArrayRef], row: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write_row(&ColumnView::all(columns).unwrap(), row, &mut out);
    out
}

fn key_bytes(columns: &[ArrayRef], row: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write_key(&ColumnView::all(columns).unwrap(), row, &mut out);
    out
}

fn read_rows(types: &[DataType], rows: &[Vec<u8>]) -> Result<Vec<ArrayRef>, CodecError> {
    let mut reader = RowReader::new(types)?;
    for row in rows {
        assert!(reader.read(row)?.is_empty());
    }
    reader.finish()
}

fn map_column() -> ArrayRef {
    let DataType::Map(field, _) = SqlType::map(SqlType::String, SqlType::Integer).to_arrow() else {
        panic!("a map");
    };
    let DataType::Struct(fields) = field.data_type().clone() else {
        panic!("entries")
    };
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let entries = StructArray::new(fields, vec![keys, values], None);
    let offsets = OffsetBuffer::new(vec![0, 2, 2, 3].into());
    let nulls = Some(NullBuffer::from(vec![true, false, true]));
    Arc::new(MapArray::new(field, offsets, entries, nulls, false))
}

fn struct_column() -> ArrayRef {
    let sql = SqlType::Struct(vec![
        StructField::new("X", SqlType::Boolean),
        StructField::new("Y", SqlType::Bytes),
    ]);
    let DataType::Struct(fields) = sql.to_arrow() else {
        panic!("a struct")
    };
    let x: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
    let y: ArrayRef = Arc::new(BinaryArray::from(vec![
        Some(&b"\0\x01"[..]),
        Some(b""),
        None,
    ]));
    Arc::new(StructArray::new(
        fields,
        vec![x, y],
        Some(NullBuffer::from(vec![true, false, true])),
    ))
}

fn columns() -> Vec<ArrayRef> {
    let decimals = Decimal256Array::from(vec![
        Some(i256::from_i128(-129)),
        None,
        Some(i256::from_i128(128)),
    ])
    .with_data_type(SqlType::decimal(10, 2).to_arrow());
    vec![
        Arc::new(Int32Array::from(vec![Some(-2), None, Some(7)])),
        Arc::new(Int64Array::from(vec![Some(1), Some(i64::MIN), None])),
        Arc::new(Float64Array::from(vec![Some(-0.5), Some(2.0), None])),
        Arc::new(StringArray::from(vec![Some("é\0"), Some(""), None])),
        Arc::new(decimals),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
        ])),
        map_column(),
        struct_column(),
    ]
}

/// The bytes of version 1. Stores and topics in the world hold them: never change these lines.
#[test]
fn golden_rows_of_version_1() {
    let hex = |row| {
        row_bytes(&columns(), row)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    assert_eq!(
        hex(0),
        "01ff\
         feffffff\
         0100000000000000\
         000000000000e0bf\
         03c3a900\
         02ff7f\
         020101000000\
         0203016101620101000000\
         0301020001"
    );
    assert_eq!(hex(1), "010e0000000000000080000000000000004000");
    assert_eq!(
        hex(2),
        "01f10700000002008000010101630103000000\
         0100"
    );
}

/// As [`golden_rows_of_version_1`], for keys.
#[test]
fn golden_keys() {
    let hex = |column: ArrayRef, row| {
        key_bytes(&[column], row)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    for (column, row, expected) in [
        (0, 0, "017ffffffe"),
        (0, 1, "00"),
        (1, 0, "018000000000000001"),
        (2, 0, "01401fffffffffffff"),
        (2, 1, "01c000000000000000"),
        (3, 0, "01c3a900ff0000"),
        (3, 1, "010000"),
        (5, 0, "01010180000001010000"),
        (7, 0, "0101010100ff010000"),
    ] {
        assert_eq!(
            hex(columns()[column].clone(), row),
            expected,
            "column {column} row {row}"
        );
    }
}

#[test]
fn rows_and_keys_read_back() {
    let columns = columns();
    let types: Vec<DataType> = columns.iter().map(|c| c.data_type().clone()).collect();
    let rows: Vec<Vec<u8>> = (0..3).map(|row| row_bytes(&columns, row)).collect();
    assert_eq!(read_rows(&types, &rows).unwrap(), columns);
    let mut keys = KeyReader::new(&types).unwrap();
    for row in 0..3 {
        assert!(keys.read(&key_bytes(&columns, row)).unwrap().is_empty());
    }
    assert_eq!(keys.finish().unwrap(), columns);
}

#[test]
fn broken_bytes_are_errors() {
    let columns = columns();
    let types: Vec<DataType> = columns.iter().map(|c| c.data_type().clone()).collect();
    let whole = row_bytes(&columns, 0);
    for len in 0..whole.len() {
        assert!(
            RowReader::new(&types).unwrap().read(&whole[..len]).is_err(),
            "{len} bytes"
        );
    }
    let mut newer = whole;
    newer[0] = 9;
    assert_eq!(
        RowReader::new(&types).unwrap().read(&newer),
        Err(CodecError::Version(9))
    );
}

#[test]
fn the_end_of_a_prefix() {
    assert_eq!(key::prefix_end(b"a\xff"), Some(b"b".to_vec()));
    assert_eq!(key::prefix_end(b"\xff\xff"), None);
}

proptest! {
    #[test]
    fn keys_are_ordered_as_values(
        a in (any::<Option<i32>>(), any::<i64>(), ".{0,3}", any::<f64>()),
        b in (any::<Option<i32>>(), any::<i64>(), ".{0,3}", any::<f64>()),
    ) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![a.0, b.0])),
            Arc::new(StringArray::from(vec![a.2.as_str(), b.2.as_str()])),
            Arc::new(Int64Array::from(vec![a.1, b.1])),
            Arc::new(Float64Array::from(vec![a.3, b.3])),
        ];
        let expected = (a.0, a.2.as_bytes(), a.1)
            .cmp(&(b.0, b.2.as_bytes(), b.1))
            .then(a.3.total_cmp(&b.3));
        prop_assert_eq!(key_bytes(&columns, 0).cmp(&key_bytes(&columns, 1)), expected);
    }

    #[test]
    fn scalars_are_the_values_of_columns(
        boolean in any::<Option<bool>>(),
        int in any::<Option<i32>>(),
        long in any::<Option<i64>>(),
        double in any::<Option<f64>>(),
        text in prop::option::of("[\0a\u{ff}é]{0,5}"),
    ) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![boolean])),
            Arc::new(Int32Array::from(vec![int])),
            Arc::new(Int64Array::from(vec![long])),
            Arc::new(Float64Array::from(vec![double])),
            Arc::new(StringArray::from(vec![text.as_deref()])),
        ];
        let expected = [
            boolean.map_or(Scalar::Null, Scalar::Boolean),
            int.map_or(Scalar::Null, Scalar::Int32),
            long.map_or(Scalar::Null, Scalar::Int64),
            double.map_or(Scalar::Null, Scalar::Float64),
            text.as_deref().map_or(Scalar::Null, |text| Scalar::Utf8(text.into())),
        ];
        let types: Vec<DataType> = columns.iter().map(|c| c.data_type().clone()).collect();
        let types = ScalarType::all(&types).unwrap();
        for (mut bytes, is_key) in [(key_bytes(&columns, 0), true), (row_bytes(&columns, 0), false)] {
            bytes.push(42);
            let read = |bytes, out: &mut Vec<_>| if is_key {
                scalar::read_key(&types, bytes, out)
            } else {
                scalar::read_row(&types, bytes, out)
            };
            let mut out = Vec::new();
            prop_assert_eq!(read(&bytes, &mut out).unwrap(), [42].as_slice());
            prop_assert_eq!(&out, &expected);
            for len in 0..bytes.len() - 1 {
                prop_assert!(read(&bytes[..len], &mut Vec::new()).is_err());
            }
        }
        let mut parts = key_bytes(&columns[..1], 0);
        match int {
            Some(int) => key::write_i32(int, &mut parts),
            None => parts.push(0),
        }
        match long {
            Some(long) => key::write_i64(long, &mut parts),
            None => parts.push(0),
        }
        parts.extend(key_bytes(&columns[3..4], 0));
        match &text {
            Some(text) => key::write_text(text, &mut parts),
            None => parts.push(0),
        }
        prop_assert_eq!(parts, key_bytes(&columns, 0));
    }

    #[test]
    fn any_rows_read_back(
        rows in prop::collection::vec(
            (any::<Option<i64>>(), any::<Option<String>>(), any::<Option<Vec<u8>>>(), any::<i128>()),
            0..20,
        ),
    ) {
        let decimals = Decimal256Array::from_iter_values(rows.iter().map(|r| i256::from_i128(r.3)))
            .with_data_type(SqlType::decimal(50, 5).to_arrow());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.0))),
            Arc::new(StringArray::from_iter(rows.iter().map(|r| r.1.as_deref()))),
            Arc::new(BinaryArray::from_iter(rows.iter().map(|r| r.2.as_deref()))),
            Arc::new(decimals),
        ];
        let types: Vec<DataType> = columns.iter().map(|c| c.data_type().clone()).collect();
        let bytes: Vec<Vec<u8>> = (0..rows.len()).map(|row| row_bytes(&columns, row)).collect();
        prop_assert_eq!(read_rows(&types, &bytes).unwrap(), columns);
    }
}
