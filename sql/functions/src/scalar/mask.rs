//! MASK and its relatives: texts with their characters replaced by class
//! (spec/sql.md §7.1 String, bytes).

use arrow::array::ArrayRef;
use datafusion::common::Result;
use weir_types::surrogates::{from_units, units};

use crate::kernel::{Call, Strings, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

const TEXT: Param = Param::new("text", Type::String, "the text");
const COUNT: Param = Param::new("n", Type::Integer, "how many characters");
const UPPER: Param = Param::new(
    "upper",
    Type::String,
    "stands for upper case letters; NULL leaves them",
);
const LOWER: Param = Param::new(
    "lower",
    Type::String,
    "stands for lower case letters; NULL leaves them",
);
const DIGIT: Param = Param::new("digit", Type::String, "stands for digits; NULL leaves them");
const OTHER: Param = Param::new(
    "other",
    Type::String,
    "stands for all others; NULL leaves them",
);

/// A function that masks `$which` of the characters.
macro_rules! masking {
    ($name:literal, $description:literal, $which:expr) => {
        Function::scalar(
            $name,
            Category::String,
            $description,
            &[
                Variant::new(&[TEXT, COUNT], Type::String, |call| {
                    mask(call, $which, true)
                }),
                Variant::new(
                    &[TEXT, COUNT, UPPER, LOWER, DIGIT, OTHER],
                    Type::String,
                    |call| mask(call, $which, true),
                ),
            ],
        )
    };
}

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "MASK",
        Category::String,
        "The text with letters, digits and other characters replaced.",
        &[
            Variant::new(&[TEXT], Type::String, |call| {
                mask(call, Which::First, false)
            }),
            Variant::new(&[TEXT, UPPER, LOWER, DIGIT, OTHER], Type::String, |call| {
                mask(call, Which::First, false)
            }),
        ],
    ),
    masking!(
        "MASK_LEFT",
        "The text with its first n characters masked.",
        Which::First
    ),
    masking!(
        "MASK_RIGHT",
        "The text with its last n characters masked.",
        Which::Last
    ),
    masking!(
        "MASK_KEEP_LEFT",
        "The text masked but for its first n characters.",
        Which::NotFirst
    ),
    masking!(
        "MASK_KEEP_RIGHT",
        "The text masked but for its last n characters.",
        Which::NotLast
    ),
];

#[derive(Debug, Clone, Copy)]
enum Which {
    First,
    Last,
    NotFirst,
    NotLast,
}

impl Which {
    /// The masked units of a text of `length`.
    fn range(self, length: usize, count: usize) -> std::ops::Range<usize> {
        let count = count.min(length);
        match self {
            Self::First => 0..count,
            Self::Last => length - count..length,
            Self::NotFirst => count..length,
            Self::NotLast => 0..length - count,
        }
    }
}

/// What stands for upper case, lower case, digits, others; `None` leaves them.
type Masks = [Option<u16>; 4];

const DEFAULT: Masks = [
    Some(b'X' as u16),
    Some(b'x' as u16),
    Some(b'n' as u16),
    Some(b'-' as u16),
];

fn mask(call: &Call<'_>, which: Which, counted: bool) -> Result<ArrayRef> {
    let text = call.strings(0)?;
    let count = if counted { Some(call.ints(1)?) } else { None };
    let first = 1 + usize::from(counted);
    let masks: Option<Vec<Strings<'_>>> = if call.has(first) {
        Some(
            (first..first + 4)
                .map(|index| call.strings(index))
                .collect::<Result<_>>()?,
        )
    } else {
        None
    };
    call.to_strings(|row| {
        let text = text.get(row)?;
        let count = match count {
            None => usize::MAX,
            Some(count) => {
                let count = count.get(row)?;
                match usize::try_from(count) {
                    Ok(count) => count,
                    Err(_) => {
                        return row_error(|| {
                            format!(
                                "The number of characters to mask must not be negative: {count}"
                            )
                        });
                    }
                }
            }
        };
        let masks = match &masks {
            None => DEFAULT,
            Some(given) => {
                let mut masks = [None; 4];
                for (mask, given) in masks.iter_mut().zip(given) {
                    *mask = match given.get(row) {
                        Some(text) => Some(single_unit(text)?),
                        None => None,
                    };
                }
                masks
            }
        };
        Some(masked(text, which, count, &masks))
    })
}

fn single_unit(text: &str) -> Option<u16> {
    let mut units = units(text);
    match (units.next(), units.next()) {
        (Some(unit), None) => Some(unit),
        _ => row_error(|| format!("A mask must be one character, but was '{text}'")),
    }
}

fn masked(text: &str, which: Which, count: usize, masks: &Masks) -> String {
    let mut units: Vec<u16> = units(text).collect();
    let range = which.range(units.len(), count);
    for unit in units.get_mut(range).into_iter().flatten() {
        // Half of a surrogate pair belongs to the others.
        let class = match char::from_u32(u32::from(*unit)) {
            Some(c) if c.is_uppercase() => 0,
            Some(c) if c.is_lowercase() => 1,
            Some(c) if is_digit(c) => 2,
            _ => 3,
        };
        if let Some(mask) = masks[class] {
            *unit = mask;
        }
    }
    from_units(units)
}

/// Decimal digits of any script within the first 65536 characters: each script has ten in a row.
fn is_digit(c: char) -> bool {
    const ZEROS: [u32; 37] = [
        0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
        0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
        0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
        0xff10,
    ];
    let code = u32::from(c);
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_by_class_and_place() {
        let unit = |c: char| Some(c as u16);
        let own = [None, unit('l'), None, unit('*')];
        for (which, count, masks, expected) in [
            (Which::First, usize::MAX, DEFAULT, "XxXx-nn-x"),
            (Which::First, 3, DEFAULT, "XxXd 12-z"),
            (Which::Last, 3, DEFAULT, "AbCd 1n-x"),
            (Which::NotFirst, 3, own, "AbCl*12*l"),
            (Which::NotLast, 100, own, "AbCd 12-z"),
        ] {
            assert_eq!(
                masked("AbCd 12-z", which, count, &masks),
                expected,
                "{which:?} {count}"
            );
        }
        assert_eq!(masked("한😀٣", Which::First, 9, &DEFAULT), "---n");
        assert_eq!(single_unit("ab"), None);
        assert_eq!(single_unit("😀"), None);
    }
}
