//! JSON values into builders, driven by the declared types.
//!
//! ```text
//!   fast     one pass; the first member of a name is taken as the only one
//!   careful  each object twice: first find which member of a name counts, then read those
//! ```
//!
//! Only what counts is converted: of two members of one name a bad value in the one that loses
//! does no harm (spec/formats.md §1.9). So whenever the fast way meets a second member or a value
//! that cannot be converted, the caller reads the record again with care. Invariant: both ways
//! give the same rows.

use std::collections::HashMap;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use weir_types::SqlType;
use weir_types::java::parse_double;

use super::object::{Field, Object};
use super::scan::{Number, Scanner, deeper};
use super::text::{decimal, unescape, value_as_text};
use super::{Fail, Segment};
use crate::columns::{ColumnBuilder, Map};
use crate::error::Excerpt;
use crate::numbers::{self, Decimal};

/// Entries of a map that are compared one by one; beyond, the careful way finds equal keys.
const FEW_ENTRIES: usize = 16;

/// Base64 as the reference reads it in JSON: padded, unused bits of the last character ignored.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// How values of one type are read.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) sql_type: SqlType,
    pub(crate) inner: Inner,
}

/// The types within.
#[derive(Debug)]
pub(crate) enum Inner {
    Leaf,
    Items(Box<Plan>),
    Values(Box<Plan>),
    Fields(Box<Object>),
}

impl Plan {
    pub(crate) fn new(sql_type: &SqlType) -> Self {
        let inner = match sql_type {
            SqlType::Array(item) => Inner::Items(Box::new(Self::new(item))),
            SqlType::Map(_, value) => Inner::Values(Box::new(Self::new(value))),
            SqlType::Struct(fields) => Inner::Fields(Box::new(Object::new(
                fields
                    .iter()
                    .map(|f| Field {
                        name: f.name.clone(),
                        plan: Self::new(&f.sql_type),
                        projected: true,
                    })
                    .collect(),
            ))),
            _ => Inner::Leaf,
        };
        Self {
            sql_type: sql_type.clone(),
            inner,
        }
    }
}

/// Reads one payload.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) scanner: Scanner<'a>,
    pub(crate) careful: bool,
}

