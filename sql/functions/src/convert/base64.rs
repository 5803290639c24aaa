//! Base64 text as Java's basic decoder reads it.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The bytes of a text, its padding complete or absent.
///
/// # Errors
/// What is wrong with the text.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    if text.ends_with('=') && !text.len().is_multiple_of(4) {
        return Err("its padding is incomplete".to_owned());
    }
    ENGINE.decode(text).map_err(|cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_complete_or_absent() {
        for (text, expected) in [
            ("YWI=", Some(&b"ab"[..])),
            ("YWI", Some(b"ab")),
            ("abc", Some(&[0x69, 0xb7])),
            ("YQ=", None),
            ("Y", None),
            (" YQ==", None),
            ("", Some(b"")),
        ] {
            assert_eq!(decode(text).ok().as_deref(), expected, "{text}");
        }
    }
}
