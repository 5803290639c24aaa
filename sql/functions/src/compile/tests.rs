#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, i256};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::scalar::ScalarValue;
use weir_types::{SqlType, row_errors};

use super::physical;
use crate::api::ScalarCall;
use crate::operators::{self, Arithmetic as A, Comparison as C};
use crate::value::{Value, array_of};

use SqlType::{Bigint, Boolean, Double, Integer, String as Text};

fn batch(columns: Vec<(&str, SqlType, Vec<Value>)>) -> (RecordBatch, DFSchema) {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, t, _)| Field::new(*name, t.to_arrow(), true))
        .collect();
    let arrays: Vec<ArrayRef> = columns
        .iter()
        .map(|(_, t, values)| array_of(t, values).unwrap())
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let df = DFSchema::try_from(Arc::clone(&schema)).unwrap();
    (RecordBatch::try_new(schema, arrays).unwrap(), df)
}

fn call(call: ScalarCall, args: Vec<Expr>) -> Expr {
    call.udf.call(args)
}

/// The values of `expr`, and the number of reports.
fn run(expr: &Expr, (batch, schema): &(RecordBatch, DFSchema)) -> (Vec<Value>, usize) {
    let physical = physical(expr, schema).unwrap();
    let (value, errors) = row_errors::capture(|| physical.evaluate(batch).unwrap());
    let array = value.into_array(batch.num_rows()).unwrap();
    (Value::all(&array).unwrap(), errors.total)
}

fn int(v: i32) -> Value {
    Value::Integer(v)
}

fn bools(values: &[Option<bool>]) -> Vec<Value> {
    values
        .iter()
        .map(|v| v.map_or(Value::Null, Value::Boolean))
        .collect()
}

fn compare(op: C, l: (&SqlType, Expr), r: (&SqlType, Expr)) -> Expr {
    call(operators::comparison(op, l.0, r.0).unwrap(), vec![l.1, r.1])
}

fn divide(l: Expr, r: Expr) -> Expr {
    call(
        operators::arithmetic(A::Divide, &Integer, &Integer).unwrap(),
        vec![l, r],
    )
}

#[test]
fn a_failed_row_is_null_in_every_operator_around_it() {
    let input = batch(vec![(
        "i",
        Integer,
        vec![int(0), int(5), Value::Null, int(20)],
    )]);
    let quotient = divide(lit(10), col("i"));
    let greater = compare(C::Gt, (&Integer, quotient.clone()), (&Integer, lit(1)));
    let (values, reports) = run(&greater, &input);
    assert_eq!(values, bools(&[None, Some(true), None, Some(false)]));
    assert_eq!(reports, 1, "arithmetic on NULL is silent");

    let case = operators::case(1, true, &Text);
    let expr = call(case, vec![greater.clone(), lit("a"), lit("b")]);
    let text = |t: &str| Value::String(t.into());
    assert_eq!(
        run(&expr, &input).0,
        vec![Value::Null, text("a"), Value::Null, text("b")]
    );

    let expr = call(operators::is_null(false, &Integer), vec![quotient.clone()]);
    assert_eq!(
        run(&expr, &input).0,
        bools(&[None, Some(false), None, Some(false)])
    );

    // An element of a constructor ends the failure.
    let expr = call(operators::array(&Integer, 1), vec![quotient]);
    assert_eq!(run(&expr, &input).0[0], Value::Array(vec![Value::Null]));
}

#[test]
fn arguments_are_lazy() {
    let input = batch(vec![("i", Integer, vec![int(0), int(5), Value::Null])]);
    let is_zero = compare(C::Eq, (&Integer, col("i")), (&Integer, lit(0)));
    let quotient = divide(lit(10), col("i"));
    let expr = call(
        operators::case(1, true, &Integer),
        vec![is_zero.clone(), lit(0), quotient.clone()],
    );
    assert_eq!(run(&expr, &input), (vec![int(0), int(2), Value::Null], 0));

    let large = compare(C::Gt, (&Integer, quotient), (&Integer, lit(1)));
    let expr = call(operators::or(), vec![is_zero.clone(), large.clone()]);
    assert_eq!(
        run(&expr, &input),
        (bools(&[Some(true), Some(true), None]), 0)
    );
    let expr = call(operators::and(), vec![is_zero, large]);
    assert_eq!(
        run(&expr, &input),
        (bools(&[None, Some(false), Some(false)]), 1)
    );
}

