//! Tokens of ksqlDB's dialect, made from those of sqlparser's tokenizer.
//!
//! ```text
//!  text ──sqlparser::Tokenizer (KsqlDialect)──► its tokens ──classify, merge──► Token { kind, span }
//!                                                 │
//!                  1abc, 0x1 → one word;  ${v} → one variable;  >> → two >;  comments dropped
//! ```
//!
//! Invariant: every token is a slice of the text, and what the text says is read from that slice,
//! never from a value that the tokenizer has interpreted for another dialect. Text that is no
//! token becomes [`TokenKind::Unknown`], so that tokenizing never fails: the parser reports it
//! where it stands.

use sqlparser::dialect::Dialect;
use sqlparser::tokenizer::{Location, Token as Raw, Tokenizer};

use crate::ast::Span;

/// A token with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// A name or keyword without quotes, as written.
    Word(String),
    /// A name that starts with a digit, as written.
    DigitWord(String),
    /// A quoted name, quotes removed.
    Quoted(String),
    /// A string literal, quotes removed.
    String(String),
    /// Digits only, as written.
    Integer(String),
    /// Digits with a point, as written.
    Decimal(String),
    /// A number with an exponent, as written.
    Float(String),
    /// `${name}` outside of a string, not substituted.
    Variable(String),
    /// Operators and punctuation.
    Symbol(Symbol),
    /// Anything else.
    Unknown,
    /// End of the text.
    End,
}

/// Operators and punctuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    Comma,
    Dot,
    Semicolon,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Concat,
    Assign,
    Arrow,
    FatArrow,
}

impl Symbol {
    /// The symbol as it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Dot => ".",
            Self::Semicolon => ";",
            Self::LeftParen => "(",
            Self::RightParen => ")",
            Self::LeftBracket => "[",
            Self::RightBracket => "]",
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Star => "*",
            Self::Slash => "/",
            Self::Percent => "%",
            Self::Concat => "||",
            Self::Assign => ":=",
            Self::Arrow => "->",
            Self::FatArrow => "=>",
        }
    }
}

/// The lexical rules of spec/sql.md §1 as far as sqlparser's tokenizer can be told them.
#[derive(Debug)]
struct KsqlDialect;

