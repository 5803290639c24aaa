//! URIs as `java.net.URI` reads them: RFC 2396 with characters of all languages.

/// The parts of a URI, still percent-encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    pub(super) scheme: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<i32>,
    /// `None` of an opaque URI such as `mailto:a@b.c`.
    pub(super) path: Option<&'a str>,
    pub(super) query: Option<&'a str>,
    pub(super) fragment: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// The parts of `text`, `None` if it is no URI.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut uri = Self::default();
        let mut rest = text;
        if let Some((before, fragment)) = rest.split_once('#') {
            legal(fragment, ";/?:@&=+$,[]")?;
            uri.fragment = Some(fragment);
            rest = before;
        }
        if let Some(colon) = rest
            .find(['/', '?', ':'])
            .filter(|at| rest[*at..].starts_with(':'))
        {
            let scheme = &rest[..colon];
            let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            if !valid {
                return None;
            }
            uri.scheme = Some(scheme);
            rest = &rest[colon + 1..];
            if !rest.starts_with('/') {
                legal(rest, ";/?:@&=+$,[]")?;
                return (!rest.is_empty()).then_some(uri);
            }
        }
        if let Some(after) = rest.strip_prefix("//") {
            let end = after.find(['/', '?']).unwrap_or(after.len());
            let (authority, tail) = after.split_at(end);
            if authority.is_empty() && tail.is_empty() && uri.fragment.is_none() {
                return None;
            }
            if !authority.is_empty() {
                (uri.host, uri.port) = parse_authority(authority)?;
            }
            rest = tail;
        }
        if let Some((path, query)) = rest.split_once('?') {
            legal(query, ";/?:@&=+$,[]")?;
            uri.query = Some(query);
            rest = path;
        }
        legal(rest, ":@&=+$,/;")?;
        uri.path = Some(rest);
        Some(uri)
    }
}

/// Whether all characters may stand in a part: letters, digits, marks, `extra`, escapes, and
/// characters beyond ASCII that are neither blanks nor controls.
fn legal(part: &str, extra: &str) -> Option<()> {
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        let allowed = match c {
            '%' => {
                let hex = |c: Option<char>| c.is_some_and(|c| c.is_ascii_hexdigit());
                hex(chars.next()) && hex(chars.next())
            }
            c if c.is_ascii() => {
                c.is_ascii_alphanumeric() || "-_.!~*'()".contains(c) || extra.contains(c)
            }
            c => !c.is_control() && !c.is_whitespace(),
        };
        if !allowed {
            return None;
        }
    }
    Some(())
}

/// Host and port of an authority; neither, of one that names no host in the usual form.
fn parse_authority(authority: &str) -> Option<(Option<&str>, Option<i32>)> {
    let (user, server) = match authority.split_once('@') {
        Some((user, server)) => (user, server),
        None => ("", authority),
    };
    if legal(user, ";:&=+$,").is_some()
        && let Some((host, port)) = split_port(server)
        && is_host(host)
        && let Ok(port) = (!port.is_empty()).then(|| port.parse()).transpose()
    {
        return Some((Some(host), port));
    }
    legal(authority, "$,;:@&=+")?;
    Some((None, None))
}

/// Host and digits of the port.
fn split_port(server: &str) -> Option<(&str, &str)> {
    let (host, after) = match server.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => server.split_at(end + 2),
        None => server.split_at(server.find(':').unwrap_or(server.len())),
    };
    let port = match after.strip_prefix(':') {
        Some(port) => port,
        None if after.is_empty() => "",
        None => return None,
    };
    port.bytes()
        .all(|b| b.is_ascii_digit())
        .then_some((host, port))
}

fn is_host(host: &str) -> bool {
    if let Some(literal) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address = literal.split('%').next().unwrap_or_default();
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    if host.parse::<std::net::Ipv4Addr>().is_ok() {
        return true;
    }
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    let well_formed = labels.iter().all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    });
    let top = labels
        .last()
        .is_some_and(|label| label.starts_with(|c: char| c.is_ascii_alphabetic()));
    well_formed && (labels.len() == 1 || top)
}

/// The text with its escapes replaced; bytes that are no UTF-8 become U+FFFD.
pub(super) fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (
        Option<&'a str>,
        Option<&'a str>,
        Option<i32>,
        Option<&'a str>,
        Option<&'a str>,
    );

    #[test]
    fn parts_as_in_java() {
        let cases: &[(&str, Option<Parts<'_>>)] = &[
            (
                "http://u:p@example.com:8080/a%20b?k=v#f",
                Some((
                    Some("http"),
                    Some("example.com"),
                    Some(8080),
                    Some("/a%20b"),
                    Some("k=v"),
                )),
            ),
            (
                "https://h?x",
                Some((Some("https"), Some("h"), None, Some(""), Some("x"))),
            ),
            (
                "mailto:a@b.c",
                Some((Some("mailto"), None, None, None, None)),
            ),
            (
                "file:///tmp",
                Some((Some("file"), None, None, Some("/tmp"), None)),
            ),
            (
                "//host/p",
                Some((None, Some("host"), None, Some("/p"), None)),
            ),
            (
                "http://[::1]:9/x",
                Some((Some("http"), Some("[::1]"), Some(9), Some("/x"), None)),
            ),
            (
                "http://host:abc/",
                Some((Some("http"), None, None, Some("/"), None)),
            ),
            (
                "http://host:99999999999/",
                Some((Some("http"), None, None, Some("/"), None)),
            ),
            (
                "http://a_b.c/",
                Some((Some("http"), None, None, Some("/"), None)),
            ),
            (
                "http://h:/p",
                Some((Some("http"), Some("h"), None, Some("/p"), None)),
            ),
            (
                "http://한글.kr/길",
                Some((Some("http"), None, None, Some("/길"), None)),
            ),
            (
                "http://1.2.3.4/",
                Some((Some("http"), Some("1.2.3.4"), None, Some("/"), None)),
            ),
            ("", Some((None, None, None, Some(""), None))),
            ("a", Some((None, None, None, Some("a"), None))),
            ("http://", None),
            ("http://ex ample.com", None),
            ("http://h/%zz", None),
            ("not a url", None),
            (":x", None),
        ];
        for (text, expected) in cases {
            let parts = Uri::parse(text).map(|u| (u.scheme, u.host, u.port, u.path, u.query));
            assert_eq!(parts, *expected, "{text}");
        }
    }
}
