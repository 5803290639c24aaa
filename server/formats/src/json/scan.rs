//! The JSON grammar: one pass over the text, no tree.
//!
//! ```text
//!   text ──► skip_blanks ─ string ─ number ─ literal ─ skip_value
//! ```
//!
//! Invariant: `pos` never leaves the text and, outside of a string, stands on a character
//! boundary. The grammar is the one of the reference's parser: strict JSON, at most
//! [`MAX_DEPTH`] levels, numbers of at most [`MAX_NUMBER`] characters.

use super::Fail;

/// Deepest nesting that is read.
pub(crate) const MAX_DEPTH: u32 = 1000;

/// Longest number that is read, in characters.
const MAX_NUMBER: usize = 1000;

/// Reads one payload from front to back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scanner<'a> {
    pub(crate) text: &'a str,
    pub(crate) pos: usize,
    /// Whether bytes that are not UTF-8 follow the text.
    broken_after: bool,
}

/// A string's content, quotes not included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawString<'a> {
    /// What stands between the quotes.
    pub(crate) raw: &'a str,
    /// Whether escapes occur in it.
    pub(crate) escaped: bool,
}

/// A number's text and, where it is cheap to have, its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<'a> {
    /// The number as written.
    pub(crate) text: &'a str,
    /// Whether it has neither fraction nor exponent.
    pub(crate) integral: bool,
    /// `Some((mantissa, fraction digits))` for at most 18 digits without exponent.
    pub(crate) short: Option<(u64, usize)>,
}

impl Number<'_> {
    pub(crate) fn negative(&self) -> bool {
        self.text.starts_with('-')
    }
}

