//! Tables of entities: header, rule, rows, rule, footer.
//!
//! ```text
//!   Name  | Value          cells ` a | b `, padded to the widest of their column
//!  ----------------        rule: as wide as the row, at most as the terminal
//!   a     | 1
//!  ----------------
//!  footer
//! ```
//!
//! Invariant: without a terminal (width 0) the rules are empty lines, and they stand even where
//! there are no rows.

use unicode_width::UnicodeWidthStr;

/// A table to be built row by row.
pub(super) struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
    footer: Option<&'static str>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new(headers: &[&str]) -> Self {
        Self {
            headers: headers.iter().map(|h| (*h).to_owned()).collect(),
            rows: Vec::new(),
            footer: None,
        }
    }

    /// Adds a row; it has a cell per column.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Sorts the rows by their first cell.
    pub(super) fn sort(&mut self) {
        self.rows.sort_by(|a, b| a.first().cmp(&b.first()));
    }

    /// A line under the table.
    pub(super) fn footer(&mut self, line: &'static str) {
        self.footer = Some(line);
    }

    /// Writes the table for a terminal of `width` columns.
    pub(super) fn write(&self, out: &mut String, width: usize) {
        let mut widths: Vec<usize> = self.headers.iter().map(|h| h.width()).collect();
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(cell.width());
            }
        }
        let rule = widths
            .iter()
            .map(|w| w + 3)
            .sum::<usize>()
            .saturating_sub(1);
        let rule = "-".repeat(rule.min(width));
        line(out, &self.headers, &widths);
        out.push_str(&rule);
        out.push('\n');
        for row in &self.rows {
            line(out, row, &widths);
        }
        out.push_str(&rule);
        out.push('\n');
        if let Some(footer) = self.footer {
            out.push_str(footer);
            out.push('\n');
        }
    }
}

fn line(out: &mut String, cells: &[String], widths: &[usize]) {
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if at > 0 {
            out.push('|');
        }
        out.push(' ');
        out.push_str(cell);
        out.extend(std::iter::repeat_n(
            ' ',
            width.saturating_sub(cell.width()) + 1,
        ));
    }
    out.push('\n');
}
