//! Payloads to columns.

use arrow::array::ArrayRef;
use weir_types::SqlType;

use super::Fail;
use super::object::{Field, Object};
use super::read::{Plan, Reader, node_kind};
use super::scan::Scanner;
use crate::columns::ColumnBuilder;
use crate::error::DecodeError;
use crate::{Decoded, Decoder, Side};

/// Reads JSON payloads of one side.
#[derive(Debug)]
pub(crate) struct JsonDecoder {
    object: Object,
    builders: Vec<ColumnBuilder>,
    projection: Vec<usize>,
    unwrapped: bool,
    side: Side,
    rows: usize,
}

impl JsonDecoder {
    pub(crate) fn new(
        side: Side,
        columns: &[(String, SqlType)],
        projection: &[usize],
        unwrapped: bool,
    ) -> Self {
        let fields = columns
            .iter()
            .enumerate()
            .map(|(i, (name, sql_type))| Field {
                name: name.clone(),
                plan: Plan::new(sql_type),
                projected: projection.contains(&i),
            })
            .collect();
        Self {
            object: Object::new(fields),
            builders: columns.iter().map(|(_, t)| ColumnBuilder::new(t)).collect(),
            projection: projection.to_vec(),
            unwrapped,
            side,
            rows: 0,
        }
    }

    fn read(&mut self, payload: &[u8], careful: bool) -> Result<Decoded, Fail> {
        let mut reader = Reader {
            scanner: Scanner::new(payload),
            careful,
        };
        reader.scanner.skip_blanks();
        let Some(first) = reader.scanner.peek() else {
            return self.nothing(&reader);
        };
        if self.unwrapped {
            let (Some(field), Some(builder)) =
                (self.object.fields.first_mut(), self.builders.first_mut())
            else {
                return Ok(Decoded::Row);
            };
            reader.value(&mut field.plan, builder, 0)?;
            if !field.projected {
                builder.truncate(0);
            }
            if first == b'n' && self.side == Side::Key {
                return Ok(Decoded::Null);
            }
        } else if first == b'{' {
            reader.members(&mut self.object, &mut self.builders, self.rows, 1)?;
        } else {
            // The text `null` too: it is no tombstone but a record that cannot be read.
            let kind = node_kind(&reader.scanner);
            reader.scanner.skip_value(0)?;
            return Err(Fail::value(format!(
                "{kind} cannot be read as a row, which is an object"
            )));
        }
        reader.scanner.finish_root(first)?;
        Ok(Decoded::Row)
    }

    /// A payload of blanks only is the empty text where a bare STRING is expected.
    fn nothing(&mut self, reader: &Reader<'_>) -> Result<Decoded, Fail> {
        match self.builders.first_mut() {
            Some(ColumnBuilder::Text(b)) if self.unwrapped => {
                b.push("");
                Ok(Decoded::Row)
            }
            _ => Err(reader.scanner.end()),
        }
    }

    fn push_nulls(&mut self) {
        for (field, builder) in self.object.fields.iter().zip(&mut self.builders) {
            if field.projected {
                builder.push_null();
            }
        }
    }

    fn roll_back(&mut self) {
        for builder in &mut self.builders {
            builder.truncate(self.rows.min(builder.len()));
        }
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, payload: Option<&[u8]>) -> Result<Decoded, DecodeError> {
        let Some(payload) = payload else {
            self.push_nulls();
            self.rows += 1;
            return Ok(Decoded::Null);
        };
        let mut result = self.read(payload, false);
        if result.as_ref().is_err_and(|fail| !fail.is_syntax()) {
            self.roll_back();
            result = self.read(payload, true);
        }
        match result {
            Ok(decoded) => {
                self.rows += 1;
                Ok(decoded)
            }
            Err(fail) => {
                self.roll_back();
                let cause = fail.text();
                Err(DecodeError::caused_by(
                    format!("Cannot read the {} as JSON: {cause}", self.side.word()),
                    cause,
                ))
            }
        }
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        let mut finished: Vec<Option<ArrayRef>> = vec![None; self.builders.len()];
        self.projection
            .iter()
            .filter_map(|i| {
                let slot = finished.get_mut(*i)?;
                if slot.is_none() {
                    *slot = self.builders.get_mut(*i).map(ColumnBuilder::finish);
                }
                slot.clone()
            })
            .collect()
    }
}
