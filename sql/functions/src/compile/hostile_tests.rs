//! Every function of the registry and every operator over random typed values, NULLs and extremes
//! among them: nothing panics, nothing fails as a whole, and the column has the rows and the type
//! that were promised.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, i256};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::scalar::ScalarValue;
use proptest::prelude::*;
use weir_types::{SqlType, StructField, row_errors};

use super::physical;
use crate::api::{ArgType, FunctionError, FunctionKind, ResolvedLambda, ScalarCall};
use crate::operators::{self, Arithmetic as A, Comparison as C};
use crate::registry::{Param, Type, registry};
use crate::value::{Value, array_of};

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.roll() % n as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

const INTS: [i32; 12] = [0, 1, -1, 2, 3, -2, 7, 100, 255, -100, i32::MIN, i32::MAX];
const LONGS: [i64; 12] = [
    0,
    1,
    -1,
    59,
    -86_400_001,
    1_583_020_800_000,
    951_782_400_000,
    -62_167_219_200_001,
    253_402_300_800_000,
    1 << 62,
    i64::MIN,
    i64::MAX,
];
const DOUBLES: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.5,
    2.5,
    1e-7,
    1e22,
    5e-324,
    f64::MAX,
    f64::MIN,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];
const TEXTS: [&str; 48] = [
    "",
    " ",
    "a",
    "abc",
    "ABC Def",
    "  x\t\n",
    "한글",
    "😀a😀",
    "\u{10F83D}x\u{10FE00}",
    "ß İ ﬁ",
    "\0",
    "é",
    ",",
    "a,b;c=d",
    "=",
    "1",
    "-1",
    "1.50",
    "1e400",
    "NaN",
    "true",
    "0x4142",
    "X'41'",
    "YWJj",
    "YQ=",
    "hex",
    "utf8",
    "ascii",
    "base64",
    "LITTLE_ENDIAN",
    "DESC",
    "MI",
    "UTC",
    "America/St_Johns",
    "+18:00",
    "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "[yyyy][GGGGG]ppppD B zzzz VV",
    "HH:mm",
    "2020-02-29T24:00:00.000Z",
    "2020-02-29",
    "12:34:56.789",
    "http://u@h:99999999999/p?a=%zz&b#f",
    "http://[::1]/%41?k=v&k",
    "{\"a\":[1,null,{\"b\":1e400}]}",
    "[1,\"\\ud83d\",[",
    "$.a[2][\"b\"]",
    "(a|b)*(?<n>c)?$",
    "$1\\${n}",
];

/// A type that a variable may stand for.
fn any_type(dice: &mut Dice, depth: usize) -> SqlType {
    let scalars = [
        SqlType::Boolean,
        SqlType::Integer,
        SqlType::Bigint,
        SqlType::Double,
        SqlType::String,
        SqlType::Bytes,
        SqlType::Date,
        SqlType::Time,
        SqlType::Timestamp,
    ];
    match dice.below(if depth == 0 { 10 } else { 13 }) {
        9 => decimal(dice),
        10 => SqlType::array(any_type(dice, depth - 1)),
        11 => SqlType::map(SqlType::String, any_type(dice, depth - 1)),
        12 => SqlType::Struct(vec![
            StructField::new("X", any_type(dice, depth - 1)),
            StructField::new("y z", any_type(dice, depth - 1)),
        ]),
        scalar => scalars[scalar].clone(),
    }
}

fn decimal(dice: &mut Dice) -> SqlType {
    let (precision, scale) = *dice.pick(&[(1, 0), (1, 1), (4, 2), (38, 10), (76, 0), (76, 76)]);
    SqlType::decimal(precision, scale)
}

fn value(dice: &mut Dice, sql_type: &SqlType) -> Value {
    if dice.below(6) == 0 {
        return Value::Null;
    }
    match sql_type {
        SqlType::Boolean => Value::Boolean(dice.below(2) == 0),
        SqlType::Integer => Value::Integer(*dice.pick(&INTS)),
        SqlType::Bigint => Value::Bigint(*dice.pick(&LONGS)),
        SqlType::Double => Value::Double(*dice.pick(&DOUBLES)),
        SqlType::Decimal { precision, scale } => {
            let greatest = i256::from_i128(10)
                .wrapping_pow(*precision)
                .wrapping_sub(i256::ONE);
            let small = i256::from_i128(i128::from(*dice.pick(&INTS)) % 10);
            let values = [greatest, greatest.wrapping_neg(), small];
            Value::Decimal(*dice.pick(&values), *scale)
        }
        SqlType::String => Value::String((*dice.pick(&TEXTS)).to_owned()),
        SqlType::Bytes => {
            let length = *dice.pick(&[0, 1, 2, 4, 8, 16]);
            Value::Bytes((0..length).map(|_| dice.roll() as u8 & 0x83).collect())
        }
        SqlType::Date => Value::Date(*dice.pick(&INTS)),
        // Only the milliseconds of a day get into a TIME, but kernels should bear any.
        SqlType::Time => Value::Time(*dice.pick(&INTS)),
        SqlType::Timestamp => Value::Timestamp(*dice.pick(&LONGS)),
        SqlType::Array(item) => {
            let length = dice.below(4);
            Value::Array((0..length).map(|_| value(dice, item)).collect())
        }
        SqlType::Map(_, item) => {
            let keys: BTreeSet<&str> = (0..dice.below(4)).map(|_| *dice.pick(&TEXTS)).collect();
            let entry = |key: &str| (Value::String(key.to_owned()), value(dice, item));
            Value::Map(keys.into_iter().map(entry).collect())
        }
        SqlType::Struct(fields) => Value::Struct(
            fields
                .iter()
                .map(|field| value(dice, &field.sql_type))
                .collect(),
        ),
    }
}

