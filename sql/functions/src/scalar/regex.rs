//! REGEXP_*: Java's regular expressions (spec/sql.md §7.1 String, bytes).
//!
//! ```text
//!  Java pattern ──java_regex::translate──► fancy-regex pattern ──compile, once per text──► Pattern
//! ```

use std::borrow::Cow;

use arrow::array::ArrayRef;
use datafusion::common::Result;
use fancy_regex::{Captures, Regex};
use weir_types::surrogates::{from_units, may_have_halves, stand_in, unit_count, units};

use crate::kernel::{Call, row_error};
use crate::registry::{Category, Function, Param, Type, Variant};

use super::java_regex;
use super::string::{MAX_TEXT, string_lists, too_long};

const PATTERN: Param = Param::new("pattern", Type::String, "the regular expression");
const TEXT: Param = Param::new("text", Type::String, "the text to search");
const GROUP: Param = Param::new("group", Type::Integer, "which group; 0 is the whole match");

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function::scalar(
        "REGEXP_EXTRACT",
        Category::RegularExpression,
        "The first match of a pattern, or a group of it.",
        &[
            Variant::new(&[PATTERN, TEXT], Type::String, extract),
            Variant::new(&[PATTERN, TEXT, GROUP], Type::String, extract),
        ],
    ),
    Function::scalar(
        "REGEXP_EXTRACT_ALL",
        Category::RegularExpression,
        "All matches of a pattern, or a group of each.",
        &[
            Variant::new(&[PATTERN, TEXT], Type::Array(&Type::String), extract_all),
            Variant::new(
                &[PATTERN, TEXT, GROUP],
                Type::Array(&Type::String),
                extract_all,
            ),
        ],
    ),
    Function::scalar(
        "REGEXP_REPLACE",
        Category::RegularExpression,
        "The text with all matches of a pattern replaced; $1 stands for the first group.",
        &[Variant::new(
            &[
                TEXT,
                PATTERN,
                Param::new("new", Type::String, "what takes their place"),
            ],
            Type::String,
            replace,
        )],
    ),
    Function::scalar(
        "REGEXP_SPLIT_TO_ARRAY",
        Category::RegularExpression,
        "The parts between the matches of a pattern; each character if it is empty.",
        &[Variant::new(
            &[TEXT, PATTERN],
            Type::Array(&Type::String),
            split,
        )],
    ),
];

fn compile(pattern: &str) -> std::result::Result<Regex, String> {
    Regex::new(&java_regex::translate(pattern)?)
        .map_err(|error| format!("'{pattern}' is no regular expression: {error}"))
}

/// `text` with the two halves of a character beyond U+FFFF apart where `regex` matches nothing in
/// front of it: Java, whose texts are UTF-16, then looks for a match between them.
fn at_units<'t>(regex: &Regex, text: &'t str) -> Cow<'t, str> {
    let mut out = Cow::Borrowed(text);
    if !text.contains(|c| unit_count(c) > 1) {
        return out;
    }
    let mut from = Some(0);
    while let Some(matched) = next(regex, &out, &mut from).and_then(|found| found.get(0)) {
        let at = matched.start();
        let next = out.get(at..).and_then(|rest| rest.chars().next());
        if let (true, Some(c)) = (matched.range().is_empty(), next)
            && unit_count(c) > 1
        {
            let mut pair = [0; 2];
            let halves = c.encode_utf16(&mut pair).iter();
            let halves: String = halves.filter_map(|half| stand_in((*half).into())).collect();
            out.to_mut().replace_range(at..at + c.len_utf8(), &halves);
        }
    }
    out
}

/// A part of what [`at_units`] gave, its halves together again.
fn rejoined(part: &str) -> Cow<'_, str> {
    if may_have_halves(part) {
        Cow::Owned(from_units(units(part)))
    } else {
        Cow::Borrowed(part)
    }
}

