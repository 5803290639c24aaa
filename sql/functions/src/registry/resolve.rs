//! Choosing a variant for given argument types (spec/sql.md §6, "Function resolution").
//!
//! ```text
//!  args ─► variants that take the exact types ──none──► variants after implicit casts ──none──► error
//!                 │ one, or one better than all others            │
//!                 └──────────────► bindings of type variables ◄───┘      otherwise: ambiguous
//! ```
//!
//! Better means: not variadic; else more parameters before the repeated one; else fewer type
//! variables.

use std::cmp::Reverse;
use std::sync::Arc;

use datafusion::logical_expr::{Expr, ScalarUDF};
use datafusion::scalar::ScalarValue;
use weir_types::{SqlType, StructField};

use super::definition::{
    AggregateCall, AggregateFunction, CollectLimits, Function, Param, Returns, Type,
};
use super::udf::Udf;
use crate::aggregate::Aggregate;
use crate::api::{ArgType, FunctionError, FunctionKind, ResolvedLambda, ScalarCall};
use crate::lambda::Lambda;
use crate::operators::implicit_cast;

/// Types that type variables stand for in one call.
#[derive(Debug, Default, Clone)]
struct Bindings(Vec<(&'static str, SqlType)>);

impl Bindings {
    fn get(&self, name: &str) -> Option<&SqlType> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, bound)| bound)
    }

    /// Binds `name` to `sql_type`; false if it stands for another type already.
    fn bind(&mut self, name: &'static str, sql_type: &SqlType) -> bool {
        match self.get(name) {
            Some(bound) => bound == sql_type,
            None => {
                self.0.push((name, sql_type.clone()));
                true
            }
        }
    }

    /// The same bindings, with STRING for the variables of `declared` that are not bound.
    fn with_strings(&self, declared: Type) -> Self {
        let mut all = self.clone();
        let mut parts = vec![declared];
        while let Some(part) = parts.pop() {
            match part {
                Type::Var(name) if all.get(name).is_none() => {
                    all.bind(name, &SqlType::String);
                }
                Type::Array(item) => parts.push(*item),
                Type::Map(key, value) => parts.extend([*key, *value]),
                Type::Struct(fields) => parts.extend(fields.iter().map(|(_, field)| *field)),
                _ => {}
            }
        }
        all
    }

    /// The SQL type that `declared` is; `None` while a variable in it is not bound. A DECIMAL is
    /// as `decimal` says.
    fn apply(&self, declared: Type, decimal: &SqlType) -> Option<SqlType> {
        Some(match declared {
            Type::Boolean => SqlType::Boolean,
            Type::Integer => SqlType::Integer,
            Type::Bigint => SqlType::Bigint,
            Type::Double => SqlType::Double,
            Type::Decimal => decimal.clone(),
            Type::String | Type::Unit => SqlType::String,
            Type::Bytes => SqlType::Bytes,
            Type::Date => SqlType::Date,
            Type::Time => SqlType::Time,
            Type::Timestamp => SqlType::Timestamp,
            Type::Var(name) => self.get(name)?.clone(),
            Type::Array(item) => SqlType::array(self.apply(*item, decimal)?),
            Type::Map(key, value) => {
                SqlType::map(self.apply(*key, decimal)?, self.apply(*value, decimal)?)
            }
            Type::Struct(fields) => SqlType::Struct(
                fields
                    .iter()
                    .map(|(name, field)| {
                        Some(StructField::new(*name, self.apply(*field, decimal)?))
                    })
                    .collect::<Option<_>>()?,
            ),
            Type::Any | Type::Lambda(..) => return None,
        })
    }
}

impl Type {
    /// Whether a type variable occurs in it.
    fn is_generic(&self) -> bool {
        match self {
            Self::Var(_) => true,
            Self::Array(item) => item.is_generic(),
            Self::Map(key, value) => key.is_generic() || value.is_generic(),
            Self::Struct(fields) => fields.iter().any(|(_, field)| field.is_generic()),
            Self::Lambda(params, result) => {
                result.is_generic() || params.iter().any(Self::is_generic)
            }
            _ => false,
        }
    }

