//! What a function body sees: columns of arguments with typed access by row, and builders of the
//! result.
//!
//! ```text
//!  Call { args, rows, return_type }
//!     │  call.strings(0)? ─► Strings        .get(row) -> Option<&str>      (constants: same row)
//!     │  call.ints(1)?    ─► Primitive<Int> .get(row) -> Option<i32>
//!     └─ call.to_strings(|row| Some(...)) ─► ArrayRef of `rows` rows
//! ```
//!
//! A kernel is a plain function `fn(&Call) -> Result<ArrayRef>`. `?` on an `Option` inside of the
//! row closure is the usual rule "a NULL argument gives NULL"; [`row_error`] is the way to say
//! that a row cannot be computed. Invariant: the result has exactly `rows` rows and the Arrow type
//! of the return type; `Err` is for a defect of ours, never for a value.

mod access;
mod build;
mod compiled;

use arrow::array::ArrayRef;
use datafusion::common::{Result, internal_err};
use weir_types::SqlType;

pub use access::{Binaries, Booleans, Decimals, Lists, Maps, Primitive, Strings, Structs};
pub use compiled::{CallCache, Compiled};

use crate::lambda::Lambda;

/// The body of a function.
pub type Kernel = fn(&Call<'_>) -> Result<ArrayRef>;

/// One argument of a call.
#[derive(Debug, Clone)]
pub struct Arg {
    /// The values; a single row if `constant`.
    pub array: ArrayRef,
    /// Whether the same value holds for every row.
    pub constant: bool,
}

impl Arg {
    /// The row of `array` that holds the value for `row`.
    pub fn index(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    /// Whether the value for `row` is NULL.
    pub fn is_null(&self, row: usize) -> bool {
        self.array.is_null(self.index(row))
    }
}

/// One call on a batch.
#[derive(Debug)]
pub struct Call<'a> {
    /// Arguments, of the types that resolution chose; lambdas are not among them.
    pub args: &'a [Arg],
    /// Rows of the batch.
    pub rows: usize,
    /// SQL types of `args`.
    pub arg_types: &'a [SqlType],
    /// SQL type of the result.
    pub return_type: &'a SqlType,
    /// Lambda arguments in order.
    pub lambdas: &'a [Lambda],
    /// Columns that the lambda bodies capture.
    pub captures: &'a [Arg],
    /// What earlier batches of this call site compiled from constant texts.
    pub cache: &'a CallCache,
}

impl Call<'_> {
    /// Argument `index`.
    ///
    /// # Errors
    /// When there is no such argument: resolution and kernel disagree.
    pub fn arg(&self, index: usize) -> Result<&Arg> {
        match self.args.get(index) {
            Some(arg) => Ok(arg),
            None => internal_err!("a function was called without its argument {index}"),
        }
    }

    /// Whether argument `index` was given.
    pub fn has(&self, index: usize) -> bool {
        index < self.args.len()
    }
}

/// Reports that a row cannot be computed and gives its NULL (spec/sql.md §4.7). The text is only
/// built when somebody listens.
pub fn row_error<T>(message: impl FnOnce() -> String) -> Option<T> {
    weir_types::row_errors::report(message);
    None
}
