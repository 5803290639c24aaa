//! The JSON format (spec/formats.md §1.9).
//!
//! ```text
//!  payload ──scan──► decode ──► builders          text: escapes, values as text
//!  columns ──────── encode ──► bytes
//! ```
//!
//! Invariant: what the encoder writes, the decoder reads back as the same values.

mod decode;
mod encode;
mod object;
mod read;
mod scan;
mod text;

use std::fmt::Write;

use weir_types::SqlType;

pub(crate) use decode::JsonDecoder;
pub(crate) use encode::JsonEncoder;

/// Why a payload cannot be read. One word wide, since every step of the hot path returns it.
#[derive(Debug)]
pub(crate) struct Fail(Box<Cause>);

#[derive(Debug)]
enum Cause {
    /// No JSON.
    Syntax(String),
    /// JSON, but not what the column takes. The path grows from the inside out.
    Type { what: String, path: Vec<Segment> },
    /// Two members for one field: only the careful way knows which one counts.
    Twice,
}

/// A step from a value to a value within.
#[derive(Debug)]
pub(crate) enum Segment {
    Field(String),
    Index(usize),
    MapValue(String),
}

impl Fail {
    #[cold]
    pub(crate) fn syntax(what: String) -> Self {
        Self(Box::new(Cause::Syntax(what)))
    }

    #[cold]
    pub(crate) fn twice() -> Self {
        Self(Box::new(Cause::Twice))
    }

    /// A node of kind `source` is no `required`.
    #[cold]
    pub(crate) fn kind(source: &str, required: &SqlType) -> Self {
        Self::value(format!("{source} cannot be converted to {required}"))
    }

    /// A value cannot be converted, in words.
    #[cold]
    pub(crate) fn value(what: String) -> Self {
        Self(Box::new(Cause::Type {
            what,
            path: Vec::new(),
        }))
    }

    /// The same failure, seen from the value around.
    #[cold]
    pub(crate) fn within(mut self, segment: impl FnOnce() -> Segment) -> Self {
        if let Cause::Type { path, .. } = &mut *self.0 {
            path.push(segment());
        }
        self
    }

    fn is_syntax(&self) -> bool {
        matches!(*self.0, Cause::Syntax(_))
    }

    /// In words, with the path.
    fn text(&self) -> String {
        match &*self.0 {
            Cause::Syntax(what) => what.clone(),
            Cause::Twice => "two members for one field".to_owned(),
            Cause::Type { what, path } => {
                let mut text = format!("{what}, path: $");
                for segment in path.iter().rev() {
                    // Writing to a String cannot fail.
                    let _ = match segment {
                        Segment::Field(name) => write!(text, ".{name}"),
                        Segment::Index(i) => write!(text, "[{i}]"),
                        Segment::MapValue(key) => write!(text, ".{key}.value"),
                    };
                }
                text
            }
        }
    }
}
