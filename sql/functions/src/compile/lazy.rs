//! AND, OR and CASE: arguments are evaluated only for the rows that need them.
//!
//! ```text
//!  rows still open ─► condition ─► decided rows leave; the rest goes on to the next argument
//!        └ an argument that reports nothing is evaluated on all rows, without selecting any
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_empty_array, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{and, filter_record_batch, interleave, or};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::PhysicalExpr;

use super::call::{CallExpr, call_node, our_function};
use super::outcome::{Outcome, evaluate};
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
    /// May be evaluated on rows that do not need it.
    silent: bool,
}

/// Values of a branch: for all rows, or for the open ones in order.
struct Values {
    array: ArrayRef,
    failed: Option<BooleanBuffer>,
    all_rows: bool,
}

impl Values {
    /// Whether entry `index` failed.
    fn failed(&self, index: usize) -> bool {
        self.failed
            .as_ref()
            .is_some_and(|failed| failed.value(index))
    }
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
        Ok(Self {
            columns,
            expr,
            silent: safety(arg).silent,
        })
    }

    /// The branch on all rows.
    fn on_all(&self, batch: &RecordBatch) -> Result<Values> {
        let part = batch.project(&self.columns)?;
        let Outcome { value, failed } = evaluate(&self.expr, &part)?;
        Ok(Values {
            array: value.into_array(part.num_rows())?,
            failed,
            all_rows: true,
        })
    }

    /// The branch on `open` rows at least.
    fn on(&self, batch: &RecordBatch, open: &BooleanArray) -> Result<Values> {
        if self.silent || open.true_count() == open.len() {
            return self.on_all(batch);
        }
        let part = filter_record_batch(&batch.project(&self.columns)?, open)?;
        if part.num_rows() == 0 {
            let array = new_empty_array(&self.expr.data_type(&part.schema())?);
            return Ok(Values {
                array,
                failed: None,
                all_rows: false,
            });
        }
        let Outcome { value, failed } = evaluate(&self.expr, &part)?;
        Ok(Values {
            array: value.into_array(part.num_rows())?,
            failed,
            all_rows: false,
        })
    }
}

/// What is known of an expression's rows.
#[derive(Debug, Clone, Copy)]
struct Safety {
    /// Evaluating it on rows that do not need it reports nothing.
    silent: bool,
    /// It is NULL only where it failed.
    total: bool,
}

fn safety(expr: &Arc<dyn PhysicalExpr>) -> Safety {
    let (function, args) = if let Some(literal) = expr.downcast_ref::<Literal>() {
        return Safety {
            silent: true,
            total: !literal.value().is_null(),
        };
    } else if let Some(call) = expr.downcast_ref::<CallExpr>() {
        (call.function(), call.args())
    } else if let Some(lazy) = expr.downcast_ref::<LazyExpr>() {
        (&lazy.function, lazy.args.as_slice())
    } else {
        return Safety {
            silent: expr.is::<Column>(),
            total: false,
        };
    };
    let Ok(udf) = our_function(function) else {
        return Safety {
            silent: false,
            total: false,
        };
    };
    let traits = udf.traits();
    let silent = traits.silent
        && args
            .iter()
            .map(safety)
            .all(|arg| arg.silent && (arg.total || !traits.refuses_null));
    Safety {
        silent,
        total: traits.total,
    }
}