/// The type of a parameter, its variables bound as they come.
fn bind(
    dice: &mut Dice,
    wanted: &Type,
    bound: &mut BTreeMap<&'static str, SqlType>,
) -> Option<SqlType> {
    Some(match wanted {
        Type::Boolean => SqlType::Boolean,
        Type::Integer => SqlType::Integer,
        Type::Bigint => SqlType::Bigint,
        Type::Double => SqlType::Double,
        Type::Decimal => decimal(dice),
        Type::String => SqlType::String,
        Type::Bytes => SqlType::Bytes,
        Type::Date => SqlType::Date,
        Type::Time => SqlType::Time,
        Type::Timestamp => SqlType::Timestamp,
        Type::Var("K") => SqlType::String,
        Type::Var(name) => bound
            .entry(name)
            .or_insert_with(|| any_type(dice, 2))
            .clone(),
        Type::Any => any_type(dice, 2),
        Type::Array(item) => SqlType::array(bind(dice, item, bound)?),
        Type::Map(key, item) => SqlType::map(bind(dice, key, bound)?, bind(dice, item, bound)?),
        Type::Struct(fields) => SqlType::Struct(
            fields
                .iter()
                .map(|(name, field)| Some(StructField::new(*name, bind(dice, field, bound)?)))
                .collect::<Option<_>>()?,
        ),
        Type::Lambda(..) | Type::Unit => return None,
    })
}

/// A lambda for a parameter: `IS NULL` of its last parameter where a BOOLEAN is due, else the first
/// parameter, whose type the body's variable then stands for.
fn lambda(
    dice: &mut Dice,
    params: &'static [Type],
    body: &Type,
    bound: &mut BTreeMap<&'static str, SqlType>,
) -> ResolvedLambda {
    let params: Vec<(String, SqlType)> = params
        .iter()
        .enumerate()
        .map(|(i, param)| (format!("p{i}"), bind(dice, param, bound).unwrap()))
        .collect();
    let (body, body_type) = if *body == Type::Boolean {
        let (name, sql_type) = params.last().unwrap();
        let is_null = operators::is_null(dice.below(2) == 0, sql_type);
        (is_null.udf.call(vec![col(name)]), SqlType::Boolean)
    } else {
        let (name, sql_type) = &params[0];
        (col(name), sql_type.clone())
    };
    ResolvedLambda {
        params,
        body,
        body_type,
    }
}