#[test]
fn null_conditions_are_errors_where_reached() {
    let t = Value::Boolean(true);
    let f = Value::Boolean(false);
    let input = batch(vec![
        (
            "l",
            Boolean,
            vec![t.clone(), f.clone(), Value::Null, t.clone()],
        ),
        ("r", Boolean, vec![Value::Null, Value::Null, t.clone(), f]),
    ]);
    let expr = call(operators::and(), vec![col("l"), col("r")]);
    assert_eq!(
        run(&expr, &input),
        (bools(&[None, Some(false), None, Some(false)]), 2)
    );
    let expr = call(operators::or(), vec![col("l"), col("r")]);
    assert_eq!(
        run(&expr, &input),
        (bools(&[Some(true), None, None, Some(true)]), 2)
    );
    let expr = call(operators::not(), vec![col("r")]);
    assert_eq!(
        run(&expr, &input),
        (bools(&[None, None, Some(false), Some(true)]), 2)
    );
}

#[test]
fn comparison_is_two_valued() {
    let null = Value::Null;
    let input = batch(vec![
        (
            "i",
            Integer,
            vec![int(1), int(2), null.clone(), null.clone()],
        ),
        (
            "l",
            Bigint,
            vec![Value::Bigint(1), null.clone(), Value::Bigint(3), null],
        ),
    ]);
    for (op, expected) in [
        (C::Eq, [true, false, false, false]),
        (C::NotEq, [false, false, false, false]),
        (C::GtEq, [true, false, false, false]),
        (C::IsDistinctFrom, [false, true, true, false]),
        (C::IsNotDistinctFrom, [true, false, false, true]),
    ] {
        let expr = compare(op, (&Integer, col("i")), (&Bigint, col("l")));
        assert_eq!(
            run(&expr, &input),
            (bools(&expected.map(Some)), 0),
            "{op:?}"
        );
    }
}

#[test]
fn doubles_compare_with_decimals_by_their_text() {
    let decimal = SqlType::decimal(4, 2);
    let input = batch(vec![
        (
            "n",
            decimal.clone(),
            vec![Value::Decimal(i256::from_i128(10), 2); 2],
        ),
        (
            "d",
            Double,
            vec![Value::Double(0.1), Value::Double(f64::NAN)],
        ),
    ]);
    let expr = compare(C::Eq, (&decimal, col("n")), (&Double, col("d")));
    assert_eq!(run(&expr, &input), (bools(&[Some(true), None]), 1));
    let expr = compare(C::NotEq, (&Double, col("d")), (&Double, col("d")));
    assert_eq!(run(&expr, &input).0, bools(&[Some(false), Some(false)]));
}

#[test]
fn times_compare_with_texts() {
    let input = batch(vec![(
        "d",
        SqlType::Date,
        vec![Value::Date(1), Value::Null],
    )]);
    let with = |op, text: &str| {
        let expr = compare(op, (&SqlType::Date, col("d")), (&Text, lit(text)));
        run(&expr, &input)
    };
    assert_eq!(
        with(C::Eq, "1970-01-02"),
        (bools(&[Some(true), Some(false)]), 0)
    );
    assert_eq!(with(C::Gt, "1970"), (bools(&[Some(true), Some(false)]), 0));
    assert_eq!(with(C::Eq, "x"), (bools(&[None, Some(false)]), 1));
}

#[test]
fn refused_pairs() {
    let map = SqlType::map(Text, Integer);
    for (op, left, right) in [
        (C::Lt, Boolean, Boolean),
        (C::Eq, Bigint, Text),
        (C::Eq, Text, SqlType::Bytes),
        (C::Lt, map.clone(), map.clone()),
        (C::Eq, SqlType::Date, SqlType::Time),
        (C::IsDistinctFrom, Text, map),
    ] {
        let error = operators::comparison(op, &left, &right)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!("Cannot compare {left} to {right} with {}.", op.name())
        );
    }
}