impl Dialect for KsqlDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`' || ch == '"'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_ascii_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_ascii_alphanumeric() || ch == '_' || ch == '@'
    }

    fn supports_numeric_prefix(&self) -> bool {
        true
    }

    fn supports_dollar_placeholder(&self) -> bool {
        true
    }
}

/// The tokens of `text`, comments and blanks left out, [`TokenKind::End`] last.
pub(crate) fn tokenize(text: &str) -> Vec<Token> {
    let mut raw = Vec::new();
    let outcome = Tokenizer::new(&KsqlDialect, text)
        .with_unescape(false)
        .tokenize_with_location_into_buf(&mut raw);

    let mut places = Places::new(text);
    let mut tokens = Vec::with_capacity(raw.len() / 2 + 1);
    let mut unread = Location { line: 1, column: 1 };
    for token in raw {
        unread = token.span.end;
        if matches!(token.token, Raw::Whitespace(_)) {
            continue;
        }
        let span = places.span(token.span.start, token.span.end);
        push(&mut tokens, text, &token.token, span);
    }
    if outcome.is_err() {
        // An unterminated string, name or comment: one unknown token up to the end.
        let mut span = places.span(unread, unread);
        span.end = text.len();
        tokens.push(Token {
            kind: TokenKind::Unknown,
            span,
        });
    }
    tokens.push(Token {
        kind: TokenKind::End,
        span: places.end(),
    });
    tokens
}

/// Appends what one token of sqlparser means here.
fn push(tokens: &mut Vec<Token>, text: &str, raw: &Raw, span: Span) {
    let slice = text.get(span.start..span.end).unwrap_or_default();
    let adjacent = tokens.last().is_some_and(|t| t.span.end == span.start);
    let symbol = |s| TokenKind::Symbol(s);
    let kind = match raw {
        Raw::Word(_) | Raw::Number(..) | Raw::HexStringLiteral(_) => {
            let kind = classify(slice);
            // `12E`, `0x1g` and the like come in two pieces but are one name.
            if adjacent
                && matches!(
                    kind,
                    TokenKind::Word(_) | TokenKind::DigitWord(_) | TokenKind::Integer(_)
                )
                && let Some(last) = tokens.last_mut()
                && let TokenKind::DigitWord(name)
                | TokenKind::Integer(name)
                | TokenKind::Float(name) = &last.kind
                && name.chars().all(|c| KsqlDialect.is_identifier_part(c))
            {
                last.kind = TokenKind::DigitWord(format!("{name}{slice}"));
                last.span.end = span.end;
                return;
            }
            kind
        }
        Raw::SingleQuotedString(_) => TokenKind::String(unquote(slice, '\'')),
        Raw::Comma => symbol(Symbol::Comma),
        Raw::Period => symbol(Symbol::Dot),
        Raw::SemiColon => symbol(Symbol::Semicolon),
        Raw::LParen => symbol(Symbol::LeftParen),
        Raw::RParen => symbol(Symbol::RightParen),
        Raw::LBracket => symbol(Symbol::LeftBracket),
        Raw::RBracket => symbol(Symbol::RightBracket),
        Raw::Eq => symbol(Symbol::Eq),
        Raw::Neq => symbol(Symbol::NotEq),
        Raw::Lt => symbol(Symbol::Lt),
        Raw::LtEq => symbol(Symbol::LtEq),
        Raw::Gt => symbol(Symbol::Gt),
        Raw::GtEq => symbol(Symbol::GtEq),
        Raw::Plus => symbol(Symbol::Plus),
        Raw::Minus => symbol(Symbol::Minus),
        Raw::Mul => symbol(Symbol::Star),
        Raw::Div => symbol(Symbol::Slash),
        Raw::Mod => symbol(Symbol::Percent),
        Raw::StringConcat => symbol(Symbol::Concat),
        Raw::Assignment => symbol(Symbol::Assign),
        Raw::Arrow => symbol(Symbol::Arrow),
        Raw::RArrow => symbol(Symbol::FatArrow),
        Raw::ShiftRight => {
            // `ARRAY<ARRAY<INT>>`: two closing brackets.
            let first = Span {
                end: span.start + 1,
                ..span
            };
            let second = Span {
                start: span.start + 1,
                column: span.column + 1,
                ..span
            };
            tokens.push(Token {
                kind: symbol(Symbol::Gt),
                span: first,
            });
            tokens.push(Token {
                kind: symbol(Symbol::Gt),
                span: second,
            });
            return;
        }
        Raw::RBrace if adjacent => {
            if merge_variable(tokens, text, span) {
                return;
            }
            TokenKind::Unknown
        }
        _ => TokenKind::Unknown,
    };
    tokens.push(Token { kind, span });
}

/// Turns the pieces `$` `{` `name` before a closing brace into one variable.
fn merge_variable(tokens: &mut Vec<Token>, text: &str, close: Span) -> bool {
    let [.., dollar, brace, name] = tokens.as_slice() else {
        return false;
    };
    let joined = dollar.span.end == brace.span.start && brace.span.end == name.span.start;
    let marks = text.get(dollar.span.start..brace.span.end) == Some("${");
    let (TokenKind::Word(name_text)
    | TokenKind::DigitWord(name_text)
    | TokenKind::Integer(name_text)) = &name.kind
    else {
        return false;
    };
    if !joined || !marks {
        return false;
    }
    let kind = TokenKind::Variable(name_text.clone());
    let span = Span {
        end: close.end,
        ..dollar.span
    };
    tokens.truncate(tokens.len() - 3);
    tokens.push(Token { kind, span });
    true
}

/// What a word or number of sqlparser is, by its text.
fn classify(slice: &str) -> TokenKind {
    let mut chars = slice.chars();
    match chars.next() {
        Some(quote @ ('`' | '"')) => TokenKind::Quoted(unquote(slice, quote)),
        Some(c) if c.is_ascii_digit() || c == '.' => classify_number(slice),
        Some(_) if slice.chars().all(|c| KsqlDialect.is_identifier_part(c)) => {
            TokenKind::Word(slice.to_owned())
        }
        // `x'00'`: a hexadecimal string of other dialects.
        _ => TokenKind::Unknown,
    }
}

fn classify_number(slice: &str) -> TokenKind {
    let text = || slice.to_owned();
    if slice.bytes().all(|b| b.is_ascii_digit()) {
        return TokenKind::Integer(text());
    }
    let (mantissa, exponent) = match slice.find(['e', 'E']) {
        Some(at) => (&slice[..at], Some(&slice[at + 1..])),
        None => (slice, None),
    };
    let is_mantissa = mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && mantissa.bytes().filter(|b| *b == b'.').count() <= 1
        && mantissa.bytes().any(|b| b.is_ascii_digit());
    match exponent {
        None if is_mantissa => TokenKind::Decimal(text()),
        Some(e) if is_mantissa => {
            let digits = e.strip_prefix(['+', '-']).unwrap_or(e);
            if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
                TokenKind::Float(text())
            } else {
                digit_word(slice)
            }
        }
        _ => digit_word(slice),
    }
}

fn digit_word(slice: &str) -> TokenKind {
    if slice.chars().all(|c| KsqlDialect.is_identifier_part(c)) {
        TokenKind::DigitWord(slice.to_owned())
    } else {
        TokenKind::Unknown
    }
}

/// The text between quotes, doubled quotes halved.
fn unquote(slice: &str, quote: char) -> String {
    let inner = slice.strip_prefix(quote).unwrap_or(slice);
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    let mut doubled = [0; 8];
    let (first, _) = doubled.split_at_mut(4);
    let single = quote.encode_utf8(first).to_owned();
    inner.replace(&single.repeat(2), &single)
}

