#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, col, lit};
use weir_types::SqlType::{self, Bigint, Boolean, Integer, String as Text};

use crate::api::{ArgType, ResolvedLambda};
use crate::compile::physical;
use crate::operators::{self, Arithmetic, Comparison};
use crate::registry::registry;
use crate::value::{Value, array_of};

fn lambda(params: &[(&str, SqlType)], body: Expr, body_type: SqlType) -> ResolvedLambda {
    let params = params
        .iter()
        .map(|(name, t)| ((*name).to_owned(), t.clone()))
        .collect();
    ResolvedLambda {
        params,
        body,
        body_type,
    }
}

/// `name(args, lambdas)` over a batch of columns `C` (the collection) and `I`.
fn run(
    name: &str,
    args: Vec<(SqlType, Expr)>,
    lambdas: Vec<ResolvedLambda>,
    rows: Vec<(Value, Value)>,
) -> Vec<Value> {
    let collection = args[0].0.clone();
    let mut types: Vec<ArgType> = args.iter().map(|(t, _)| ArgType::Sql(t.clone())).collect();
    for lambda in &lambdas {
        let body = Some(lambda.body_type.clone());
        types.push(ArgType::Lambda {
            params: lambda.params.len(),
            body,
        });
    }
    let call = registry().resolve_scalar(name, &types, lambdas).unwrap();
    let mut exprs: Vec<Expr> = args.into_iter().map(|(_, expr)| expr).collect();
    exprs.extend(call.captures.clone());
    let (c, i): (Vec<Value>, Vec<Value>) = rows.into_iter().unzip();
    let schema = Arc::new(Schema::new(vec![
        Field::new("C", collection.to_arrow(), true),
        Field::new("I", Integer.to_arrow(), true),
    ]));
    let columns = vec![
        array_of(&collection, &c).unwrap(),
        array_of(&Integer, &i).unwrap(),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let schema = DFSchema::try_from(schema).unwrap();
    let expr = physical(&call.udf.call(exprs), &schema).unwrap();
    let array = expr.evaluate(&batch).unwrap().into_array(c.len()).unwrap();
    assert_eq!(array.data_type(), &call.return_type.to_arrow());
    Value::all(&array).unwrap()
}

fn ints(values: &[Option<i32>]) -> Value {
    Value::Array(
        values
            .iter()
            .map(|v| v.map_or(Value::Null, Value::Integer))
            .collect(),
    )
}

fn c(name: &str) -> Expr {
    Expr::Column(datafusion::common::Column::new_unqualified(name))
}

fn add(l: &SqlType, left: Expr, r: &SqlType, right: Expr) -> Expr {
    operators::arithmetic(Arithmetic::Add, l, r)
        .unwrap()
        .udf
        .call(vec![left, right])
}

fn array_rows() -> Vec<(Value, Value)> {
    vec![
        (ints(&[Some(1), Some(2)]), Value::Integer(10)),
        (ints(&[]), Value::Integer(20)),
        (Value::Null, Value::Integer(30)),
        (ints(&[Some(3), None]), Value::Integer(40)),
        (ints(&[Some(4)]), Value::Null),
        (ints(&[Some(5)]), Value::Integer(50)),
    ]
}

#[test]
fn transform_captures_columns_and_fails_by_row() {
    let body = add(&Integer, c("X"), &Integer, c("I"));
    let lambda = lambda(&[("X", Integer)], body, Integer);
    let args = vec![(SqlType::array(Integer), col("\"C\""))];
    assert_eq!(
        run("TRANSFORM", args, vec![lambda], array_rows()),
        vec![
            ints(&[Some(11), Some(12)]),
            ints(&[]),
            Value::Null,
            Value::Null,
            Value::Null,
            ints(&[Some(55)]),
        ]
    );
}

#[test]
fn filter_compares_two_valued() {
    let greater = operators::comparison(Comparison::Gt, &Integer, &Integer).unwrap();
    let body = greater.udf.call(vec![c("X"), lit(1)]);
    let lambda = lambda(&[("X", Integer)], body, Boolean);
    let args = vec![(SqlType::array(Integer), col("\"C\""))];
    assert_eq!(
        run("FILTER", args, vec![lambda], array_rows()),
        vec![
            ints(&[Some(2)]),
            ints(&[]),
            Value::Null,
            ints(&[Some(3)]),
            ints(&[Some(4)]),
            ints(&[Some(5)]),
        ]
    );
}

#[test]
fn reduce_starts_from_the_initial_state() {
    let body = add(&Bigint, c("S"), &Integer, c("X"));
    let lambda = lambda(&[("S", Bigint), ("X", Integer)], body, Bigint);
    let args = vec![(SqlType::array(Integer), col("\"C\"")), (Bigint, lit(7i64))];
    assert_eq!(
        run("REDUCE", args, vec![lambda], array_rows()),
        [Some(10), Some(7), Some(7), None, Some(11), Some(12)]
            .map(|v| v.map_or(Value::Null, Value::Bigint))
            .to_vec()
    );
}

#[test]
fn transform_of_a_map_refuses_equal_keys_and_nulls() {
    let map_type = SqlType::map(Text, Integer);
    let map = |entries: &[(&str, Option<i32>)]| {
        Value::Map(
            entries
                .iter()
                .map(|(k, v)| {
                    (
                        Value::String((*k).into()),
                        v.map_or(Value::Null, Value::Integer),
                    )
                })
                .collect(),
        )
    };
    let params = [("K", Text), ("V", Integer)];
    let rows = || {
        vec![
            (map(&[("a", Some(1)), ("b", Some(2))]), Value::Null),
            (map(&[]), Value::Null),
            (map(&[("a", None)]), Value::Null),
        ]
    };
    let with_key = |key: Expr| {
        let lambdas = vec![lambda(&params, key, Text), lambda(&params, c("V"), Integer)];
        run(
            "TRANSFORM",
            vec![(map_type.clone(), col("\"C\""))],
            lambdas,
            rows(),
        )
    };
    assert_eq!(
        with_key(c("K")),
        vec![
            map(&[("a", Some(1)), ("b", Some(2))]),
            map(&[]),
            Value::Null
        ]
    );
    assert_eq!(
        with_key(lit("same")),
        vec![Value::Null, map(&[]), Value::Null]
    );
}