/// Jackson's name of the kind of value that starts at the scanner's position.
#[cold]
pub(crate) fn node_kind(scanner: &Scanner<'_>) -> &'static str {
    match scanner.peek() {
        Some(b'{') => "ObjectNode",
        Some(b'[') => "ArrayNode",
        Some(b'"') => "TextNode",
        Some(b't' | b'f') => "BooleanNode",
        Some(b'n') => "NullNode",
        _ => match scanner.clone().number() {
            Ok(number) if !number.integral => "DecimalNode",
            Ok(number) if number.text.parse::<i32>().is_ok() => "IntNode",
            Ok(number) if number.text.parse::<i64>().is_ok() => "LongNode",
            _ => "BigIntegerNode",
        },
    }
}

impl Reader<'_> {
    /// Reads one value into `builder`, which gets exactly one row.
    #[inline]
    pub(crate) fn value(
        &mut self,
        plan: &mut Plan,
        builder: &mut ColumnBuilder,
        depth: u32,
    ) -> Result<(), Fail> {
        let first = self.scanner.value_start()?;
        if first == b'n' {
            self.scanner.literal("null")?;
            builder.push_null();
            return Ok(());
        }
        match (builder, first) {
            (ColumnBuilder::Text(b), b'"') => {
                unescape(self.scanner.string()?, &mut b.data);
                b.end_row();
            }
            (ColumnBuilder::Bigint(b) | ColumnBuilder::Timestamp(b), b'-' | b'0'..=b'9') => {
                b.push(self.integer()?);
            }
            (ColumnBuilder::Integer(b), b'-' | b'0'..=b'9') => b.push(self.integer()? as i32),
            (ColumnBuilder::Double(b), b'-' | b'0'..=b'9') => b.push(self.double()?),
            (ColumnBuilder::Boolean(b), b't') => {
                self.scanner.literal("true")?;
                b.push(true);
            }
            (ColumnBuilder::Boolean(b), b'f') => {
                self.scanner.literal("false")?;
                b.push(false);
            }
            (builder, _) => self.less_usual(plan, builder, first, depth)?,
        }
        Ok(())
    }

    fn less_usual(
        &mut self,
        plan: &mut Plan,
        builder: &mut ColumnBuilder,
        first: u8,
        depth: u32,
    ) -> Result<(), Fail> {
        let required = &plan.sql_type;
        match (builder, &mut plan.inner, first) {
            (ColumnBuilder::Text(b), _, _) => {
                value_as_text(&mut self.scanner, depth, &mut b.data)?;
                b.end_row();
            }
            (ColumnBuilder::Struct(b), Inner::Fields(object), b'{') => {
                let depth = deeper(depth)?;
                let row = b.len();
                self.members(object, &mut b.fields, row, depth)?;
                b.end_row();
            }
            (ColumnBuilder::List(b), Inner::Items(plan), b'[') => {
                let depth = deeper(depth)?;
                self.scanner.pos += 1;
                if !self.scanner.empty(b']')? {
                    let mut index = 0;
                    loop {
                        self.value(plan, &mut b.items, depth)
                            .map_err(|e| e.within(|| Segment::Index(index)))?;
                        if !self.scanner.another(b']')? {
                            break;
                        }
                        index += 1;
                    }
                }
                b.end_row();
            }
            (ColumnBuilder::Map(b), Inner::Values(plan), b'{') => {
                let depth = deeper(depth)?;
                let start = self.scanner.pos;
                if self.careful || !self.few_entries(plan, b, depth)? {
                    self.scanner.pos = start;
                    let entries = b.row_start();
                    b.keys.truncate(entries);
                    b.values.truncate(entries);
                    self.many_entries(plan, b, depth)?;
                }
                b.end_row();
            }
            (ColumnBuilder::Decimal(b, _), _, b'-' | b'0'..=b'9') => {
                let number = self.scanner.number()?;
                b.push(fit(decimal(number.text)?, number.text, required)?);
            }
            (ColumnBuilder::Date(b), _, b'-' | b'0'..=b'9') => {
                b.push(numbers::date_of_days(self.integer()?));
            }
            (ColumnBuilder::Time(b), _, b'-' | b'0'..=b'9') => {
                b.push(time(self.integer()?)?);
            }
            (builder, Inner::Leaf, b'"') => {
                let start = self.scanner.pos;
                let string = self.scanner.string()?;
                let mut resolved = String::new();
                let text = if string.escaped {
                    unescape(string, &mut resolved);
                    &resolved
                } else {
                    string.raw
                };
                if !string_value(text, required, builder)? {
                    self.scanner.pos = start;
                    return Err(Fail::kind("TextNode", required));
                }
            }
            (_, _, b'{' | b'[' | b't' | b'f' | b'"' | b'-' | b'0'..=b'9') => {
                return Err(Fail::kind(node_kind(&self.scanner), required));
            }
            _ => return Err(self.scanner.unexpected()),
        }
        Ok(())
    }

    /// A number without its fraction, low 64 bits.
    #[inline]
    fn integer(&mut self) -> Result<i64, Fail> {
        let number = self.scanner.number()?;
        match number.short {
            Some((mantissa, 0)) if number.negative() => Ok(-(mantissa as i64)),
            Some((mantissa, 0)) => Ok(mantissa as i64),
            _ => Ok(decimal(number.text)?.wrapping_i64()),
        }
    }

    #[inline]
    fn double(&mut self) -> Result<f64, Fail> {
        let number = self.scanner.number()?;
        if let Some((mantissa, fraction)) = number.short {
            // The reference's decimals and integers know no negative zero.
            let negative = mantissa != 0 && number.negative();
            if let Some(value) = numbers::exact_double(negative, mantissa, fraction) {
                return Ok(value);
            }
        }
        long_double(number)
    }

    /// Reads the members of an object into one row of each builder; the position is at the `{`.
    /// `row` is the number of rows that the builders hold.
    pub(crate) fn members(
        &mut self,
        object: &mut Object,
        builders: &mut [ColumnBuilder],
        row: usize,
        depth: u32,
    ) -> Result<(), Fail> {
        if self.careful {
            return self.members_that_count(object, builders, depth);
        }
        let mut cursor = object.begin();
        self.scanner.pos += 1;
        if !self.scanner.empty(b'}')? {
            loop {
                let target = object.member(&mut cursor, &mut self.scanner)?;
                match target.field {
                    Some(field) => {
                        object.see(field)?;
                        self.field(object, field, builders, depth)?;
                    }
                    None => self.scanner.skip_value(depth)?,
                }
                if !self.scanner.another(b'}')? {
                    break;
                }
                self.scanner.value_start()?;
            }
        }
        for (i, builder) in builders.iter_mut().enumerate() {
            if !object.is_seen(i) && object.fields.get(i).is_some_and(|f| f.projected) {
                debug_assert_eq!(builder.len(), row);
                builder.push_null();
            }
        }
        Ok(())
    }

    #[inline]
    fn field(
        &mut self,
        object: &mut Object,
        index: usize,
        builders: &mut [ColumnBuilder],
        depth: u32,
    ) -> Result<(), Fail> {
        let (Some(field), Some(builder)) = (object.fields.get_mut(index), builders.get_mut(index))
        else {
            return self.scanner.skip_value(depth);
        };
        if field.projected {
            return self
                .value(&mut field.plan, builder, depth)
                .map_err(|e| e.within(|| Segment::Field(field.name.clone())));
        }
        self.check(field, builder, depth)
    }

    /// Passes a value that nobody wants but that must be convertible.
    fn check(
        &mut self,
        field: &mut Field,
        builder: &mut ColumnBuilder,
        depth: u32,
    ) -> Result<(), Fail> {
        let first = self.scanner.value_start()?;
        match (&field.plan.sql_type, first) {
            (SqlType::String, _) => return self.scanner.skip_value(depth),
            (
                SqlType::Integer | SqlType::Bigint | SqlType::Double | SqlType::Timestamp,
                b'-' | b'0'..=b'9',
            ) => {
                let number = self.scanner.number()?;
                if number.short.is_none() {
                    decimal(number.text)?;
                }
                return Ok(());
            }
            _ => {}
        }
        let read = self.value(&mut field.plan, builder, depth);
        builder.truncate(0);
        read.map_err(|e| e.within(|| Segment::Field(field.name.clone())))
    }

    /// As [`members`](Self::members), but of several members for one field only the one that
    /// counts is converted: the last one of the exact name, else the last one whose upper-cased
    /// name matches.
    fn members_that_count(
        &mut self,
        object: &mut Object,
        builders: &mut [ColumnBuilder],
        depth: u32,
    ) -> Result<(), Fail> {
        let mut winners: Vec<Option<(bool, usize)>> = vec![None; object.fields.len()];
        let mut cursor = object.begin();
        self.scanner.pos += 1;
        if !self.scanner.empty(b'}')? {
            loop {
                let target = object.member(&mut cursor, &mut self.scanner)?;
                if let Some(winner) = target.field.and_then(|f| winners.get_mut(f))
                    && winner.is_none_or(|(exact, _)| target.exact || !exact)
                {
                    *winner = Some((target.exact, self.scanner.pos));
                }
                self.scanner.skip_value(depth)?;
                if !self.scanner.another(b'}')? {
                    break;
                }
                self.scanner.value_start()?;
            }
        }
        let end = self.scanner.pos;
        for (index, winner) in winners.into_iter().enumerate() {
            match winner {
                Some((_, start)) => {
                    self.scanner.pos = start;
                    self.field(object, index, builders, depth)?;
                }
                None => {
                    if object.fields.get(index).is_some_and(|f| f.projected)
                        && let Some(builder) = builders.get_mut(index)
                    {
                        builder.push_null();
                    }
                }
            }
        }
        self.scanner.pos = end;
        Ok(())
    }

    /// Reads the entries of a map in one pass. False if a key came twice or there are many of
    /// them; what was pushed is then to be taken back.
    fn few_entries(&mut self, plan: &mut Plan, map: &mut Map, depth: u32) -> Result<bool, Fail> {
        self.scanner.pos += 1;
        if self.scanner.empty(b'}')? {
            return Ok(true);
        }
        let mut keys: [&str; FEW_ENTRIES] = [""; FEW_ENTRIES];
        let mut count = 0;
        loop {
            self.scanner.value_start()?;
            let key = self.scanner.string()?;
            // Escapes can spell one key in several ways.
            let known = keys.get(..count).unwrap_or_default();
            if key.escaped || known.contains(&key.raw) {
                return Ok(false);
            }
            match keys.get_mut(count) {
                Some(slot) => *slot = key.raw,
                None => return Ok(false),
            }
            count += 1;
            if let ColumnBuilder::Text(b) = &mut *map.keys {
                b.push(key.raw);
            }
            self.scanner.expect(b':')?;
            self.value(plan, &mut map.values, depth)
                .map_err(|e| e.within(|| Segment::MapValue(key.raw.to_owned())))?;
            if !self.scanner.another(b'}')? {
                return Ok(true);
            }
        }
    }

    /// Reads the entries of a map; of equal keys the last value counts, at the first one's place.
    fn many_entries(&mut self, plan: &mut Plan, map: &mut Map, depth: u32) -> Result<(), Fail> {
        let mut entries: Vec<(String, usize)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        self.scanner.pos += 1;
        if !self.scanner.empty(b'}')? {
            loop {
                self.scanner.value_start()?;
                let mut key = String::new();
                unescape(self.scanner.string()?, &mut key);
                self.scanner.expect(b':')?;
                let start = self.scanner.pos;
                self.scanner.skip_value(depth)?;
                match places.get(&key).and_then(|place| entries.get_mut(*place)) {
                    Some(entry) => entry.1 = start,
                    None => {
                        places.insert(key.clone(), entries.len());
                        entries.push((key, start));
                    }
                }
                if !self.scanner.another(b'}')? {
                    break;
                }
            }
        }
        let end = self.scanner.pos;
        for (key, start) in entries {
            if let ColumnBuilder::Text(b) = &mut *map.keys {
                b.push(&key);
            }
            self.scanner.pos = start;
            self.value(plan, &mut map.values, depth)
                .map_err(|e| e.within(|| Segment::MapValue(key)))?;
        }
        self.scanner.pos = end;
        Ok(())
    }
}

