//! Comparison and IN (spec/sql.md §4.3). Two-valued: with a NULL operand every operator is FALSE,
//! but for IS [NOT] DISTINCT FROM.
//!
//! ```text
//!  types ─► Domain (how the two sides are brought to one ground) ─► Ordering or "unordered" ─► op
//! ```

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, Scalar};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast as arrow_cast;
use arrow::compute::kernels::cmp;
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, i256,
};
use datafusion::common::{Result, internal_err};
use num_bigint::BigInt;
use weir_types::SqlType;
use weir_types::java::double_to_string;

use super::{STRICT, operator, spread};
use crate::api::{FunctionError, ScalarCall};
use crate::convert::temporal::{MS_PER_DAY, parse_date, parse_time, parse_timestamp};
use crate::convert::{decimal, number};
use crate::kernel::{Arg, Call, row_error};
use crate::registry::Traits;
use crate::value::{Value, compare_bytes, compare_text};

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<>`, `!=`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// IS DISTINCT FROM
    IsDistinctFrom,
    /// IS NOT DISTINCT FROM
    IsNotDistinctFrom,
}

impl Comparison {
    /// The sign.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::IsDistinctFrom => "IS DISTINCT FROM",
            Self::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
        }
    }

    /// The operator's name in ksqlDB's messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "EQUAL",
            Self::NotEq => "NOT_EQUAL",
            Self::Lt => "LESS_THAN",
            Self::LtEq => "LESS_THAN_OR_EQUAL",
            Self::Gt => "GREATER_THAN",
            Self::GtEq => "GREATER_THAN_OR_EQUAL",
            Self::IsDistinctFrom => "IS_DISTINCT_FROM",
            Self::IsNotDistinctFrom => "IS_NOT_DISTINCT_FROM",
        }
    }

    /// Whether it is about order, which some types do not have.
    fn is_order(self) -> bool {
        matches!(self, Self::Lt | Self::LtEq | Self::Gt | Self::GtEq)
    }

    /// The result for two values in this order.
    #[inline]
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq | Self::IsNotDistinctFrom => order == Ordering::Equal,
            Self::NotEq | Self::IsDistinctFrom => order != Ordering::Equal,
            Self::Lt => order == Ordering::Less,
            Self::LtEq => order != Ordering::Greater,
            Self::Gt => order == Ordering::Greater,
            Self::GtEq => order != Ordering::Less,
        }
    }

    /// The result for values that may have no order: with NaN, FALSE. (IS NOT DISTINCT FROM is
    /// the negation of IS DISTINCT FROM, which is FALSE.)
    #[inline]
    fn holds_partially(self, order: Option<Ordering>) -> bool {
        order.map_or(self == Self::IsNotDistinctFrom, |order| self.holds(order))
    }

    /// The result where at least one side is NULL.
    fn of_nulls(self, left: bool, right: bool) -> bool {
        match self {
            Self::IsDistinctFrom => left != right,
            Self::IsNotDistinctFrom => left && right,
            _ => false,
        }
    }
}

/// The ground on which two types are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Domain {
    /// Both 64-bit integers.
    Integer,
    /// Both doubles.
    Double,
    /// Exact numbers, at least one DECIMAL.
    Decimal,
    /// DECIMAL with DOUBLE.
    DecimalDouble,
    /// DECIMAL with a text that must be one.
    DecimalText,
    /// Texts.
    Text,
    /// Bytes.
    Bytes,
    /// Milliseconds (DATE and TIMESTAMP).
    Instant,
    /// TIME.
    TimeOfDay,
    /// A time with a text that must be one.
    Temporal,
    /// Values that are equal or not.
    Equality,
    /// Objects of different classes: never equal.
    Unequal,
    /// Passes analysis, fails for every row that has both values.
    Impossible,
}

/// How the types compare, `None` if they do not.
fn domain(op: Comparison, left: &SqlType, right: &SqlType) -> Option<Domain> {
    use SqlType as S;
    let lenient = op == Comparison::IsNotDistinctFrom;
    Some(match (left, right) {
        (S::Integer | S::Bigint, S::Integer | S::Bigint) => Domain::Integer,
        (S::Decimal { .. }, S::Double) | (S::Double, S::Decimal { .. }) => Domain::DecimalDouble,
        (l, r) if l.is_numeric() && r.is_numeric() => {
            if *l == S::Double || *r == S::Double {
                Domain::Double
            } else {
                Domain::Decimal
            }
        }
        (S::String, S::String) => Domain::Text,
        (S::Decimal { .. }, S::String) | (S::String, S::Decimal { .. }) if lenient => {
            Domain::DecimalText
        }
        (S::Bytes, S::Bytes) => Domain::Bytes,
        (S::Date | S::Timestamp, S::Date | S::Timestamp) => Domain::Instant,
        (S::Time, S::Time) => Domain::TimeOfDay,
        (t, S::String) | (S::String, t) if t.is_temporal() => Domain::Temporal,
        (S::Boolean | S::Array(_) | S::Map(..) | S::Struct(_), _)
            if left == right && !op.is_order() =>
        {
            Domain::Equality
        }
        (S::Bytes, S::String) if op != Comparison::IsDistinctFrom => Domain::Impossible,
        (S::Bytes, _) if lenient => Domain::Impossible,
        (S::String | S::Array(_) | S::Map(..) | S::Struct(_), r)
            if lenient && !r.is_numeric() && *r != S::Boolean =>
        {
            Domain::Unequal
        }
        _ => return None,
    })
}

/// `left op right`.
///
/// # Errors
/// When the types cannot be compared by the operator.
pub fn comparison(
    op: Comparison,
    left: &SqlType,
    right: &SqlType,
) -> Result<ScalarCall, FunctionError> {
    let Some(domain) = domain(op, left, right) else {
        return Err(FunctionError::Unsuitable(format!(
            "Cannot compare {left} to {right} with {}.",
            op.name()
        )));
    };
    let fails = matches!(
        domain,
        Domain::DecimalDouble | Domain::DecimalText | Domain::Temporal | Domain::Impossible
    );
    let traits = Traits {
        silent: !fails,
        ..STRICT
    };
    let types = vec![left.clone(), right.clone()];
    Ok(operator(
        op.symbol(),
        types,
        SqlType::Boolean,
        traits,
        move |call| compare(op, domain, call),
    ))
}

fn compare(op: Comparison, domain: Domain, call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (call.arg(0)?, call.arg(1)?);
    match domain {
        Domain::Integer => {
            let wide = left.array.data_type() != right.array.data_type();
            let prepare = |arg: &Arg| -> Result<Arg> {
                Ok(if wide && *arg.array.data_type() == DataType::Int32 {
                    Arg {
                        array: arrow_cast(&arg.array, &DataType::Int64)?,
                        ..arg.clone()
                    }
                } else {
                    arg.clone()
                })
            };
            by_kernel(op, &prepare(left)?, &prepare(right)?, call.rows)
        }
        Domain::TimeOfDay => by_kernel(op, left, right, call.rows),
        Domain::Text if !op.is_order() => by_kernel(op, left, right, call.rows),
        Domain::Bytes if !op.is_order() => by_kernel(op, left, right, call.rows),
        Domain::Instant if left.array.data_type() == right.array.data_type() => {
            by_kernel(op, left, right, call.rows)
        }
        Domain::Text => {
            let (l, r) = (call.strings(0)?, call.strings(1)?);
            by_row(
                op,
                call.rows,
                |row| l.get(row),
                |row| r.get(row),
                |l, r| Some(op.holds(compare_text(l, r))),
            )
        }
        Domain::Bytes => {
            let (l, r) = (call.binaries(0)?, call.binaries(1)?);
            by_row(
                op,
                call.rows,
                |row| l.get(row),
                |row| r.get(row),
                |l, r| Some(op.holds(compare_bytes(l, r))),
            )
        }
        Domain::Double => {
            let (l, r) = (doubles(left)?, doubles(right)?);
            let holds = |l: f64, r: f64| Some(op.holds_partially(l.partial_cmp(&r)));
            primitives::<Float64Type>(op, (left, &l), (right, &r), call.rows, holds)
        }
        Domain::Instant => {
            let (l, r) = (instants(left)?, instants(right)?);
            let holds = |l: i64, r: i64| Some(op.holds(l.cmp(&r)));
            primitives::<Int64Type>(op, (left, &l), (right, &r), call.rows, holds)
        }
        Domain::Decimal => decimals(op, call),
        Domain::DecimalDouble | Domain::DecimalText | Domain::Temporal => {
            let (l, r) = (Grounds::of(left, right)?, Grounds::of(right, left)?);
            by_row(
                op,
                call.rows,
                |row| l.get(row),
                |row| r.get(row),
                |l, r| {
                    let order = match (reported(l)?, reported(r)?) {
                        (Ground::Instant(l), Ground::Instant(r)) => l.cmp(&r),
                        (Ground::Decimal(l, s), Ground::Decimal(r, t)) => {
                            decimal::compare_big(&l, s, &r, t)
                        }
                        _ => return None,
                    };
                    Some(op.holds(order))
                },
            )
        }
        Domain::Equality => by_row(
            op,
            call.rows,
            |row| {
                Value::of(&left.array, left.index(row))
                    .ok()
                    .filter(|v| !v.is_null())
            },
            |row| {
                Value::of(&right.array, right.index(row))
                    .ok()
                    .filter(|v| !v.is_null())
            },
            |l, r| Some(op.holds(l.cmp(&r))),
        ),
        Domain::Unequal | Domain::Impossible => by_row(
            op,
            call.rows,
            |row| (!left.is_null(row)).then_some(()),
            |row| (!right.is_null(row)).then_some(()),
            |(), ()| {
                if domain == Domain::Unequal {
                    return Some(op.holds(Ordering::Less));
                }
                row_error(|| {
                    format!(
                        "Cannot compare {} to {}",
                        call.arg_type(0),
                        call.arg_type(1)
                    )
                })
            },
        ),
    }
}

/// Compares row by row; `holds` gives `None` for a row that fails.
fn by_row<L, R>(
    op: Comparison,
    rows: usize,
    left: impl Fn(usize) -> Option<L>,
    right: impl Fn(usize) -> Option<R>,
    mut holds: impl FnMut(L, R) -> Option<bool>,
) -> Result<ArrayRef> {
    let array: BooleanArray = (0..rows)
        .map(|row| match (left(row), right(row)) {
            (Some(l), Some(r)) => holds(l, r),
            (l, r) => Some(op.of_nulls(l.is_none(), r.is_none())),
        })
        .collect();
    Ok(Arc::new(array))
}

/// As [`by_row`] over columns of one primitive type.
fn primitives<T: arrow::datatypes::ArrowPrimitiveType>(
    op: Comparison,
    (left, l): (&Arg, &PrimitiveArray<T>),
    (right, r): (&Arg, &PrimitiveArray<T>),
    rows: usize,
    holds: impl Fn(T::Native, T::Native) -> Option<bool>,
) -> Result<ArrayRef> {
    let value = |array: &PrimitiveArray<T>, index: usize| array.value(index);
    if l.null_count() == 0 && r.null_count() == 0 {
        let bits = BooleanBuffer::collect_bool(rows, |row| {
            holds(value(l, left.index(row)), value(r, right.index(row))) == Some(true)
        });
        return Ok(Arc::new(BooleanArray::new(bits, None)));
    }
    let get = |arg: &Arg, array: &PrimitiveArray<T>, row: usize| {
        (!arg.is_null(row)).then(|| value(array, arg.index(row)))
    };
    by_row(
        op,
        rows,
        |row| get(left, l, row),
        |row| get(right, r, row),
        holds,
    )
}

/// Arrow's kernels for types whose order is Arrow's, then NULL made FALSE.
fn by_kernel(op: Comparison, left: &Arg, right: &Arg, rows: usize) -> Result<ArrayRef> {
    let compare = |l: &dyn arrow::array::Datum, r: &dyn arrow::array::Datum| match op {
        Comparison::Eq => cmp::eq(l, r),
        Comparison::NotEq => cmp::neq(l, r),
        Comparison::Lt => cmp::lt(l, r),
        Comparison::LtEq => cmp::lt_eq(l, r),
        Comparison::Gt => cmp::gt(l, r),
        Comparison::GtEq => cmp::gt_eq(l, r),
        Comparison::IsDistinctFrom => cmp::distinct(l, r),
        Comparison::IsNotDistinctFrom => cmp::not_distinct(l, r),
    };
    let (l, r) = (&left.array, &right.array);
    let result = match (left.constant, right.constant) {
        (false, false) => compare(l, r)?,
        (false, true) => compare(l, &Scalar::new(Arc::clone(r)))?,
        (true, false) => compare(&Scalar::new(Arc::clone(l)), r)?,
        (true, true) => {
            let array: ArrayRef = Arc::new(without_nulls(compare(l, r)?));
            return spread(
                Arg {
                    array,
                    constant: true,
                },
                rows,
            );
        }
    };
    Ok(Arc::new(without_nulls(result)))
}

/// FALSE for NULL.
fn without_nulls(array: BooleanArray) -> BooleanArray {
    match array.nulls() {
        None => array,
        Some(nulls) => BooleanArray::new(array.values() & nulls.inner(), None),
    }
}

fn doubles(arg: &Arg) -> Result<PrimitiveArray<Float64Type>> {
    Ok(arrow_cast(&arg.array, &DataType::Float64)?
        .as_primitive::<Float64Type>()
        .clone())
}

/// DATE or TIMESTAMP as milliseconds.
fn instants(arg: &Arg) -> Result<PrimitiveArray<Int64Type>> {
    Ok(match arg.array.data_type() {
        DataType::Date32 => arg
            .array
            .as_primitive::<Date32Type>()
            .unary(|days| i64::from(days) * MS_PER_DAY),
        _ => arg
            .array
            .as_primitive::<TimestampMillisecondType>()
            .unary(|millis| millis),
    })
}

/// Exact numbers, at least one side DECIMAL.
fn decimals(op: Comparison, call: &Call<'_>) -> Result<ArrayRef> {
    let unscaled = |arg: &Arg| -> (PrimitiveArray<Decimal256Type>, u32) {
        match arg.array.data_type() {
            DataType::Int32 => (arg.array.as_primitive::<Int32Type>().unary(i256::from), 0),
            DataType::Int64 => (arg.array.as_primitive::<Int64Type>().unary(i256::from), 0),
            _ => {
                let array = arg.array.as_primitive::<Decimal256Type>().clone();
                let scale = array.scale().max(0) as u32;
                (array, scale)
            }
        }
    };
    let (left, right) = (call.arg(0)?, call.arg(1)?);
    let ((l, ls), (r, rs)) = (unscaled(left), unscaled(right));
    primitives::<Decimal256Type>(op, (left, &l), (right, &r), call.rows, |l, r| {
        Some(op.holds(decimal::compare_scaled(l, ls, r, rs)))
    })
}

/// A value on the common ground.
#[derive(Debug, Clone)]
enum Ground {
    Instant(i64),
    Decimal(BigInt, i64),
}

/// The ground of a value, or why it has none.
type Grounded = std::result::Result<Ground, Arc<str>>;

/// Reports what is wrong with a side of a row that has both sides.
fn reported(ground: Grounded) -> Option<Ground> {
    match ground {
        Ok(ground) => Some(ground),
        Err(message) => row_error(|| message.to_string()),
    }
}

/// One side of a comparison whose other side says what its texts must be.
struct Grounds<'a> {
    arg: &'a Arg,
    other: &'a DataType,
    constant: Option<Option<Grounded>>,
}

impl<'a> Grounds<'a> {
    fn of(arg: &'a Arg, other: &'a Arg) -> Result<Self> {
        let mut grounds = Self {
            arg,
            other: other.array.data_type(),
            constant: None,
        };
        if *grounds.other == DataType::Utf8 && *arg.array.data_type() == DataType::Utf8 {
            return internal_err!("two texts need no common ground");
        }
        if arg.constant {
            grounds.constant = Some(grounds.get(0));
        }
        Ok(grounds)
    }

    /// The value for `row`, `None` for NULL.
    fn get(&self, row: usize) -> Option<Grounded> {
        if let Some(constant) = &self.constant {
            return constant.clone();
        }
        if self.arg.is_null(row) {
            return None;
        }
        let index = self.arg.index(row);
        let array = &self.arg.array;
        Some(match array.data_type() {
            DataType::Date32 => Ok(Ground::Instant(
                i64::from(array.as_primitive::<Date32Type>().value(index)) * MS_PER_DAY,
            )),
            DataType::Timestamp(..) => Ok(Ground::Instant(
                array
                    .as_primitive::<TimestampMillisecondType>()
                    .value(index),
            )),
            DataType::Time32(_) => Ok(Ground::Instant(
                array
                    .as_primitive::<Time32MillisecondType>()
                    .value(index)
                    .into(),
            )),
            DataType::Float64 => {
                let value = array.as_primitive::<Float64Type>().value(index);
                // The decimal of its shortest text, so that the double 1.1 equals 1.10.
                number::parse_big_decimal(&double_to_string(value))
                    .map(|(unscaled, scale)| Ground::Decimal(unscaled, scale))
                    .ok_or_else(|| "Infinite or NaN: cannot be compared with a decimal".into())
            }
            DataType::Decimal256(_, scale) => {
                let value = array.as_primitive::<Decimal256Type>().value(index);
                Ok(Ground::Decimal(decimal::to_big(value), (*scale).into()))
            }
            _ => self
                .parse(array.as_string::<i32>().value(index))
                .map_err(Arc::from),
        })
    }

    fn parse(&self, text: &str) -> Result<Ground, String> {
        match self.other {
            DataType::Date32 => {
                parse_date(text).map(|days| Ground::Instant(i64::from(days) * MS_PER_DAY))
            }
            DataType::Timestamp(..) => parse_timestamp(text).map(Ground::Instant),
            DataType::Time32(_) => parse_time(text).map(|millis| Ground::Instant(millis.into())),
            _ => number::parse_big_decimal(text)
                .map(|(unscaled, scale)| Ground::Decimal(unscaled, scale))
                .ok_or_else(|| format!("Not a number: \"{text}\"")),
        }
    }
}

/// `value IN (items…)`: the arguments are the value and `items` items, all of type `value`. A
/// NULL matches nothing; `0.0` and `-0.0` are told apart.
pub fn in_list(value: &SqlType, items: usize) -> ScalarCall {
    let types = vec![value.clone(); items + 1];
    let traits = Traits {
        silent: true,
        ..STRICT
    };
    operator("IN", types, SqlType::Boolean, traits, |call| {
        let Some((value, items)) = call.args.split_first() else {
            return internal_err!("IN was called without a value");
        };
        match value.array.data_type() {
            DataType::Int32 | DataType::Int64 | DataType::Utf8 | DataType::Boolean => {
                let mut found: Option<BooleanArray> = None;
                for item in items {
                    let equal = by_kernel(Comparison::Eq, value, item, call.rows)?;
                    let equal = equal.as_boolean();
                    found = Some(match found {
                        Some(found) => arrow::compute::or(&found, equal)?,
                        None => equal.clone(),
                    });
                }
                Ok(Arc::new(found.unwrap_or_else(|| {
                    BooleanArray::from(vec![false; call.rows])
                })))
            }
            _ => by_value(value, items, call.rows),
        }
    })
}

fn by_value(value: &Arg, items: &[Arg], rows: usize) -> Result<ArrayRef> {
    let constants: Vec<Option<Value>> = items
        .iter()
        .map(|item| item.constant.then(|| Value::of(&item.array, 0)).transpose())
        .collect::<Result<_>>()?;
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let wanted = Value::of(&value.array, value.index(row))?;
        let mut found = false;
        if !wanted.is_null() {
            for (item, constant) in items.iter().zip(&constants) {
                found |= match constant {
                    Some(constant) => *constant == wanted,
                    None => Value::of(&item.array, item.index(row))? == wanted,
                };
            }
        }
        out.push(found);
    }
    Ok(Arc::new(BooleanArray::from(out)))
}
