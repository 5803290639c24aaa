//! Rows of queries as a table of fixed cells (spec/api.md §8.5).
//!
//! ```text
//!  +-----+-----+   cell width: `set cli column-width`, else the terminal divided by the columns
//!  |ID   |V    |   values longer than a cell go on in the next line (wrap ON)
//!  +-----+-----+   or end in `...` (wrap OFF)
//! ```
//!
//! Invariant: every line of a table is equally wide; nothing about it depends on rows to come, so
//! that an endless query can be shown.

use serde_json::Value;
use unicode_width::UnicodeWidthChar;

/// The narrowest cell that is chosen without being asked for.
const LEAST_CELL: usize = 5;
const CLIP: &str = "...";

/// How rows are to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowLayout {
    /// Columns of the terminal, 0 if there is none.
    pub width: usize,
    /// `set cli column-width`, 0 for automatic.
    pub cell: usize,
    /// `set cli wrap`.
    pub wrap: bool,
}

impl RowLayout {
    fn cell_width(self, columns: usize) -> usize {
        match (self.cell, columns) {
            (0, 0) => LEAST_CELL,
            (0, n) => (self.width / n).saturating_sub(2).max(LEAST_CELL),
            (chosen, _) => chosen,
        }
    }

    /// The head of the table for the `schema` of a header row: names between two rules.
    pub(crate) fn header(self, schema: &str) -> String {
        let names = column_names(schema);
        let cell = self.cell_width(names.len());
        let mut rule = String::from("+");
        for _ in &names {
            rule.push_str(&"-".repeat(cell));
            rule.push('+');
        }
        rule.push('\n');
        let mut out = rule.clone();
        lines(&mut out, &names, cell, true);
        out.push_str(&rule);
        out
    }

    /// One row: the `row` member of a streamed row, `{"columns":[…],"tombstone":…}`.
    pub(crate) fn row(self, row: &Value) -> String {
        let columns = row.get("columns").and_then(Value::as_array);
        let deleted = row.get("tombstone") == Some(&Value::Bool(true));
        let cells: Vec<String> = columns
            .into_iter()
            .flatten()
            .map(|value| match value {
                Value::Null if deleted => "<TOMBSTONE>".to_owned(),
                value => java_text(value),
            })
            .collect();
        let mut out = String::new();
        lines(&mut out, &cells, self.cell_width(cells.len()), self.wrap);
        out
    }
}

/// Writes the lines of one row.
fn lines(out: &mut String, cells: &[String], width: usize, wrap: bool) {
    let split: Vec<Vec<String>> = cells.iter().map(|c| chunks(c, width)).collect();
    let most = split.iter().map(Vec::len).max().unwrap_or(1);
    let shown = if wrap { most } else { 1 };
    for line in 0..shown {
        out.push('|');
        for chunks in &split {
            let chunk = chunks.get(line).map_or("", String::as_str);
            let hidden = chunks.get(shown..).unwrap_or_default();
            if hidden.iter().any(|c| !c.trim().is_empty()) {
                let kept = width.saturating_sub(CLIP.len());
                let cut = chunks_of(chunk, kept).0;
                pad(out, &format!("{cut}{CLIP}"), width);
            } else {
                pad(out, chunk, width);
            }
            out.push('|');
        }
        out.push('\n');
    }
}

/// A text in pieces of at most `width` columns; at least one piece.
fn chunks(text: &str, width: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = text;
    loop {
        let (head, tail) = chunks_of(rest, width);
        all.push(head.to_owned());
        if tail.is_empty() {
            return all;
        }
        rest = tail;
    }
}

/// Splits off as many characters as fit, at least one.
fn chunks_of(text: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(1);
        if used > width && at > 0 {
            return text.split_at(at);
        }
    }
    (text, "")
}

fn pad(out: &mut String, text: &str, width: usize) {
    out.push_str(text);
    let used: usize = text.chars().map(|c| c.width().unwrap_or(1)).sum();
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
}

