#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{AsArray, Int32Array, StringArray};
use arrow::datatypes::Int64Type;

use super::*;
use crate::kernel::{Arg, Call};

const INT: SqlType = SqlType::Integer;
const I: ArgType = ArgType::Sql(SqlType::Integer);
const L: ArgType = ArgType::Sql(SqlType::Bigint);
const D: ArgType = ArgType::Sql(SqlType::Double);
const S: ArgType = ArgType::Sql(SqlType::String);

fn unused(call: &Call<'_>) -> datafusion::common::Result<arrow::array::ArrayRef> {
    call.to_values(|_| None)
}

fn length(call: &Call<'_>) -> datafusion::common::Result<arrow::array::ArrayRef> {
    let text = call.strings(0)?;
    call.to_bigints(|row| Some(text.get(row)?.len() as i64))
}

macro_rules! variant {
    ($($t:expr),* => $r:expr) => {
        Variant::new(&[$(Param::new("v", $t, "")),*], $r, unused)
    };
}

static TABLE: &[Function] = &[
    Function::scalar(
        "ABS",
        Category::Mathematical,
        "",
        &[
            variant!(Type::Decimal => Type::Decimal),
            variant!(Type::Double => Type::Double),
            variant!(Type::Integer => Type::Integer),
            variant!(Type::Bigint => Type::Bigint),
        ],
    ),
    Function::scalar("IFNULL", Category::Conditional, "", &[variant!(T, T => T)]),
    Function::scalar(
        "COALESCE",
        Category::Conditional,
        "",
        &[Variant::new(
            &[Param::new("first", T, ""), Param::variadic("others", T, "")],
            T,
            unused,
        )],
    ),
    Function::scalar(
        "CONTAINS",
        Category::Array,
        "",
        &[variant!(Type::Array(&T), T => Type::Boolean)],
    ),
    Function::scalar(
        "ID",
        Category::DateTime,
        "",
        &[variant!(Type::Date => Type::Date)],
    ),
    Function::scalar(
        "LEN",
        Category::String,
        "Length",
        &[Variant::new(
            &[Param::new("text", Type::String, "")],
            Type::Bigint,
            length,
        )],
    ),
    Function::scalar(
        "REDUCE",
        Category::Lambda,
        "",
        &[variant!(
            Type::Array(&T),
            Type::Var("S"),
            Type::Lambda(&[Type::Var("S"), T], &Type::Var("S")) => Type::Var("S")
        )],
    ),
    Function::table(
        "EXPLODE",
        "",
        &[
            variant!(Type::Array(&Type::Decimal) => Type::Decimal),
            variant!(Type::Array(&T) => T),
        ],
    ),
];

fn table() -> Registry {
    Registry::new(&[TABLE], &[])
}

/// The argument types and the result of a resolved call, or the first line of the error.
fn resolve(name: &str, args: &[ArgType]) -> Result<(Vec<SqlType>, SqlType), String> {
    let registry = table();
    let call = match registry.kind(name) {
        Some(FunctionKind::Table) => registry.resolve_table(name, args),
        _ => registry.resolve_scalar(name, args, Vec::new()),
    };
    call.map(|call| (call.arg_types, call.return_type))
        .map_err(|error| error.to_string().lines().next().unwrap().to_owned())
}

#[test]
fn chooses_a_variant() {
    let decimal = || SqlType::decimal(4, 2);
    let ints = || SqlType::array(INT);
    for (name, args, expected) in [
        ("abs", vec![I], (vec![INT], INT)),
        (
            "ABS",
            vec![ArgType::Sql(decimal())],
            (vec![decimal()], decimal()),
        ),
        (
            "IFNULL",
            vec![S, S],
            (vec![SqlType::String; 2], SqlType::String),
        ),
        ("COALESCE", vec![I], (vec![INT], INT)),
        ("COALESCE", vec![I, I, ArgType::Null], (vec![INT; 3], INT)),
        (
            "CONTAINS",
            vec![ArgType::Sql(ints()), ArgType::Null],
            (vec![ints(), INT], SqlType::Boolean),
        ),
        ("ID", vec![S], (vec![SqlType::Date], SqlType::Date)),
        (
            "EXPLODE",
            vec![ArgType::Sql(ints())],
            (vec![ints()], ints()),
        ),
        (
            "EXPLODE",
            vec![ArgType::Sql(SqlType::array(decimal()))],
            (vec![SqlType::array(decimal())], SqlType::array(decimal())),
        ),
    ] {
        assert_eq!(resolve(name, &args), Ok(expected), "{name} {args:?}");
    }
}