#[test]
fn arithmetic_types_and_values() {
    let decimal = |p, s| SqlType::decimal(p, s);
    let d = |v: i128, s| Value::Decimal(i256::from_i128(v), s);
    for (op, left, right, result, l, r, expected) in [
        (
            A::Add,
            Integer,
            Integer,
            Integer,
            int(i32::MAX),
            int(1),
            int(i32::MIN),
        ),
        (
            A::Divide,
            Integer,
            Integer,
            Integer,
            int(-7),
            int(2),
            int(-3),
        ),
        (
            A::Modulo,
            Integer,
            Integer,
            Integer,
            int(-7),
            int(3),
            int(-1),
        ),
        (
            A::Divide,
            Integer,
            Integer,
            Integer,
            int(1),
            int(0),
            Value::Null,
        ),
        (
            A::Divide,
            Integer,
            Integer,
            Integer,
            int(i32::MIN),
            int(-1),
            int(i32::MIN),
        ),
        (
            A::Multiply,
            Integer,
            Bigint,
            Bigint,
            int(2),
            Value::Bigint(3),
            Value::Bigint(6),
        ),
        (
            A::Divide,
            Double,
            Integer,
            Double,
            Value::Double(1.0),
            int(0),
            Value::Double(f64::INFINITY),
        ),
        (
            A::Add,
            decimal(10, 2),
            decimal(10, 2),
            decimal(11, 2),
            d(100, 2),
            d(-250, 2),
            d(-150, 2),
        ),
        (
            A::Multiply,
            Bigint,
            decimal(5, 2),
            decimal(25, 2),
            Value::Bigint(7),
            d(-250, 2),
            d(-1750, 2),
        ),
        (
            A::Divide,
            decimal(10, 2),
            decimal(10, 2),
            decimal(23, 13),
            d(100, 2),
            d(250, 2),
            d(4_000_000_000_000, 13),
        ),
        (
            A::Divide,
            decimal(10, 2),
            decimal(10, 2),
            decimal(23, 13),
            d(100, 2),
            d(700, 2),
            Value::Null,
        ),
        (
            A::Modulo,
            decimal(10, 2),
            decimal(10, 2),
            decimal(10, 2),
            d(700, 2),
            d(90, 2),
            d(70, 2),
        ),
        (
            A::Modulo,
            Bigint,
            decimal(5, 2),
            decimal(5, 2),
            Value::Bigint(i64::MAX),
            d(99999, 2),
            Value::Null,
        ),
        (
            A::Modulo,
            Bigint,
            decimal(5, 2),
            decimal(5, 2),
            Value::Bigint(100_000),
            d(100, 2),
            d(0, 2),
        ),
        (
            A::Add,
            Text,
            Text,
            Text,
            Value::String("a".into()),
            Value::Null,
            Value::String("anull".into()),
        ),
    ] {
        let resolved = operators::arithmetic(op, &left, &right).unwrap();
        assert_eq!(resolved.return_type, result, "{left} {op:?} {right}");
        let name = format!("{l:?} {op:?} {r:?}");
        let input = batch(vec![("l", left, vec![l]), ("r", right, vec![r])]);
        assert_eq!(
            run(&call(resolved, vec![col("l"), col("r")]), &input).0,
            vec![expected],
            "{name}"
        );
    }
    for (left, right) in [
        (Integer, Text),
        (SqlType::Date, SqlType::Date),
        (Text, Boolean),
    ] {
        assert!(operators::arithmetic(A::Subtract, &left, &right).is_err());
    }
}

