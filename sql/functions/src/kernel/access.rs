//! Typed access to the arguments of a call, row by row.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, Decimal256Array,
    ListArray, MapArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::datatypes::{
    Date32Type, Decimal256Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType, i256,
};
use datafusion::common::{Result, internal_err};

use super::{Arg, Call};

/// Makes a typed view with `get`.
macro_rules! view {
    ($(#[$doc:meta])* $name:ident, $array:ty, $item:ty, $get:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'a> {
            array: &'a $array,
            constant: bool,
        }

        impl<'a> $name<'a> {
            /// The value for `row`, `None` if it is NULL.
            pub fn get(&self, row: usize) -> Option<$item> {
                let index = if self.constant { 0 } else { row };
                if self.array.is_null(index) {
                    return None;
                }
                let get: fn(&'a $array, usize) -> $item = $get;
                Some(get(self.array, index))
            }

            /// The value that holds for every row: `None` if rows differ, `Some(None)` if it is
            /// NULL.
            pub fn constant(&self) -> Option<Option<$item>> {
                self.constant.then(|| self.get(0))
            }

            /// The column behind (one row if constant).
            pub fn array(&self) -> &'a $array {
                self.array
            }
        }
    };
}

view!(
    /// A STRING argument.
    Strings, StringArray, &'a str, |array, index| array.value(index)
);
view!(
    /// A BYTES argument.
    Binaries, BinaryArray, &'a [u8], |array, index| array.value(index)
);
view!(
    /// A BOOLEAN argument.
    Booleans, BooleanArray, bool, |array, index| array.value(index)
);
view!(
    /// An ARRAY argument; a value is the column of its elements.
    Lists, ListArray, ArrayRef, |array, index| array.value(index)
);
view!(
    /// A MAP argument; a value is the struct column of its entries (`key`, `value`).
    Maps, MapArray, StructArray, |array, index| array.value(index)
);
view!(
    /// A STRUCT argument; a value is its row index.
    Structs, StructArray, usize, |_, index| index
);

/// An argument of numbers or times.
#[derive(Debug)]
pub struct Primitive<'a, T: ArrowPrimitiveType> {
    array: &'a PrimitiveArray<T>,
    constant: bool,
}

impl<T: ArrowPrimitiveType> Clone for Primitive<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ArrowPrimitiveType> Copy for Primitive<'_, T> {}

impl<'a, T: ArrowPrimitiveType> Primitive<'a, T> {
    /// The value for `row`, `None` if it is NULL.
    pub fn get(&self, row: usize) -> Option<T::Native> {
        let index = if self.constant { 0 } else { row };
        if self.array.is_null(index) {
            None
        } else {
            Some(self.array.value(index))
        }
    }

    /// The value that holds for every row: `None` if rows differ, `Some(None)` if it is NULL.
    pub fn constant(&self) -> Option<Option<T::Native>> {
        self.constant.then(|| self.get(0))
    }

    /// The column behind (one row if constant).
    pub fn array(&self) -> &'a PrimitiveArray<T> {
        self.array
    }
}

/// A DECIMAL argument with its scale.
#[derive(Debug, Clone, Copy)]
pub struct Decimals<'a> {
    array: &'a Decimal256Array,
    constant: bool,
    /// Digits after the point of every value.
    pub scale: u32,
}

impl<'a> Decimals<'a> {
    /// The unscaled value for `row`, `None` if it is NULL.
    pub fn get(&self, row: usize) -> Option<i256> {
        let index = if self.constant { 0 } else { row };
        if self.array.is_null(index) {
            None
        } else {
            Some(self.array.value(index))
        }
    }

    /// The column behind (one row if constant).
    pub fn array(&self) -> &'a Decimal256Array {
        self.array
    }
}

