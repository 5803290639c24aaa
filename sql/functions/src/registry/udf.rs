//! The DataFusion function behind every call: functions, operators and casts alike.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use weir_types::own_scale::plain_column;
use weir_types::{SqlType, row_errors};

use crate::kernel::{Arg, Call, CallCache};
use crate::lambda::Lambda;

/// What a call runs.
pub type Body = Arc<dyn for<'a> Fn(&Call<'a>) -> Result<ArrayRef> + Send + Sync>;

/// Which arguments are computed only for the rows that need them. The lazy evaluation itself is
/// the business of [`crate::compile`]; the body computes the same from whole columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Laziness {
    /// The second argument where the first is TRUE.
    And,
    /// The second argument where the first is not TRUE.
    Or,
    /// Conditions and results in turn, an ELSE at the end: each where no earlier condition holds.
    Case,
}

/// What a NULL in the result means. A failed row makes the whole expression NULL, up to the next
/// function call around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NullMeans {
    /// A value like others.
    #[default]
    Value,
    /// The row failed.
    Failure,
    /// The row failed, unless an argument is NULL.
    FailureOfValues,
}

/// What becomes of a row in which an argument failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The result is NULL and the failure ends here: a function call.
    #[default]
    Catch,
    /// The result is NULL and failed as well: an operator.
    Propagate,
    /// The argument is NULL and the failure ends there: elements of a constructor.
    Ignore,
}

/// What the compiler may rely on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traits {
    /// Never reports a row error, so it may be evaluated on rows that do not need it.
    pub silent: bool,
    /// NULL only where it failed.
    pub total: bool,
    /// Reports a NULL argument.
    pub refuses_null: bool,
    /// What a NULL in the result means.
    pub null: NullMeans,
    /// What becomes of failed arguments.
    pub on_failure: OnFailure,
}

/// A resolved function. Equality is that of name, tag, types and lambdas, which determine the
/// body.
pub struct Udf {
    name: String,
    tag: String,
    arg_types: Vec<SqlType>,
    return_type: SqlType,
    lambdas: Vec<Lambda>,
    body: Body,
    laziness: Option<Laziness>,
    traits: Traits,
    signature: Signature,
    cache: CallCache,
}

impl Udf {
    /// A deterministic function `name` of these types.
    pub fn new(
        name: impl Into<String>,
        arg_types: Vec<SqlType>,
        return_type: SqlType,
        body: impl for<'a> Fn(&Call<'a>) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            tag: String::new(),
            arg_types,
            return_type,
            lambdas: Vec::new(),
            body: Arc::new(body),
            laziness: None,
            traits: Traits::default(),
            signature: Signature::variadic_any(Volatility::Immutable),
            cache: CallCache::default(),
        }
    }

    /// The same with a text that tells it from others of its name and types (a field's name, say).
    #[must_use]
    pub fn tagged(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// The same with lambda arguments.
    #[must_use]
    pub fn with_lambdas(mut self, lambdas: Vec<Lambda>) -> Self {
        self.lambdas = lambdas;
        self
    }

    /// The same, its arguments computed lazily.
    #[must_use]
    pub fn lazy(mut self, laziness: Laziness) -> Self {
        self.laziness = Some(laziness);
        self
    }

    /// The same with what the compiler may rely on.
    #[must_use]
    pub fn with_traits(mut self, traits: Traits) -> Self {
        self.traits = traits;
        self
    }

    /// The same, said to be a function of its arguments alone or not.
    #[must_use]
    pub fn deterministic(mut self, deterministic: bool) -> Self {
        let volatility = if deterministic {
            Volatility::Immutable
        } else {
            Volatility::Volatile
        };
        self.signature = Signature::variadic_any(volatility);
        self
    }

    /// Which arguments are lazy.
    pub fn laziness(&self) -> Option<Laziness> {
        self.laziness
    }

    /// What the compiler may rely on.
    pub fn traits(&self) -> Traits {
        self.traits
    }

    /// SQL types of the ordinary arguments.
    pub fn arg_types(&self) -> &[SqlType] {
        &self.arg_types
    }

    /// SQL type of the result.
    pub fn sql_return_type(&self) -> &SqlType {
        &self.return_type
    }

    /// Evaluates on ordinary arguments followed by captured columns. The result is constant if
    /// all of them are and no row failed.
    ///
    /// # Errors
    /// Defects only: wrong number or Arrow types of arguments.
    pub fn run(&self, args: &[Arg], rows: usize) -> Result<Arg> {
        let Some((args, captures)) = args.split_at_checked(self.arg_types.len()) else {
            return internal_err!("{} was called with {} arguments", self.name, args.len());
        };
        let call = |rows| Call {
            args,
            rows,
            arg_types: &self.arg_types,
            return_type: &self.return_type,
            lambdas: &self.lambdas,
            captures,
            cache: &self.cache,
        };
        let constant = self.signature.volatility == Volatility::Immutable
            && args.iter().chain(captures).all(|arg| arg.constant);
        if constant {
            let (array, failed) = row_errors::capture(|| (self.body)(&call(1)));
            if failed.total == 0 {
                return Ok(Arg {
                    array: array?,
                    constant: true,
                });
            }
        }
        let array = (self.body)(&call(rows))?;
        if array.len() != rows {
            return internal_err!("{} gave {} rows for {rows}", self.name, array.len());
        }
        Ok(Arg {
            array,
            constant: false,
        })
    }
}