/// Evaluates a call over columns and literals of random values.
fn evaluate(dice: &mut Dice, what: &str, call: &ScalarCall) {
    let rows = *dice.pick(&[0, 1, 5]);
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut args = Vec::new();
    for (i, sql_type) in call.arg_types.iter().enumerate() {
        let constant = dice.below(3) == 0;
        let count = if constant { 1 } else { rows };
        let values: Vec<Value> = (0..count).map(|_| value(dice, sql_type)).collect();
        let column = array_of(sql_type, &values).unwrap();
        if constant {
            args.push(lit(ScalarValue::try_from_array(&column, 0).unwrap()));
        } else {
            let name = format!("c{i}");
            fields.push(Field::new(&name, sql_type.to_arrow(), true));
            columns.push(column);
            args.push(col(&name));
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options).unwrap();
    let df = DFSchema::try_from(schema).unwrap();
    let expr: Expr = call.udf.call(args);
    let shown = || format!("{what}: {expr} over {batch:?}");
    let (result, _) = row_errors::capture(|| physical(&expr, &df)?.evaluate(&batch));
    let result = result.unwrap_or_else(|error| panic!("{}: {error}", shown()));
    let array = result.into_array(rows).unwrap();
    assert_eq!(array.len(), rows, "{}", shown());
    assert_eq!(
        array.data_type(),
        &call.return_type.to_arrow(),
        "{}",
        shown()
    );
}

/// Calls each variant of each function once; the names of those that took the arguments.
fn call_functions(dice: &mut Dice) -> BTreeSet<&'static str> {
    let mut called = BTreeSet::new();
    for function in registry().functions() {
        for variant in function.variants {
            let mut bound = BTreeMap::new();
            let (mut args, mut lambdas) = (Vec::new(), Vec::new());
            let mut units = Vec::new();
            let all: Vec<&Param> = variant
                .params
                .iter()
                .flat_map(|param| {
                    let times = if param.variadic { dice.below(4) } else { 1 };
                    std::iter::repeat_n(param, times)
                })
                .collect();
            for param in all {
                match &param.param_type {
                    Type::Lambda(params, body) => {
                        let made = lambda(dice, params, body, &mut bound);
                        if let Type::Var(name) = body {
                            bound.insert(name, made.body_type.clone());
                        }
                        args.push(ArgType::Lambda {
                            params: made.params.len(),
                            body: Some(made.body_type.clone()),
                        });
                        lambdas.push(made);
                    }
                    Type::Unit => {
                        units.push(args.len());
                        args.push(ArgType::Unit);
                    }
                    other => args.push(ArgType::Sql(bind(dice, other, &mut bound).unwrap())),
                }
            }
            let resolved = match function.kind {
                FunctionKind::Table => registry().resolve_table(function.name, &args),
                _ => registry().resolve_scalar(function.name, &args, lambdas),
            };
            // Some types that a variable may stand for are refused.
            if let Ok(call) = resolved {
                called.insert(function.name);
                evaluate(dice, function.name, &call);
            }
        }
    }
    called
}

const ARITHMETIC: [A; 5] = [A::Add, A::Subtract, A::Multiply, A::Divide, A::Modulo];
const COMPARISON: [C; 8] = [
    C::Eq,
    C::NotEq,
    C::Lt,
    C::LtEq,
    C::Gt,
    C::GtEq,
    C::IsDistinctFrom,
    C::IsNotDistinctFrom,
];

/// Applies every operator to random types.
fn call_operators(dice: &mut Dice) {
    let (left, right) = (any_type(dice, 2), any_type(dice, 2));
    let mut run = |what: String, call: Result<ScalarCall, FunctionError>| {
        if let Ok(call) = call {
            evaluate(dice, &what, &call);
        }
    };
    for (l, r) in [(&left, &right), (&left, &left), (&right, &left)] {
        for op in ARITHMETIC {
            run(format!("{op:?} {l} {r}"), operators::arithmetic(op, l, r));
        }
        for op in COMPARISON {
            run(format!("{op:?} {l} {r}"), operators::comparison(op, l, r));
        }
        run(format!("concat {l} {r}"), operators::concat(l, r));
        run(format!("{l} at {r}"), operators::subscript(l, r));
        run(format!("cast {l} to {r}"), operators::cast(l, r));
        if let Some(call) = operators::coerce(l, r) {
            run(format!("coerce {l} to {r}"), Ok(call));
        }
    }
    for (from, to) in [
        (SqlType::String, &left),
        (SqlType::Double, &left),
        (left.clone(), &SqlType::String),
    ] {
        run(format!("cast {from} to {to}"), operators::cast(&from, to));
    }
    run(format!("- {left}"), operators::negate(&left));
    run("field".to_owned(), operators::field(&left, "X"));
    for call in [
        operators::in_list(&left, 3),
        operators::array(&left, 2),
        operators::map(&SqlType::String, &left, 2),
        operators::struct_(&[
            StructField::new("A", left.clone()),
            StructField::new("B", right.clone()),
        ]),
        operators::like(None),
        operators::like(Some('\\')),
        operators::and(),
        operators::or(),
        operators::not(),
        operators::is_null(false, &left),
        operators::case(2, true, &left),
        operators::case(1, false, &left),
    ] {
        run(format!("{} of {left}", call.udf.name()), Ok(call));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn functions_bear_any_value(seed in any::<u64>()) {
        call_functions(&mut Dice(seed));
    }

    #[test]
    fn operators_bear_any_value(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        for _ in 0..20 {
            call_operators(&mut dice);
        }
    }
}

#[test]
fn no_function_is_left_out() {
    let mut called = BTreeSet::new();
    let mut dice = Dice(1);
    for _ in 0..20 {
        called.extend(call_functions(&mut dice));
    }
    let missing: Vec<_> = registry()
        .functions()
        .map(|function| function.name)
        .filter(|name| !called.contains(name))
        .collect();
    assert!(missing.is_empty(), "never called: {missing:?}");
}