/// The next match as Java finds it: from where the last one ended, a character further if that
/// was empty. `None` at the end of `text`, or (reported) where matching takes too long.
fn next<'t>(regex: &Regex, text: &'t str, from: &mut Option<usize>) -> Option<Captures<'t, str>> {
    let start = (*from)?;
    *from = None;
    match regex.captures_from_pos(text, start) {
        Ok(captures) => {
            let captures = captures?;
            let matched = captures.get(0)?;
            let end = matched.end();
            *from = if matched.range().is_empty() {
                text.get(end..)
                    .and_then(|rest| rest.chars().next())
                    .map(|c| end + c.len_utf8())
            } else {
                Some(end)
            };
            Some(captures)
        }
        Err(error) => row_error(|| format!("'{regex}' cannot be matched: {error}")),
    }
}

/// A group number that the pattern has.
fn checked_group(regex: &Regex, group: i32) -> Option<usize> {
    match usize::try_from(group) {
        Ok(index) if index < regex.captures_len() => Some(index),
        _ => row_error(|| format!("The regular expression has no group {group}")),
    }
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let (pattern, text) = (call.strings(0)?, call.strings(1)?);
    let group = if call.has(2) {
        Some(call.ints(2)?)
    } else {
        None
    };
    let mut compiled = call.compiled(compile);
    call.to_strings(|row| {
        let (pattern, text) = (pattern.get(row)?, text.get(row)?);
        let group = match group {
            Some(group) => group.get(row)?,
            None => 0,
        };
        let regex = compiled.get(pattern)?;
        // Java looks at the group only once there is a match.
        let captures = next(regex, text, &mut Some(0))?;
        let group = checked_group(regex, group)?;
        captures.get(group).map(|found| found.as_str())
    })
}

fn extract_all(call: &Call<'_>) -> Result<ArrayRef> {
    let (pattern, text) = (call.strings(0)?, call.strings(1)?);
    let group = if call.has(2) {
        Some(call.ints(2)?)
    } else {
        None
    };
    let mut compiled = call.compiled(compile);
    string_lists(call, |row, out| {
        let (pattern, text) = (pattern.get(row)?, text.get(row)?);
        let group = match group {
            Some(group) => group.get(row)?,
            None => 0,
        };
        let regex = compiled.get(pattern)?;
        let group = checked_group(regex, group)?;
        let text = at_units(regex, text);
        let mut from = Some(0);
        while let Some(captures) = next(regex, &text, &mut from) {
            out.values()
                .append_option(captures.get(group).map(|found| rejoined(found.as_str())));
        }
        Some(())
    })
}

fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, pattern, new) = (call.strings(0)?, call.strings(1)?, call.strings(2)?);
    let mut compiled = call.compiled(compile);
    call.write_strings(|row, out| {
        let (text, pattern, new) = (text.get(row)?, pattern.get(row)?, new.get(row)?);
        let regex = compiled.get(pattern)?;
        let text = at_units(regex, text);
        let (mut from, mut written) = (Some(0), 0);
        while let Some(captures) = next(regex, &text, &mut from) {
            let matched = captures.get(0)?;
            out.push_str(text.get(written..matched.start())?);
            expand(new, regex, &captures, out)?;
            if out.len() > MAX_TEXT {
                return too_long();
            }
            written = matched.end();
        }
        out.push_str(text.get(written..)?);
        if let Cow::Owned(whole) = rejoined(out) {
            *out = whole;
        }
        Some(())
    })
}

/// Appends a replacement: `$1` and `${name}` are groups, `\` takes the next character as it is.
fn expand(new: &str, regex: &Regex, captures: &Captures<'_, str>, out: &mut String) -> Option<()> {
    let invalid = || row_error(|| format!("'{new}' is no valid replacement"));
    let mut rest = new.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some(literal) => out.push(literal),
                None => return invalid(),
            },
            '$' => {
                let tail = rest.as_str();
                let found = if let Some(named) = tail.strip_prefix('{') {
                    let Some((name, after)) = named.split_once('}') else {
                        return invalid();
                    };
                    if !regex.capture_names().flatten().any(|known| known == name) {
                        return invalid();
                    }
                    rest = after.chars();
                    captures.name(name)
                } else {
                    let Some((group, length)) = group_number(tail, regex.captures_len()) else {
                        return invalid();
                    };
                    rest = tail.get(length..)?.chars();
                    captures.get(group)
                };
                out.push_str(found.map_or("", |found| found.as_str()));
            }
            literal => out.push(literal),
        }
    }
    Some(())
}

