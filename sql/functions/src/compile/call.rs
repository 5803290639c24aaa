//! A call of one of our functions.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result, not_impl_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::scalar::ScalarValue;
use weir_types::row_errors;

use super::outcome::{Outcome, evaluate, null_rows, union, without};
use crate::kernel::Arg;
use crate::registry::{NullMeans, OnFailure, Udf};

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
        let udf = our_function(&function)?;
        let constants = args
            .iter()
            .enumerate()
            .map(|(i, arg)| {
                arg.downcast_ref::<Literal>()
                    .map(|literal| udf.arg(i, ColumnarValue::Scalar(literal.value().clone())))
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

    pub(super) fn outcome(&self, batch: &RecordBatch) -> Result<Outcome> {
        let udf = our_function(&self.function)?;
        let mut args = Vec::with_capacity(self.args.len());
        let mut failed = None;
        for (i, (arg, constant)) in self.args.iter().zip(&self.constants).enumerate() {
            args.push(match constant {
                Some(constant) => constant.clone(),
                None => {
                    let outcome = evaluate(arg, batch)?;
                    failed = union(failed, outcome.failed);
                    udf.arg(i, outcome.value)?
                }
            });
        }
        let rows = batch.num_rows();
        let mut result = udf.run(&args, rows)?;
        let traits = udf.traits();
        if traits.on_failure == OnFailure::Ignore {
            failed = None;
        }
        if let Some(failed) = &failed {
            if result.constant {
                let first = arrow::array::UInt32Array::from(vec![0; rows]);
                result = Arg {
                    array: take(&result.array, &first, None)?,
                    constant: false,
                };
            }
            result.array = without(&result.array, failed)?;
        }
        if traits.on_failure == OnFailure::Catch {
            failed = None;
        }
        let own = match traits.null {
            NullMeans::Value => None,
            _ if result.array.null_count() == 0 => None,
            NullMeans::Failure if result.constant => Some(BooleanBuffer::new_set(rows)),
            NullMeans::Failure => null_rows(&result.array),
            NullMeans::FailureOfValues => {
                let values = BooleanBuffer::collect_bool(rows, |row| {
                    result.is_null(row) && args.iter().all(|arg| !arg.is_null(row))
                });
                (values.count_set_bits() > 0).then_some(values)
            }
        };
        Ok(Outcome {
            value: to_value(result)?,
            failed: union(failed, own),
        })
    }
}

/// The function of ours behind `function`.
pub(super) fn our_function(function: &Arc<ScalarUDF>) -> Result<&Udf> {
    match function.inner().downcast_ref::<Udf>() {
        Some(udf) => Ok(udf),
        None => not_impl_err!("{} is no function of the registry", function.name()),
    }
}

/// Lowers a call; one of constants that does not fail is computed at once.
pub(super) fn lower(
    function: &Arc<ScalarUDF>,
    args: Vec<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let udf = our_function(function)?;
    let foldable = function.signature().volatility == Volatility::Immutable
        && args.iter().all(|arg| arg.is::<Literal>());
    let call: Arc<dyn PhysicalExpr> = if udf.laziness().is_some() {
        Arc::new(super::lazy::LazyExpr::try_new(Arc::clone(function), args)?)
    } else {
        Arc::new(CallExpr::try_new(Arc::clone(function), args)?)
    };
    if foldable {
        let one_row = RecordBatch::try_new_with_options(
            Arc::new(Schema::empty()),
            Vec::new(),
            &arrow::array::RecordBatchOptions::new().with_row_count(Some(1)),
        )?;
        let (outcome, reported) = row_errors::capture(|| evaluate(&call, &one_row));
        let outcome = outcome?;
        if reported.total == 0 && outcome.failed.is_none() {
            let value = match outcome.value {
                ColumnarValue::Scalar(value) => value,
                ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?,
            };
            return Ok(Arc::new(Literal::new(value)));
        }
    }
    Ok(call)
}

/// What DataFusion asks of a node with a `function`, `args`, `try_new` of these, and `outcome`.
macro_rules! call_node {
    ($node:ty) => {
        impl PartialEq for $node {
            fn eq(&self, other: &Self) -> bool {
                self.function == other.function && self.args == other.args
            }
        }

        impl Eq for $node {}

        impl std::hash::Hash for $node {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.function.hash(state);
                self.args.hash(state);
            }
        }

        impl std::fmt::Display for $node {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::compile::call::write_call(f, self.function.name(), &self.args)
            }
        }

        impl PhysicalExpr for $node {
            fn data_type(&self, _schema: &Schema) -> Result<DataType> {
                Ok(our_function(&self.function)?.sql_return_type().to_arrow())
            }

            fn nullable(&self, _schema: &Schema) -> Result<bool> {
                Ok(true)
            }

            fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
                Ok(self.outcome(batch)?.value)
            }

            fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
                self.args.iter().collect()
            }

            fn with_new_children(
                self: Arc<Self>,
                children: Vec<Arc<dyn PhysicalExpr>>,
            ) -> Result<Arc<dyn PhysicalExpr>> {
                let function = Arc::clone(&self.function);
                Ok(Arc::new(Self::try_new(function, children)?))
            }

            fn fmt_sql(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}
pub(super) use call_node;

call_node!(CallExpr);

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

/// The result of a call as DataFusion takes it.
fn to_value(result: Arg) -> Result<ColumnarValue> {
    Ok(if result.constant {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&result.array, 0)?)
    } else {
        ColumnarValue::Array(result.array)
    })
}
