//! Lists and descriptions of functions.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::table::Table;
use super::{array, text};

/// Descriptions are wrapped as if the terminal had at least this many columns.
const LEAST_WIDTH: usize = 80;

pub(super) fn names(out: &mut String, entity: &Value, width: usize) {
    let mut functions: Vec<(&str, &str)> = array(entity, "functions")
        .iter()
        .map(|f| (text(f, "category"), text(f, "name")))
        .collect();
    functions.sort_unstable();
    let mut table = Table::new(&["Function Name", "Category"]);
    let mut before = functions.first().map_or("", |f| f.0);
    for (category, name) in functions {
        if category != before {
            table.row(vec![String::new(), String::new()]);
            before = category;
        }
        table.row(vec![name.to_owned(), category.to_owned()]);
    }
    table.footer(
        "For detailed information about a function, run: DESCRIBE FUNCTION <Function Name>;",
    );
    table.write(out, width);
}

pub(super) fn describe(out: &mut String, function: &Value, width: usize) {
    let name = text(function, "name");
    line(out, "", "Name", name);
    for (label, key) in [("Author", "author"), ("Version", "version")] {
        if !text(function, key).trim().is_empty() {
            line(out, "", label, text(function, key));
        }
    }
    prose(out, "", "Overview", text(function, "description"), width);
    line(out, "", "Type", text(function, "type"));
    line(out, "", "Jar", text(function, "path"));
    line(out, "", "Variations", "");
    for variant in array(function, "functions") {
        let arguments: Vec<String> = array(variant, "arguments").iter().map(argument).collect();
        out.push('\n');
        let signature = format!("{name}({})", arguments.join(", "));
        line(out, "\t", "Variation", &signature);
        line(out, "\t", "Returns", text(variant, "returnType"));
        prose(
            out,
            "\t",
            "Description",
            text(variant, "description"),
            width,
        );
        for a in array(variant, "arguments") {
            prose(out, "\t", text(a, "name"), text(a, "description"), width);
        }
    }
}

fn argument(argument: &Value) -> String {
    let many = if argument.get("isVariadic") == Some(&Value::Bool(true)) {
        "[]"
    } else {
        ""
    };
    let kind = text(argument, "type");
    match text(argument, "name") {
        "" => format!("{kind}{many}"),
        name => format!("{name} {kind}{many}"),
    }
}

fn line(out: &mut String, indent: &str, label: &str, value: &str) {
    out.push_str(&format!("{indent}{label:<12}: {value}\n"));
}

/// A labelled text, wrapped and indented under its first line; nothing if it is blank.
fn prose(out: &mut String, indent: &str, label: &str, value: &str, width: usize) {
    let value = value.trim();
    if value.is_empty() {
        return;
    }
    // A tab counts as two columns here, as in the reference client.
    let hang = indent.len() * 2 + label.width().max(12) + 2;
    let room = width.max(LEAST_WIDTH).saturating_sub(hang).max(1);
    let wrapped = wrap(value, room).replace('\n', &format!("\n{}", " ".repeat(hang)));
    line(out, indent, label, &wrapped);
}

/// Breaks at blanks so that lines hold at most `room` columns. A blank that does not fit any more
/// begins the next line, as in the reference client.
fn wrap(text: &str, room: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut used = 0;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            ' ' | '\n' => 1,
            _ => rest.find([' ', '\n']).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        if word == "\n" {
            out.push('\n');
            used = 0;
            continue;
        }
        if used + word.width() > room {
            out.push('\n');
            used = 0;
        }
        out.push_str(word);
        used += word.width();
    }
    out
}
