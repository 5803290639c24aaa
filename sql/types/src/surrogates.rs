//! Halves of surrogate pairs in text.
//!
//! Arrow text is UTF-8 and cannot hold half a surrogate pair. Java's text can, JSON escapes can
//! spell it (`"\ud83d"`), functions that count UTF-16 units can cut it off, and ksqlDB passes it
//! on. Such a half is held as a character of the last private plane: U+10F800 + (half − U+D800).
//!
//! ```text
//!  "\ud83d" ─┐                                    ┌─ JSON ──► "\ud83d"
//!            ├─► U+10F83D in a column of STRING ──┤
//!  SUBSTRING ┘        (one UTF-16 unit)           └─ UTF-8 ─► ?, as where Java encodes it
//! ```

use std::borrow::Cow;

/// First of the 2048 characters that stand for halves.
const BASE: u32 = 0x10_F800;

/// The character that stands for a UTF-16 unit from U+D800 to U+DFFF.
pub fn stand_in(unit: u32) -> Option<char> {
    char::from_u32(BASE + unit.checked_sub(0xD800)?)
}

/// The UTF-16 unit that `c` stands for, if it does.
pub fn half_of(c: char) -> Option<u16> {
    let offset = u32::from(c).checked_sub(BASE)?;
    u16::try_from(0xD800 + offset).ok()
}

/// Whether `text` may hold a stand-in: it has the first byte of them all, which few other
/// characters begin with.
pub fn may_have_halves(text: &str) -> bool {
    text.as_bytes().contains(&0xF4)
}

/// The UTF-16 units of `text`, as Java holds it.
pub fn units(text: &str) -> impl Iterator<Item = u16> + Clone + '_ {
    text.chars().flat_map(|c| {
        let mut pair = [0; 2];
        let length = match half_of(c) {
            Some(half) => {
                pair[0] = half;
                1
            }
            None => c.encode_utf16(&mut pair).len(),
        };
        pair.into_iter().take(length)
    })
}

/// How many UTF-16 units a character of a column stands for.
pub fn unit_count(c: char) -> usize {
    if half_of(c).is_some() {
        1
    } else {
        c.len_utf16()
    }
}

/// The text of these units, halves of pairs as their stand-ins.
pub fn from_units(units: impl IntoIterator<Item = u16>) -> String {
    char::decode_utf16(units)
        .filter_map(|c| {
            c.or_else(|half| stand_in(half.unpaired_surrogate().into()).ok_or(()))
                .ok()
        })
        .collect()
}

/// JSON text with the stand-ins of those of its `\uXXXX` escapes that are half a pair alone, for
/// parsers that refuse these.
pub fn halves_held(json: &str) -> Cow<'_, str> {
    let unit = |at: usize| -> Option<u16> {
        let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut out = String::new();
    let (mut copied, mut from) = (0, 0);
    while let Some(found) = json.get(from..).and_then(|rest| rest.find('\\')) {
        let at = from + found;
        from = at
            + match unit(at) {
                Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => 12,
                Some(half @ 0xD800..=0xDFFF) => {
                    out.push_str(json.get(copied..at).unwrap_or_default());
                    out.extend(stand_in(half.into()));
                    copied = at + 6;
                    6
                }
                Some(_) => 6,
                None => 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
            };
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Appends `text` as UTF-8, as Java encodes it: `?` for each half of a pair.
pub fn write_utf8(text: &str, out: &mut Vec<u8>) {
    if !may_have_halves(text) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for c in text.chars() {
        let shown = if half_of(c).is_some() { '?' } else { c };
        out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn halves_and_their_stand_ins() {
        for unit in [0xD800, 0xDBFF, 0xDC00, 0xDFFF] {
            assert_eq!(half_of(stand_in(unit).unwrap()), Some(unit as u16));
        }
        for c in ['a', '\u{1F600}', '\u{10F7FF}'] {
            assert_eq!(half_of(c), None);
        }
    }

    #[test]
    fn units_as_java_holds_them() {
        let units = [0x61, 0xD83D, 0xD83D, 0xDE00, 0xDE00];
        let text = from_units(units);
        assert_eq!(text, "a\u{10F83D}😀\u{10FE00}");
        assert_eq!(super::units(&text).collect::<Vec<_>>(), units);
        assert_eq!(
            text.chars().map(unit_count).collect::<Vec<_>>(),
            [1, 1, 2, 1]
        );
        assert!(may_have_halves(&text) && !may_have_halves("a😀"));
    }

    #[test]
    fn halves_in_json() {
        for (json, held) in [
            (r#""a\nb""#, r#""a\nb""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (
                r#""\ud83dx\ude00\u0041""#,
                "\"\u{10F83D}x\u{10FE00}\\u0041\"",
            ),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\ud83d\ud83d\ude00""#, "\"\u{10F83D}\\ud83d\\ude00\""),
            (r"\한", r"\한"),
            ("\\", "\\"),
            ("\\ud8", "\\ud8"),
        ] {
            assert_eq!(halves_held(json), held, "{json}");
        }
    }

    #[test]
    fn utf8_has_a_question_mark_for_a_half() {
        let text: String = ['a', stand_in(0xD83D).unwrap(), '\u{1F600}', '\u{10F7FF}']
            .iter()
            .collect();
        let mut out = Vec::new();
        write_utf8(&text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "a?\u{1F600}\u{10F7FF}");
    }
}