/// The longest group number at the start of `text` that is below `groups`, with its length.
fn group_number(text: &str, groups: usize) -> Option<(usize, usize)> {
    let mut best = None;
    let mut number = 0usize;
    for (i, digit) in text.chars().map_while(|c| c.to_digit(10)).enumerate() {
        number = number.saturating_mul(10).saturating_add(digit as usize);
        if number >= groups {
            break;
        }
        best = Some((number, i + 1));
    }
    best
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, pattern) = (call.strings(0)?, call.strings(1)?);
    let mut compiled = call.compiled(compile);
    string_lists(call, |row, out| {
        let (text, pattern) = (text.get(row)?, pattern.get(row)?);
        let regex = compiled.get(pattern)?;
        for part in parts(regex, &at_units(regex, text)) {
            out.values().append_value(rejoined(part));
        }
        Some(())
    })
}

/// The parts between matches; an empty match at either end of the text splits nothing off.
fn parts<'t>(regex: &Regex, text: &'t str) -> Vec<&'t str> {
    let (mut from, mut written) = (Some(0), 0);
    let mut parts = Vec::new();
    while let Some(captures) = next(regex, text, &mut from) {
        let Some(matched) = captures.get(0) else {
            break;
        };
        let at_end = matched.start() == 0 || matched.start() == text.len();
        if matched.range().is_empty() && at_end {
            continue;
        }
        parts.extend(text.get(written..matched.start()));
        written = matched.end();
    }
    parts.extend(text.get(written..));
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn splitting() {
        for (text, pattern, expected) in [
            ("a,b;c", "[,;]", vec!["a", "b", "c"]),
            (",a,,", ",", vec!["", "a", "", ""]),
            ("", ",", vec![""]),
            ("", "", vec![""]),
            ("abc", "", vec!["a", "b", "c"]),
            ("aab", "a*", vec!["", "", "b"]),
            ("abc", "$", vec!["abc"]),
        ] {
            assert_eq!(
                parts(&compile(pattern).unwrap(), text),
                expected,
                "{text} by {pattern}"
            );
        }
    }

    #[test]
    fn java_looks_between_the_halves_of_a_character() {
        for (text, pattern, expected) in [
            ("a😀", "", vec!["a", "\u{10F83D}", "\u{10FE00}"]),
            ("😀b", "x*", vec!["\u{10F83D}", "\u{10FE00}", "b"]),
            ("a😀", "\\b", vec!["a", "😀"]),
            ("a😀b", "[^b]", vec!["", "", "b"]),
        ] {
            let regex = compile(pattern).unwrap();
            let text = at_units(&regex, text);
            let parts: Vec<_> = parts(&regex, &text).into_iter().map(rejoined).collect();
            assert_eq!(parts, expected, "{text} by {pattern}");
        }
    }

    #[test]
    fn replacements() {
        let regex = compile("(?<word>\\w)(\\d)").unwrap();
        for (new, expected) in [
            ("$2$1", Some("-1a-")),
            ("${word}\\$", Some("-a$-")),
            ("$21", Some("-11-")),
            ("$3", None),
            ("${x}", None),
            ("\\", None),
        ] {
            let mut out = String::from("-");
            let captures = next(&regex, "-a1-", &mut Some(0)).unwrap();
            let expanded = expand(new, &regex, &captures, &mut out).map(|()| out + "-");
            assert_eq!(expanded.as_deref(), expected, "{new}");
        }
    }
}