/// A number of many digits or with an exponent.
#[cold]
fn long_double(number: Number<'_>) -> Result<f64, Fail> {
    if decimal(number.text)?.is_zero() {
        return Ok(0.0);
    }
    number
        .text
        .parse()
        .map_err(|_| Fail::syntax(format!("{} is no number", Excerpt(number.text))))
}

fn fit(value: Decimal<'_>, text: &str, required: &SqlType) -> Result<arrow::datatypes::i256, Fail> {
    let SqlType::Decimal { precision, scale } = required else {
        return Err(Fail::kind("DecimalNode", required));
    };
    value.fit(*precision, *scale).ok_or_else(|| {
        Fail::value(format!(
            "{} does not fit {required} without rounding",
            Excerpt(text)
        ))
    })
}

fn time(millis: i64) -> Result<i32, Fail> {
    numbers::time_of_day(millis).ok_or_else(|| {
        Fail::value(format!(
            "{millis} is no TIME: give the milliseconds of a day, 0 to 86400000"
        ))
    })
}

/// Pushes what a string holds; false if the type takes no strings.
fn string_value(text: &str, required: &SqlType, builder: &mut ColumnBuilder) -> Result<bool, Fail> {
    let bad = || {
        Fail::value(format!(
            "{} cannot be converted to {required}",
            Excerpt(text)
        ))
    };
    match builder {
        ColumnBuilder::Integer(b) => b.push(numbers::strict_i32(text).ok_or_else(bad)?),
        ColumnBuilder::Bigint(b) | ColumnBuilder::Timestamp(b) => {
            b.push(numbers::strict_i64(text).ok_or_else(bad)?);
        }
        ColumnBuilder::Double(b) => b.push(parse_double(text).ok_or_else(bad)?),
        ColumnBuilder::Decimal(b, _) => {
            b.push(fit(Decimal::parse(text).ok_or_else(bad)?, text, required)?);
        }
        ColumnBuilder::Date(b) => {
            b.push(numbers::date_of_days(
                numbers::strict_i64(text).ok_or_else(bad)?,
            ));
        }
        ColumnBuilder::Time(b) => b.push(time(numbers::strict_i64(text).ok_or_else(bad)?)?),
        ColumnBuilder::Binary(b) => {
            BASE64
                .decode_vec(text.trim(), &mut b.data)
                .map_err(|_| bad())?;
            b.end_row();
        }
        _ => return Ok(false),
    }
    Ok(true)
}