impl Call<'_> {
    /// Argument `index` as STRING.
    ///
    /// # Errors
    /// Here and below: when the argument is missing or of another type, which is a defect of the
    /// function's table.
    pub fn strings(&self, index: usize) -> Result<Strings<'_>> {
        let Arg { array, constant } = self.arg(index)?;
        match array.as_string_opt::<i32>() {
            Some(array) => Ok(Strings {
                array,
                constant: *constant,
            }),
            None => wrong(index, "STRING", array),
        }
    }

    /// Argument `index` as BYTES.
    pub fn binaries(&self, index: usize) -> Result<Binaries<'_>> {
        let Arg { array, constant } = self.arg(index)?;
        match array.as_binary_opt::<i32>() {
            Some(array) => Ok(Binaries {
                array,
                constant: *constant,
            }),
            None => wrong(index, "BYTES", array),
        }
    }

    /// Argument `index` as BOOLEAN.
    pub fn booleans(&self, index: usize) -> Result<Booleans<'_>> {
        let Arg { array, constant } = self.arg(index)?;
        match array.as_boolean_opt() {
            Some(array) => Ok(Booleans {
                array,
                constant: *constant,
            }),
            None => wrong(index, "BOOLEAN", array),
        }
    }

    /// Argument `index` as ARRAY.
    pub fn lists(&self, index: usize) -> Result<Lists<'_>> {
        let Arg { array, constant } = self.arg(index)?;
        match array.as_list_opt::<i32>() {
            Some(array) => Ok(Lists {
                array,
                constant: *constant,
            }),
            None => wrong(index, "ARRAY", array),
        }
    }

    /// Argument `index` as MAP.
    pub fn maps(&self, index: usize) -> Result<Maps<'_>> {
        let Arg { array, constant } = self.arg(index)?;
        match array.as_map_opt() {
            Some(array) => Ok(Maps {
                array,
                constant: *constant,
            }),
            None => wrong(index, "MAP", array),
        }
    }

    /// Argument `index` as STRUCT.
    pub fn structs(&self, index: usize) -> Result<Structs<'_>> {
        let Arg { array, constant } = self.arg(index)?;
        match array.as_struct_opt() {
            Some(array) => Ok(Structs {
                array,
                constant: *constant,
            }),
            None => wrong(index, "STRUCT", array),
        }
    }

    /// Argument `index` as a column of `T`.
    pub fn primitives<T: ArrowPrimitiveType>(&self, index: usize) -> Result<Primitive<'_, T>> {
        let Arg { array, constant } = self.arg(index)?;
        match array.as_primitive_opt::<T>() {
            Some(array) => Ok(Primitive {
                array,
                constant: *constant,
            }),
            None => wrong(index, &T::DATA_TYPE.to_string(), array),
        }
    }

    /// Argument `index` as INTEGER.
    pub fn ints(&self, index: usize) -> Result<Primitive<'_, Int32Type>> {
        self.primitives(index)
    }

    /// Argument `index` as BIGINT.
    pub fn bigints(&self, index: usize) -> Result<Primitive<'_, Int64Type>> {
        self.primitives(index)
    }

    /// Argument `index` as DOUBLE.
    pub fn doubles(&self, index: usize) -> Result<Primitive<'_, Float64Type>> {
        self.primitives(index)
    }

    /// Argument `index` as DATE: days since the epoch.
    pub fn dates(&self, index: usize) -> Result<Primitive<'_, Date32Type>> {
        self.primitives(index)
    }

    /// Argument `index` as TIME: milliseconds of the day.
    pub fn times(&self, index: usize) -> Result<Primitive<'_, Time32MillisecondType>> {
        self.primitives(index)
    }

    /// Argument `index` as TIMESTAMP: milliseconds since the epoch.
    pub fn timestamps(&self, index: usize) -> Result<Primitive<'_, TimestampMillisecondType>> {
        self.primitives(index)
    }

    /// Argument `index` as DECIMAL.
    pub fn decimals(&self, index: usize) -> Result<Decimals<'_>> {
        let Arg { array, constant } = self.arg(index)?;
        match array.as_primitive_opt::<Decimal256Type>() {
            Some(array) => Ok(Decimals {
                array,
                constant: *constant,
                scale: array.scale().max(0) as u32,
            }),
            None => wrong(index, "DECIMAL", array),
        }
    }
}

fn wrong<T>(index: usize, expected: &str, array: &ArrayRef) -> Result<T> {
    internal_err!(
        "argument {index} of a function is {}, not {expected}",
        array.data_type()
    )
}
