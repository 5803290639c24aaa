//! AND, OR, CASE and COALESCE: arguments are evaluated only for the rows that need them.
//!
//! ```text
//!  rows still open ─► condition ─► decided rows leave; the rest goes on to the next argument
//!        └ an argument that cannot fail is evaluated on all rows and combined as a whole column
//! ```

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{filter_record_batch, interleave};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::PhysicalExpr;

use super::call::{CallExpr, our_function, write_call};
use crate::kernel::row_error;
use crate::registry::Laziness;

/// A call with lazy arguments.
#[derive(Debug)]
pub(super) struct LazyExpr {
    function: Arc<ScalarUDF>,
    laziness: Laziness,
    args: Vec<Arc<dyn PhysicalExpr>>,
    branches: Vec<Branch>,
}

/// An argument over the columns that it reads.
#[derive(Debug)]
struct Branch {
    columns: Vec<usize>,
    expr: Arc<dyn PhysicalExpr>,
}

impl Branch {
    fn try_new(arg: &Arc<dyn PhysicalExpr>) -> Result<Self> {
        let mut columns: Vec<usize> = collect_columns(arg)
            .into_iter()
            .map(|column| column.index())
            .collect();
        columns.sort_unstable();
        columns.dedup();
        let expr = Arc::clone(arg)
            .transform_up(|node| {
                let moved = node.downcast_ref::<Column>().and_then(|column| {
                    let index = columns.iter().position(|index| *index == column.index())?;
                    Some(Arc::new(Column::new(column.name(), index)) as Arc<dyn PhysicalExpr>)
                });
                Ok(match moved {
                    Some(moved) => Transformed::yes(moved),
                    None => Transformed::no(node),
                })
            })?
            .data;
        Ok(Self { columns, expr })
    }

    /// The argument's values for the rows of `open`, in order.
    fn evaluate(&self, batch: &RecordBatch, open: &BooleanArray) -> Result<ArrayRef> {
        let all = open.true_count() == open.len();
        let projected = batch.project(&self.columns)?;
        let part = if all {
            projected
        } else {
            filter_record_batch(&projected, open)?
        };
        self.expr.evaluate(&part)?.into_array(part.num_rows())
    }
}

/// What is known of an expression's rows.
#[derive(Debug, Clone, Copy)]
struct Safety {
    /// Evaluating it on rows that do not need it reports nothing.
    infallible: bool,
    /// It is never NULL.
    total: bool,
}

fn safety(expr: &Arc<dyn PhysicalExpr>) -> Safety {
    let (function, args) = if let Some(literal) = expr.downcast_ref::<Literal>() {
        return Safety {
            infallible: true,
            total: !literal.value().is_null(),
        };
    } else if let Some(call) = expr.downcast_ref::<CallExpr>() {
        (call.function(), call.args())
    } else if let Some(lazy) = expr.downcast_ref::<LazyExpr>() {
        (&lazy.function, lazy.args.as_slice())
    } else {
        return Safety {
            infallible: expr.is::<Column>(),
            total: false,
        };
    };
    let Ok(udf) = our_function(function) else {
        return Safety {
            infallible: false,
            total: false,
        };
    };
    let args: Vec<Safety> = args.iter().map(safety).collect();
    let traits = udf.traits();
    let infallible = traits.infallible
        && args
            .iter()
            .all(|arg| arg.infallible && (arg.total || !traits.refuses_null));
    Safety {
        infallible,
        total: traits.total && infallible,
    }
}

/// Lowers a call with lazy arguments; where none of them can fail, there is nothing to be lazy
/// about.
pub(super) fn lower(
    function: &Arc<ScalarUDF>,
    args: Vec<Arc<dyn PhysicalExpr>>,
) -> Result<Arc<dyn PhysicalExpr>> {
    if args.iter().skip(1).all(|arg| safety(arg).infallible) {
        return Ok(Arc::new(CallExpr::try_new(Arc::clone(function), args)?));
    }
    Ok(Arc::new(LazyExpr::try_new(Arc::clone(function), args)?))
}

impl LazyExpr {
    fn try_new(function: Arc<ScalarUDF>, args: Vec<Arc<dyn PhysicalExpr>>) -> Result<Self> {
        let Some(laziness) = our_function(&function)?.laziness() else {
            return internal_err!("{} is not lazy", function.name());
        };
        let branches = args.iter().map(Branch::try_new).collect::<Result<_>>()?;
        Ok(Self {
            function,
            laziness,
            args,
            branches,
        })
    }

