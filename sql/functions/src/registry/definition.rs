//! The rows of the documented table: what a family module states about its functions.

use std::sync::Arc;

use datafusion::scalar::ScalarValue;
use weir_types::SqlType;

use crate::aggregate::Aggregate;
use crate::api::{FunctionError, FunctionKind};
use crate::kernel::Kernel;

/// A parameter's or result's type in a variant; `Copy` and `const`, so that tables are static.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// BOOLEAN.
    Boolean,
    /// INTEGER.
    Integer,
    /// BIGINT.
    Bigint,
    /// DOUBLE.
    Double,
    /// DECIMAL of any precision and scale.
    Decimal,
    /// STRING.
    String,
    /// BYTES.
    Bytes,
    /// DATE.
    Date,
    /// TIME.
    Time,
    /// TIMESTAMP.
    Timestamp,
    /// A type variable: one exact type wherever it stands in a variant.
    Var(&'static str),
    /// Any type, each argument its own.
    Any,
    /// ARRAY.
    Array(&'static Type),
    /// MAP.
    Map(&'static Type, &'static Type),
    /// STRUCT.
    Struct(&'static [(&'static str, Type)]),
    /// A lambda: types of its parameters and of its body.
    Lambda(&'static [Type], &'static Type),
    /// A bare time unit; the kernel gets it as STRING, in upper case.
    Unit,
}

/// The variable T.
pub const T: Type = Type::Var("T");

/// A parameter of a variant.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Name as DESCRIBE FUNCTION shows it.
    pub name: &'static str,
    /// Type.
    pub param_type: Type,
    /// What it is.
    pub description: &'static str,
    /// Whether it takes none, one or more arguments. At most one parameter of a variant.
    pub variadic: bool,
}

impl Param {
    /// A parameter that takes one argument.
    pub const fn new(name: &'static str, param_type: Type, description: &'static str) -> Self {
        Self {
            name,
            param_type,
            description,
            variadic: false,
        }
    }

    /// A parameter that takes any number of arguments.
    pub const fn variadic(name: &'static str, param_type: Type, description: &'static str) -> Self {
        Self {
            name,
            param_type,
            description,
            variadic: true,
        }
    }
}

/// The type of a variant's result.
#[derive(Debug, Clone, Copy)]
pub enum Returns {
    /// As the parameters' types say. A type that holds DECIMAL takes precision and scale of the
    /// first DECIMAL argument.
    Type(Type),
    /// Computed from the argument types; shown as the [`Type`]. The error text is shown to the
    /// user.
    Computed(Type, fn(&[SqlType]) -> Result<SqlType, String>),
}

/// One variant of a scalar or table function.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// Parameters in order; lambdas last.
    pub params: &'static [Param],
    /// Type of the result; of a table function, of one row.
    pub returns: Returns,
    /// What this variant does, where it differs from the function's description.
    pub description: &'static str,
    /// The body. A table function gives the column of `ARRAY<row type>`.
    pub kernel: Kernel,
}

/// Category of SHOW FUNCTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Numbers.
    Mathematical,
    /// Text and bytes.
    String,
    /// Regular expressions.
    RegularExpression,
    /// Dates and times.
    DateTime,
    /// Arrays.
    Array,
    /// Maps.
    Map,
    /// Functions that take lambdas.
    Lambda,
    /// JSON text.
    Json,
    /// URLs.
    Url,
    /// Choice by NULL or by comparison.
    Conditional,
    /// Aggregates.
    Aggregate,
    /// Table functions.
    Table,
    /// Anything else.
    Other,
}

impl Category {
    /// The text of SHOW FUNCTIONS.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mathematical => "MATHEMATICAL",
            Self::String => "STRING",
            Self::RegularExpression => "REGULAR EXPRESSION",
            Self::DateTime => "DATE / TIME",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Lambda => "LAMBDA",
            Self::Json => "JSON",
            Self::Url => "URL",
            Self::Conditional => "CONDITIONAL",
            Self::Aggregate => "AGGREGATE",
            Self::Table => "TABLE",
            Self::Other => "OTHER",
        }
    }
}

