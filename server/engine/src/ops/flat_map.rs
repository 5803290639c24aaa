//! Table functions in SELECT: one row in, as many out as the longest list has items
//! (spec/semantics.md §3.4).

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute;

use super::{Context, Operator, only};
use crate::EngineError;
use crate::batch::Batch;
use crate::expr::{Exprs, log_failures};

/// See the module.
pub(crate) struct FlatMap {
    /// One list for each row.
    pub(crate) functions: Exprs,
    /// The functions as text, for the processing log.
    pub(crate) texts: Vec<String>,
}

impl Operator for FlatMap {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let batch = only(inputs);
        let log = &mut ctx.out.log;
        let texts = &self.texts;
        let present = batch.present();
        let lists = self.functions.evaluate(
            &batch.columns,
            batch.len(),
            present.as_deref(),
            &mut |index, captured| {
                let text = texts.get(index).map_or("", String::as_str);
                log_failures(
                    log,
                    "FlatMap",
                    |message| format!("Table function {text} threw an exception: {message}"),
                    captured,
                );
            },
        )?;
        let lists: Vec<_> = lists
            .iter()
            .map(|list| {
                list.as_list_opt::<i32>().ok_or_else(|| {
                    EngineError::Internal("a table function gave no list".to_owned())
                })
            })
            .collect::<Result<_, _>>()?;

        let mut rows: Vec<u32> = Vec::with_capacity(batch.len());
        let mut items: Vec<Vec<Option<u32>>> = vec![Vec::with_capacity(batch.len()); lists.len()];
        for row in 0..batch.len() {
            if batch.is_absent(row) {
                continue;
            }
            let len = |list: &arrow::array::ListArray| {
                if list.is_null(row) {
                    0
                } else {
                    list.value_length(row) as usize
                }
            };
            let longest = lists.iter().map(|list| len(list)).max().unwrap_or(0);
            rows.extend(std::iter::repeat_n(row as u32, longest));
            for (list, items) in lists.iter().zip(&mut items) {
                let start = list.value_offsets()[row] as u32;
                let len = len(list);
                items.extend((0..longest).map(|i| (i < len).then_some(start + i as u32)));
            }
        }
        let mut out = batch.take(&rows)?;
        out.absent = None;
        for (list, items) in lists.iter().zip(items) {
            let indices = UInt32Array::from(items);
            let column: ArrayRef = compute::take(list.values().as_ref(), &indices, None)?;
            out.columns.push(column);
        }
        Ok(out)
    }
}