/// The names of a schema text: `` `ID` INTEGER KEY, `A` ARRAY<INTEGER> `` → `ID`, `A`.
pub(crate) fn column_names(schema: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = schema.trim_start();
    while !rest.is_empty() {
        let name_end = if let Some(quoted) = rest.strip_prefix('`') {
            let mut end = 0;
            let mut name = String::new();
            let mut chars = quoted.char_indices().peekable();
            while let Some((at, c)) = chars.next() {
                end = at + c.len_utf8();
                if c == '`' {
                    match chars.peek() {
                        Some((_, '`')) => {
                            chars.next();
                            name.push('`');
                        }
                        _ => break,
                    }
                } else {
                    name.push(c);
                }
            }
            names.push(name);
            end + 1
        } else {
            let end = rest.find([' ', ',']).unwrap_or(rest.len());
            names.push(rest[..end].to_owned());
            end
        };
        rest = after_column(rest.get(name_end..).unwrap_or_default());
    }
    names
}

/// What follows the comma that ends the type of a column.
fn after_column(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '`' | '\'') => quote = Some(c),
            (None, '<' | '(') => depth += 1,
            (None, '>' | ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => return text[at + 1..].trim_start(),
            _ => {}
        }
    }
    ""
}

/// A value as Java's `toString` writes it: `null`, `a`, `[1, null]`, `{K=V}`, `1.50`, `1.0E+10`.
pub(crate) fn java_text(value: &Value) -> String {
    let mut out = String::new();
    write_java(&mut out, value);
    out
}

fn write_java(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&big_decimal(&n.to_string())),
        Value::String(s) => out.push_str(s),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_java(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                out.push_str(name);
                out.push('=');
                write_java(out, member);
            }
            out.push('}');
        }
    }
}

/// A JSON number taken apart: sign, digits without leading zeros, digits behind the point (below
/// 0: zeros before it). `None` if it has no point and no exponent, or is far out of range.
fn parts(number: &str) -> Option<(bool, String, i64)> {
    if !number.contains(['.', 'e', 'E']) {
        return None;
    }
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.trim_start_matches('+').parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        significant => significant.to_owned(),
    };
    let scale = i64::try_from(fraction.len()).ok()? - exponent;
    // Numbers of a row are doubles or decimals; nothing needs more zeros than this.
    (scale.abs() <= 2_000).then_some((negative, digits, scale))
}

/// The digits with a point `scale` digits from the right.
fn plain(digits: &str, scale: i64) -> String {
    let Ok(scale) = usize::try_from(scale) else {
        let zeros = usize::try_from(-scale).unwrap_or_default();
        return if digits == "0" {
            digits.to_owned()
        } else {
            format!("{digits}{}", "0".repeat(zeros))
        };
    };
    if scale == 0 {
        return digits.to_owned();
    }
    let padded = format!(
        "{}{digits}",
        "0".repeat((scale + 1).saturating_sub(digits.len()))
    );
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{whole}.{fraction}")
}

/// A JSON number without exponent, its scale kept.
pub(crate) fn plain_number(number: &str) -> String {
    match parts(number) {
        None => number.to_owned(),
        Some((negative, digits, scale)) => {
            format!("{}{}", sign(negative, &digits), plain(&digits, scale))
        }
    }
}

/// Decimals have no negative zero.
fn sign(negative: bool, digits: &str) -> &'static str {
    if negative && digits != "0" { "-" } else { "" }
}