impl<'a> Scanner<'a> {
    /// A scanner at the first value. A byte order mark is skipped.
    #[inline]
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        let (text, broken_after) = match std::str::from_utf8(payload) {
            Ok(text) => (text, false),
            Err(error) => {
                let valid = payload.get(..error.valid_up_to()).unwrap_or_default();
                (std::str::from_utf8(valid).unwrap_or_default(), true)
            }
        };
        Self {
            text: text.strip_prefix('\u{feff}').unwrap_or(text),
            pos: 0,
            broken_after,
        }
    }

    /// The byte at the position.
    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    /// The rest of the text as bytes.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.pos..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    /// The first byte of the next value, at which the position then is.
    #[inline]
    pub(crate) fn value_start(&mut self) -> Result<u8, Fail> {
        match self.peek() {
            Some(byte) if byte > b' ' => Ok(byte),
            _ => {
                self.skip_blanks();
                self.peek().ok_or_else(|| self.end())
            }
        }
    }

    /// Passes `expected` after blanks.
    #[inline]
    pub(crate) fn expect(&mut self, expected: u8) -> Result<(), Fail> {
        if self.value_start()? == expected {
            self.pos += 1;
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// After an item of an object or array: true if another one follows (the comma is passed),
    /// false if `close` came (passed as well).
    #[inline]
    pub(crate) fn another(&mut self, close: u8) -> Result<bool, Fail> {
        let byte = self.value_start()?;
        if byte != b',' && byte != close {
            return Err(self.unexpected());
        }
        self.pos += 1;
        Ok(byte == b',')
    }

    /// After the opening bracket: true if the array or object ends at once (then passed).
    #[inline]
    pub(crate) fn empty(&mut self, close: u8) -> Result<bool, Fail> {
        let ends = self.value_start()? == close;
        if ends {
            self.pos += 1;
        }
        Ok(ends)
    }

    /// The payload ended too early.
    #[cold]
    pub(crate) fn end(&self) -> Fail {
        if self.broken_after {
            return Fail::syntax(format!("invalid UTF-8 at byte {}", self.text.len()));
        }
        Fail::syntax("unexpected end of the JSON text".to_owned())
    }

    #[cold]
    pub(crate) fn unexpected(&self) -> Fail {
        match self
            .text
            .get(self.pos..)
            .and_then(|rest| rest.chars().next())
        {
            Some(c) => Fail::syntax(format!("unexpected character {c:?} at byte {}", self.pos)),
            None => self.end(),
        }
    }

    /// Reads a string; the position is at its opening quote.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<RawString<'a>, Fail> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let start = self.pos + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut escaped = false;
        loop {
            at += plain_run(bytes.get(at..).unwrap_or_default());
            match bytes.get(at) {
                Some(b'"') => {
                    let raw = self.text.get(start..at).unwrap_or_default();
                    self.pos = at + 1;
                    return Ok(RawString { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape_end(at)?;
                }
                Some(control) => {
                    return Err(Fail::syntax(format!(
                        "control character {control:#04x} at byte {at} of a string is not escaped"
                    )));
                }
                None => return Err(self.end()),
            }
        }
    }

    /// Where the escape that starts at `at` ends.
    fn escape_end(&self, at: usize) -> Result<usize, Fail> {
        let bytes = self.text.as_bytes();
        match bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                for i in at + 2..at + 6 {
                    match bytes.get(i) {
                        Some(digit) if digit.is_ascii_hexdigit() => {}
                        Some(_) => {
                            return Err(Fail::syntax(format!(
                                "an escape at byte {at} is not four hexadecimal digits"
                            )));
                        }
                        None => return Err(self.end()),
                    }
                }
                Ok(at + 6)
            }
            Some(_) => Err(Fail::syntax(format!("unknown escape at byte {at}"))),
            None => Err(self.end()),
        }
    }

    /// Reads a number; the position is at its sign or first digit.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<Number<'a>, Fail> {
        let start = self.pos;
        let bytes = self.text.as_bytes();
        let mut at = start + usize::from(self.peek() == Some(b'-'));
        let mut mantissa = 0u64;
        let digits = at;
        while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
            mantissa = mantissa
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            at += 1;
        }
        let whole = at - digits;
        if whole == 0 || (whole > 1 && bytes.get(digits) == Some(&b'0')) {
            self.pos = digits + usize::from(whole > 0);
            return Err(self.unexpected());
        }
        let mut fraction = 0;
        let mut exponent = false;
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let point = at;
            while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
                mantissa = mantissa
                    .wrapping_mul(10)
                    .wrapping_add(u64::from(digit - b'0'));
                at += 1;
            }
            fraction = at - point;
            if fraction == 0 {
                self.pos = at;
                return Err(self.unexpected());
            }
        }
        if let Some(b'e' | b'E') = bytes.get(at) {
            exponent = true;
            at += 1;
            if let Some(b'+' | b'-') = bytes.get(at) {
                at += 1;
            }
            let power = at;
            while let Some(b'0'..=b'9') = bytes.get(at) {
                at += 1;
            }
            if at == power {
                self.pos = at;
                return Err(self.unexpected());
            }
        }
        if at - start > MAX_NUMBER {
            return Err(Fail::syntax(format!(
                "a number of {} characters is longer than {MAX_NUMBER}",
                at - start
            )));
        }
        self.pos = at;
        Ok(Number {
            text: self.text.get(start..at).unwrap_or_default(),
            integral: fraction == 0 && !exponent,
            short: (!exponent && whole + fraction <= 18).then_some((mantissa, fraction)),
        })
    }

    /// Passes `true`, `false` or `null`; the position is at its first letter.
    #[inline]
    pub(crate) fn literal(&mut self, word: &str) -> Result<(), Fail> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.unexpected());
        }
        self.pos += word.len();
        match self.peek() {
            Some(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$' | 0x80..) => {
                Err(self.unexpected())
            }
            _ => Ok(()),
        }
    }

    /// Passes one value of any kind.
    pub(crate) fn skip_value(&mut self, depth: u32) -> Result<(), Fail> {
        match self.value_start()? {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'{' => {
                let depth = deeper(depth)?;
                self.pos += 1;
                if self.empty(b'}')? {
                    return Ok(());
                }
                loop {
                    self.value_start()?;
                    self.string()?;
                    self.expect(b':')?;
                    self.skip_value(depth)?;
                    if !self.another(b'}')? {
                        return Ok(());
                    }
                }
            }
            b'[' => {
                let depth = deeper(depth)?;
                self.pos += 1;
                if self.empty(b']')? {
                    return Ok(());
                }
                loop {
                    self.skip_value(depth)?;
                    if !self.another(b']')? {
                        return Ok(());
                    }
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    /// After the payload's value, whose first byte was `first`: a number must be followed by a
    /// blank or the end, as the reference wants it; what follows any other value is ignored.
    pub(crate) fn finish_root(&self, first: u8) -> Result<(), Fail> {
        if !matches!(first, b'-' | b'0'..=b'9') {
            return Ok(());
        }
        match self.peek() {
            None if self.broken_after => Err(self.end()),
            None | Some(b' ' | b'\n' | b'\r' | b'\t') => Ok(()),
            Some(_) => Err(self.unexpected()),
        }
    }
}

/// One level deeper, or an error at the limit.
#[inline]
pub(crate) fn deeper(depth: u32) -> Result<u32, Fail> {
    if depth >= MAX_DEPTH {
        return Err(Fail::syntax(format!(
            "nested deeper than {MAX_DEPTH} levels"
        )));
    }
    Ok(depth + 1)
}

/// How many bytes come before the first quote, backslash or control character.
#[inline]
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let slash = word ^ (ONES * b'\\' as u64);
        // The high bit of a byte is set where it is a quote, a backslash or below 0x20. Borrows
        // may set bits above the first hit, never below it.
        let hit = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hit = hit & HIGHS;
        if hit != 0 {
            return at + (hit.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..=0x1f) {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts_json_and_nothing_else() {
        for good in [
            "null",
            "true",
            "-0",
            "0.10",
            "1e5",
            "1E-5",
            "\"a\\u00e9\\n\"",
            "[]",
            "{}",
            " [ 1 , 2 ] ",
            "{\"a\" : {\"b\":[null]}}",
            "{}{}",
            "null]",
            "\"x\"y",
            "\"\u{1F600}\u{2028}\"",
        ] {
            let mut scanner = Scanner::new(good.as_bytes());
            assert!(scanner.skip_value(0).is_ok(), "{good}");
        }
        for bad in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{'a':1}",
            "01",
            "+1",
            ".5",
            "1.",
            "1e",
            "-",
            "nul",
            "truex",
            "NaN",
            "\"\t\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"abc",
            "{\"a\" 1}",
            "[1 2]",
            "{1:2}",
            "str",
        ] {
            let mut scanner = Scanner::new(bad.as_bytes());
            assert!(scanner.skip_value(0).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(Scanner::new(nested(1000).as_bytes()).skip_value(0).is_ok());
        assert!(Scanner::new(nested(1001).as_bytes()).skip_value(0).is_err());
        assert!(
            Scanner::new("1".repeat(1000).as_bytes())
                .skip_value(0)
                .is_ok()
        );
        assert!(
            Scanner::new("1".repeat(1001).as_bytes())
                .skip_value(0)
                .is_err()
        );
    }

    #[test]
    fn bytes_after_the_value_do_not_matter_unless_it_needs_them() {
        assert!(Scanner::new(b"{}\xff").skip_value(0).is_ok());
        assert!(Scanner::new(b"{\"a\":\"\xff\"}").skip_value(0).is_err());
        assert!(Scanner::new(b"\xef\xbb\xbf{}").skip_value(0).is_ok());
    }

    proptest! {
        #[test]
        fn plain_run_finds_the_first_special_byte(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let expected = bytes.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f));
            prop_assert_eq!(plain_run(&bytes), expected.unwrap_or(bytes.len()));
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Scanner::new(&bytes).skip_value(0);
        }
    }
}
