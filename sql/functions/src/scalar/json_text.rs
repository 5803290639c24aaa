//! JSON text as ksqlDB's functions read and print it: the first value of a text, numbers as
//! Java's `BigDecimal` prints them.

use std::fmt::Write;

use serde_json::Value as Json;
use weir_types::surrogates::halves_held;

/// The first JSON value of `text`, whatever follows; `None` if there is none.
pub(super) fn first_value(text: &str) -> Option<Json> {
    serde_json::Deserializer::from_str(&halves_held(text))
        .into_iter::<Json>()
        .next()?
        .ok()
}

/// The items of the array that `text` begins with, as far as they can be read.
pub(super) fn leading_items(text: &str) -> impl Iterator<Item = Json> {
    const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
    let mut rest = text.trim_start_matches(BLANKS).strip_prefix('[');
    let mut first = true;
    std::iter::from_fn(move || {
        let mut at = rest.take()?.trim_start_matches(BLANKS);
        if !first {
            at = at.strip_prefix(',')?;
        }
        first = false;
        let mut values = serde_json::Deserializer::from_str(at).into_iter::<Json>();
        let item = values.next()?.ok()?;
        rest = Some(at.get(values.byte_offset()..)?.trim_start_matches(BLANKS));
        Some(item)
    })
}

/// Whether a number is written with a point or an exponent.
pub(super) fn is_decimal(number: &str) -> bool {
    number.contains(['.', 'e', 'E'])
}

/// Appends a JSON value without blanks.
pub(super) fn write_json(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(v) => out.push_str(if *v { "true" } else { "false" }),
        Json::Number(number) => write_number(number.as_str(), out),
        Json::String(text) => write_string(text, out),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_json(item, out);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            out.push('{');
            for (i, (name, field)) in fields.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write_string(name, out);
                out.push(':');
                write_json(field, out);
            }
            out.push('}');
        }
    }
}

/// Appends a quoted string.
pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends a JSON number as `BigInteger` or `BigDecimal` print it: `1e5` is `1E+5`, `3.0e-2` is
/// `0.030`, `-0.0` is `0.0`.
pub(super) fn write_number(number: &str, out: &mut String) {
    let (negative, plain) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = plain.split_once(['e', 'E']).unwrap_or((plain, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent
        .strip_prefix('+')
        .unwrap_or(exponent)
        .parse()
        .unwrap_or(0);
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let zero = digits.is_empty();
    let digits = if zero { "0" } else { digits };
    if negative && !zero {
        out.push('-');
    }
    let scale = fraction.len() as i64 - exponent;
    let adjusted = digits.len() as i64 - 1 - scale;
    if scale == 0 {
        out.push_str(digits);
    } else if scale > 0 && adjusted >= -6 {
        let scale = scale as usize;
        if digits.len() > scale {
            let (before, after) = digits.split_at(digits.len() - scale);
            out.push_str(before);
            out.push('.');
            out.push_str(after);
        } else {
            out.push_str("0.");
            (digits.len()..scale).for_each(|_| out.push('0'));
            out.push_str(digits);
        }
    } else {
        let (before, after) = digits.split_at(1);
        out.push_str(before);
        if !after.is_empty() {
            out.push('.');
            out.push_str(after);
        }
        let _ = write!(out, "E{adjusted:+}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_java() {
        for (number, expected) in [
            ("1", "1"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("1.50", "1.50"),
            ("1e5", "1E+5"),
            ("1E+5", "1E+5"),
            ("1.5e5", "1.5E+5"),
            ("3.0e-2", "0.030"),
            ("1e-7", "1E-7"),
            ("-12.5e-9", "-1.25E-8"),
            ("0.10000000000000000001", "0.10000000000000000001"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("1.7976931348623157e309", "1.7976931348623157E+309"),
        ] {
            let mut out = String::new();
            write_number(number, &mut out);
            assert_eq!(out, expected, "{number}");
        }
    }

    #[test]
    fn first_values() {
        for (text, valid) in [
            ("1 2", true),
            ("{}x", true),
            ("[1] [2]", true),
            ("\t\n{}\n", true),
            ("01", false),
            ("nulls", false),
            ("[1,]", false),
            ("[1,2", false),
            ("\"\n\"", false),
            ("\u{feff}{}", false),
            (r#"["\ud83d"]"#, true),
            ("", false),
            ("NaN", false),
        ] {
            assert_eq!(first_value(text).is_some(), valid, "{text:?}");
        }
    }

    #[test]
    fn items_are_read_as_far_as_possible() {
        for (text, expected) in [
            ("[1, \"a\" ,[2]]", vec!["1", "\"a\"", "[2]"]),
            ("[1", vec!["1"]),
            ("[1,2 3", vec!["1", "2"]),
            (" []", vec![]),
            ("{}", vec![]),
            ("5", vec![]),
        ] {
            let items: Vec<String> = leading_items(text).map(|item| item.to_string()).collect();
            assert_eq!(items, expected, "{text}");
        }
    }
}