/// A JSON number as Java's `BigDecimal` shows it: plain between 1E-6 and its own precision, with
/// an exponent beyond (the reference client reads all fractions as `BigDecimal`).
fn big_decimal(number: &str) -> String {
    let Some((negative, digits, scale)) = parts(number) else {
        return number.to_owned();
    };
    let sign = sign(negative, &digits);
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let adjusted = length - 1 - scale;
    if scale >= 0 && adjusted >= -6 {
        return format!("{sign}{}", plain(&digits, scale));
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}E{adjusted:+}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    const BARE: RowLayout = RowLayout {
        width: 0,
        cell: 0,
        wrap: true,
    };

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn values_read_as_in_java() {
        for (json, expected) in [
            ("null", "null"),
            ("true", "true"),
            ("\"it's\"", "it's"),
            ("12345678901234567890", "12345678901234567890"),
            ("7.10", "7.10"),
            ("-0.50", "-0.50"),
            ("0.0", "0.0"),
            ("-0.0", "0.0"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("0.00000012", "1.2E-7"),
            ("2.5E10", "2.5E+10"),
            ("1.0E-5", "0.000010"),
            ("-1.0E7", "-1.0E+7"),
            ("[1,null,[2]]", "[1, null, [2]]"),
            ("{\"K\":{\"x\":1.0},\"l\":[]}", "{K={x=1.0}, l=[]}"),
            ("{}", "{}"),
        ] {
            assert_eq!(java_text(&value(json)), expected, "{json}");
        }
    }

    #[test]
    fn json_rows_have_no_exponents() {
        for (number, expected) in [
            ("1.0E10", "10000000000"),
            ("1.25E-3", "0.00125"),
            ("-3E2", "-300"),
            ("1.50", "1.50"),
            ("-0.0", "0.0"),
            ("17", "17"),
            ("1E999999999", "1E999999999"),
        ] {
            assert_eq!(plain_number(number), expected, "{number}");
        }
    }

    #[test]
    fn names_are_read_from_any_schema() {
        for (schema, expected) in [
            ("`A` INTEGER KEY, `B` STRING", vec!["A", "B"]),
            (
                "`M` MAP<STRING, ARRAY<INTEGER>>, `S` STRUCT<`x, y` INTEGER, `>` STRING>, `D` DECIMAL(6, 2)",
                vec!["M", "S", "D"],
            ),
            ("`a, ``b` STRING, C INTEGER", vec!["a, `b", "C"]),
            ("`H` BYTES HEADER('a,b'), `Z` DATE", vec!["H", "Z"]),
            ("", vec![]),
            ("`open", vec!["open"]),
        ] {
            assert_eq!(column_names(schema), expected, "{schema}");
        }
    }

    #[test]
    fn cells_are_as_wide_as_the_terminal_allows() {
        for (layout, expected) in [
            (BARE, "+-----+-----+\n|ID   |NAME |\n+-----+-----+\n"),
            (
                RowLayout { width: 24, ..BARE },
                "+----------+----------+\n|ID        |NAME      |\n+----------+----------+\n",
            ),
            (
                RowLayout { cell: 3, ..BARE },
                "+---+---+\n|ID |NAM|\n|   |E  |\n+---+---+\n",
            ),
        ] {
            assert_eq!(layout.header("`ID` INTEGER, `NAME` STRING"), expected);
        }
    }

    #[test]
    fn long_values_wrap_or_are_clipped() {
        let row = json!({"columns": [1, "twelve chars", null]});
        assert_eq!(
            BARE.row(&row),
            "|1    |twelv|null |\n|     |e cha|     |\n|     |rs   |     |\n"
        );
        let clipped = RowLayout {
            wrap: false,
            cell: 8,
            ..BARE
        };
        assert_eq!(clipped.row(&row), "|1       |twelv...|null    |\n");
        let fits = json!({"columns": ["12345678    ", "12345678"]});
        assert_eq!(clipped.row(&fits), "|12345678|12345678|\n");
        // A cell may be narrower than the marks of a cut.
        let tiny = RowLayout { cell: 2, ..clipped };
        assert!(
            tiny.row(&json!({"columns": ["abcdef"]}))
                .starts_with("|a...")
        );
    }

    #[test]
    fn deleted_rows_show_it_in_their_empty_columns() {
        let row = json!({"columns": [7, null], "tombstone": true});
        let wide = RowLayout { cell: 11, ..BARE };
        assert_eq!(wide.row(&row), "|7          |<TOMBSTONE>|\n");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let row = json!({"columns": ["日本語"]});
        assert_eq!(BARE.row(&row), "|日本 |\n|語   |\n");
    }
}
