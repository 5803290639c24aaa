//! Stream-table join: each stream row sees the table as it is at that moment
//! (spec/semantics.md §8.1). Changes of the table emit nothing.

use arrow::array::Array;
use weir_planner::stream::JoinType;

use super::lookup::{Found, Lookup, Overlay};
use super::{Context, Operator};
use crate::EngineError;
use crate::batch::{Batch, Keys, project};

/// See the module.
pub(crate) struct StreamTableJoin {
    /// Join column of the stream.
    pub(crate) stream_key: usize,
    /// Key column of the table.
    pub(crate) table_key: usize,
    pub(crate) join_type: JoinType,
    /// Whether the result begins with the join key.
    pub(crate) synthetic_key: bool,
    pub(crate) lookup: Lookup,
}

impl Operator for StreamTableJoin {
    fn process(&mut self, inputs: Vec<Batch>, ctx: &mut Context<'_>) -> Result<Batch, EngineError> {
        let mut inputs = inputs.into_iter();
        let stream = inputs.next().unwrap_or_default();
        let table = inputs.next().unwrap_or_default();
        if stream.is_empty() {
            return Ok(Batch::default());
        }
        let key = project(&stream.columns, &[self.stream_key]);
        let null_key = |row: usize| key.first().is_some_and(|column| column.is_null(row));
        let left = self.join_type == JoinType::Left;
        let candidates: Vec<u32> = (0..stream.len())
            .filter(|row| !stream.is_absent(*row) && (left || !null_key(*row)))
            .map(|row| row as u32)
            .collect();
        let keys = Keys::of(&key, stream.len())?;
        let asked: Vec<u32> = candidates
            .iter()
            .copied()
            .filter(|row| !null_key(*row as usize))
            .collect();
        let wanted: Vec<(&[u8], u64)> = asked
            .iter()
            .map(|row| (keys.get(*row as usize), stream.seq[*row as usize]))
            .collect();
        let overlay = Overlay::new(&table, &[self.table_key])?;
        let resolved = overlay.resolve(&wanted, &self.lookup, ctx)?;

        let mut answers = asked.iter().zip(&resolved.found).peekable();
        let mut rows = Vec::with_capacity(candidates.len());
        let mut found = Vec::with_capacity(candidates.len());
        for row in candidates {
            let answer = match answers.peek() {
                Some((asked, answer)) if **asked == row => {
                    let answer = **answer;
                    answers.next();
                    answer
                }
                _ => Found::Nothing,
            };
            if left || answer != Found::Nothing {
                rows.push(row);
                found.push(answer);
            }
        }
        let mut out = stream.take(&rows)?;
        out.absent = None;
        out.old = None;
        if self.synthetic_key
            && let Some(key) = out.columns.get(self.stream_key).cloned()
        {
            out.columns.insert(0, key);
        }
        out.columns
            .extend(overlay.columns(&found, &resolved.fetched)?);
        Ok(out)
    }
}