/// Turns lines and columns, which only grow, into byte offsets.
struct Places<'a> {
    rest: std::str::CharIndices<'a>,
    at: Location,
    text: &'a str,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.char_indices(),
            at: Location { line: 1, column: 1 },
            text,
        }
    }

    fn offset(&mut self, to: Location) -> usize {
        while (self.at.line, self.at.column) < (to.line, to.column) {
            match self.rest.next() {
                Some((_, '\n')) => {
                    self.at = Location {
                        line: self.at.line + 1,
                        column: 1,
                    }
                }
                Some(_) => self.at.column += 1,
                None => break,
            }
        }
        self.rest.offset()
    }

    fn span(&mut self, start: Location, end: Location) -> Span {
        let from = self.offset(start);
        let to = self.offset(end);
        Span {
            start: from,
            end: to,
            line: narrow(start.line),
            column: narrow(start.column),
        }
    }

    /// The empty span after the last character.
    fn end(&mut self) -> Span {
        for (_, c) in self.rest.by_ref() {
            if c == '\n' {
                self.at = Location {
                    line: self.at.line + 1,
                    column: 1,
                };
            } else {
                self.at.column += 1;
            }
        }
        let end = self.text.len();
        Span {
            start: end,
            end,
            line: narrow(self.at.line),
            column: narrow(self.at.column),
        }
    }
}

fn narrow(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let mut kinds: Vec<_> = tokenize(text).into_iter().map(|t| t.kind).collect();
        assert_eq!(kinds.pop(), Some(TokenKind::End));
        kinds
    }

    fn word(s: &str) -> TokenKind {
        TokenKind::Word(s.to_owned())
    }

    #[test]
    fn words_and_numbers() {
        use TokenKind::{Decimal, DigitWord, Float, Integer, Quoted, String as Text};
        let cases = [
            ("abc_1@x", word("abc_1@x")),
            ("1abc", DigitWord("1abc".into())),
            ("0xAF", DigitWord("0xAF".into())),
            ("0x1g", DigitWord("0x1g".into())),
            ("5L", DigitWord("5L".into())),
            ("12E", DigitWord("12E".into())),
            ("1e5x", DigitWord("1e5x".into())),
            ("12", Integer("12".into())),
            ("1.", Decimal("1.".into())),
            (".5", Decimal(".5".into())),
            ("1E3", Float("1E3".into())),
            ("2.5e-1", Float("2.5e-1".into())),
            ("`a``b`", Quoted("a`b".into())),
            ("\"a\"\"b\"", Quoted("a\"b".into())),
            ("'it''s \\n'", Text("it's \\n".into())),
            ("''", Text(String::new())),
            ("''''", Text("'".into())),
            ("'`'", Text("`".into())),
            ("${a_1}", TokenKind::Variable("a_1".into())),
            ("#", TokenKind::Unknown),
            ("é", TokenKind::Unknown),
        ];
        for (text, kind) in cases {
            assert_eq!(kinds(text), [kind], "{text}");
        }
    }

    #[test]
    fn operators_are_split_as_the_dialect_does() {
        use Symbol::{Arrow, Assign, Concat, Dot, FatArrow, Gt, Lt, Minus, NotEq};
        let s = TokenKind::Symbol;
        let one = || TokenKind::Integer("1".into());
        let cases = [
            ("a->b", vec![word("a"), s(Arrow), word("b")]),
            ("a=>b", vec![word("a"), s(FatArrow), word("b")]),
            ("a:=1", vec![word("a"), s(Assign), one()]),
            ("a||1", vec![word("a"), s(Concat), one()]),
            ("a!=1", vec![word("a"), s(NotEq), one()]),
            ("a<-1", vec![word("a"), s(Lt), s(Minus), one()]),
            ("a.b", vec![word("a"), s(Dot), word("b")]),
            (
                "a.1b",
                vec![word("a"), s(Dot), TokenKind::DigitWord("1b".into())],
            ),
            ("a._b", vec![word("a"), s(Dot), word("_b")]),
            (">>", vec![s(Gt), s(Gt)]),
            ("a -- c ; '\nb/* ; */", vec![word("a"), word("b")]),
        ];
        for (text, expected) in cases {
            assert_eq!(kinds(text), expected, "{text}");
        }
    }

    #[test]
    fn places_count_characters_and_lines() {
        let tokens = tokenize("é 'ü\n' x\r\n  y");
        let places: Vec<_> = tokens
            .iter()
            .map(|t| (t.span.line, t.span.column, t.span.start))
            .collect();
        assert_eq!(
            places,
            [(1, 1, 0), (1, 3, 3), (2, 3, 9), (3, 3, 14), (3, 4, 15)]
        );
    }

    #[test]
    fn what_does_not_end_is_unknown_from_where_it_starts() {
        for text in ["a 'b; c", "a `b; c", "a /* b"] {
            let tokens = tokenize(text);
            assert_eq!(tokens.len(), 3, "{text}");
            assert_eq!(tokens[1].kind, TokenKind::Unknown, "{text}");
            assert_eq!(tokens[1].span.column, 3, "{text}");
            assert_eq!(tokens[2].kind, TokenKind::End, "{text}");
        }
    }
}
