//! The rules of spec/formats.md §1.7 and §1.8.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use proptest::prelude::*;
use support::{Outcome, columns, convert_one, format};
use weir_formats::{Decoded, Side, decoder, encoder};
use weir_types::records::EncodedColumn;
use weir_types::{FormatKind, SqlType, ValueFormat};

fn delimited() -> ValueFormat {
    format(FormatKind::Delimited, None)
}

/// Reads one value of the second column; `None` if the record is dropped.
fn second(sql_type: &SqlType, value: &str) -> Option<String> {
    let columns = columns(&[("A", SqlType::Integer), ("V", sql_type.clone())]);
    match convert_one(&delimited(), &delimited(), &columns, &format!("1,{value}")) {
        Outcome::Row(row) => Some(row.strip_prefix("1,").unwrap().to_owned()),
        Outcome::Dropped(_) => None,
        Outcome::Null => panic!("a line is a row"),
    }
}

#[test]
fn values() {
    for (sql_type, value, expected) in [
        (SqlType::Boolean, "TRUE", Some("true")),
        (SqlType::Boolean, "yes", Some("false")),
        (SqlType::Integer, "+5", Some("5")),
        (SqlType::Integer, " 5", None),
        (SqlType::Integer, "5.0", None),
        (
            SqlType::Bigint,
            "-9223372036854775808",
            Some("-9223372036854775808"),
        ),
        (SqlType::Double, " 1e7 ", Some("1.0E7")),
        (SqlType::Double, "NaN", Some("NaN")),
        (SqlType::decimal(33, 16), ".12", Some("0.1200000000000000")),
        (
            SqlType::decimal(33, 16),
            "-12345.12",
            Some("-12345.1200000000000000"),
        ),
        (SqlType::decimal(10, 8), "1e-8", Some("0.00000001")),
        (SqlType::decimal(4, 1), "1.12", None),
        (SqlType::Bytes, "YQ==", Some("YQ==")),
        (SqlType::Bytes, "YQ", Some("YQ==")),
        (SqlType::Bytes, "!", None),
        (SqlType::Time, "86400000", Some("86400000")),
        (SqlType::Time, "86400001", None),
        (SqlType::Date, "-10", Some("-10")),
        (SqlType::Timestamp, "-10", Some("-10")),
        (SqlType::String, "a b", Some("a b")),
        (SqlType::String, "\"a\"\"b\"", Some("\"a\"\"b\"")),
        (SqlType::String, "\"\"", Some("")),
        (SqlType::String, "", Some("")),
        (SqlType::String, "a,b", None),
    ] {
        assert_eq!(
            second(&sql_type, value).as_deref(),
            expected,
            "{sql_type} {value:?}"
        );
    }
}

/// Writes rows of two STRING columns.
fn written(rows: &[[Option<&str>; 2]]) -> Vec<String> {
    let columns = columns(&[("A", SqlType::String), ("B", SqlType::String)]);
    let column = |i: usize| -> arrow::array::ArrayRef {
        let values: arrow::array::StringArray = rows.iter().map(|r| r[i]).collect();
        std::sync::Arc::new(values)
    };
    let mut out = EncodedColumn::default();
    encoder(&delimited(), Side::Value, &columns)
        .unwrap()
        .encode(&[column(0), column(1)], None, &mut out)
        .unwrap();
    (0..out.len())
        .map(|i| String::from_utf8(out.get(i).unwrap().to_vec()).unwrap())
        .collect()
}

#[test]
fn quoting() {
    for (a, b, expected) in [
        (Some("a"), Some("b"), "a,b"),
        (None, None, ","),
        (Some(""), Some(""), "\"\","),
        (Some("-5"), Some("-5"), "\"-5\",-5"),
        (Some("_a"), Some("_a"), "\"_a\",_a"),
        (Some("é"), Some("é"), "\"é\",é"),
        (Some("1"), Some("#"), "1,\"#\""),
        (Some("1"), Some("$"), "1,$"),
        (Some("1"), Some(" x"), "1,\" x\""),
        (Some("x "), Some("x "), "\"x \",\"x \""),
        (Some("a,b"), Some("a\"b"), "\"a,b\",\"a\"\"b\""),
        (Some("a\nb"), Some("a\rb"), "\"a\nb\",\"a\rb\""),
    ] {
        assert_eq!(written(&[[a, b]]), [expected]);
    }
}

#[test]
fn lines_and_fields() {
    let columns = columns(&[("A", SqlType::String), ("B", SqlType::String)]);
    for (payload, expected) in [
        ("a,b\nc,d", Some("a,b")),
        ("\n\na,b", Some("a,b")),
        ("a,b,", None),
        ("a", None),
        ("", None),
        ("\n", None),
        ("\"a,b", None),
        ("\"a\"x,b", None),
    ] {
        match convert_one(&delimited(), &delimited(), &columns, payload) {
            Outcome::Row(row) => assert_eq!(Some(row.as_str()), expected, "{payload:?}"),
            Outcome::Dropped(message) => {
                assert_eq!(expected, None, "{payload:?}");
                assert_eq!(
                    message.contains("No fields in record"),
                    payload.trim().is_empty()
                );
            }
            Outcome::Null => panic!("{payload:?}"),
        }
    }
}

