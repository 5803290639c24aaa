//! The rules of spec/formats.md §1.9, one by one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use arrow::array::Array;
use proptest::prelude::*;
use support::{Outcome, columns, convert, convert_one, format};
use weir_formats::{Decoded, Side, decoder, encoder};
use weir_types::records::EncodedColumn;
use weir_types::{FormatKind, SqlType, StructField, ValueFormat};

fn json() -> ValueFormat {
    format(FormatKind::Json, None)
}

/// Reads `{"V":value}` into a column of `sql_type`; `None` if the record is dropped.
fn value(sql_type: &SqlType, value: &str) -> Option<String> {
    let columns = columns(&[("V", sql_type.clone())]);
    match convert_one(&json(), &json(), &columns, &format!("{{\"V\":{value}}}")) {
        Outcome::Row(row) => Some(
            row.strip_prefix("{\"V\":")
                .unwrap()
                .strip_suffix('}')
                .unwrap()
                .to_owned(),
        ),
        Outcome::Dropped(_) => None,
        Outcome::Null => panic!("an object is a row"),
    }
}

fn check(sql_type: SqlType, cases: &[(&str, Option<&str>)]) {
    for (input, expected) in cases {
        assert_eq!(
            value(&sql_type, input).as_deref(),
            *expected,
            "{sql_type} from {input}"
        );
    }
}

#[test]
fn boolean_takes_booleans_only() {
    check(
        SqlType::Boolean,
        &[
            ("true", Some("true")),
            ("false", Some("false")),
            ("null", Some("null")),
            ("\"true\"", None),
            ("1", None),
            ("[]", None),
        ],
    );
}

#[test]
fn integers_take_numbers_and_strict_strings() {
    check(
        SqlType::Integer,
        &[
            ("5", Some("5")),
            ("\"5\"", Some("5")),
            ("\"+5\"", Some("5")),
            ("\"-5\"", Some("-5")),
            ("\"\\u0035\"", Some("5")),
            ("1.9", Some("1")),
            ("-1.9", Some("-1")),
            ("1e2", Some("100")),
            ("-0", Some("0")),
            ("2147483648", Some("-2147483648")),
            ("4294967297.5", Some("1")),
            ("\"2147483648\"", None),
            ("\"1.5\"", None),
            ("\" 7 \"", None),
            ("\"\"", None),
            ("\"x\"", None),
            ("true", None),
            ("[1]", None),
            ("{}", None),
            ("01", None),
        ],
    );
    check(
        SqlType::Bigint,
        &[
            ("9223372036854775807", Some("9223372036854775807")),
            ("9223372036854775808", Some("-9223372036854775808")),
            ("999999999999999999", Some("999999999999999999")),
            ("-1000000000000000000", Some("-1000000000000000000")),
            ("1e400", Some("0")),
            ("\"9223372036854775808\"", None),
        ],
    );
}

#[test]
fn double_takes_numbers_and_what_java_parses() {
    check(
        SqlType::Double,
        &[
            ("5", Some("5.0")),
            ("0.1", Some("0.1")),
            ("10000000", Some("1.0E7")),
            ("9007199254740993", Some("9.007199254740992E15")),
            ("1e400", Some("\"Infinity\"")),
            ("1e-400", Some("0.0")),
            ("-0.0", Some("0.0")),
            ("-0", Some("0.0")),
            ("\"-0.0\"", Some("-0.0")),
            ("\" 2 \"", Some("2.0")),
            ("\"1e3\"", Some("1000.0")),
            ("\"NaN\"", Some("\"NaN\"")),
            ("\"-Infinity\"", Some("\"-Infinity\"")),
            ("\"infinity\"", None),
            ("\"x\"", None),
            ("true", None),
            ("NaN", None),
            ("1e99999999999", None),
        ],
    );
}

