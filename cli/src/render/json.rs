//! JSON as ksqlDB's command line prints it: `"a" : 1`, `[ 1, 2 ]`, `{ }`.

use serde_json::Value;

/// Pretty text without a final newline. Only objects begin new lines; members keep their order
/// and numbers their text.
pub(crate) fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0, &|number| number.to_owned());
    out
}

/// Like [`pretty`], for the values of a row: numbers never have an exponent.
pub(crate) fn pretty_row(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0, &crate::rows::plain_number);
    out
}

fn write(out: &mut String, value: &Value, depth: usize, number: &dyn Fn(&str) -> String) {
    match value {
        Value::Array(items) if items.is_empty() => out.push_str("[ ]"),
        Value::Array(items) => {
            out.push_str("[ ");
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write(out, item, depth, number);
            }
            out.push_str(" ]");
        }
        Value::Object(members) if members.is_empty() => out.push_str("{ }"),
        Value::Object(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                new_line(out, depth + 1);
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(" : ");
                write(out, member, depth + 1, number);
            }
            new_line(out, depth);
            out.push('}');
        }
        Value::Number(n) => out.push_str(&number(&n.to_string())),
        other => out.push_str(&other.to_string()),
    }
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}