    /// Whether a value of exactly `sql_type` is of this type; binds variables.
    fn matches(&self, sql_type: &SqlType, bindings: &mut Bindings) -> bool {
        match (self, sql_type) {
            (Self::Boolean, SqlType::Boolean)
            | (Self::Integer, SqlType::Integer)
            | (Self::Bigint, SqlType::Bigint)
            | (Self::Double, SqlType::Double)
            | (Self::Decimal, SqlType::Decimal { .. })
            | (Self::String, SqlType::String)
            | (Self::Bytes, SqlType::Bytes)
            | (Self::Date, SqlType::Date)
            | (Self::Time, SqlType::Time)
            | (Self::Timestamp, SqlType::Timestamp)
            | (Self::Any, _) => true,
            (Self::Var(name), _) => bindings.bind(name, sql_type),
            (Self::Array(item), SqlType::Array(actual)) => item.matches(actual, bindings),
            (Self::Map(key, value), SqlType::Map(k, v)) => {
                key.matches(k, bindings) && value.matches(v, bindings)
            }
            (Self::Struct(fields), SqlType::Struct(actual)) => {
                fields.len() == actual.len()
                    && fields.iter().zip(actual).all(|((name, field), a)| {
                        *name == a.name && field.matches(&a.sql_type, bindings)
                    })
            }
            _ => false,
        }
    }

    /// Whether an argument can be passed for a parameter of this type.
    fn accepts(&self, arg: &ArgType, casts: bool, bindings: &mut Bindings) -> bool {
        match (self, arg) {
            (Self::Lambda(declared, _), ArgType::Lambda { params, .. }) => {
                declared.len() == *params
            }
            (Self::Unit, ArgType::Unit) => true,
            (Self::Lambda(..) | Self::Unit, _) | (_, ArgType::Lambda { .. } | ArgType::Unit) => {
                false
            }
            (_, ArgType::Null) => true,
            (_, ArgType::Sql(sql_type)) => {
                self.matches(sql_type, bindings)
                    || (casts
                        && !self.is_generic()
                        && bindings
                            .apply(*self, &exact_decimal(sql_type))
                            .is_some_and(|target| implicit_cast(sql_type, &target)))
            }
        }
    }
}

/// The parameter of each of `count` arguments; `None` if so many do not fit.
fn spread(params: &[Param], count: usize) -> Option<Vec<&Param>> {
    let Some(repeated) = params.iter().position(|param| param.variadic) else {
        return (params.len() == count).then(|| params.iter().collect());
    };
    let times = (count + 1).checked_sub(params.len())?;
    let (before, rest) = params.split_at(repeated);
    let (param, after) = rest.split_first()?;
    Some(
        before
            .iter()
            .chain(std::iter::repeat_n(param, times))
            .chain(after)
            .collect(),
    )
}