#[test]
fn decimal_must_fit() {
    check(
        SqlType::decimal(6, 4),
        &[
            ("10", Some("10.0000")),
            ("\"10\"", Some("10.0000")),
            ("-0.5", Some("-0.5000")),
            ("1.00000", Some("1.0000")),
            ("1.00001", None),
            ("100", None),
            ("\" 1\"", None),
            ("\"\"", None),
            ("true", None),
        ],
    );
    check(
        SqlType::decimal(10, 8),
        &[("1e-8", Some("1E-8")), ("0", Some("0E-8"))],
    );
    check(
        SqlType::decimal(40, 0),
        &[(
            "1234567890123456789012345678901234567890",
            Some("1234567890123456789012345678901234567890"),
        )],
    );
}

#[test]
fn string_takes_everything() {
    check(
        SqlType::String,
        &[
            ("\"a\\n\"", Some("\"a\\n\"")),
            ("42.000", Some("\"42.000\"")),
            ("-0", Some("\"0\"")),
            ("1e2", Some("\"1E+2\"")),
            ("true", Some("\"true\"")),
            (
                "{ \"b\":1, \"a\":[2] }",
                Some("\"{\\\"b\\\":1,\\\"a\\\":[2]}\""),
            ),
            ("[1,\"x\",null]", Some("\"[1, x, null]\"")),
            ("\"\\ud83d\\ude00\"", Some("\"\\uD83D\\uDE00\"")),
            ("\"\\ud83d\"", Some("\"\\uD83D\"")),
            ("\"\u{1}\"", None),
            ("{\"a\":}", None),
        ],
    );
}

#[test]
fn bytes_are_padded_base64() {
    check(
        SqlType::Bytes,
        &[
            ("\"YQ==\"", Some("\"YQ==\"")),
            ("\"\"", Some("\"\"")),
            ("\"AP9/\"", Some("\"AP9/\"")),
            ("\"YQ\"", None),
            ("\"!!\"", None),
            ("5", None),
        ],
    );
}

#[test]
fn times_are_numbers() {
    check(
        SqlType::Time,
        &[
            ("0", Some("0")),
            ("\"86400000\"", Some("86400000")),
            ("86400001", None),
            ("-1", None),
        ],
    );
    check(
        SqlType::Date,
        &[
            ("-10", Some("-10")),
            ("\"5\"", Some("5")),
            ("\"1970-01-01\"", None),
        ],
    );
    check(
        SqlType::Timestamp,
        &[
            ("5", Some("5")),
            ("1.5", Some("1")),
            ("\"5\"", Some("5")),
            ("\"1970-01-01\"", None),
        ],
    );
}

#[test]
fn nested_values() {
    let inner = SqlType::Struct(vec![
        StructField::new("A", SqlType::Integer),
        StructField::new("b", SqlType::array(SqlType::Double)),
    ]);
    check(
        SqlType::array(inner),
        &[
            ("[]", Some("[]")),
            ("[null,{}]", Some("[null,{\"A\":null,\"b\":null}]")),
            (
                "[{\"a\":1,\"b\":[1,null]}]",
                Some("[{\"A\":1,\"b\":[1.0,null]}]"),
            ),
            ("[{\"A\":1,\"B\":[1]}]", Some("[{\"A\":1,\"b\":null}]")),
            ("{}", None),
            ("[{\"A\":\"x\"}]", None),
            ("[1]", None),
        ],
    );
    check(
        SqlType::map(SqlType::String, SqlType::Integer),
        &[
            ("{}", Some("{}")),
            ("{\"a\":1,\"b\":null}", Some("{\"a\":1,\"b\":null}")),
            ("{\"a\":1,\"b\":2,\"a\":3}", Some("{\"a\":3,\"b\":2}")),
            ("{\"a\":\"x\",\"\\u0061\":3}", Some("{\"a\":3}")),
            ("[]", None),
            ("{\"a\":true}", None),
        ],
    );
    let many: Vec<String> = (0..100).map(|i| format!("\"k{i}\":{i}")).collect();
    let many = format!("{{{}}}", many.join(","));
    check(
        SqlType::map(SqlType::String, SqlType::Integer),
        &[(&many, Some(&many))],
    );
}

