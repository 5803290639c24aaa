//! Halves of surrogate pairs in text.
//!
//! Arrow text is UTF-8 and cannot hold half a surrogate pair. Java's text can, JSON escapes can
//! spell it (`"\ud83d"`), and ksqlDB passes it through. Such a half is held as a character of the
//! last private plane: U+10F800 + (half − U+D800). JSON writes it as the same escape again; where
//! Java would encode it as UTF-8 it becomes `?`, as there.

/// First of the 2048 characters that stand for halves.
const BASE: u32 = 0x10_F800;

/// The character that stands for a UTF-16 unit from U+D800 to U+DFFF.
pub(crate) fn stand_in(unit: u32) -> Option<char> {
    char::from_u32(BASE + unit.checked_sub(0xD800)?)
}

/// The UTF-16 unit that `c` stands for, if it does.
pub(crate) fn half_of(c: char) -> Option<u16> {
    let offset = u32::from(c).checked_sub(BASE)?;
    u16::try_from(0xD800 + offset).ok()
}

/// Appends `text` as UTF-8, as Java encodes it: `?` for each half of a pair.
pub(crate) fn write_utf8(text: &str, out: &mut Vec<u8>) {
    // The first byte of every stand-in, and of few other characters.
    if memchr::memchr(0xF4, text.as_bytes()).is_none() {
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
    fn utf8_has_a_question_mark_for_a_half() {
        let text: String = ['a', stand_in(0xD83D).unwrap(), '\u{1F600}', '\u{10F7FF}']
            .iter()
            .collect();
        let mut out = Vec::new();
        write_utf8(&text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "a?\u{1F600}\u{10F7FF}");
    }
}