impl Udf {
    /// What DataFusion evaluated as the argument at `index`. Decimals are at their column's scale,
    /// but for the functions that see their own.
    ///
    /// # Errors
    /// A scalar that is no value of its type: a defect.
    pub(crate) fn arg(&self, index: usize, value: ColumnarValue) -> Result<Arg> {
        let (array, constant) = match value {
            ColumnarValue::Array(array) => (array, false),
            ColumnarValue::Scalar(ScalarValue::Null) => {
                let sql_type = self.arg_types.get(index);
                let data_type = sql_type.map_or(DataType::Null, SqlType::to_arrow);
                (new_null_array(&data_type, 1), true)
            }
            ColumnarValue::Scalar(value) => (value.to_array()?, true),
        };
        let array = if self.sees_own_scales() {
            array
        } else {
            plain_column(array)
        };
        Ok(Arg { array, constant })
    }

    /// Whether the body takes decimals with the scale that is their own: where Java hands the
    /// `BigDecimal` on, turns its sign, prints it or calls its `equals`.
    fn sees_own_scales(&self) -> bool {
        match self.name.as_str() {
            "CAST" => {
                self.return_type == SqlType::String
                    || self.arg_types.first() == Some(&self.return_type)
            }
            name => OWN_SCALES.contains(&name),
        }
    }
}

/// Functions and operators whose bodies take decimals with the scale that is their own.
const OWN_SCALES: &[&str] = &[
    "-",
    "ABS",
    "ARRAY",
    "ARRAY_CONTAINS",
    "ARRAY_REMOVE",
    "AS_VALUE",
    "CEIL",
    "COALESCE",
    "FLOOR",
    "GREATEST",
    "IFNULL",
    "LEAST",
    "MAP",
    "NULLIF",
    "REDUCE",
    "ROUND",
    "STRUCT",
    "TO_JSON_STRING",
    "TRUNC",
];

impl fmt::Debug for Udf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{:?} -> {}",
            self.name, self.arg_types, self.return_type
        )
    }
}

impl PartialEq for Udf {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.tag == other.tag
            && self.arg_types == other.arg_types
            && self.return_type == other.return_type
            && self.lambdas == other.lambdas
    }
}

impl Eq for Udf {}

impl Hash for Udf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.tag.hash(state);
        self.arg_types.hash(state);
        self.return_type.hash(state);
        self.lambdas.hash(state);
    }
}

impl ScalarUDFImpl for Udf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.return_type.to_arrow())
    }

    fn short_circuits(&self) -> bool {
        self.laziness.is_some()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let args = args
            .args
            .into_iter()
            .enumerate()
            .map(|(i, value)| self.arg(i, value))
            .collect::<Result<Vec<_>>>()?;
        let result = self.run(&args, rows)?;
        Ok(if result.constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result.array, 0)?)
        } else {
            ColumnarValue::Array(result.array)
        })
    }
}