impl LazyExpr {
    pub(super) fn try_new(
        function: Arc<ScalarUDF>,
        args: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Self> {
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

    pub(super) fn outcome(&self, batch: &RecordBatch) -> Result<Outcome> {
        match self.laziness {
            Laziness::And => self.connective(batch, false),
            Laziness::Or => self.connective(batch, true),
            Laziness::Case => self.case(batch),
        }
    }

    /// AND and OR: the second argument for the rows whose first is not `decisive`.
    fn connective(&self, batch: &RecordBatch, decisive: bool) -> Result<Outcome> {
        let [left, right] = self.branches.as_slice() else {
            return internal_err!("{} takes two arguments", self.function.name());
        };
        let first = left.on_all(batch)?;
        let l = first.array.as_boolean();
        let open =
            BooleanBuffer::collect_bool(l.len(), |row| l.is_valid(row) && l.value(row) != decisive);
        let second = right.on(batch, &BooleanArray::new(open, None))?;
        let r = second.array.as_boolean();
        if second.all_rows
            && l.null_count() == 0
            && r.null_count() == 0
            && first.failed.is_none()
            && second.failed.is_none()
        {
            let array = if decisive { or(l, r)? } else { and(l, r)? };
            return Ok(Outcome {
                value: ColumnarValue::Array(Arc::new(array)),
                failed: None,
            });
        }
        let name = self.function.name();
        let mut next = 0;
        let mut out = Vec::with_capacity(l.len());
        for row in 0..l.len() {
            out.push(if first.failed(row) {
                None
            } else if l.is_null(row) {
                null_operand(name)
            } else if l.value(row) == decisive {
                Some(decisive)
            } else {
                let index = if second.all_rows { row } else { next };
                next += 1;
                if second.failed(index) {
                    None
                } else if r.is_null(index) {
                    null_operand(name)
                } else {
                    Some(r.value(index))
                }
            });
        }
        let array = BooleanArray::from(out);
        let failed = super::outcome::null_rows(&array);
        Ok(Outcome {
            value: ColumnarValue::Array(Arc::new(array)),
            failed,
        })
    }

    /// CASE: pairs of condition and result, an ELSE at the end.
    fn case(&self, batch: &RecordBatch) -> Result<Outcome> {
        let mut parts = Parts::new(batch.num_rows(), self.return_type()?);
        for pair in self.branches.chunks(2) {
            if parts.open.is_empty() {
                break;
            }
            match pair {
                [condition, result] => {
                    let values = condition.on(batch, &parts.selection())?;
                    let holds = values.array.as_boolean();
                    let mut chosen = Vec::new();
                    let mut open = Vec::new();
                    for (i, row) in parts.open.iter().enumerate() {
                        let index = if values.all_rows { *row as usize } else { i };
                        if values.failed(index) || holds.is_null(index) {
                            if !values.failed(index) {
                                null_operand::<()>("CASE");
                            }
                            parts.failed.push(*row);
                        } else if holds.value(index) {
                            chosen.push(*row);
                        } else {
                            open.push(*row);
                        }
                    }
                    if !chosen.is_empty() {
                        let selection = select(parts.rows, &chosen);
                        parts.put(&chosen, result.on(batch, &selection)?);
                    }
                    parts.open = open;
                }
                [otherwise] => {
                    let values = otherwise.on(batch, &parts.selection())?;
                    let chosen = std::mem::take(&mut parts.open);
                    parts.put(&chosen, values);
                }
                _ => {}
            }
        }
        parts.finish()
    }

    fn return_type(&self) -> Result<DataType> {
        Ok(our_function(&self.function)?.sql_return_type().to_arrow())
    }
}

/// A BOOLEAN NULL was reached where TRUE or FALSE is needed (spec/sql.md §4.3).
fn null_operand<T>(operator: &str) -> Option<T> {
    row_error(|| format!("{operator} was given a NULL condition"))
}

/// Columns of results for parts of the rows, put together at the end.
struct Parts {
    rows: usize,
    open: Vec<u32>,
    failed: Vec<u32>,
    arrays: Vec<ArrayRef>,
    places: Vec<(usize, usize)>,
}

impl Parts {
    fn new(rows: usize, data_type: DataType) -> Self {
        Self {
            rows,
            open: (0..rows as u32).collect(),
            failed: Vec::new(),
            arrays: vec![new_null_array(&data_type, 1)],
            places: vec![(0, 0); rows],
        }
    }

    fn selection(&self) -> BooleanArray {
        select(self.rows, &self.open)
    }

    /// Takes the values for `rows`.
    fn put(&mut self, rows: &[u32], values: Values) {
        for (i, row) in rows.iter().enumerate() {
            let index = if values.all_rows { *row as usize } else { i };
            if values.failed(index) {
                self.failed.push(*row);
            } else if let Some(place) = self.places.get_mut(*row as usize) {
                *place = (self.arrays.len(), index);
            }
        }
        self.arrays.push(values.array);
    }

    fn finish(self) -> Result<Outcome> {
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(|array| array.as_ref()).collect();
        let value = ColumnarValue::Array(interleave(&arrays, &self.places)?);
        let failed =
            (!self.failed.is_empty()).then(|| select(self.rows, &self.failed).values().clone());
        Ok(Outcome { value, failed })
    }
}

/// TRUE at `chosen` of `rows` rows.
fn select(rows: usize, chosen: &[u32]) -> BooleanArray {
    let mut selection = vec![false; rows];
    for row in chosen {
        if let Some(slot) = selection.get_mut(*row as usize) {
            *slot = true;
        }
    }
    BooleanArray::from(selection)
}

call_node!(LazyExpr);
