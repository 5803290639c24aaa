//! Payloads to columns.

use std::borrow::Cow;

use arrow::array::ArrayRef;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use weir_types::java::parse_double;
use weir_types::{SqlType, ValueFormat};

use super::Delimiter;
use super::token::Tokens;
use crate::columns::ColumnBuilder;
use crate::error::{DecodeError, Excerpt, FormatError};
use crate::numbers::{self, Decimal};
use crate::{Decoded, Decoder, Side};

/// Base64 as Java's basic decoder reads it: the padding may be left out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads DELIMITED payloads of one side.
#[derive(Debug)]
pub(crate) struct DelimitedDecoder {
    delimiter: Delimiter,
    side: Side,
    columns: Vec<Field>,
    projection: Vec<usize>,
    rows: usize,
}

#[derive(Debug)]
struct Field {
    name: String,
    sql_type: SqlType,
    builder: ColumnBuilder,
    projected: bool,
}

impl DelimitedDecoder {
    pub(crate) fn new(
        format: &ValueFormat,
        side: Side,
        columns: &[(String, SqlType)],
        projection: &[usize],
    ) -> Result<Self, FormatError> {
        let columns = columns
            .iter()
            .enumerate()
            .map(|(i, (name, sql_type))| Field {
                name: name.clone(),
                sql_type: sql_type.clone(),
                builder: ColumnBuilder::new(sql_type),
                projected: projection.contains(&i),
            })
            .collect();
        Ok(Self {
            delimiter: Delimiter::of(format)?,
            side,
            columns,
            projection: projection.to_vec(),
            rows: 0,
        })
    }

    /// Reads one row; on an error begun rows are left behind.
    fn read(&mut self, payload: &[u8]) -> Result<(), String> {
        // As Java does, each broken sequence becomes U+FFFD.
        let text = match std::str::from_utf8(payload) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(payload),
        };
        let mut tokens = Tokens::new(&text, self.delimiter);
        let mut fields = 0;
        while let Some(token) = tokens.next() {
            let token = token?;
            if let Some(column) = self.columns.get_mut(fields) {
                column.push(token)?;
            }
            fields += 1;
        }
        if fields == 0 {
            return Err("No fields in record".to_owned());
        }
        if fields != self.columns.len() {
            return Err(format!(
                "{} fields are expected, but the record has {fields}",
                self.columns.len()
            ));
        }
        Ok(())
    }
}

impl Field {
    /// Appends one field. An empty one, quoted or not, is null.
    fn push(&mut self, token: &str) -> Result<(), String> {
        if token.is_empty() {
            if self.projected {
                self.builder.push_null();
            }
            return Ok(());
        }
        let result = push_value(token, &self.sql_type, &mut self.builder);
        if !self.projected {
            self.builder.truncate(0);
        }
        result.map_err(|what| format!("{what}, column: {}", self.name))
    }
}

/// Appends what a field that is not empty holds (spec/formats.md §1.8 "Reading").
fn push_value(token: &str, sql_type: &SqlType, builder: &mut ColumnBuilder) -> Result<(), String> {
    let bad = || format!("{} is no {sql_type}", Excerpt(token));
    match builder {
        ColumnBuilder::Boolean(b) => b.push(token.eq_ignore_ascii_case("true")),
        ColumnBuilder::Integer(b) => b.push(numbers::strict_i32(token).ok_or_else(bad)?),
        ColumnBuilder::Bigint(b) | ColumnBuilder::Timestamp(b) => {
            b.push(numbers::strict_i64(token).ok_or_else(bad)?);
        }
        ColumnBuilder::Double(b) => b.push(parse_double(token).ok_or_else(bad)?),
        ColumnBuilder::Decimal(b, _) => {
            let SqlType::Decimal { precision, scale } = sql_type else {
                return Err(bad());
            };
            let value = Decimal::parse(token).ok_or_else(bad)?;
            b.push(value.fit(*precision, *scale).ok_or_else(|| {
                format!(
                    "{} does not fit {sql_type} without rounding",
                    Excerpt(token)
                )
            })?);
        }
        ColumnBuilder::Text(b) => b.push(token),
        ColumnBuilder::Binary(b) => {
            BASE64.decode_vec(token, &mut b.data).map_err(|_| bad())?;
            b.end_row();
        }
        ColumnBuilder::Date(b) => {
            b.push(numbers::date_of_days(
                numbers::strict_i32(token).ok_or_else(bad)?.into(),
            ));
        }
        ColumnBuilder::Time(b) => {
            let millis = numbers::strict_i64(token).ok_or_else(bad)?;
            b.push(numbers::time_of_day(millis).ok_or_else(bad)?);
        }
        ColumnBuilder::List(_) | ColumnBuilder::Map(_) | ColumnBuilder::Struct(_) => {
            return Err(bad());
        }
    }
    Ok(())
}

impl Decoder for DelimitedDecoder {
    fn decode(&mut self, payload: Option<&[u8]>) -> Result<Decoded, DecodeError> {
        let decoded = match payload {
            None => {
                for column in self.columns.iter_mut().filter(|c| c.projected) {
                    column.builder.push_null();
                }
                Decoded::Null
            }
            Some(_) if self.columns.is_empty() => Decoded::Row,
            Some(payload) => {
                if let Err(cause) = self.read(payload) {
                    for column in &mut self.columns {
                        column.builder.truncate(self.rows.min(column.builder.len()));
                    }
                    return Err(DecodeError::caused_by(
                        format!("Cannot read the {} as DELIMITED: {cause}", self.side.word()),
                        cause,
                    ));
                }
                Decoded::Row
            }
        };
        self.rows += 1;
        Ok(decoded)
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        let finished: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(|c| c.builder.finish())
            .collect();
        self.projection
            .iter()
            .filter_map(|i| finished.get(*i).cloned())
            .collect()
    }
}