/// The index of the best of the variants with these parameters, and what it binds.
fn choose(
    name: &str,
    variants: &[&'static [Param]],
    args: &[ArgType],
) -> Result<(usize, Bindings), FunctionError> {
    for casts in [false, true] {
        let mut fitting: Vec<_> = variants
            .iter()
            .enumerate()
            .filter_map(|(index, params)| {
                let mut bindings = Bindings::default();
                let spread = spread(params, args.len())?;
                spread
                    .iter()
                    .zip(args)
                    .all(|(param, arg)| param.param_type.accepts(arg, casts, &mut bindings))
                    .then_some((rank(params), index, bindings))
            })
            .collect();
        fitting.sort_by_key(|(rank, ..)| Reverse(*rank));
        let mut fitting = fitting.into_iter();
        if let Some((best, index, bindings)) = fitting.next() {
            return match fitting.next() {
                Some((second, ..)) if second == best => Err(ambiguous(name, args)),
                _ => Ok((index, bindings)),
            };
        }
    }
    Err(unsuitable(name, variants, args))
}

/// How good a fitting variant is.
fn rank(params: &[Param]) -> (bool, usize, Reverse<usize>) {
    let generics = params
        .iter()
        .filter(|param| param.param_type.is_generic())
        .count();
    match params.iter().position(|param| param.variadic) {
        Some(_) => (false, params.len(), Reverse(generics)),
        None => (true, 0, Reverse(generics)),
    }
}

fn list_args(args: &[ArgType]) -> String {
    let texts: Vec<String> = args
        .iter()
        .map(|arg| match arg {
            ArgType::Sql(sql_type) => sql_type.to_string(),
            ArgType::Null => "null".to_owned(),
            ArgType::Lambda { .. } => "LAMBDA".to_owned(),
            ArgType::Unit => "INTERVALUNIT".to_owned(),
        })
        .collect();
    texts.join(", ")
}

fn ambiguous(name: &str, args: &[ArgType]) -> FunctionError {
    FunctionError::Unsuitable(format!(
        "Function '{name}' cannot be resolved due to ambiguous method parameters ({}).\n\
         Use CAST() to explicitly cast your parameters to one of the supported function calls.",
        list_args(args)
    ))
}

fn unsuitable(name: &str, variants: &[&'static [Param]], args: &[ArgType]) -> FunctionError {
    let alternatives: Vec<String> = variants
        .iter()
        .map(|params| {
            let params: Vec<String> = params
                .iter()
                .map(|param| {
                    let dots = if param.variadic { "..." } else { "" };
                    format!("{}{dots} {}", param.param_type, param.name)
                })
                .collect();
            format!("{name}({})", params.join(", "))
        })
        .collect();
    FunctionError::Unsuitable(format!(
        "Function '{name}' does not accept parameters ({}).\nValid alternatives are:\n{}\n\
         For detailed information on a function run: DESCRIBE FUNCTION {name};",
        list_args(args),
        alternatives.join("\n")
    ))
}

/// The type that an argument of type `arg` is cast to for a parameter of type `declared`.
fn target(declared: Type, arg: &ArgType, bindings: &Bindings) -> SqlType {
    match arg {
        ArgType::Sql(sql_type) => {
            let decimal = exact_decimal(sql_type);
            let exact = match declared {
                Type::Any => None,
                _ if declared.matches(sql_type, &mut bindings.clone()) => None,
                _ => bindings.apply(declared, &decimal),
            };
            exact.unwrap_or_else(|| sql_type.clone())
        }
        // Where nothing tells the type of a NULL, any will do.
        _ => bindings
            .with_strings(declared)
            .apply(declared, &SqlType::decimal(1, 0))
            .unwrap_or(SqlType::String),
    }
}

/// The DECIMAL that holds every value of an exact number type; any for other types.
fn exact_decimal(sql_type: &SqlType) -> SqlType {
    sql_type
        .as_decimal()
        .map_or(SqlType::decimal(1, 0), |(p, s)| SqlType::decimal(p, s))
}

/// The first DECIMAL type in these types, at any depth.
fn first_decimal(types: &[SqlType]) -> Option<SqlType> {
    types.iter().find_map(|sql_type| match sql_type {
        SqlType::Decimal { .. } => Some(sql_type.clone()),
        SqlType::Array(item) => first_decimal(std::slice::from_ref(item)),
        SqlType::Map(key, value) => first_decimal(std::slice::from_ref(key))
            .or_else(|| first_decimal(std::slice::from_ref(value))),
        _ => None,
    })
}

/// Whether a bare NULL leaves the result's type open: it stands for a generic parameter (of a
/// repeated one, the first time) while the result is generic, or for an array of decimals, whose
/// precision the result has.
fn null_for_generic(
    spread: &[&Param],
    args: &[ArgType],
    param_count: usize,
    returns: Type,
) -> Option<usize> {
    let open = |param: &Param| match param.param_type {
        Type::Array(Type::Decimal) => true,
        other => returns.is_generic() && other.is_generic(),
    };
    spread
        .iter()
        .zip(args)
        .take(param_count)
        .position(|(param, arg)| *arg == ArgType::Null && open(param))
}

/// The types of each lambda's parameters.
pub(super) fn lambda_params(
    function: &Function,
    args: &[ArgType],
) -> Result<Vec<Vec<SqlType>>, FunctionError> {
    let variants: Vec<_> = function
        .variants
        .iter()
        .map(|variant| variant.params)
        .collect();
    let (index, bindings) = choose(function.name, &variants, args)?;
    let params = variants[index];
    null_check(
        function.name,
        params,
        args,
        function.variants[index].returns.shown(),
    )?;
    params
        .iter()
        .filter_map(|param| match param.param_type {
            Type::Lambda(declared, _) => Some(declared),
            _ => None,
        })
        .map(|declared| {
            declared
                .iter()
                .map(|param| {
                    bindings
                        .apply(*param, &SqlType::decimal(1, 0))
                        .ok_or_else(|| {
                            FunctionError::Unsuitable(format!(
                                "Cannot infer the types of the lambda parameters of function '{}'.",
                                function.name
                            ))
                        })
                })
                .collect()
        })
        .collect()
}

fn null_check(
    name: &str,
    params: &'static [Param],
    args: &[ArgType],
    returns: Type,
) -> Result<(), FunctionError> {
    let spread = spread(params, args.len()).unwrap_or_default();
    match null_for_generic(&spread, args, params.len(), returns) {
        Some(position) => Err(FunctionError::Unsuitable(format!(
            "Cannot infer the type of argument {} of function '{name}' from NULL: \
             use CAST(NULL AS <type>).",
            position + 1
        ))),
        None => Ok(()),
    }
}

/// Binds what the bodies of lambdas say, or refuses a body of the wrong type.
fn bind_bodies(
    name: &str,
    spread: &[&Param],
    args: &[ArgType],
    bindings: &mut Bindings,
) -> Result<(), FunctionError> {
    for (param, arg) in spread.iter().zip(args) {
        if let (
            Type::Lambda(_, declared),
            ArgType::Lambda {
                body: Some(body), ..
            },
        ) = (param.param_type, arg)
            && !declared.matches(body, bindings)
        {
            let expected = bindings
                .apply(*declared, &SqlType::decimal(1, 0))
                .map_or_else(|| declared.to_string(), |bound| bound.to_string());
            return Err(FunctionError::Unsuitable(format!(
                "Lambda '{}' of function '{name}' must give {expected}, but gives {body}. \
                 Cannot map {declared} to both.",
                param.name
            )));
        }
    }
    Ok(())
}

/// Resolves a scalar or table function.
pub(super) fn function(
    function: &Function,
    args: &[ArgType],
    lambdas: Vec<ResolvedLambda>,
) -> Result<ScalarCall, FunctionError> {
    let variants: Vec<_> = function
        .variants
        .iter()
        .map(|variant| variant.params)
        .collect();
    let (index, mut bindings) = choose(function.name, &variants, args)?;
    let variant = &function.variants[index];
    let spread = spread(variant.params, args.len()).unwrap_or_default();
    null_check(function.name, variant.params, args, variant.returns.shown())?;
    bind_bodies(function.name, &spread, args, &mut bindings)?;

    let arg_types: Vec<SqlType> = spread
        .iter()
        .zip(args)
        .filter(|(_, arg)| !matches!(arg, ArgType::Lambda { .. }))
        .map(|(param, arg)| target(param.param_type, arg, &bindings))
        .collect();
    let row_type = match variant.returns {
        Returns::Type(declared) => {
            let decimal = first_decimal(&arg_types).unwrap_or_else(|| SqlType::decimal(1, 0));
            bindings.apply(declared, &decimal).ok_or_else(|| {
                FunctionError::Unsuitable(format!(
                    "Cannot infer the result type of function '{}' for ({}).",
                    function.name,
                    list_args(args)
                ))
            })?
        }
        Returns::Computed(_, compute) => compute(&arg_types).map_err(FunctionError::Unsuitable)?,
    };
    let return_type = match function.kind {
        FunctionKind::Table => SqlType::array(row_type),
        _ => row_type,
    };

    let (lambdas, captures) = Lambda::resolve(lambdas);
    let kernel = variant.kernel;
    let udf = Udf::new(
        function.name,
        arg_types.clone(),
        return_type.clone(),
        kernel,
    )
    .tagged(index.to_string())
    .with_lambdas(lambdas)
    .deterministic(function.deterministic);
    Ok(ScalarCall {
        udf: Arc::new(ScalarUDF::new_from_impl(udf)),
        arg_types,
        captures: captures.into_iter().map(Expr::Column).collect(),
        return_type,
    })
}

/// Resolves an aggregate.
pub(super) fn aggregate(
    function: &AggregateFunction,
    args: &[ArgType],
    constants: &[Option<ScalarValue>],
    limits: CollectLimits,
) -> Result<Arc<dyn Aggregate>, FunctionError> {
    let variants: Vec<_> = function
        .variants
        .iter()
        .map(|variant| variant.params)
        .collect();
    let (index, bindings) = choose(function.name, &variants, args)?;
    let variant = &function.variants[index];
    null_check(function.name, variant.params, args, variant.returns)?;
    let spread = spread(variant.params, args.len()).unwrap_or_default();
    let columns = args.len().saturating_sub(variant.constants);
    let mut arg_types: Vec<SqlType> = spread
        .iter()
        .zip(args)
        .map(|(param, arg)| target(param.param_type, arg, &bindings))
        .collect();
    // Aggregates do not cast their arguments.
    let cast = |(arg, target): (&ArgType, &SqlType)| matches!(arg, ArgType::Sql(t) if t != target);
    if args.iter().zip(&arg_types).any(cast) {
        return Err(FunctionError::Unsuitable(format!(
            "Function '{}' does not accept parameters ({}).",
            function.name,
            list_args(args)
        )));
    }
    let mut values = Vec::with_capacity(variant.constants);
    for (position, target) in arg_types.iter().enumerate().skip(columns) {
        let value = constants.get(position).cloned().flatten().ok_or_else(|| {
            FunctionError::Unsuitable(format!(
                "Parameter {} passed to function {} must be a literal constant.",
                position + 1,
                function.name
            ))
        })?;
        let value = value.cast_to(&target.to_arrow()).map_err(|error| {
            FunctionError::Unsuitable(format!(
                "Parameter {} passed to function {} is not a {target}: {error}",
                position + 1,
                function.name
            ))
        })?;
        values.push(value);
    }
    arg_types.truncate(columns);
    (variant.build)(AggregateCall {
        name: function.name,
        arg_types,
        constants: values,
        limits,
    })
}
