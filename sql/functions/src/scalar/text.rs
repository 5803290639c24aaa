//! Texts as Java has them: counted in UTF-16 units, and in lower case.

use std::borrow::Cow;
use std::sync::LazyLock;

use fancy_regex::Regex;
use weir_types::surrogates::{from_units, unit_count, units};

/// Length in UTF-16 units.
pub(super) fn length(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().map(unit_count).sum()
    }
}

/// Units `start..end` of a text.
pub(super) fn slice(text: &str, start: usize, end: usize) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text.get(start..end.min(text.len())).unwrap_or_default());
    }
    let (Some(from), Some(to)) = (byte_at(text, start), byte_at(text, end)) else {
        let count = end.saturating_sub(start);
        return Cow::Owned(from_units(units(text).skip(start).take(count)));
    };
    Cow::Borrowed(text.get(from..to).unwrap_or_default())
}

/// Where unit `index` begins in the bytes, the end if there are fewer units; `None` within a
/// surrogate pair.
fn byte_at(text: &str, index: usize) -> Option<usize> {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        if units >= index {
            return (units == index).then_some(at);
        }
        units += unit_count(c);
    }
    (units <= index).then_some(text.len())
}

/// A word of Java's break iterator: letters but for the scripts that it splits otherwise, digits
/// joined to them, and a punctuation mark between two of either.
static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let ignored = r"[\p{Mn}\p{Me}\p{Cf}]*";
    let letters = format!(r"(?:[\p{{L}}\p{{Mc}}--々一-龥豈-鶴ァ-ヺー゙-゜ぁ-ゔﾞﾟ]{ignored})+");
    let digits = format!(r"(?:\p{{N}}{ignored})+");
    let between = format!(r#"[\p{{Pd}}\u{{AD}}\u{{2027}}"'.]{ignored}"#);
    let between_digits = format!(r#"["',٫.]{ignored}"#);
    let word = format!("{letters}(?:{between}{letters})*");
    let number = format!("{digits}(?:{between_digits}{digits})*");
    Regex::new(&format!("(?:{word}|{number})+")).ok()
});

/// Java's `toLowerCase`: a capital sigma is final after a cased letter and before none of the same
/// word, which is that of Java's break iterator and not Unicode's.
pub(super) fn lower_case(text: &str) -> String {
    let Some(word) = WORD.as_ref().filter(|_| text.contains('Σ')) else {
        return text.to_lowercase();
    };
    let mut sigmas = String::with_capacity(text.len());
    let mut end = 0;
    for found in word.find_iter(text).flatten() {
        sigmas.extend(text.get(end..found.start()));
        end = found.end();
        let last = found.as_str().char_indices().rfind(|(_, c)| is_cased(*c));
        let mut after_cased = false;
        for (at, c) in found.as_str().char_indices() {
            let is_final = after_cased && last.is_none_or(|(last, _)| last <= at);
            sigmas.push(match c {
                'Σ' if is_final => 'ς',
                'Σ' => 'σ',
                other => other,
            });
            after_cased |= is_cased(c);
        }
    }
    sigmas.extend(text.get(end..));
    sigmas.to_lowercase()
}

/// Whether a letter has case for Java: lower, upper or title, the ordinal indicators apart.
fn is_cased(c: char) -> bool {
    let title = || c.to_lowercase().next() != Some(c) && c.to_uppercase().next() != Some(c);
    !matches!(c, 'ª' | 'º') && (c.is_lowercase() || c.is_uppercase() || title())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_sigmas() {
        for (text, expected) in [
            ("ΑΣ", "ας"),
            ("Σ", "σ"),
            ("ΑΣΑ", "ασα"),
            ("ΑΣ ΑΣ.", "ας ας."),
            ("Α-Σ", "α-ς"),
            ("Α1Σ", "α1ς"),
            ("Α한Σ", "α한ς"),
            ("Α,Σ", "α,σ"),
            ("ΑΣ'Σ", "ασ'ς"),
            ("İΣ", "i̇ς"),
            ("ªΣ", "ªσ"),
        ] {
            assert_eq!(lower_case(text), expected, "{text}");
        }
    }

    #[test]
    fn slices_by_unit() {
        for (text, start, end, expected) in [
            ("abc", 1, 2, "b"),
            ("abc", 2, 9, "c"),
            ("abc", 3, 9, ""),
            ("aéx", 1, 3, "éx"),
            ("a😀x", 1, 3, "😀"),
            ("a😀x", 3, 9, "x"),
            ("a😀x", 1, 2, "\u{10F83D}"),
            ("a😀x", 2, 4, "\u{10FE00}x"),
            ("\u{10F83D}x", 1, 2, "x"),
            ("é", 1, 5, ""),
        ] {
            assert_eq!(slice(text, start, end), expected, "{text}[{start}..{end}]");
        }
        assert_eq!(length("a😀\u{10FE00}"), 4);
    }
}
