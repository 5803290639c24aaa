//! `${name}` (spec/sql.md §1): the variables of a session and their substitution into a statement.
//!
//! Substitution happens once, on tokens: inside of string literals any text may come in (its
//! quotes doubled), elsewhere a variable must be one name or one literal, so a value can never
//! change the shape of a statement.

use std::collections::BTreeMap;

use weir_types::SqlError;

use crate::ast::Span;
use crate::error;
use crate::lexer::{Symbol, Token, TokenKind, tokenize};

/// The variables of a session. Names are looked up in any case and listed as they were defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    enabled: bool,
    /// Upper-cased name → (name as defined, value).
    values: BTreeMap<String, (String, String)>,
}

impl Default for Variables {
    fn default() -> Self {
        Self {
            enabled: true,
            values: BTreeMap::new(),
        }
    }
}

impl Variables {
    /// No variables, substitution on.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same variables with substitution on or off (`ksql.variable.substitution.enable`).
    pub fn with_substitution(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets a variable.
    pub fn define(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        let entry = (name.clone(), value.into());
        match self.values.get_mut(&name.to_uppercase()) {
            Some(known) => known.1 = entry.1,
            None => {
                self.values.insert(name.to_uppercase(), entry);
            }
        }
    }

    /// Removes a variable; whether there was one.
    pub fn undefine(&mut self, name: &str) -> bool {
        self.values.remove(&name.to_uppercase()).is_some()
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(&name.to_uppercase())
            .map(|(_, value)| value.as_str())
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .values()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The tokens and the text of a statement with variables replaced. `text` is what `span` of
/// `source` says.
pub(crate) fn substitute(
    source: &str,
    span: Span,
    tokens: &[Token],
    variables: &Variables,
) -> Result<(Vec<Token>, String), SqlError> {
    let mut replaced = Vec::with_capacity(tokens.len());
    let mut text = String::with_capacity(span.end - span.start);
    let mut copied = span.start;
    let mut put = |token: &Token, new: &str| {
        text.push_str(source.get(copied..token.span.start).unwrap_or_default());
        text.push_str(new);
        copied = token.span.end;
    };
    for token in tokens {
        match &token.kind {
            TokenKind::String(value) if variables.enabled && value.contains("${") => {
                let (value, written) = replace_in_string(value, variables);
                put(token, &format!("'{written}'"));
                replaced.push(Token {
                    kind: TokenKind::String(value),
                    span: token.span,
                });
            }
            TokenKind::Variable(name) if variables.enabled => match variables.get(name) {
                Some(value) => {
                    put(token, value);
                    for kind in single_token(token, value)? {
                        replaced.push(Token {
                            kind,
                            span: token.span,
                        });
                    }
                }
                None => replaced.push(token.clone()),
            },
            _ => replaced.push(token.clone()),
        }
    }
    text.push_str(source.get(copied..span.end).unwrap_or_default());
    Ok((replaced, text))
}

/// The value of a string literal after substitution, and the same as it is to be written between
/// quotes. `$${x}` is `${x}` in the value and stays as it is in the text.
fn replace_in_string(value: &str, variables: &Variables) -> (String, String) {
    let doubled = |s: &str| s.replace('\'', "''");
    let mut result = String::with_capacity(value.len());
    let mut written = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        let name_end = from.find('}').filter(|end| {
            from.get(2..*end).is_some_and(|name| {
                !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            })
        });
        let Some(end) = name_end else {
            // No variable: keep the two characters and go on behind them.
            let (marks, after) = from.split_at(2);
            result.push_str(before);
            result.push_str(marks);
            written.push_str(&doubled(before));
            written.push_str(marks);
            rest = after;
            continue;
        };
        let (variable, after) = from.split_at(end + 1);
        let name = variable.get(2..end).unwrap_or_default();
        if let Some(unescaped) = before.strip_suffix('$') {
            result.push_str(unescaped);
            result.push_str(variable);
            written.push_str(&doubled(before));
            written.push_str(variable);
        } else {
            let new = variables.get(name).unwrap_or(variable);
            result.push_str(before);
            result.push_str(new);
            written.push_str(&doubled(before));
            written.push_str(&doubled(new));
        }
        rest = after;
    }
    result.push_str(rest);
    written.push_str(&doubled(rest));
    (result, written)
}

/// The one name or literal that a value outside of a string must be.
fn single_token(at: &Token, value: &str) -> Result<Vec<TokenKind>, SqlError> {
    let kinds: Vec<TokenKind> = tokenize(value).into_iter().map(|t| t.kind).collect();
    let fits = match kinds.as_slice() {
        [TokenKind::Symbol(Symbol::Minus), number, TokenKind::End] => is_number(number),
        [
            TokenKind::Word(_) | TokenKind::Quoted(_) | TokenKind::String(_),
            TokenKind::End,
        ] => true,
        [number, TokenKind::End] => is_number(number),
        _ => false,
    };
    if !fits {
        return Err(error::illegal(
            at.span,
            format!(
                "A variable outside of a string must be a name, a number, a boolean or a text in \
                 single quotes. Got: '{value}'"
            ),
        )
        .in_statement(value));
    }
    Ok(kinds.into_iter().filter(|k| *k != TokenKind::End).collect())
}

fn is_number(kind: &TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Integer(_) | TokenKind::Decimal(_) | TokenKind::Float(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_take_any_text() {
        let mut variables = Variables::new();
        variables.define("a", "it's");
        variables.define("B", "${a}");
        for (value, result, written) in [
            ("x${A}y", "xit'sy", "xit''sy"),
            ("$${a}", "${a}", "$${a}"),
            ("${b}${a}", "${a}it's", "${a}it''s"),
            ("${no} ${a", "${no} ${a", "${no} ${a"),
            ("${a b} '${a}", "${a b} 'it's", "${a b} ''it''s"),
            ("${}${", "${}${", "${}${"),
        ] {
            let got = replace_in_string(value, &variables);
            assert_eq!(got, (result.to_owned(), written.to_owned()), "{value}");
        }
    }

    #[test]
    fn names_are_listed_as_first_defined() {
        let mut variables = Variables::new();
        variables.define("Env", "dev");
        variables.define("ENV", "prod");
        variables.define("a", "1");
        assert_eq!(
            variables.iter().collect::<Vec<_>>(),
            [("a", "1"), ("Env", "prod")]
        );
        assert!(variables.undefine("env") && !variables.undefine("env"));
    }
}
