//! Texts counted in UTF-16 units, as Java counts them.

use std::borrow::Cow;

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

#[cfg(test)]
mod tests {
    use super::*;

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
