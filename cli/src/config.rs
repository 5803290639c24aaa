//! Configuration files of the session: Java properties.

use std::path::Path;

/// What concerns the connection and is not set on the server.
const OF_THE_CONNECTION: [&str; 3] = ["ssl.", "sasl.", "security.protocol"];

/// The properties of the file that concern the connection. A file that cannot be read has none:
/// [`load`] tells about it.
pub(crate) fn of_the_connection(path: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut properties = parse(&text);
    properties.retain(|(name, _)| OF_THE_CONNECTION.iter().any(|p| name.starts_with(p)));
    properties
}

/// The properties of the file that become properties of the session, in its order.
///
/// # Errors
///
/// The file cannot be read.
pub(crate) fn load(path: &Path) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("Failed to read file: {}: {e}", path.display()))?;
    let mut properties = parse(&text);
    properties.retain(|(name, _)| !OF_THE_CONNECTION.iter().any(|p| name.starts_with(p)));
    Ok(properties)
}

/// `name=value`, `name: value` or `name value` per line; `#` and `!` begin comments, a `\` at the
/// end joins the next line.
fn parse(text: &str) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut logical = line.trim_start().to_owned();
        if logical.starts_with(['#', '!']) || logical.is_empty() {
            continue;
        }
        while let Some(joined) = logical.strip_suffix('\\') {
            let next = lines.next().unwrap_or_default().trim_start();
            logical = format!("{joined}{next}");
        }
        let end = logical.find(['=', ':', ' ', '\t']).unwrap_or(logical.len());
        let (name, rest) = logical.split_at(end);
        let rest = rest.trim_start();
        let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
        properties.push((name.to_owned(), value.trim().to_owned()));
    }
    properties
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn properties_are_read_as_java_writes_them() {
        let text = "# c\n! c\n\na=1\n b : two words \nc d\nlong=x,\\\n   y\nempty=\nurl=http://h:1";
        let expected = [
            ("a", "1"),
            ("b", "two words"),
            ("c", "d"),
            ("long", "x,y"),
            ("empty", ""),
            ("url", "http://h:1"),
        ];
        let got = parse(text);
        let got: Vec<(&str, &str)> = got.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn what_concerns_the_connection_stays_here() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "ssl.key=1\nsasl.mechanism=2\nsecurity.protocol=3\nauto.offset.reset=earliest\n",
        )
        .unwrap();
        let expected = vec![("auto.offset.reset".to_owned(), "earliest".to_owned())];
        assert_eq!(load(file.path()).unwrap(), expected);
        let names: Vec<String> = of_the_connection(file.path())
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["ssl.key", "sasl.mechanism", "security.protocol"]);
        assert!(of_the_connection(Path::new("/no/such.properties")).is_empty());
        assert!(
            load(Path::new("/no/such.properties"))
                .unwrap_err()
                .contains("/no/such")
        );
    }
}
