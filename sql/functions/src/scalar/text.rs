//! Texts counted in UTF-16 units, as Java counts them.

use std::borrow::Cow;

/// Length in UTF-16 units.
pub(super) fn length(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    }
}

/// The text of these units; a surrogate without its other half is `?`, as where Java encodes it.
pub(super) fn from_units(units: &[u16]) -> String {
    char::decode_utf16(units.iter().copied())
        .map(|c| c.unwrap_or('?'))
        .collect()
}

/// Units `start..end` of a text; a surrogate that loses its other half becomes `?`.
pub(super) fn slice(text: &str, start: usize, end: usize) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text.get(start..end.min(text.len())).unwrap_or_default());
    }
    let (Some(from), Some(to)) = (byte_at(text, start), byte_at(text, end)) else {
        let units: Vec<u16> = text
            .encode_utf16()
            .skip(start)
            .take(end.saturating_sub(start))
            .collect();
        return Cow::Owned(from_units(&units));
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
        units += c.len_utf16();
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
            ("a😀x", 1, 2, "?"),
            ("é", 1, 5, ""),
        ] {
            assert_eq!(slice(text, start, end), expected, "{text}[{start}..{end}]");
        }
        assert_eq!(length("a😀"), 3);
    }
}