/// A scalar or table function: a row of a family's table.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Upper-case name.
    pub name: &'static str,
    /// Scalar or table.
    pub kind: FunctionKind,
    /// Category.
    pub category: Category,
    /// One sentence for SHOW, DESCRIBE and the reference.
    pub description: &'static str,
    /// Whether two calls with equal arguments give equal results (not so RANDOM, UUID and the
    /// clock).
    pub deterministic: bool,
    /// Variants; the order is that of DESCRIBE FUNCTION.
    pub variants: &'static [Variant],
}

impl Function {
    /// A deterministic scalar function.
    pub const fn scalar(
        name: &'static str,
        category: Category,
        description: &'static str,
        variants: &'static [Variant],
    ) -> Self {
        let kind = FunctionKind::Scalar;
        Self {
            name,
            kind,
            category,
            description,
            deterministic: true,
            variants,
        }
    }

    /// A table function.
    pub const fn table(
        name: &'static str,
        description: &'static str,
        variants: &'static [Variant],
    ) -> Self {
        Self {
            name,
            kind: FunctionKind::Table,
            category: Category::Table,
            description,
            deterministic: true,
            variants,
        }
    }

    /// The same function, said to give other results at each call.
    pub const fn volatile(mut self) -> Self {
        self.deterministic = false;
        self
    }
}

impl Variant {
    /// A variant of fixed result type.
    pub const fn new(params: &'static [Param], returns: Type, kernel: Kernel) -> Self {
        Self {
            params,
            returns: Returns::Type(returns),
            description: "",
            kernel,
        }
    }

    /// A variant whose result type is computed; `shown` stands for it in the documentation.
    pub const fn computed(
        params: &'static [Param],
        shown: Type,
        returns: fn(&[SqlType]) -> Result<SqlType, String>,
        kernel: Kernel,
    ) -> Self {
        Self {
            params,
            returns: Returns::Computed(shown, returns),
            description: "",
            kernel,
        }
    }

    /// The same variant with words of its own.
    pub const fn described(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }
}

/// How many values COLLECT_LIST and COLLECT_SET keep for each group
/// (`ksql.functions.collect_list.limit`, `ksql.functions.collect_set.limit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectLimits {
    /// Of COLLECT_LIST.
    pub list: usize,
    /// Of COLLECT_SET.
    pub set: usize,
}

impl Default for CollectLimits {
    fn default() -> Self {
        Self {
            list: i32::MAX as usize,
            set: i32::MAX as usize,
        }
    }
}

/// What an aggregate's builder is given.
#[derive(Debug)]
pub struct AggregateCall<'a> {
    /// Name of the function.
    pub name: &'a str,
    /// Types of the column arguments, after implicit casts.
    pub arg_types: Vec<SqlType>,
    /// Values of the constant arguments, cast to their parameters' types.
    pub constants: Vec<ScalarValue>,
    /// Limits of the server or session.
    pub limits: CollectLimits,
}

/// One variant of an aggregate function.
#[derive(Debug, Clone, Copy)]
pub struct AggregateVariant {
    /// Parameters in order.
    pub params: &'static [Param],
    /// How many of the last parameters must be given as literals.
    pub constants: usize,
    /// Type of the result as documented; [`Aggregate::return_type`] says it exactly.
    pub returns: Type,
    /// What this variant does, where it differs from the function's description.
    pub description: &'static str,
    /// Makes the aggregate.
    pub build: fn(AggregateCall<'_>) -> Result<Arc<dyn Aggregate>, FunctionError>,
}

/// An aggregate function: a row of a family's table.
#[derive(Debug, Clone, Copy)]
pub struct AggregateFunction {
    /// Upper-case name.
    pub name: &'static str,
    /// One sentence for SHOW, DESCRIBE and the reference.
    pub description: &'static str,
    /// Variants; the order is that of DESCRIBE FUNCTION.
    pub variants: &'static [AggregateVariant],
}
