//! URL_*: parts of URLs, and form encoding (spec/sql.md §7.1 URL).

use std::fmt::Write;

use weir_types::surrogates::write_utf8;

use crate::kernel::row_error;
use crate::registry::{Category, Function, Param, Type, Variant};

use super::uri::{Uri, percent_decode};

const URL: Param = Param::new("url", Type::String, "the URL");

/// A function that gives a text of a URL.
macro_rules! part {
    ($name:literal, $description:literal, $part:expr) => {
        Function::scalar(
            $name,
            Category::Url,
            $description,
            &[Variant::new(&[URL], Type::String, |call| {
                let url = call.strings(0)?;
                call.to_strings(|row| {
                    let part: fn(&Uri<'_>) -> Option<String> = $part;
                    part(&parse(url.get(row)?)?)
                })
            })],
        )
    };
}

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    part!("URL_EXTRACT_FRAGMENT", "The fragment of a URL.", |uri| uri
        .fragment
        .map(percent_decode)),
    part!("URL_EXTRACT_HOST", "The host of a URL.", |uri| uri
        .host
        .map(str::to_owned)),
    part!("URL_EXTRACT_PATH", "The path of a URL.", |uri| uri
        .path
        .map(percent_decode)),
    part!("URL_EXTRACT_PROTOCOL", "The protocol of a URL.", |uri| uri
        .scheme
        .map(str::to_owned)),
    part!("URL_EXTRACT_QUERY", "The query of a URL.", |uri| uri
        .query
        .map(percent_decode)),
    Function::scalar(
        "URL_EXTRACT_PORT",
        Category::Url,
        "The port of a URL.",
        &[Variant::new(&[URL], Type::Integer, |call| {
            let url = call.strings(0)?;
            call.to_ints(|row| parse(url.get(row)?)?.port)
        })],
    ),
    Function::scalar(
        "URL_EXTRACT_PARAMETER",
        Category::Url,
        "The value of a parameter in the query of a URL.",
        &[Variant::new(
            &[URL, Param::new("name", Type::String, "the parameter")],
            Type::String,
            |call| {
                let (url, name) = (call.strings(0)?, call.strings(1)?);
                call.to_strings(|row| {
                    let (url, name) = (url.get(row)?, name.get(row)?);
                    let query = parse(url)?.query.map(percent_decode)?;
                    query.split('&').find_map(|pair| {
                        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                        (key == name).then(|| value.to_owned())
                    })
                })
            },
        )],
    ),
    Function::scalar(
        "URL_ENCODE_PARAM",
        Category::Url,
        "A text encoded for use as a parameter of a URL.",
        &[Variant::new(
            &[Param::new("text", Type::String, "the text")],
            Type::String,
            |call| {
                let text = call.strings(0)?;
                call.write_strings(|row, out| {
                    encode(text.get(row)?, out);
                    Some(())
                })
            },
        )],
    ),
    Function::scalar(
        "URL_DECODE_PARAM",
        Category::Url,
        "The text that was encoded as a parameter of a URL.",
        &[Variant::new(
            &[Param::new("text", Type::String, "the text")],
            Type::String,
            |call| {
                let text = call.strings(0)?;
                call.to_strings(|row| decode(text.get(row)?))
            },
        )],
    ),
];

fn parse(url: &str) -> Option<Uri<'_>> {
    match Uri::parse(url) {
        Some(uri) => Some(uri),
        None => row_error(|| format!("'{url}' is no valid URL")),
    }
}

/// Form encoding: letters, digits and `.-*_` stay, a blank is `+`.
fn encode(text: &str, out: &mut String) {
    let mut bytes = Vec::with_capacity(text.len());
    write_utf8(text, &mut bytes);
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let byte = digits
                    .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                let Some(byte) = byte else {
                    return row_error(|| format!("'{text}' has a % without two hex digits"));
                };
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            other => bytes.push(*other),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_encoding() {
        let mut out = String::new();
        encode("?a b$é*", &mut out);
        assert_eq!(out, "%3Fa+b%24%C3%A9*");
        assert_eq!(decode(&out).as_deref(), Some("?a b$é*"));
        assert_eq!(decode("%4"), None);
        assert_eq!(decode("%+1"), None);
    }
}
