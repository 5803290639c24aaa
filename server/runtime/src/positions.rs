//! What a commit keeps with a source offset: exact positions and what tasks must remember.
//!
//! A group has one offset for a topic partition, while several inputs of a query may read it at
//! different places. The offset is the least of them; the text beside it has the rest.
//!
//! ```text
//!   w1
//!   p <part> <input> <offset>       one line per input
//!   m <part> <text of the task>     one line per part
//! ```

use std::collections::BTreeMap;

/// What is committed for one topic partition of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Next record of each input, by part and input.
    pub inputs: BTreeMap<(u32, u32), i64>,
    /// What each part's task keeps.
    pub tasks: BTreeMap<u32, String>,
}

/// Brokers refuse longer texts by default (`offset.metadata.max.bytes`).
const MAX_BYTES: usize = 4096;

impl Committed {
    /// The offset for the group: the least position.
    pub fn offset(&self) -> Option<i64> {
        self.inputs.values().min().copied()
    }

    /// The text beside the offset. What tasks keep is left out if it is too long.
    pub fn encode(&self) -> String {
        let mut text = "w1".to_owned();
        for ((part, input), offset) in &self.inputs {
            text += &format!("\np {part} {input} {offset}");
        }
        let mut whole = text.clone();
        for (part, kept) in &self.tasks {
            whole += &format!(
                "\nm {part} {}",
                kept.replace('\\', "\\\\").replace('\n', "\\n")
            );
        }
        if whole.len() <= MAX_BYTES {
            whole
        } else {
            text
        }
    }

    /// Reads offset and text back. A text that is not ours (a user set the offset by hand) gives
    /// the offset to every input.
    pub fn decode(offset: i64, text: &str) -> Decoded {
        let mut lines = text.lines();
        let mut found = Self::default();
        if lines.next() != Some("w1") {
            return Decoded {
                offset,
                exact: found,
            };
        }
        for line in lines {
            let mut words = line.splitn(3, ' ');
            let (Some(kind), Some(part), Some(rest)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Ok(part) = part.parse() else { continue };
            match kind {
                "p" => {
                    if let Some((input, at)) = rest.split_once(' ')
                        && let (Ok(input), Ok(at)) = (input.parse(), at.parse())
                    {
                        found.inputs.insert((part, input), at);
                    }
                }
                "m" => {
                    found.tasks.insert(part, unescape(rest));
                }
                _ => {}
            }
        }
        // Somebody moved the group: what was beside the old offset is void.
        if found.offset() != Some(offset) {
            found = Self::default();
        }
        Decoded {
            offset,
            exact: found,
        }
    }
}

/// A committed offset as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    offset: i64,
    exact: Committed,
}

impl Decoded {
    /// Where an input goes on.
    pub fn position(&self, part: u32, input: u32) -> i64 {
        self.exact
            .inputs
            .get(&(part, input))
            .copied()
            .unwrap_or(self.offset)
    }

    /// What the task of a part has kept.
    pub fn metadata(&self, part: u32) -> Option<&str> {
        self.exact.tasks.get(&part).map(String::as_str)
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(if chars.next() == Some('n') {
                '\n'
            } else {
                '\\'
            }),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_back_what_it_wrote(
            inputs in prop::collection::btree_map((0u32..3, 0u32..3), 0i64..1000, 1..5),
            tasks in prop::collection::btree_map(0u32..3, "[a-z\\\\\n ;]{0,20}", 0..3),
        ) {
            let committed = Committed { inputs, tasks };
            let offset = committed.offset().unwrap();
            let read = Committed::decode(offset, &committed.encode());
            prop_assert_eq!(&read.exact, &committed);
        }
    }

    #[test]
    fn an_offset_set_by_hand_wins() {
        let committed = Committed {
            inputs: [((0, 0), 5), ((1, 0), 9)].into(),
            tasks: [(0, "x".to_owned())].into(),
        };
        let same = Committed::decode(5, &committed.encode());
        assert_eq!((same.position(0, 0), same.position(1, 0)), (5, 9));
        assert_eq!(same.metadata(0), Some("x"));
        for (offset, text) in [
            (3, committed.encode()),
            (3, String::new()),
            (3, "other".into()),
        ] {
            let moved = Committed::decode(offset, &text);
            assert_eq!((moved.position(0, 0), moved.position(1, 0)), (3, 3));
            assert_eq!(moved.metadata(0), None);
        }
    }

    #[test]
    fn too_long_a_text_keeps_the_positions() {
        let committed = Committed {
            inputs: [((0, 0), 5)].into(),
            tasks: [(0, "x".repeat(5000))].into(),
        };
        let read = Committed::decode(5, &committed.encode());
        assert_eq!((read.position(0, 0), read.metadata(0)), (5, None));
    }
}
