//! `+ - * / %`, unary minus and `||` (spec/sql.md §4.2).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::{binary, cast as arrow_cast, unary};
use arrow::datatypes::{DataType, Decimal256Type, Float64Type, Int32Type, Int64Type, i256};
use datafusion::common::{Result, internal_err};
use num_bigint::BigInt;
use weir_types::SqlType;

use super::{STRICT, operator};
use crate::api::{ArgType, FunctionError, ScalarCall};
use crate::convert::decimal::{from_big, pow10, raise, to_big, to_double};
use crate::kernel::{Arg, Call, row_error};
use crate::registry::{NullMeans, OnFailure, Traits, registry};

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`, also of texts.
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

impl Arithmetic {
    /// The sign.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }

    /// The operator's name in ksqlDB's messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Subtract => "SUBTRACT",
            Self::Multiply => "MULTIPLY",
            Self::Divide => "DIVIDE",
            Self::Modulo => "MODULUS",
        }
    }

    /// Whether some operands have no result.
    fn may_report(self) -> bool {
        matches!(self, Self::Divide | Self::Modulo)
    }
}

/// `left op right`.
///
/// # Errors
/// When the types do not go together.
pub fn arithmetic(
    op: Arithmetic,
    left: &SqlType,
    right: &SqlType,
) -> Result<ScalarCall, FunctionError> {
    let arg_types = vec![left.clone(), right.clone()];
    if *left == SqlType::String && *right == SqlType::String && op == Arithmetic::Add {
        // Text concatenation writes a NULL operand as the text null.
        let traits = Traits {
            silent: true,
            on_failure: OnFailure::Propagate,
            ..Traits::default()
        };
        return Ok(operator("+", arg_types, SqlType::String, traits, |call| {
            let (l, r) = (call.strings(0)?, call.strings(1)?);
            call.write_strings(|row, out| {
                out.push_str(l.get(row).unwrap_or("null"));
                out.push_str(r.get(row).unwrap_or("null"));
                Some(())
            })
        }));
    }
    if !left.is_numeric() || !right.is_numeric() {
        return Err(FunctionError::Unsuitable(format!(
            "Operator {} is not supported for types {left} and {right}: arithmetic takes numbers \
             (or two texts for +). Use CAST to convert an operand.",
            op.name()
        )));
    }
    let wide = |a: &SqlType| matches!((left, right), (l, r) if l == a || r == a);
    let mut traits = Traits {
        silent: !op.may_report(),
        ..STRICT
    };
    if wide(&SqlType::Double) {
        traits.silent = true;
        return Ok(operator(
            op.symbol(),
            arg_types,
            SqlType::Double,
            traits,
            move |call| doubles(op, call),
        ));
    }
    if let (Some(l), Some(r)) = (left.as_decimal(), right.as_decimal())
        && (matches!(left, SqlType::Decimal { .. }) || matches!(right, SqlType::Decimal { .. }))
    {
        let (precision, scale) = decimal_result(op, l, r);
        let result = SqlType::decimal(precision, scale);
        let rule = DecimalRule {
            op,
            left_scale: l.1,
            right_scale: r.1,
            precision,
            scale,
        };
        // Beyond 76 digits a result may not be representable.
        traits.silent &= precision <= 76;
        return Ok(operator(
            op.symbol(),
            arg_types,
            result,
            traits,
            move |call| rule.run(call),
        ));
    }
    if wide(&SqlType::Bigint) {
        return Ok(operator(
            op.symbol(),
            arg_types,
            SqlType::Bigint,
            traits,
            move |call| integers::<Int64Type>(op, call),
        ));
    }
    Ok(operator(
        op.symbol(),
        arg_types,
        SqlType::Integer,
        traits,
        move |call| integers::<Int32Type>(op, call),
    ))
}

/// Precision and scale of a decimal result.
fn decimal_result(op: Arithmetic, (p1, s1): (u32, u32), (p2, s2): (u32, u32)) -> (u32, u32) {
    match op {
        Arithmetic::Add | Arithmetic::Subtract => {
            let scale = s1.max(s2);
            (scale + (p1 - s1).max(p2 - s2) + 1, scale)
        }
        Arithmetic::Multiply => (p1 + p2 + 1, s1 + s2),
        Arithmetic::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        Arithmetic::Modulo => {
            let scale = s1.max(s2);
            ((p1 - s1).min(p2 - s2) + scale, scale)
        }
    }
}

/// The column of an operand as `T`, converted without loss, or the constant of all rows.
enum Operand<T: ArrowPrimitiveType> {
    Column(PrimitiveArray<T>),
    Constant(Option<T::Native>),
}

impl<T: ArrowPrimitiveType> Operand<T> {
    fn of(arg: &Arg) -> Result<Self> {
        let array = if *arg.array.data_type() == T::DATA_TYPE {
            Arc::clone(&arg.array)
        } else {
            arrow_cast(&arg.array, &T::DATA_TYPE)?
        };
        Self::new(array, arg.constant)
    }

    fn new(array: ArrayRef, constant: bool) -> Result<Self> {
        let Some(array) = array.as_primitive_opt::<T>() else {
            return internal_err!("an operand is {}", array.data_type());
        };
        Ok(if constant {
            Self::Constant(array.is_valid(0).then(|| array.value(0)))
        } else {
            Self::Column(array.clone())
        })
    }
}

/// Applies `f` to all rows in which no operand is NULL.
fn apply<T: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    left: Operand<T>,
    right: Operand<T>,
    rows: usize,
    f: impl Fn(T::Native, T::Native) -> O::Native,
) -> Result<PrimitiveArray<O>> {
    Ok(match (left, right) {
        (Operand::Column(l), Operand::Column(r)) => binary(&l, &r, f)?,
        (Operand::Column(l), Operand::Constant(Some(r))) => unary(&l, |l| f(l, r)),
        (Operand::Constant(Some(l)), Operand::Column(r)) => unary(&r, |r| f(l, r)),
        (Operand::Constant(Some(l)), Operand::Constant(Some(r))) => {
            PrimitiveArray::from_value(f(l, r), rows)
        }
        _ => PrimitiveArray::new_null(rows),
    })
}

/// Applies `f`, which may refuse a row.
fn try_apply<T: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    left: &Operand<T>,
    right: &Operand<T>,
    rows: usize,
    mut f: impl FnMut(T::Native, T::Native) -> Option<O::Native>,
) -> PrimitiveArray<O> {
    let get = |operand: &Operand<T>, row: usize| match operand {
        Operand::Column(array) => array.is_valid(row).then(|| array.value(row)),
        Operand::Constant(value) => *value,
    };
    (0..rows)
        .map(|row| f(get(left, row)?, get(right, row)?))
        .collect()
}

/// Wrapping integers.
trait Wrapping: Copy + PartialEq + Default {
    fn compute(self, op: Arithmetic, other: Self) -> Self;
}

macro_rules! wrapping {
    ($($t:ty),*) => {$(
        impl Wrapping for $t {
            #[inline(always)]
            fn compute(self, op: Arithmetic, other: Self) -> Self {
                match op {
                    Arithmetic::Add => self.wrapping_add(other),
                    Arithmetic::Subtract => self.wrapping_sub(other),
                    Arithmetic::Multiply => self.wrapping_mul(other),
                    Arithmetic::Divide => self.wrapping_div(other),
                    Arithmetic::Modulo => self.wrapping_rem(other),
                }
            }
        }
    )*};
}

wrapping!(i32, i64);

fn integers<T: ArrowPrimitiveType>(op: Arithmetic, call: &Call<'_>) -> Result<ArrayRef>
where
    T::Native: Wrapping,
{
    let (l, r) = (
        Operand::<T>::of(call.arg(0)?)?,
        Operand::<T>::of(call.arg(1)?)?,
    );
    let rows = call.rows;
    let zero = T::Native::default();
    // One loop for each operator, so that the compiler vectorises it.
    let array = match op {
        Arithmetic::Add => apply::<T, T>(l, r, rows, |l, r| l.compute(Arithmetic::Add, r))?,
        Arithmetic::Subtract => {
            apply::<T, T>(l, r, rows, |l, r| l.compute(Arithmetic::Subtract, r))?
        }
        Arithmetic::Multiply => {
            apply::<T, T>(l, r, rows, |l, r| l.compute(Arithmetic::Multiply, r))?
        }
        Arithmetic::Divide | Arithmetic::Modulo => try_apply::<T, T>(&l, &r, rows, |l, r| {
            if r == zero {
                by_zero()
            } else {
                Some(l.compute(op, r))
            }
        }),
    };
    Ok(Arc::new(array))
}

fn by_zero<T>() -> Option<T> {
    row_error(|| "/ by zero".to_owned())
}

/// An operand of any numeric type as DOUBLE.
fn as_double(arg: &Arg) -> Result<Operand<Float64Type>> {
    if let Some(decimals) = arg.array.as_primitive_opt::<Decimal256Type>() {
        let scale = decimals.scale().max(0) as u32;
        let array: PrimitiveArray<Float64Type> = unary(decimals, |v| to_double(v, scale));
        return Operand::new(Arc::new(array), arg.constant);
    }
    Operand::of(arg)
}

fn doubles(op: Arithmetic, call: &Call<'_>) -> Result<ArrayRef> {
    let (l, r) = (as_double(call.arg(0)?)?, as_double(call.arg(1)?)?);
    type D = Float64Type;
    let array = match op {
        Arithmetic::Add => apply::<D, D>(l, r, call.rows, |l, r| l + r)?,
        Arithmetic::Subtract => apply::<D, D>(l, r, call.rows, |l, r| l - r)?,
        Arithmetic::Multiply => apply::<D, D>(l, r, call.rows, |l, r| l * r)?,
        Arithmetic::Divide => apply::<D, D>(l, r, call.rows, |l, r| l / r)?,
        Arithmetic::Modulo => apply::<D, D>(l, r, call.rows, |l, r| l % r)?,
    };
    Ok(Arc::new(array))
}

/// Decimal arithmetic of given scales.
#[derive(Debug, Clone, Copy)]
struct DecimalRule {
    op: Arithmetic,
    left_scale: u32,
    right_scale: u32,
    precision: u32,
    scale: u32,
}

/// An operand of an exact type as unscaled decimals of its own scale.
fn as_unscaled(arg: &Arg) -> Result<Operand<Decimal256Type>> {
    let array: PrimitiveArray<Decimal256Type> = match arg.array.data_type() {
        DataType::Int32 => unary(arg.array.as_primitive::<Int32Type>(), i256::from),
        DataType::Int64 => unary(arg.array.as_primitive::<Int64Type>(), i256::from),
        _ => return Operand::new(Arc::clone(&arg.array), arg.constant),
    };
    Operand::new(Arc::new(array), arg.constant)
}

impl DecimalRule {
    fn run(&self, call: &Call<'_>) -> Result<ArrayRef> {
        let (l, r) = (as_unscaled(call.arg(0)?)?, as_unscaled(call.arg(1)?)?);
        let too_large =
            || row_error(|| format!("Result of {} does not fit a decimal", self.op.symbol()));
        let array =
            try_apply::<Decimal256Type, Decimal256Type>(&l, &r, call.rows, |l, r| match self.op {
                Arithmetic::Add | Arithmetic::Subtract => self.sum(l, r).or_else(too_large),
                Arithmetic::Multiply => product(l, r).or_else(too_large),
                Arithmetic::Divide if r == i256::ZERO => division_by_zero(),
                Arithmetic::Divide => self.quotient(l, r),
                Arithmetic::Modulo if r == i256::ZERO => division_by_zero(),
                Arithmetic::Modulo => self.remainder(l, r),
            });
        Ok(Arc::new(array.with_data_type(call.return_type.to_arrow())))
    }

    fn sum(&self, l: i256, r: i256) -> Option<i256> {
        let l = raise(l, self.scale - self.left_scale)?;
        let r = raise(r, self.scale - self.right_scale)?;
        if self.op == Arithmetic::Add {
            l.checked_add(r)
        } else {
            l.checked_sub(r)
        }
    }

    /// The quotient, which must be exact at the result's scale.
    fn quotient(&self, l: i256, r: i256) -> Option<i256> {
        // l / 10^ls / (r / 10^rs) = q / 10^s, so q = l * 10^(s + rs - ls) / r.
        let by = self.scale + self.right_scale - self.left_scale;
        let inexact = || row_error(|| "Rounding necessary: the quotient is not exact".to_owned());
        match raise(l, by) {
            Some(l) if l.wrapping_rem(r) == i256::ZERO => Some(l.wrapping_div(r)),
            Some(_) => inexact(),
            None => {
                let l = to_big(l) * BigInt::from(10).pow(by);
                let r = to_big(r);
                if &l % &r == BigInt::ZERO {
                    from_big(&(l / r))
                } else {
                    None
                }
                .or_else(inexact)
            }
        }
    }

    /// The remainder, with the sign of the dividend. As in Java the whole quotient must have no
    /// more significant digits than the result has.
    fn remainder(&self, l: i256, r: i256) -> Option<i256> {
        let impossible = || row_error(|| "Division impossible".to_owned());
        let raised =
            raise(l, self.scale - self.left_scale).zip(raise(r, self.scale - self.right_scale));
        let Some((l, r)) = raised else {
            return impossible();
        };
        let mut quotient = l.wrapping_div(r).wrapping_abs();
        let ten = i256::from_i128(10);
        if let Some(limit) = pow10(self.precision) {
            while quotient >= limit {
                if quotient.wrapping_rem(ten) != i256::ZERO {
                    return impossible();
                }
                quotient = quotient.wrapping_div(ten);
            }
        }
        Some(l.wrapping_rem(r))
    }
}

fn product(l: i256, r: i256) -> Option<i256> {
    match (l.to_i128(), r.to_i128()) {
        (Some(l), Some(r)) => match l.checked_mul(r) {
            Some(product) => Some(i256::from_i128(product)),
            None => i256::from_i128(l).checked_mul(i256::from_i128(r)),
        },
        _ => l.checked_mul(r),
    }
}

fn division_by_zero<T>() -> Option<T> {
    row_error(|| "Division by zero".to_owned())
}

/// `-operand`.
///
/// # Errors
/// When the operand is no number.
pub fn negate(operand: &SqlType) -> Result<ScalarCall, FunctionError> {
    if !operand.is_numeric() {
        return Err(FunctionError::Unsuitable(format!(
            "Unary minus is not supported for {operand}: it takes a number"
        )));
    }
    let traits = Traits {
        silent: true,
        null: NullMeans::Failure,
        ..STRICT
    };
    Ok(operator(
        "-",
        vec![operand.clone()],
        operand.clone(),
        traits,
        |call| {
            let arg = call.arg(0)?;
            let array: ArrayRef = match arg.array.data_type() {
                DataType::Int32 => {
                    let values = arg.array.as_primitive::<Int32Type>();
                    Arc::new(values.unary::<_, Int32Type>(i32::wrapping_neg))
                }
                DataType::Int64 => {
                    let values = arg.array.as_primitive::<Int64Type>();
                    Arc::new(values.unary::<_, Int64Type>(i64::wrapping_neg))
                }
                DataType::Float64 => {
                    let values = arg.array.as_primitive::<Float64Type>();
                    Arc::new(values.unary::<_, Float64Type>(|v| -v))
                }
                _ => {
                    let values = call.decimals(0)?.array();
                    let negated = values.unary::<_, Decimal256Type>(i256::wrapping_neg);
                    Arc::new(negated.with_data_type(call.return_type.to_arrow()))
                }
            };
            super::spread(
                Arg {
                    array,
                    constant: arg.constant,
                },
                call.rows,
            )
        },
    ))
}

/// `left || right`: the function CONCAT.
///
/// # Errors
/// When CONCAT does not take the types.
pub fn concat(left: &SqlType, right: &SqlType) -> Result<ScalarCall, FunctionError> {
    let args = [ArgType::Sql(left.clone()), ArgType::Sql(right.clone())];
    registry().resolve_scalar("CONCAT", &args, Vec::new())
}
