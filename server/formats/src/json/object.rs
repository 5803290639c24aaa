//! Which field a member of an object belongs to (spec/formats.md §1.9 "Names").
//!
//! ```text
//!   "order_id":  ──predicted member──► field            one comparison, the usual case
//!                └─ learned members ──► field           the same spelling came before
//!                   └─ exact name, else upper-cased name ──► field or unknown
//! ```
//!
//! Records of one topic are written by few programs, so their members come in few orders and
//! spellings. Both are learned: each member remembers which one came after it the last time.

use std::collections::HashMap;

use super::Fail;
use super::read::Plan;
use super::scan::{RawString, Scanner};
use super::text::unescape;

/// So many spellings are learned; further ones are looked up each time.
const MAX_MEMBERS: usize = 1024;

/// No member.
const NONE: usize = usize::MAX;

/// A field of a STRUCT or a column of a row.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) plan: Plan,
    /// Whether its values are wanted; else they are only checked.
    pub(crate) projected: bool,
}

/// A spelling that came before.
#[derive(Debug)]
struct Member {
    /// The name with its quotes and the colon, as in `"a":`.
    spelling: Vec<u8>,
    target: Target,
    /// The member that came after this one the last time.
    next: usize,
}

/// What a member is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// The field; `None` for a name that no field has.
    pub(crate) field: Option<usize>,
    /// Whether the spelling is the field's own name; such a member beats all others.
    pub(crate) exact: bool,
}

/// The fields of an object and what was learned about its members.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) fields: Vec<Field>,
    by_name: HashMap<String, usize>,
    members: Vec<Member>,
    /// Raw name to index in `members`.
    by_spelling: HashMap<String, usize>,
    first: usize,
    /// The object in which each field was last seen.
    seen: Vec<u64>,
    current: u64,
}

/// Where in the learned order the scan of one object is.
#[derive(Debug)]
pub(crate) struct Cursor {
    previous: usize,
    predicted: usize,
}

impl Object {
    pub(crate) fn new(fields: Vec<Field>) -> Self {
        let by_name = fields
            .iter()
            .enumerate()
            .map(|(i, f)| (f.name.clone(), i))
            .collect();
        let seen = vec![0; fields.len()];
        Self {
            fields,
            by_name,
            members: Vec::new(),
            by_spelling: HashMap::new(),
            first: NONE,
            seen,
            current: 0,
        }
    }

    /// Starts a new object: no field is seen yet.
    #[inline]
    pub(crate) fn begin(&mut self) -> Cursor {
        self.current += 1;
        Cursor {
            previous: NONE,
            predicted: self.first,
        }
    }

    /// Marks a field as seen; an error if it was already.
    #[inline]
    pub(crate) fn see(&mut self, field: usize) -> Result<(), Fail> {
        match self.seen.get_mut(field) {
            Some(seen) if *seen != self.current => {
                *seen = self.current;
                Ok(())
            }
            _ => Err(Fail::twice()),
        }
    }

    /// Whether the field was seen in this object.
    #[inline]
    pub(crate) fn is_seen(&self, field: usize) -> bool {
        self.seen.get(field) == Some(&self.current)
    }

    /// Reads a member's name and the colon; the position is at the opening quote.
    #[inline]
    pub(crate) fn member(
        &mut self,
        cursor: &mut Cursor,
        scanner: &mut Scanner<'_>,
    ) -> Result<Target, Fail> {
        if let Some(member) = self.members.get(cursor.predicted)
            && scanner.rest().starts_with(&member.spelling)
        {
            scanner.pos += member.spelling.len();
            cursor.previous = cursor.predicted;
            cursor.predicted = member.next;
            return Ok(member.target);
        }
        self.unforeseen(cursor, scanner)
    }

    #[cold]
    fn unforeseen(
        &mut self,
        cursor: &mut Cursor,
        scanner: &mut Scanner<'_>,
    ) -> Result<Target, Fail> {
        scanner.value_start()?;
        let name = scanner.string()?;
        scanner.expect(b':')?;
        let (target, index) = match self.by_spelling.get(name.raw) {
            Some(index) => match self.members.get(*index) {
                Some(member) => (member.target, *index),
                None => (self.resolve(name), NONE),
            },
            None => self.learn(name),
        };
        if index != NONE {
            match self.members.get_mut(cursor.previous) {
                Some(previous) => previous.next = index,
                None if cursor.previous == NONE => self.first = index,
                None => {}
            }
        }
        cursor.previous = index;
        cursor.predicted = self.members.get(index).map_or(NONE, |m| m.next);
        Ok(target)
    }

    fn learn(&mut self, name: RawString<'_>) -> (Target, usize) {
        let target = self.resolve(name);
        let index = self.members.len();
        if index >= MAX_MEMBERS {
            return (target, NONE);
        }
        let spelling = [b"\"", name.raw.as_bytes(), b"\":"].concat();
        self.members.push(Member {
            spelling,
            target,
            next: NONE,
        });
        self.by_spelling.insert(name.raw.to_owned(), index);
        (target, index)
    }

    /// The field of this name: the exact one, else the one that the upper-cased name equals.
    fn resolve(&self, name: RawString<'_>) -> Target {
        let mut plain = String::new();
        unescape(name, &mut plain);
        if let Some(field) = self.by_name.get(&plain) {
            return Target {
                field: Some(*field),
                exact: true,
            };
        }
        Target {
            field: self.by_name.get(&plain.to_uppercase()).copied(),
            exact: false,
        }
    }
}
