//! Lambda arguments: bodies compiled once and evaluated on the flattened elements of collections.
//!
//! ```text
//!  rows      [1,2]      []      [3]          elements   1  2  3
//!  captured   'a'       'b'     'c'   ──►    captured  'a''a''c'   ──► body ──► values per element
//!                                            parents    0  0  2
//! ```
//!
//! Invariant: a row whose body fails for one element fails as a whole, other rows do not
//! (spec/sql.md §4.2).

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, internal_err};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::PhysicalExpr;
use weir_types::SqlType;

use crate::api::ResolvedLambda;
use crate::kernel::Arg;

/// A lambda with a compiled body.
#[derive(Debug, Clone)]
pub struct Lambda {
    params: Vec<(String, SqlType)>,
    /// Captured columns, each with its place among the captures of the whole call.
    captures: Vec<(Column, usize)>,
    body: Expr,
    body_type: SqlType,
    compiled: OnceLock<Arc<dyn PhysicalExpr>>,
}

impl PartialEq for Lambda {
    fn eq(&self, other: &Self) -> bool {
        self.params == other.params
            && self.captures == other.captures
            && self.body == other.body
            && self.body_type == other.body_type
    }
}

impl Eq for Lambda {}

impl Hash for Lambda {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.params.hash(state);
        self.body.hash(state);
    }
}

/// What a body gave.
#[derive(Debug)]
pub struct Evaluated {
    /// One value for each element.
    pub values: ArrayRef,
    /// Rows (values of `parents`) that failed, ascending.
    pub failed: Vec<u32>,
}

impl Lambda {
    /// Prepares the lambdas of a call; also gives the columns that any of them captures.
    pub(crate) fn resolve(lambdas: Vec<ResolvedLambda>) -> (Vec<Self>, Vec<Column>) {
        let mut all: Vec<Column> = Vec::new();
        let lambdas = lambdas
            .into_iter()
            .map(|lambda| {
                let mut captures = Vec::new();
                for column in columns_of(&lambda.body) {
                    let is_param = column.relation.is_none()
                        && lambda.params.iter().any(|(name, _)| *name == column.name);
                    if is_param {
                        continue;
                    }
                    let place = all
                        .iter()
                        .position(|known| *known == column)
                        .unwrap_or_else(|| {
                            all.push(column.clone());
                            all.len() - 1
                        });
                    captures.push((column, place));
                }
                Self {
                    params: lambda.params,
                    captures,
                    body: lambda.body,
                    body_type: lambda.body_type,
                    compiled: OnceLock::new(),
                }
            })
            .collect();
        (lambdas, all)
    }

    /// SQL type of the body.
    pub fn body_type(&self) -> &SqlType {
        &self.body_type
    }

    /// Evaluates the body for many elements. `params` are the columns of the parameters,
    /// `parents` the row of the call that each element belongs to (ascending), `captures` the
    /// captured columns of the call.
    ///
    /// # Errors
    /// Defects only.
    pub fn evaluate(
        &self,
        params: &[ArrayRef],
        captures: &[Arg],
        parents: &UInt32Array,
    ) -> Result<Evaluated> {
        let batch = self.batch(params, captures, parents)?;
        let body = self.body(&batch)?;
        let outcome = crate::compile::evaluate(&body, &batch)?;
        let mut failed: Vec<u32> = Vec::new();
        if let Some(elements) = &outcome.failed {
            failed.extend(elements.set_indices().map(|element| parents.value(element)));
            failed.dedup();
        }
        Ok(Evaluated {
            values: outcome.value.into_array(batch.num_rows())?,
            failed,
        })
    }

    fn batch(
        &self,
        params: &[ArrayRef],
        captures: &[Arg],
        parents: &UInt32Array,
    ) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(params.len() + self.captures.len());
        let mut columns = Vec::with_capacity(fields.capacity());
        for ((name, _), column) in self.params.iter().zip(params) {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(Arc::clone(column));
        }
        for (column, place) in &self.captures {
            let Some(arg) = captures.get(*place) else {
                return internal_err!("the captured column {column} was not passed");
            };
            let values = if arg.constant {
                take(&arg.array, &UInt32Array::from(vec![0; parents.len()]), None)?
            } else {
                take(&arg.array, parents, None)?
            };
            fields.push(Field::new(
                column.flat_name(),
                values.data_type().clone(),
                true,
            ));
            columns.push(values);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(parents.len()));
        let schema = Arc::new(Schema::new(fields));
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    fn body(&self, batch: &RecordBatch) -> Result<Arc<dyn PhysicalExpr>> {
        if let Some(compiled) = self.compiled.get() {
            return Ok(Arc::clone(compiled));
        }
        let qualifiers = self
            .params
            .iter()
            .map(|(name, _)| (None, name.clone()))
            .chain(
                self.captures
                    .iter()
                    .map(|(c, _)| (c.relation.clone(), c.name.clone())),
            );
        let fields = qualifiers
            .zip(batch.schema().fields())
            .map(|((relation, name), field)| {
                (
                    relation,
                    Arc::new(Field::new(name, field.data_type().clone(), true)),
                )
            })
            .collect();
        let schema = DFSchema::new_with_metadata(fields, Default::default())?;
        let compiled = crate::compile::physical(&self.body, &schema)?;
        Ok(Arc::clone(self.compiled.get_or_init(|| compiled)))
    }
}

/// The columns in `expr`, each once, in order of appearance.
fn columns_of(expr: &Expr) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    // The closure never fails, so neither does the walk.
    let _ = expr.apply(|node| {
        if let Expr::Column(column) = node
            && !columns.contains(column)
        {
            columns.push(column.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    columns
}