#[test]
fn access_and_construction() {
    let input = batch(vec![("i", Integer, vec![int(1), int(2), Value::Null])]);
    let ints = SqlType::array(Integer);
    let array = call(operators::array(&Integer, 2), vec![col("i"), lit(7)]);
    let at = |index: i32| {
        let subscript = operators::subscript(&ints, &Integer).unwrap();
        run(&call(subscript, vec![array.clone(), lit(index)]), &input).0
    };
    assert_eq!(at(1), vec![int(1), int(2), Value::Null]);
    assert_eq!(at(-1), vec![int(7); 3]);
    assert_eq!(at(0), vec![Value::Null; 3]);
    assert_eq!(at(3), vec![Value::Null; 3]);

    let map = call(operators::map(&Text, &Integer, 1), vec![lit("k"), col("i")]);
    let subscript = operators::subscript(&SqlType::map(Text, Integer), &Text).unwrap();
    let expr = call(subscript, vec![map, lit("k")]);
    assert_eq!(run(&expr, &input).0, vec![int(1), int(2), Value::Null]);

    let fields = [weir_types::StructField::new("F", Integer)];
    let built = call(operators::struct_(&fields), vec![col("i")]);
    let field = operators::field(&SqlType::Struct(fields.to_vec()), "F").unwrap();
    assert_eq!(
        run(&call(field, vec![built]), &input).0,
        vec![int(1), int(2), Value::Null]
    );
    assert!(operators::field(&SqlType::Struct(fields.to_vec()), "G").is_err());
    assert!(operators::subscript(&SqlType::Struct(fields.to_vec()), &Text).is_err());
}

#[test]
fn in_list_matches_no_null() {
    let zero = Value::Double(0.0);
    let input = batch(vec![(
        "d",
        Double,
        vec![zero, Value::Double(-0.0), Value::Null],
    )]);
    let expr = call(
        operators::in_list(&Double, 2),
        vec![col("d"), lit(0.0), lit(ScalarValue::Float64(None))],
    );
    assert_eq!(
        run(&expr, &input),
        (bools(&[Some(true), Some(false), Some(false)]), 0)
    );
}

#[test]
fn casts() {
    let s = |t: &str| Value::String(t.into());
    let d = |v: i128, s| Value::Decimal(i256::from_i128(v), s);
    for (from, to, value, expected) in [
        (Bigint, Integer, Value::Bigint(1 << 31), int(i32::MIN)),
        (Double, Integer, Value::Double(f64::NAN), int(0)),
        (Double, Bigint, Value::Double(1e30), Value::Bigint(i64::MAX)),
        (Double, SqlType::decimal(3, 1), Value::Double(0.05), d(1, 1)),
        (
            Double,
            SqlType::decimal(3, 1),
            Value::Double(f64::INFINITY),
            Value::Null,
        ),
        (SqlType::decimal(4, 2), Integer, d(-199, 2), int(-1)),
        (SqlType::decimal(4, 2), Text, d(150, 2), s("1.50")),
        (Integer, SqlType::decimal(3, 1), int(100), Value::Null),
        (Text, Integer, s(" 42 "), int(42)),
        (Text, Integer, s("1.0"), Value::Null),
        (Text, Boolean, s(" Ye "), Value::Boolean(true)),
        (Text, Boolean, s(""), Value::Boolean(false)),
        (Text, SqlType::Bytes, s("YQ=="), Value::Bytes(vec![97])),
        (Text, SqlType::Date, s("2020-02"), Value::Date(18293)),
        (
            SqlType::Date,
            SqlType::Timestamp,
            Value::Date(1),
            Value::Timestamp(86_400_000),
        ),
        (
            SqlType::Timestamp,
            SqlType::Time,
            Value::Timestamp(-1),
            Value::Time(86_399_999),
        ),
        (
            SqlType::array(Double),
            Text,
            Value::Array(vec![Value::Double(1e7), Value::Null]),
            s("[1.0E7, null]"),
        ),
        (
            SqlType::array(Text),
            SqlType::array(Integer),
            Value::Array(vec![s("1"), s("x")]),
            Value::Null,
        ),
    ] {
        let resolved = operators::cast(&from, &to).unwrap();
        let name = format!("{value:?} to {to}");
        let is_failure = expected.is_null();
        let input = batch(vec![("v", from, vec![value, Value::Null])]);
        let (values, reports) = run(&call(resolved, vec![col("v")]), &input);
        assert_eq!(values, vec![expected, Value::Null], "{name}");
        assert_eq!(reports, usize::from(is_failure), "{name}");
    }
    for (from, to) in [
        (SqlType::Bytes, Text),
        (Boolean, Integer),
        (Integer, SqlType::Timestamp),
        (SqlType::array(Integer), Integer),
        (SqlType::Time, SqlType::Date),
    ] {
        assert_eq!(
            operators::cast(&from, &to).unwrap_err().to_string(),
            format!("Cast of {from} to {to} is not supported.")
        );
    }
}
