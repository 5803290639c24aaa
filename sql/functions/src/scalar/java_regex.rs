//! Java's regular expressions in the syntax of fancy-regex.
//!
//! Most of both syntaxes is the same. What is rewritten: `\d \w \s` are ASCII only; `.` stops at
//! every line terminator; `$` matches before a last one too; `\h \v \R \X \e \cX \Q…\E`; the
//! POSIX classes `\p{Alpha}` and the `java…`, `Is…` and `In…` properties; references to groups.

use weir_types::surrogates::stand_in;

/// Line terminators within a class.
const TERMINATORS: &str = r"\n\r\u{85}\u{2028}\u{2029}";

/// The end of the text, or of what is before its last line terminator; not within `\r\n`.
const END: &str = r"(?!(?<=\r)\n)(?=(?:\r\n|[\n\r\u{85}\u{2028}\u{2029}])?\z)";

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
        groups: group_count(pattern),
        names: Vec::new(),
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

/// How many capturing groups a pattern has.
fn group_count(pattern: &str) -> u32 {
    let (mut groups, mut classes, mut escaped) = (0, 0u32, false);
    for (at, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => classes += 1,
            ']' => classes = classes.saturating_sub(1),
            '(' if classes == 0 => {
                let rest = pattern.get(at + 1..).unwrap_or_default();
                let named = rest.strip_prefix("?<").unwrap_or_default();
                if !rest.starts_with('?') || named.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    groups += 1;
                }
            }
            _ => {}
        }
    }
    groups
}

struct Translator<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    out: String,
    /// Depth of nested `[…]`.
    classes: usize,
    dot_all: bool,
    multi_line: bool,
    /// Capturing groups of the whole pattern.
    groups: u32,
    /// Names of groups so far.
    names: Vec<String>,
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
            '(' if !in_class => {
                self.group_name()?;
                self.out.push('(');
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
                self.out.push_str(END);
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
            'Z' => self.out.push_str(END),
            'c' => match self
                .rest
                .next()
                .and_then(|c| char::from_u32(u32::from(c) ^ 64))
            {
                Some(control) => self.literal(control),
                None => return Err("\\c must be followed by a character".to_owned()),
            },
            '1'..='9' if !in_class => self.reference(c),
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

    /// A reference to a group: as many digits as name one that there is, the first one in any case.
    /// One to a missing group never matches.
    fn reference(&mut self, first: char) {
        let mut group = first.to_digit(10).unwrap_or_default();
        if group > self.groups {
            self.out.push_str("(?!)");
            return;
        }
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            if group * 10 + digit > self.groups {
                break;
            }
            group = group * 10 + digit;
            self.rest.next();
        }
        self.out.push_str(&format!("(?:\\{group})"));
    }

    /// Takes note of the name of a group that begins here, which must be the only one of its name.
    fn group_name(&mut self) -> Result<(), String> {
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('?') || ahead.next() != Some('<') {
            return Ok(());
        }
        if matches!(ahead.peek(), Some('=' | '!')) {
            return Ok(());
        }
        let name: String = ahead.take_while(|c| *c != '>').collect();
        if self.names.contains(&name) {
            return Err(format!("The group <{name}> is there twice"));
        }
        self.names.push(name);
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
        if let Some(ranges) = posix_class(&name).or_else(|| block(&name)) {
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

/// The range of a Unicode block, by Java's name of it; those of more common scripts and signs.
fn block(name: &str) -> Option<&'static str> {
    let prefixes = ["In", "blk=", "block="];
    let name = prefixes
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?;
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Some(match plain.as_str() {
        "basiclatin" => r"\x00-\x7F",
        "latin1supplement" => r"\u{80}-\u{FF}",
        "latinextendeda" => r"\u{100}-\u{17F}",
        "latinextendedb" => r"\u{180}-\u{24F}",
        "combiningdiacriticalmarks" => r"\u{300}-\u{36F}",
        "greek" | "greekandcoptic" => r"\u{370}-\u{3FF}",
        "cyrillic" => r"\u{400}-\u{4FF}",
        "armenian" => r"\u{530}-\u{58F}",
        "hebrew" => r"\u{590}-\u{5FF}",
        "arabic" => r"\u{600}-\u{6FF}",
        "devanagari" => r"\u{900}-\u{97F}",
        "thai" => r"\u{E00}-\u{E7F}",
        "georgian" => r"\u{10A0}-\u{10FF}",
        "hanguljamo" => r"\u{1100}-\u{11FF}",
        "generalpunctuation" => r"\u{2000}-\u{206F}",
        "currencysymbols" => r"\u{20A0}-\u{20CF}",
        "letterlikesymbols" => r"\u{2100}-\u{214F}",
        "arrows" => r"\u{2190}-\u{21FF}",
        "mathematicaloperators" => r"\u{2200}-\u{22FF}",
        "boxdrawing" => r"\u{2500}-\u{257F}",
        "miscellaneoussymbols" => r"\u{2600}-\u{26FF}",
        "dingbats" => r"\u{2700}-\u{27BF}",
        "cjksymbolsandpunctuation" => r"\u{3000}-\u{303F}",
        "hiragana" => r"\u{3040}-\u{309F}",
        "katakana" => r"\u{30A0}-\u{30FF}",
        "hangulcompatibilityjamo" => r"\u{3130}-\u{318F}",
        "cjkunifiedideographs" => r"\u{4E00}-\u{9FFF}",
        "hangulsyllables" => r"\u{AC00}-\u{D7AF}",
        "halfwidthandfullwidthforms" => r"\u{FF00}-\u{FFEF}",
        "emoticons" => r"\u{1F600}-\u{1F64F}",
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
            (r"^a\cAb$", "a\u{1}b", true),
            (r"a|\1", "b", false),
            (r"^(a)\11$", "aa1", true),
            (r"^(a)(b)\2\1$", "abba", true),
            (r"^\p{InGreek}\P{InHangul_Syllables}$", "Σa", true),
            (r"\r$\n", "a\r\n", false),
            (r"a$", "a\r\n", true),
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
            r"\",
            r"\u00",
            r"\p{Lu",
            r"\08",
            "{",
            "a{b",
            "a{2",
            "a{,3}",
            "a(?#c)",
            r"\c",
            "(?<n>a)(?<n>b)",
        ] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}
