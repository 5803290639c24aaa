//! Java's regular expressions in the syntax of fancy-regex.
//!
//! Most of both syntaxes is the same. What is rewritten: `\d \w \s` are ASCII only; `.` stops at
//! every line terminator; `$` matches before a last one too; `\h \v \R \X \e \Q…\E`; the POSIX
//! classes `\p{Alpha}` and the `java…` and `Is…` properties.

use weir_types::surrogates::stand_in;

/// Line terminators within a class.
const TERMINATORS: &str = r"\n\r\u{85}\u{2028}\u{2029}";

/// The pattern in the syntax of fancy-regex.
///
/// # Errors
/// What of Java's syntax cannot be expressed.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 16),
        classes: 0,
        dot_all: has_flag(pattern, 's'),
        multi_line: has_flag(pattern, 'm'),
    };
    while translator.step()? {}
    Ok(translator.out)
}

/// Whether a group of flags sets `flag`.
fn has_flag(pattern: &str, flag: char) -> bool {
    pattern.match_indices("(?").any(|(at, _)| {
        pattern[at + 2..]
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .any(|c| c == flag)
    })
}

struct Translator<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    out: String,
    /// Depth of nested `[…]`.
    classes: usize,
    dot_all: bool,
    multi_line: bool,
}

impl Translator<'_> {
    /// Translates the next element; false at the end.
    fn step(&mut self) -> Result<bool, String> {
        let Some(c) = self.rest.next() else {
            return Ok(false);
        };
        let in_class = self.classes > 0;
        match c {
            '\\' => self.escape()?,
            '[' => {
                self.classes += 1;
                self.out.push('[');
                if self.rest.next_if_eq(&'^').is_some() {
                    self.out.push('^');
                }
            }
            ']' if in_class => {
                self.classes -= 1;
                self.out.push(']');
            }
            '{' if !in_class => self.repetition()?,
            '(' if !in_class && self.comes("?#") => {
                return Err("A regular expression of Java has no comments (?#…)".to_owned());
            }
            // Set operators that Java does not have.
            '~' if in_class => self.out.push_str("\\~"),
            '-' if in_class && self.rest.next_if_eq(&'-').is_some() => self.out.push_str("-\\-"),
            '.' if !in_class && !self.dot_all => {
                self.out.push_str("[^");
                self.out.push_str(TERMINATORS);
                self.out.push(']');
            }
            '$' if !in_class && !self.multi_line => {
                self.out.push_str(r"(?=(?:\r\n|[");
                self.out.push_str(TERMINATORS);
                self.out.push_str(r"])?\z)");
            }
            other => self.out.push(other),
        }
        Ok(true)
    }

    fn escape(&mut self) -> Result<(), String> {
        let in_class = self.classes > 0;
        let Some(c) = self.rest.next() else {
            return Err("A regular expression must not end in a single backslash".to_owned());
        };
        match c {
            'd' => self.class(r"0-9", false),
            'D' => self.class(r"0-9", true),
            'w' => self.class(r"a-zA-Z0-9_", false),
            'W' => self.class(r"a-zA-Z0-9_", true),
            's' => self.class(r" \t\n\x0B\f\r", false),
            'S' => self.class(r" \t\n\x0B\f\r", true),
            'h' => self.class(HORIZONTAL, false),
            'H' => self.class(HORIZONTAL, true),
            'v' => self.class(r"\x0B\f\n\r\u{85}\u{2028}\u{2029}", false),
            'V' => self.class(r"\x0B\f\n\r\u{85}\u{2028}\u{2029}", true),
            'R' => self
                .out
                .push_str(r"(?:\r\n|[\x0B\f\n\r\u{85}\u{2028}\u{2029}])"),
            'X' if !in_class => self.out.push_str(GRAPHEME),
            'e' => self.out.push_str(r"\x1B"),
            'Z' => {
                self.out.push_str(r"(?=(?:\r\n|[");
                self.out.push_str(TERMINATORS);
                self.out.push_str(r"])?\z)");
            }
            'Q' => self.quoted(),
            'p' | 'P' => self.property(c == 'P')?,
            'u' => self.code_unit()?,
            '0' => self.octal()?,
            'x' if self.comes("{") => {
                self.out.push_str("\\x");
                let end = |c: &char| *c != '}';
                while let Some(c) = self.rest.next_if(end) {
                    self.out.push(c);
                }
            }
            // Java lets any character that is no letter be escaped.
            other if other.is_ascii_alphanumeric() => {
                self.out.push('\\');
                self.out.push(other);
            }
            other => self.literal(other),
        }
        Ok(())
    }

    /// Whether `text` comes next.
    fn comes(&self, text: &str) -> bool {
        let mut ahead = self.rest.clone();
        text.chars().all(|c| ahead.next() == Some(c))
    }

    /// The rest of `{n}`, `{n,}` or `{n,m}`; any other brace must be escaped.
    fn repetition(&mut self) -> Result<(), String> {
        self.out.push('{');
        let mut parts = 0;
        loop {
            let mut digits = 0;
            while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
                self.out.push(digit);
                digits += 1;
            }
            parts += 1;
            match self.rest.next() {
                Some(',') if parts == 1 && digits > 0 => self.out.push(','),
                Some('}') if parts == 2 || digits > 0 => {
                    self.out.push('}');
                    return Ok(());
                }
                _ => return Err("A { must begin a repetition such as {2} or be escaped".to_owned()),
            }
        }
    }

    /// The character of one to three octal digits, three only up to 377.
    fn octal(&mut self) -> Result<(), String> {
        let mut code = 0;
        for place in 0..3 {
            let fits = |c: &char| c.is_digit(8) && (place < 2 || code < 0o40);
            match self.rest.next_if(fits) {
                Some(digit) => code = code * 8 + digit.to_digit(8).unwrap_or_default(),
                None if place == 0 => return Err("\\0 must be followed by octal digits".to_owned()),
                None => break,
            }
        }
        char::from_u32(code)
            .into_iter()
            .for_each(|c| self.literal(c));
        Ok(())
    }

    /// A class of these ranges, or its complement, alone or within a class.
    fn class(&mut self, ranges: &str, negated: bool) {
        if self.classes > 0 && !negated {
            self.out.push_str(ranges);
            return;
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        self.out.push_str(ranges);
        self.out.push(']');
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    /// Everything up to `\E`.
    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(c);
        }
    }

    /// `\uXXXX`, two of which may be one character.
    fn code_unit(&mut self) -> Result<(), String> {
        let first = self.hex_digits()?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first)
            && self.rest.next_if_eq(&'\\').is_some()
            && self.rest.next_if_eq(&'u').is_some()
        {
            units.push(self.hex_digits()?);
        }
        match char::decode_utf16(units).next() {
            Some(Ok(c)) => {
                self.literal(c);
                Ok(())
            }
            Some(Err(half)) => {
                // Texts hold it as its stand-in.
                self.out.extend(stand_in(half.unpaired_surrogate().into()));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn hex_digits(&mut self) -> Result<u16, String> {
        let digits: String = (0..4)
            .map_while(|_| self.rest.next_if(char::is_ascii_hexdigit))
            .collect();
        match u16::from_str_radix(&digits, 16) {
            Ok(unit) if digits.len() == 4 => Ok(unit),
            _ => Err(format!("'\\u{digits}' must have four hex digits")),
        }
    }

    fn property(&mut self, negated: bool) -> Result<(), String> {
        let name: String = match self.rest.next() {
            Some('{') => {
                let mut name = String::new();
                loop {
                    match self.rest.next() {
                        Some('}') => break name,
                        Some(c) => name.push(c),
                        None => return Err("A property needs a closing }".to_owned()),
                    }
                }
            }
            Some(letter) => letter.to_string(),
            None => return Err("A property needs a name".to_owned()),
        };
        if let Some(ranges) = posix_class(&name) {
            self.class(ranges, negated);
            return Ok(());
        }
        let name = match name.as_str() {
            "javaLowerCase" => "Lowercase",
            "javaUpperCase" => "Uppercase",
            "javaWhitespace" => "White_Space",
            "javaLetter" => "L",
            "javaDigit" => "Nd",
            other => match other.strip_prefix("Is") {
                Some(property) => property,
                None => other.split_once('=').map_or(other, |(_, value)| value),
            },
        };
        self.out.push_str(if negated { "\\P{" } else { "\\p{" });
        self.out.push_str(name);
        self.out.push('}');
        Ok(())
    }
}

/// An extended grapheme cluster.
const GRAPHEME: &str = concat!(
    r"(?>\r\n|[\p{Cc}\p{Zl}\p{Zp}]|(?:\p{Regional_Indicator}{2}",
    r"|[\u{1100}-\u{115F}]*(?:[\u{1160}-\u{11A7}]+|[가-힣][\u{1160}-\u{11A7}]*)[\u{11A8}-\u{11FF}]*",
    r"|[\u{1100}-\u{115F}]+|[\u{11A8}-\u{11FF}]+",
    r"|\p{Extended_Pictographic}(?:[\p{Mn}\p{Me}\p{Emoji_Modifier}]*\x{200D}\p{Extended_Pictographic})*",
    r"|[^\p{Cc}\p{Zl}\p{Zp}])[\p{M}\p{Emoji_Modifier}\x{200C}\x{200D}]*)",
);

const HORIZONTAL: &str = r" \t\u{A0}\u{1680}\u{180E}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}";

/// The ranges of Java's POSIX classes, which are ASCII only.
fn posix_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => r"\x00-\x7F",
        "Alpha" => "a-zA-Z",
        "Digit" => "0-9",
        "Alnum" => "a-zA-Z0-9",
        "Punct" => r"!-/:-@\[-`{-\~",
        "Graph" => r"!-\~",
        "Print" => r" -\~",
        "Blank" => r" \t",
        "Cntrl" => r"\x00-\x1F\x7F",
        "XDigit" => "0-9a-fA-F",
        "Space" => r" \t\n\x0B\f\r",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fancy_regex::Regex;

    use super::*;

    #[test]
    fn matches_as_in_java() {
        for (pattern, text, expected) in [
            (r"^\d+$", "12\n", true),
            (r"^\d+$", "12\n\n", false),
            (r"^\d$", "٣", false),
            (r"^[\w-]+$", "a-b_1", true),
            (r"^[^\W_]+$", "a_b", false),
            (r"^\p{Alpha}+$", "abé", false),
            (r"^[\p{Upper}\p{Digit}]+$", "A1", true),
            (r"^\P{Punct}$", "~", false),
            (r"^\p{IsAlphabetic}$", "é", true),
            (r"^\p{Lu}\p{L}$", "Éa", true),
            (r"\Qa.b\E", "axb", false),
            (r"\Qa.b\E", "a.b", true),
            (r"a.b", "a\rb", false),
            (r"(?s)a.b", "a\nb", true),
            (r"^a++b$", "aab", true),
            (r"^(?>a+)ab$", "aaab", false),
            (r"(?<x>a)\k<x>", "aa", true),
            (r"(a)\1(?=b)", "aab", true),
            (r"[a-z&&[^b]]", "b", false),
            (r"^\h$", "\u{a0}", true),
            (r"^\h$", "f", false),
            (r"A\uD83D\uDE00", "A😀", true),
            (r"A\uD83D", "A\u{10F83D}", true),
            (r"[~]", "~", true),
            (r"^\0101\x{42}\x43$", "ABC", true),
            (r"^\0401$", " 1", true),
            (r"^a{2}b{1,}c{0,3}$", "aab", true),
            (r"^[{]\{}$", "{{}", true),
            (r"^[+--]$", ",", true),
            (r"a\/b\_c", "a/b_c", true),
            (r"^\X{3}$", "e\u{301}한👨\u{200d}👩\u{fe0f}", true),
            (r"^\X\X$", "\r\n🇰🇷", true),
            (r"^\X$", "ab", false),
            (r"^\X$", "각", true),
        ] {
            let regex = Regex::new(&translate(pattern).unwrap()).unwrap();
            assert_eq!(
                regex.is_match(text).unwrap(),
                expected,
                "{pattern} on {text:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_translated_is_refused() {
        for pattern in [
            r"\", r"\u00", r"\p{Lu", r"\08", "{", "a{b", "a{2", "a{,3}", "a(?#c)",
        ] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}