#[test]
fn says_why_there_is_none() {
    for (name, args, expected) in [
        (
            "NOPE",
            vec![],
            "Can't find any functions with the name 'NOPE'",
        ),
        (
            "ABS",
            vec![S],
            "Function 'ABS' does not accept parameters (STRING).",
        ),
        (
            "ABS",
            vec![ArgType::Null],
            "Function 'ABS' cannot be resolved due to ambiguous method parameters (null).",
        ),
        (
            "IFNULL",
            vec![I, L],
            "Function 'IFNULL' does not accept parameters (INTEGER, BIGINT).",
        ),
        (
            "IFNULL",
            vec![I, ArgType::Null],
            "Cannot infer the type of argument 2 of function 'IFNULL' from NULL: \
             use CAST(NULL AS <type>).",
        ),
        (
            "COALESCE",
            vec![I, ArgType::Null, I],
            "Cannot infer the type of argument 2 of function 'COALESCE' from NULL: \
             use CAST(NULL AS <type>).",
        ),
        (
            "COALESCE",
            vec![],
            "Function 'COALESCE' does not accept parameters ().",
        ),
        (
            "EXPLODE",
            vec![ArgType::Null],
            "Cannot infer the type of argument 1 of function 'EXPLODE' from NULL: \
             use CAST(NULL AS <type>).",
        ),
        (
            "EXPLODE",
            vec![I],
            "Function 'EXPLODE' does not accept parameters (INTEGER).",
        ),
    ] {
        assert_eq!(
            resolve(name, &args),
            Err(expected.to_owned()),
            "{name} {args:?}"
        );
    }
    let error = table()
        .resolve_scalar("LEN", &[D], Vec::new())
        .unwrap_err()
        .to_string();
    assert!(error.contains("LEN(VARCHAR text)"), "{error}");
}

#[test]
fn lambda_parameters_follow_the_other_arguments() {
    let args = [
        ArgType::Sql(SqlType::array(SqlType::Bigint)),
        S,
        ArgType::Lambda {
            params: 2,
            body: None,
        },
    ];
    assert_eq!(
        table().lambda_params("reduce", &args),
        Ok(vec![vec![SqlType::String, SqlType::Bigint]])
    );
    let wrong = [
        args[0].clone(),
        S,
        ArgType::Lambda {
            params: 2,
            body: Some(INT),
        },
    ];
    let error = table()
        .resolve_scalar("REDUCE", &wrong, Vec::new())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("must give STRING, but gives INTEGER"),
        "{error}"
    );
}

#[test]
fn calls_evaluate() {
    let call = table().resolve_scalar("LEN", &[S], Vec::new()).unwrap();
    let udf = call.udf.inner().downcast_ref::<Udf>().unwrap();
    let column = Arg {
        array: Arc::new(StringArray::from(vec![Some("ab"), None])),
        constant: false,
    };
    let lengths = udf.run(&[column], 2).unwrap();
    assert_eq!(
        lengths.array.as_primitive::<Int64Type>(),
        &[Some(2), None].into_iter().collect()
    );
    let wrong = Arg {
        array: Arc::new(Int32Array::from(vec![1])),
        constant: true,
    };
    assert!(udf.run(&[wrong], 1).is_err());
}

#[test]
fn near_names() {
    assert_eq!(table().similar_names("coalescee"), vec!["COALESCE"]);
    assert_eq!(
        table().list()[0],
        ("ABS", FunctionKind::Scalar, "MATHEMATICAL")
    );
}
