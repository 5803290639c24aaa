//! A call of one of our functions.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, not_impl_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::scalar::ScalarValue;
use weir_types::row_errors;

use crate::kernel::Arg;
use crate::registry::{Udf, to_arg};

/// A call whose arguments are all evaluated on all rows.
#[derive(Debug)]
pub(super) struct CallExpr {
    function: Arc<ScalarUDF>,
    args: Vec<Arc<dyn PhysicalExpr>>,
    /// Arguments that are literals, ready for the kernel.
    constants: Vec<Option<Arg>>,
}

impl CallExpr {
    pub(super) fn try_new(
        function: Arc<ScalarUDF>,
        args: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Self> {
        let types = our_function(&function)?.arg_types().to_vec();
        let constants = args
            .iter()
            .enumerate()
            .map(|(i, arg)| {
                arg.downcast_ref::<Literal>()
                    .map(|literal| {
                        to_arg(ColumnarValue::Scalar(literal.value().clone()), types.get(i))
                    })
                    .transpose()
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            function,
            args,
            constants,
        })
    }

    pub(super) fn function(&self) -> &Arc<ScalarUDF> {
        &self.function
    }

    pub(super) fn args(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.args
    }
}

/// The function of ours behind `function`.
pub(super) fn our_function(function: &Arc<ScalarUDF>) -> Result<&Udf> {
    match function.inner().downcast_ref::<Udf>() {
        Some(udf) => Ok(udf),
        None => not_impl_err!("{} is no function of the registry", function.name()),
    }
}

/// Lowers a call; one of constants that cannot fail is computed at once.
pub(super) fn lower(
    function: &Arc<ScalarUDF>,
    args: Vec<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let udf = our_function(function)?;
    let foldable = function.signature().volatility == Volatility::Immutable
        && args.iter().all(|arg| arg.is::<Literal>());
    if udf.laziness().is_some() && !foldable {
        return super::lazy::lower(function, args);
    }
    let call = CallExpr::try_new(Arc::clone(function), args)?;
    if foldable {
        let constants: Vec<Arg> = call.constants.iter().flatten().cloned().collect();
        let (result, failed) = row_errors::capture(|| udf.run(&constants, 1));
        let result = result?;
        if failed.total == 0 {
            let value = ScalarValue::try_from_array(&result.array, 0)?;
            return Ok(Arc::new(Literal::new(value)));
        }
    }
    Ok(Arc::new(call))
}

impl PartialEq for CallExpr {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function && self.args == other.args
    }
}

impl Eq for CallExpr {}

impl Hash for CallExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
        self.args.hash(state);
    }
}

impl fmt::Display for CallExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_call(f, self.function.name(), &self.args)
    }
}

pub(super) fn write_call(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    args: &[Arc<dyn PhysicalExpr>],
) -> fmt::Result {
    write!(f, "{name}(")?;
    for (i, arg) in args.iter().enumerate() {
        write!(f, "{}{arg}", if i > 0 { ", " } else { "" })?;
    }
    f.write_str(")")
}

impl PhysicalExpr for CallExpr {
    fn data_type(&self, _schema: &Schema) -> Result<DataType> {
        Ok(our_function(&self.function)?.sql_return_type().to_arrow())
    }

    fn nullable(&self, _schema: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let udf = our_function(&self.function)?;
        let mut args = Vec::with_capacity(self.args.len());
        for (i, (arg, constant)) in self.args.iter().zip(&self.constants).enumerate() {
            args.push(match constant {
                Some(constant) => constant.clone(),
                None => to_arg(arg.evaluate(batch)?, udf.arg_types().get(i))?,
            });
        }
        to_value(udf.run(&args, batch.num_rows())?)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.args.iter().collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self::try_new(
            Arc::clone(&self.function),
            children,
        )?))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The result of a call as DataFusion takes it.
pub(super) fn to_value(result: Arg) -> Result<ColumnarValue> {
    Ok(if result.constant {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&result.array, 0)?)
    } else {
        ColumnarValue::Array(result.array)
    })
}
