//! Cross-origin requests (spec/api.md §1.2): on only where `access.control.allow.origin` is set.
//!
//! ```text
//!  Origin: ─┬─ none ─► as ever
//!           ├─ allowed ─► preflight: 204 │ else: as ever, with the headers that let a page read it
//!           └─ not allowed ─► 403
//! ```

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;

use crate::respond;

/// Methods that pages may use unless `access.control.allow.methods` says otherwise.
const METHODS: &str = "GET,POST,HEAD";
/// Headers that pages may send unless `access.control.allow.headers` says otherwise.
const HEADERS: &str = "X-Requested-With,Content-Type,Accept,Origin";

/// Who may ask from a page of another origin, and how.
#[derive(Debug, Clone)]
pub(crate) struct Cors {
    /// Origins; `*` in one stands for any characters.
    origins: Vec<String>,
    methods: HeaderValue,
    headers: HeaderValue,
}

/// What is to become of a request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is none across origins.
    Plain,
    /// It may be served; its response gets these headers.
    Allowed(HeaderMap),
    /// It is answered here.
    Answered(Response),
}

impl Cors {
    /// The rules of the configuration; `None`: it has none.
    pub(crate) fn from_properties(property: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let list = |text: String| -> Vec<String> {
            text.split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect()
        };
        let origins = list(property("access.control.allow.origin")?);
        let value = |name: &str, default: &str| {
            let given = property(name).filter(|text| !text.trim().is_empty());
            let text = list(given.unwrap_or_else(|| default.to_owned())).join(",");
            HeaderValue::from_str(&text).ok()
        };
        if origins.is_empty() {
            return None;
        }
        Some(Self {
            origins,
            methods: value("access.control.allow.methods", METHODS)?,
            headers: value("access.control.allow.headers", HEADERS)?,
        })
    }

    /// Looks at a request; WebSockets have rules of their own.
    pub(crate) fn look_at(&self, method: &Method, path: &str, request: &HeaderMap) -> Verdict {
        let Some(origin) = request.get(ORIGIN).filter(|_| !path.starts_with("/ws/")) else {
            return Verdict::Plain;
        };
        let known = origin
            .to_str()
            .is_ok_and(|origin| self.origins.iter().any(|pattern| matches(pattern, origin)));
        if !known {
            let refusal = Body::from("CORS Rejected - Invalid origin");
            return Verdict::Answered(respond::response(403, None, refusal));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        headers.insert(VARY, HeaderValue::from_static("origin"));
        if *method == Method::OPTIONS && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            let mut answer = respond::response(204, None, Body::empty());
            answer.headers_mut().extend(headers);
            return Verdict::Answered(answer);
        }
        Verdict::Allowed(headers)
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.split_once(part) {
            Some((_, behind)) => left = behind,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cors(origins: &str) -> Option<Cors> {
        let origins = origins.to_owned();
        Cors::from_properties(|name| {
            (name == "access.control.allow.origin").then(|| origins.clone())
        })
    }

    #[test]
    fn origins() {
        for (pattern, origin, fits) in [
            ("*", "http://a", true),
            ("http://a", "http://a", true),
            ("http://a", "http://ab", false),
            ("https://*.example.com", "https://x.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("http://*:*0", "http://h:8080", true),
            ("http://*:*0", "http://h", false),
        ] {
            assert_eq!(matches(pattern, origin), fits, "{pattern} {origin}");
        }
        assert!(cors(" , ").is_none());
        assert!(Cors::from_properties(|_| None).is_none());
    }

    #[test]
    fn who_is_served() {
        let cors = cors("http://a, http://b").unwrap();
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| {
                    let name = name.parse::<axum::http::HeaderName>().unwrap();
                    (name, HeaderValue::from_static(value))
                })
                .collect::<HeaderMap>()
        };
        let from = |origin| headers(&[("origin", origin)]);
        let look = |method: Method, path, request: &HeaderMap| cors.look_at(&method, path, request);
        assert!(matches!(
            look(Method::GET, "/info", &HeaderMap::new()),
            Verdict::Plain
        ));
        assert!(matches!(
            look(Method::GET, "/ws/query", &from("http://c")),
            Verdict::Plain
        ));
        let Verdict::Allowed(given) = look(Method::POST, "/ksql", &from("http://b")) else {
            unreachable!("b is allowed");
        };
        assert_eq!(given.get(ACCESS_CONTROL_ALLOW_ORIGIN).unwrap(), "http://b");
        let status = |verdict| match verdict {
            Verdict::Answered(response) => response.status().as_u16(),
            Verdict::Plain | Verdict::Allowed(_) => 0,
        };
        assert_eq!(status(look(Method::GET, "/info", &from("http://c"))), 403);
        let preflight = headers(&[
            ("origin", "http://a"),
            ("access-control-request-method", "POST"),
        ]);
        assert_eq!(status(look(Method::OPTIONS, "/ksql", &preflight)), 204);
    }
}
