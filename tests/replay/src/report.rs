//! Counting and telling.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// Prints a line; a closed stream is no error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What passed and failed so far.
pub(crate) struct Report {
    known: BTreeSet<String>,
    list: bool,
    passed: usize,
    failed: usize,
    unexpected: Vec<String>,
    mended: Vec<String>,
    file: Option<(String, usize, usize)>,
}

impl Report {
    /// A report that knows of the failures listed in a file.
    pub(crate) fn new(known: Option<&Path>, list: bool) -> Result<Self, String> {
        let mut names = BTreeSet::new();
        if let Some(path) = known {
            let text = std::fs::read_to_string(path)
                .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
            names.extend(
                text.lines()
                    .map(str::trim)
                    .filter(|l| !l.is_empty() && !l.starts_with('#'))
                    .map(str::to_owned),
            );
        }
        Ok(Self {
            known: names,
            list,
            passed: 0,
            failed: 0,
            unexpected: Vec::new(),
            mended: Vec::new(),
            file: None,
        })
    }

    /// Counts one step or transcript of a file.
    pub(crate) fn count(&mut self, file: &str, name: &str, result: Result<(), String>) {
        if self
            .file
            .as_ref()
            .is_none_or(|(current, ..)| current != file)
        {
            self.end_file();
            self.file = Some((file.to_owned(), 0, 0));
        }
        let passed = result.is_ok();
        if let Some((_, good, bad)) = &mut self.file {
            if passed { *good += 1 } else { *bad += 1 }
        }
        match result {
            Ok(()) => {
                self.passed += 1;
                if self.known.contains(name) {
                    self.mended.push(name.to_owned());
                }
            }
            Err(difference) => {
                self.failed += 1;
                if !self.known.contains(name) {
                    self.unexpected.push(name.to_owned());
                }
                if self.list {
                    say(&format!("FAILED {name}\n{}", indent(&difference)));
                }
            }
        }
    }

    fn end_file(&mut self) {
        if let Some((name, good, bad)) = self.file.take() {
            say(&format!("{name}: {good} passed, {bad} failed"));
        }
    }

    /// Prints the totals. Whether nothing failed that is not known.
    pub(crate) fn finish(mut self) -> bool {
        self.end_file();
        for name in &self.mended {
            say(&format!("listed as a known failure, and passes: {name}"));
        }
        if !self.known.is_empty() {
            for name in &self.unexpected {
                say(&format!("NEW FAILURE {name}"));
            }
        }
        say(&format!("{} passed, {} failed", self.passed, self.failed));
        self.unexpected.is_empty()
    }
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