    /// AND and OR: the second argument for the rows whose first is `decisive` not.
    fn connective(&self, batch: &RecordBatch, decisive: bool) -> Result<ArrayRef> {
        let [left, right] = self.branches.as_slice() else {
            return internal_err!("{} takes two arguments", self.function.name());
        };
        let rows = batch.num_rows();
        let all = BooleanArray::from(vec![true; rows]);
        let left = left.evaluate(batch, &all)?;
        let left = left.as_boolean();
        let open: BooleanArray = (0..rows)
            .map(|row| Some(left.is_valid(row) && left.value(row) != decisive))
            .collect();
        let part = if open.true_count() == 0 {
            Arc::new(BooleanArray::from(Vec::<bool>::new())) as ArrayRef
        } else {
            right.evaluate(batch, &open)?
        };
        let part = part.as_boolean();
        let mut next = 0;
        let mut out = Vec::with_capacity(rows);
        for row in 0..rows {
            out.push(if left.is_null(row) {
                null_operand(self.function.name())
            } else if left.value(row) == decisive {
                Some(decisive)
            } else {
                let value = part.is_valid(next).then(|| part.value(next));
                next += 1;
                value.or_else(|| null_operand(self.function.name()))
            });
        }
        Ok(Arc::new(BooleanArray::from(out)))
    }

    /// CASE: pairs of condition and result, an ELSE at the end.
    fn case(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let mut parts = Parts::new(batch.num_rows(), self.return_type()?);
        for pair in self.branches.chunks(2) {
            if parts.open.is_empty() {
                break;
            }
            match pair {
                [condition, result] => {
                    let holds = condition.evaluate(batch, &parts.selection())?;
                    let holds = holds.as_boolean();
                    let mut chosen = Vec::new();
                    let mut open = Vec::new();
                    for (i, row) in parts.open.iter().enumerate() {
                        if holds.is_null(i) {
                            // Decided: the row stays NULL.
                            null_operand::<()>("CASE");
                        } else if holds.value(i) {
                            chosen.push(*row);
                        } else {
                            open.push(*row);
                        }
                    }
                    if !chosen.is_empty() {
                        let selection = select(parts.rows, &chosen);
                        parts.put(&chosen, result.evaluate(batch, &selection)?);
                    }
                    parts.open = open;
                }
                [otherwise] => {
                    let values = otherwise.evaluate(batch, &parts.selection())?;
                    let chosen = std::mem::take(&mut parts.open);
                    parts.put(&chosen, values);
                }
                _ => {}
            }
        }
        parts.finish()
    }

    /// COALESCE: each argument for the rows where all before are NULL.
    fn coalesce(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let mut parts = Parts::new(batch.num_rows(), self.return_type()?);
        for branch in &self.branches {
            if parts.open.is_empty() {
                break;
            }
            let values = branch.evaluate(batch, &parts.selection())?;
            let chosen = std::mem::take(&mut parts.open);
            parts.open = chosen
                .iter()
                .enumerate()
                .filter(|(i, _)| values.is_null(*i))
                .map(|(_, r)| *r)
                .collect();
            parts.put(&chosen, values);
        }
        parts.finish()
    }

    fn return_type(&self) -> Result<DataType> {
        Ok(our_function(&self.function)?.sql_return_type().to_arrow())
    }
}

/// A BOOLEAN NULL was reached where TRUE or FALSE is needed (spec/sql.md §4.3).
pub(crate) fn null_operand<T>(operator: &str) -> Option<T> {
    row_error(|| format!("{operator} was given a NULL condition"))
}

/// Columns of results for parts of the rows, put together at the end.
struct Parts {
    rows: usize,
    open: Vec<u32>,
    arrays: Vec<ArrayRef>,
    places: Vec<(usize, usize)>,
}

impl Parts {
    fn new(rows: usize, data_type: DataType) -> Self {
        Self {
            rows,
            open: (0..rows as u32).collect(),
            arrays: vec![new_null_array(&data_type, 1)],
            places: vec![(0, 0); rows],
        }
    }

    fn selection(&self) -> BooleanArray {
        select(self.rows, &self.open)
    }

    fn put(&mut self, rows: &[u32], values: ArrayRef) {
        for (i, row) in rows.iter().enumerate() {
            if let Some(place) = self.places.get_mut(*row as usize) {
                *place = (self.arrays.len(), i);
            }
        }
        self.arrays.push(values);
    }

    fn finish(self) -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(|array| array.as_ref()).collect();
        Ok(interleave(&arrays, &self.places)?)
    }
}

/// TRUE at `chosen` (ascending) of `rows` rows.
fn select(rows: usize, chosen: &[u32]) -> BooleanArray {
    let mut selection = vec![false; rows];
    for row in chosen {
        if let Some(slot) = selection.get_mut(*row as usize) {
            *slot = true;
        }
    }
    BooleanArray::from(selection)
}

impl PartialEq for LazyExpr {
    fn eq(&self, other: &Self) -> bool {
        self.function == other.function && self.args == other.args
    }
}

impl Eq for LazyExpr {}

impl Hash for LazyExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
        self.args.hash(state);
    }
}

impl fmt::Display for LazyExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_call(f, self.function.name(), &self.args)
    }
}

impl PhysicalExpr for LazyExpr {
    fn data_type(&self, _schema: &Schema) -> Result<DataType> {
        self.return_type()
    }

    fn nullable(&self, _schema: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Array(match self.laziness {
            Laziness::And => self.connective(batch, false)?,
            Laziness::Or => self.connective(batch, true)?,
            Laziness::Case => self.case(batch)?,
            Laziness::Coalesce => self.coalesce(batch)?,
        }))
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
