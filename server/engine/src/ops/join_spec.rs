//! What a stream-stream join is: its kind, its window and where its rows lie (spec/semantics.md §7).

use arrow::datatypes::DataType;
use weir_planner::stream::JoinType;

/// What the join is; cheap to clone.
#[derive(Clone)]
pub(crate) struct StreamStreamSpec {
    pub(crate) join_type: JoinType,
    pub(crate) before_ms: i64,
    pub(crate) after_ms: i64,
    /// GRACE as given.
    pub(crate) grace_ms: Option<i64>,
    pub(crate) synthetic_key: bool,
    /// Join columns.
    pub(crate) keys: [usize; 2],
    /// Bounds of windows that must be equal too, per side.
    pub(crate) windows: [Vec<usize>; 2],
    /// Column types of both sides.
    pub(crate) types: [Vec<DataType>; 2],
    /// Stores of the left side, the right side, and of pending rows.
    pub(crate) stores: [usize; 3],
}

/// GRACE where none is given.
const DEFAULT_GRACE_DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl StreamStreamSpec {
    /// GRACE as it works, ms.
    pub(crate) fn grace(&self) -> i64 {
        self.grace_ms
            .unwrap_or_else(|| (DEFAULT_GRACE_DAY_MS - self.before_ms.saturating_mul(2)).max(0))
    }

    /// How long rows of a side are kept, ms.
    pub(crate) fn retention(&self) -> i64 {
        self.before_ms
            .saturating_add(self.after_ms)
            .saturating_add(self.grace())
    }

    /// How far before and after a row of this side rows of the other side match.
    pub(crate) fn reach(&self, side: usize) -> (i64, i64) {
        // RIGHT runs as LEFT with its inputs swapped and the same bounds.
        let first = usize::from(self.join_type == JoinType::Right);
        if side == first {
            (self.before_ms, self.after_ms)
        } else {
            (self.after_ms, self.before_ms)
        }
    }

    /// Whether rows of this side come out without a match.
    pub(crate) fn preserves(&self, side: usize) -> bool {
        match self.join_type {
            JoinType::Inner => false,
            JoinType::Left => side == 0,
            JoinType::Right => side == 1,
            JoinType::Full => true,
        }
    }

    /// Length of a bucket, ms.
    pub(crate) fn bucket_ms(&self) -> i64 {
        (self.retention() / 2).max(60_000)
    }

    /// The bucket of a time.
    pub(crate) fn bucket(&self, ts: i64) -> i64 {
        ts.div_euclid(self.bucket_ms())
    }
}
