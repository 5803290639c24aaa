//! The fields of the first record of a payload.

use super::Delimiter;

/// Splits one payload; lines after the first record are not looked at.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    rest: &'a str,
    delimiter: char,
    /// Whether one more field follows (after a delimiter even an empty one does).
    more: bool,
    /// The content of a quoted field whose quotes are doubled.
    unquoted: String,
}

impl<'a> Tokens<'a> {
    /// The fields of `text`; leading blank lines are skipped. Nothing left means no fields.
    pub(crate) fn new(text: &'a str, delimiter: Delimiter) -> Self {
        let rest = text.trim_start_matches(['\r', '\n']);
        Self {
            rest,
            delimiter: delimiter.0,
            more: !rest.is_empty(),
            unquoted: String::new(),
        }
    }

    /// The next field, or `None` after the last one; an error if its quotes are wrong.
    pub(crate) fn next(&mut self) -> Option<Result<&str, String>> {
        if !self.more {
            return None;
        }
        Some(match self.rest.strip_prefix('"') {
            Some(quoted) => self.quoted(quoted),
            None => Ok(self.plain()),
        })
    }

    fn plain(&mut self) -> &str {
        let delimiter = self.delimiter;
        let end = self.rest.find([delimiter, '\r', '\n']);
        let (field, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.end_field(rest);
        field
    }

    fn quoted(&mut self, quoted: &'a str) -> Result<&str, String> {
        self.unquoted.clear();
        let mut rest = quoted;
        loop {
            let Some(at) = memchr::memchr(b'"', rest.as_bytes()) else {
                return Err("a quoted field is not closed".to_owned());
            };
            let (content, after) = rest.split_at(at);
            self.unquoted.push_str(content);
            let after = after.get(1..).unwrap_or_default();
            match after.strip_prefix('"') {
                Some(next) => {
                    self.unquoted.push('"');
                    rest = next;
                }
                None => {
                    self.after_quote(after)?;
                    return Ok(&self.unquoted);
                }
            }
        }
    }

    /// Only blanks may stand between a closing quote and the delimiter or the end of the line.
    fn after_quote(&mut self, after: &'a str) -> Result<(), String> {
        for (at, c) in after.char_indices() {
            if c == self.delimiter || c == '\r' || c == '\n' {
                self.end_field(after.get(at..).unwrap_or_default());
                return Ok(());
            }
            if !is_java_whitespace(c) {
                return Err(format!(
                    "{c:?} stands between a closing quote and the delimiter"
                ));
            }
        }
        self.end_field("");
        Ok(())
    }

    /// `rest` begins with the delimiter, a line break, or is empty.
    fn end_field(&mut self, rest: &'a str) {
        match rest.strip_prefix(self.delimiter) {
            Some(next) => self.rest = next,
            None => self.more = false,
        }
    }
}

/// `Character.isWhitespace`: Unicode blanks but for the ones that do not break, and the
/// separators of ASCII.
fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        _ => c.is_whitespace(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str, delimiter: char) -> Result<Vec<String>, String> {
        let mut tokens = Tokens::new(text, Delimiter(delimiter));
        let mut fields = Vec::new();
        while let Some(field) = tokens.next() {
            fields.push(field?.to_owned());
        }
        Ok(fields)
    }

    #[test]
    fn splits() {
        for (text, expected) in [
            ("a,b", vec!["a", "b"]),
            ("a,", vec!["a", ""]),
            (",", vec!["", ""]),
            (" a , b ", vec![" a ", " b "]),
            ("", vec![]),
            ("\n\r\n", vec![]),
            ("\n\na,b\nc,d", vec!["a", "b"]),
            ("a\r\nb", vec!["a"]),
            (" ", vec![" "]),
            ("\"a,b\",c", vec!["a,b", "c"]),
            ("\"a\"\"b\"", vec!["a\"b"]),
            ("\"a\nb\",c", vec!["a\nb", "c"]),
            ("\"a\"  ,b", vec!["a", "b"]),
            ("\"\",\"\"", vec!["", ""]),
            ("a\"b\",c", vec!["a\"b\"", "c"]),
            (" \"a\"", vec![" \"a\""]),
        ] {
            assert_eq!(split(text, ',').unwrap(), expected, "{text:?}");
        }
        for bad in ["\"a", "\"a\"b,c", "\"a\"\"", "\""] {
            assert!(split(bad, ',').is_err(), "{bad:?}");
        }
        assert_eq!(split("\"a\"\tb", '\t').unwrap(), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[,\"\r\n a-cé\u{1F600}]*") {
            let _ = split(&text, ',');
        }
    }
}