#[test]
fn a_single_null_is_written_as_no_bytes_but_not_as_null() {
    let columns = columns(&[("A", SqlType::Integer)]);
    let mut decoder = decoder(&delimited(), Side::Value, &columns, &[0]).unwrap();
    assert_eq!(decoder.decode(None).unwrap(), Decoded::Null);
    let mut out = EncodedColumn::default();
    let mut encoder = encoder(&delimited(), Side::Value, &columns).unwrap();
    encoder.encode(&decoder.finish(), None, &mut out).unwrap();
    assert_eq!(out.get(0), Some(&b""[..]));
}

#[test]
fn kafka_layouts() {
    let kafka = format(FormatKind::Kafka, None);
    for (sql_type, bytes, fits) in [
        (SqlType::Integer, &[0, 0, 0, 7][..], true),
        (SqlType::Integer, &[0, 0, 0], false),
        (SqlType::Bigint, &[0xff; 8], true),
        (SqlType::Bigint, &[0; 4], false),
        (SqlType::Double, &1.5f64.to_be_bytes(), true),
        (SqlType::Double, &[], false),
        (SqlType::String, b"h\xc3\xa9", true),
        (SqlType::String, b"", true),
        (SqlType::Bytes, &[0xff, 0], true),
    ] {
        let columns = columns(&[("V", sql_type.clone())]);
        let mut decoder = decoder(&kafka, Side::Key, &columns, &[0]).unwrap();
        assert_eq!(
            decoder.decode(Some(bytes)).is_ok(),
            fits,
            "{sql_type} {bytes:?}"
        );
        assert_eq!(decoder.len(), usize::from(fits));
        if fits {
            assert_eq!(decoder.decode(None).unwrap(), Decoded::Null);
            let mut out = EncodedColumn::default();
            let mut encoder = encoder(&kafka, Side::Key, &columns).unwrap();
            encoder.encode(&decoder.finish(), None, &mut out).unwrap();
            assert_eq!((out.get(0), out.get(1)), (Some(bytes), None), "{sql_type}");
        }
    }
}

#[test]
fn nan_is_canonical_and_broken_text_is_replaced() {
    let kafka = format(FormatKind::Kafka, None);
    for (sql_type, bytes, expected) in [
        (
            SqlType::Double,
            &0x7ff8_dead_beef_0001u64.to_be_bytes()[..],
            &0x7ff8_0000_0000_0000u64.to_be_bytes()[..],
        ),
        (SqlType::String, b"a\xffb", "a\u{fffd}b".as_bytes()),
    ] {
        let columns = columns(&[("V", sql_type)]);
        let mut decoder = decoder(&kafka, Side::Value, &columns, &[0]).unwrap();
        decoder.decode(Some(bytes)).unwrap();
        let mut out = EncodedColumn::default();
        let mut encoder = encoder(&kafka, Side::Value, &columns).unwrap();
        encoder.encode(&decoder.finish(), None, &mut out).unwrap();
        assert_eq!(out.get(0), Some(expected));
    }
}

#[test]
fn none_ignores_bytes_and_writes_null() {
    let none = format(FormatKind::None, None);
    let mut decoder = decoder(&none, Side::Key, &[], &[]).unwrap();
    assert_eq!(decoder.decode(Some(b"anything")).unwrap(), Decoded::Row);
    assert_eq!(decoder.decode(None).unwrap(), Decoded::Null);
    assert_eq!(decoder.len(), 2);
    assert!(decoder.finish().is_empty());
    let mut out = EncodedColumn::default();
    let two_rows = vec![true, true].into();
    let mut encoder = encoder(&none, Side::Key, &[]).unwrap();
    encoder.encode(&[], Some(&two_rows), &mut out).unwrap();
    assert_eq!((out.len(), out.get(0), out.get(1)), (2, None, None));
}

proptest! {
    #[test]
    fn texts_read_back(a in "\\PC{0,6}|[,\"\r\n \t-]{0,6}", b in "\\PC{0,6}|[,\"\r\n \t-]{0,6}") {
        let line = written(&[[Some(&a), Some(&b)]]).remove(0);
        let columns = columns(&[("A", SqlType::String), ("B", SqlType::String)]);
        let mut decoder = decoder(&delimited(), Side::Value, &columns, &[0, 1]).unwrap();
        decoder.decode(Some(line.as_bytes())).unwrap();
        let arrays = decoder.finish();
        for (array, text) in arrays.iter().zip([&a, &b]) {
            let strings = arrow::array::AsArray::as_string::<i32>(array);
            let read = (!arrow::array::Array::is_null(strings, 0)).then(|| strings.value(0));
            prop_assert_eq!(read, Some(text.as_str()).filter(|t| !t.is_empty()));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let columns = columns(&[("A", SqlType::Double), ("B", SqlType::decimal(9, 2))]);
        let mut decoder = decoder(&delimited(), Side::Value, &columns, &[0, 1]).unwrap();
        let rows = usize::from(decoder.decode(Some(&bytes)).is_ok());
        prop_assert!(decoder.finish().iter().all(|a| a.len() == rows));
    }
}