#[test]
fn names() {
    let columns = columns(&[("FOO", SqlType::Integer), ("bar", SqlType::Integer)]);
    for (input, foo, bar) in [
        (r#"{"foo":1,"bar":2}"#, "1", "2"),
        (r#"{"Foo":1,"Bar":2}"#, "1", "null"),
        (r#"{"foo":1,"FOO":null}"#, "null", "null"),
        (r#"{"FOO":null,"foo":1}"#, "null", "null"),
        (r#"{"foo":1,"Foo":2}"#, "2", "null"),
        (r#"{"foo":true,"Foo":2}"#, "2", "null"),
        (r#"{"foo":true,"FOO":2,"fOO":false}"#, "2", "null"),
        (r#"{"bar":1,"x":{"FOO":7},"bar":3,"FOO":4}"#, "4", "3"),
        (r#"{"f\u006fo":1,"bar" : 2}"#, "1", "2"),
        (r#" { "FOO" : 1 , "bar" : 2 } "#, "1", "2"),
        (r#"{}"#, "null", "null"),
    ] {
        let expected = format!("{{\"FOO\":{foo},\"bar\":{bar}}}");
        let got = convert_one(&json(), &json(), &columns, input);
        assert_eq!(got, Outcome::Row(expected), "{input}");
    }
}

#[test]
fn learned_members_do_not_carry_over_wrongly() {
    let columns = columns(&[("A", SqlType::Integer), ("B", SqlType::Integer)]);
    let payloads = [
        r#"{"a":1,"x":9,"b":2}"#,
        r#"{"a":1,"x":9,"b":2}"#,
        r#"{"b":3,"a":4}"#,
        r#"{"x":1,"A":5}"#,
        r#"{"a":true}"#,
        r#"{"a":6,"x":{"a":7},"b":8}"#,
        r#"{"a":1"#,
        r#"{"a":9,"b":10}"#,
    ];
    let payloads: Vec<_> = payloads.iter().map(|p| Some(p.as_bytes())).collect();
    let rows: Vec<_> = convert(&json(), &json(), &columns, &payloads)
        .into_iter()
        .map(|o| match o {
            Outcome::Row(row) => row,
            other => format!("{other:?}").chars().take(7).collect(),
        })
        .collect();
    assert_eq!(
        rows,
        [
            r#"{"A":1,"B":2}"#,
            r#"{"A":1,"B":2}"#,
            r#"{"A":4,"B":3}"#,
            r#"{"A":5,"B":null}"#,
            "Dropped",
            r#"{"A":6,"B":8}"#,
            "Dropped",
            r#"{"A":9,"B":10}"#,
        ]
    );
}

#[test]
fn whole_payloads() {
    let columns = columns(&[("V", SqlType::Integer)]);
    for (payload, expected) in [
        ("null", None),
        (" null ", None),
        ("{\"V\":1}{\"V\":2}", Some(Decoded::Row)),
        ("{\"V\":1} garbage", Some(Decoded::Row)),
        ("\u{feff}{\"V\":1}", Some(Decoded::Row)),
        ("", None),
        (" ", None),
        ("[]", None),
        ("5", None),
        ("\"x\"", None),
        ("{\"V\":1,}", None),
        ("{'V':1}", None),
        ("{\"V\":1", None),
        ("{\"V\":01}", None),
        ("str", None),
    ] {
        let mut decoder = decoder(&json(), Side::Value, &columns, &[0]).unwrap();
        assert_eq!(
            decoder.decode(Some(payload.as_bytes())).ok(),
            expected,
            "{payload}"
        );
        assert_eq!(decoder.len(), usize::from(expected.is_some()));
    }
}

#[test]
fn unwrapped_values() {
    let bare = format(FormatKind::Json, Some(false));
    for (sql_type, payload, expected) in [
        (SqlType::Boolean, "true", Outcome::Row("true".into())),
        (SqlType::Integer, "5 x", Outcome::Row("5".into())),
        (SqlType::Integer, "null", Outcome::Row("<null>".into())),
        (SqlType::String, "", Outcome::Row("\"\"".into())),
        (SqlType::String, "\"a\"", Outcome::Row("\"a\"".into())),
        (
            SqlType::array(SqlType::String),
            "[1,2,3]",
            Outcome::Row("[\"1\",\"2\",\"3\"]".into()),
        ),
    ] {
        let columns = columns(&[("V", sql_type)]);
        assert_eq!(
            convert_one(&bare, &bare, &columns, payload),
            expected,
            "{payload}"
        );
    }
    let number = columns(&[("V", SqlType::Integer)]);
    for payload in ["", "5x", "{\"V\":5}"] {
        let outcome = convert_one(&bare, &bare, &number, payload);
        assert!(
            matches!(outcome, Outcome::Dropped(_)),
            "{payload}: {outcome:?}"
        );
    }
}

#[test]
fn a_null_of_an_unwrapped_column_is_absent_bytes() {
    let columns = columns(&[("V", SqlType::Integer)]);
    for (wrap, expected) in [(Some(false), None), (None, Some(&b"{\"V\":null}"[..]))] {
        let format = format(FormatKind::Json, wrap);
        let mut decoder = decoder(&format, Side::Value, &columns, &[0]).unwrap();
        decoder.decode(None).unwrap();
        let mut out = EncodedColumn::default();
        let mut encoder = encoder(&format, Side::Value, &columns).unwrap();
        encoder.encode(&decoder.finish(), None, &mut out).unwrap();
        assert_eq!(out.get(0), expected);
    }
}

#[test]
fn a_bare_null_is_no_key() {
    let columns = columns(&[("K", SqlType::Integer)]);
    let mut decoder = decoder(&json(), Side::Key, &columns, &[0]).unwrap();
    assert_eq!(decoder.decode(Some(b"null")).unwrap(), Decoded::Null);
    assert_eq!(decoder.finish()[0].null_count(), 1);
}

#[test]
fn a_single_key_column_is_bare_and_absent_rows_are_null() {
    let columns = columns(&[("K", SqlType::Integer)]);
    let mut decoder = decoder(&json(), Side::Key, &columns, &[0]).unwrap();
    decoder.decode(Some(b"7")).unwrap();
    decoder.decode(Some(b"8")).unwrap();
    let keys = decoder.finish();
    let mut out = EncodedColumn::default();
    let absent = vec![true, false].into();
    let mut encoder = encoder(&json(), Side::Key, &columns).unwrap();
    encoder.encode(&keys, Some(&absent), &mut out).unwrap();
    assert_eq!((out.get(0), out.get(1)), (Some(&b"7"[..]), None));
}

#[test]
fn errors_name_kind_type_and_path() {
    let columns = columns(&[(
        "V",
        SqlType::array(SqlType::map(
            SqlType::String,
            SqlType::Struct(vec![StructField::new("F", SqlType::Integer)]),
        )),
    )]);
    let mut decoder = decoder(&json(), Side::Value, &columns, &[0]).unwrap();
    let error = decoder
        .decode(Some(br#"{"v":[{},{"k":{"f":true}}]}"#))
        .unwrap_err();
    assert_eq!(
        error.causes,
        ["BooleanNode cannot be converted to INTEGER, path: $.V[1].k.value.F"]
    );
    assert!(error.message.contains("$.V[1].k.value.F"));
}

#[test]
fn columns_that_are_not_projected_are_still_checked() {
    let columns = columns(&[
        ("A", SqlType::Integer),
        ("S", SqlType::String),
        ("B", SqlType::Boolean),
        ("C", SqlType::Bigint),
    ]);
    let mut decoder = decoder(&json(), Side::Value, &columns, &[3]).unwrap();
    for (payload, fits) in [
        (r#"{"A":1,"S":{"x":1},"B":true,"C":1}"#, true),
        (r#"{"A":true,"C":2}"#, false),
        (r#"{"A":"x","C":2}"#, false),
        (r#"{"A":"5","C":2}"#, true),
        (r#"{"B":1,"C":2}"#, false),
        (r#"{"S":tru,"C":2}"#, false),
    ] {
        assert_eq!(
            decoder.decode(Some(payload.as_bytes())).is_ok(),
            fits,
            "{payload}"
        );
    }
    let arrays = decoder.finish();
    assert_eq!((arrays.len(), arrays[0].len()), (1, 2));
}

/// A type and the JSON texts of values of it, as the encoder writes them.
fn typed_value() -> impl Strategy<Value = (SqlType, String)> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|v| (SqlType::Boolean, v.to_string())),
        any::<i32>().prop_map(|v| (SqlType::Integer, v.to_string())),
        any::<i64>().prop_map(|v| (SqlType::Bigint, v.to_string())),
        any::<i64>().prop_map(|v| (SqlType::Timestamp, v.to_string())),
        any::<i32>().prop_map(|v| (SqlType::Date, v.to_string())),
        (0..=86_400_000i32).prop_map(|v| (SqlType::Time, v.to_string())),
        any::<f64>()
            .prop_filter("-0.0 is read as 0.0", |v| *v != 0.0)
            .prop_map(|v| {
                let text = weir_types::java::double_to_string(v);
                let text = if v.is_finite() {
                    text
                } else {
                    format!("\"{text}\"")
                };
                (SqlType::Double, text)
            }),
        any::<i32>().prop_map(|v| {
            let mut text = String::new();
            weir_types::java::write_decimal(&v.to_string(), 9, &mut text);
            (SqlType::decimal(10, 9), text)
        }),
        "\\PC*".prop_map(|v: String| {
            let plain: String = v
                .chars()
                .filter(|c| !"\"\\".contains(*c) && *c < '\u{10000}')
                .collect();
            (SqlType::String, format!("\"{plain}\""))
        }),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0usize..4).prop_map(|((t, v), n)| {
                (SqlType::array(t), format!("[{}]", vec![v; n].join(",")))
            }),
            (inner.clone(), 0usize..4).prop_map(|((t, v), n)| {
                let entries: Vec<_> = (0..n).map(|i| format!("\"k{i}\":{v}")).collect();
                (
                    SqlType::map(SqlType::String, t),
                    format!("{{{}}}", entries.join(",")),
                )
            }),
            prop::collection::vec(inner, 0..4).prop_map(|fields| {
                let types = fields
                    .iter()
                    .enumerate()
                    .map(|(i, (t, _))| StructField::new(format!("F{i}"), t.clone()))
                    .collect();
                let members: Vec<_> = fields
                    .iter()
                    .enumerate()
                    .map(|(i, (_, v))| format!("\"F{i}\":{v}"))
                    .collect();
                (SqlType::Struct(types), format!("{{{}}}", members.join(",")))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back((sql_type, text) in typed_value()) {
        prop_assert_eq!(value(&sql_type, &text), Some(text));
    }

    #[test]
    fn bad_records_leave_no_trace(
        (sql_type, text) in typed_value(),
        junk in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..4),
        cut in 0usize..200,
    ) {
        let columns = columns(&[("V", sql_type.clone()), ("W", sql_type)]);
        let good = format!("{{\"V\":{text},\"W\":{text}}}");
        let mut cut = cut.min(good.len() - 1);
        while !good.is_char_boundary(cut) {
            cut -= 1;
        }
        let mut decoder = decoder(&json(), Side::Value, &columns, &[0, 1]).unwrap();
        decoder.decode(Some(good.as_bytes())).unwrap();
        prop_assert!(decoder.decode(Some(&good.as_bytes()[..cut])).is_err());
        for bytes in &junk {
            let before = decoder.len();
            if decoder.decode(Some(bytes)).is_err() {
                prop_assert_eq!(decoder.len(), before);
            }
        }
        let before = decoder.len();
        decoder.decode(Some(good.as_bytes())).unwrap();
        let arrays = decoder.finish();
        prop_assert_eq!(arrays[0].len(), before + 1);
        prop_assert_eq!(&arrays[0].slice(0, 1), &arrays[0].slice(before, 1));
        prop_assert_eq!(&arrays[1].slice(0, 1), &arrays[0].slice(before, 1));
    }
}
