//! PRINT: raw records of a topic, their formats guessed (spec/api.md §8.6).
//!
//! ```text
//!  records ─► each candidate tries each of them ─► survivors, most telling first ─► one line each
//! ```

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use weir_kafka::{ClientConfig, LogReader, Polled, Role};
use weir_types::java;

use crate::api::{PrintEvent, PrintStream};
use crate::weir::Weir;

/// What PRINT is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrintRequest {
    pub(crate) topic: String,
    pub(crate) from_beginning: bool,
    /// Every so manieth record; at least 1.
    pub(crate) interval: u64,
    pub(crate) limit: Option<u64>,
}

/// Lines that may wait for the client.
const CAPACITY: usize = 256;

/// Tells the reading thread that its client is gone.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Starts reading.
pub(crate) fn start(weir: &Weir, request: PrintRequest) -> Result<PrintStream, String> {
    let (sender, lines) = mpsc::channel(CAPACITY);
    let gone = Arc::new(AtomicBool::new(false));
    let guard = Box::new(Gone(gone.clone()));
    if request.limit == Some(0) {
        return Ok(PrintStream { lines, guard });
    }
    let described = weir
        .admin
        .describe_topic(&request.topic)
        .map_err(|e| e.to_string())?;
    let partitions = described.map(|t| t.partitions.len()).unwrap_or(0);
    let from = if request.from_beginning { -2 } else { -1 };
    let starts: Vec<(i32, i64)> = (0..i32::try_from(partitions).unwrap_or(0))
        .map(|p| (p, from))
        .collect();
    let clients = ClientConfig::from_properties(weir.config.given(), Role::Consumer)
        .with("isolation.level", "read_committed");
    let reader = LogReader::open(&clients, &request.topic, &starts).map_err(|e| e.to_string())?;
    std::thread::Builder::new()
        .name("print".to_owned())
        .spawn(move || read(reader, &request, &sender, &gone))
        .map_err(|e| e.to_string())?;
    Ok(PrintStream { lines, guard })
}

fn read(
    mut reader: LogReader,
    request: &PrintRequest,
    lines: &mpsc::Sender<PrintEvent>,
    gone: &AtomicBool,
) {
    let mut polled = Polled::default();
    let (mut keys, mut values) = (Guess::of_keys(), Guess::of_values());
    let (mut seen, mut printed) = (0u64, 0u64);
    let mut announced = None;
    while !gone.load(Ordering::Acquire) && !lines.is_closed() {
        reader.poll(500, Duration::from_millis(200), &mut polled);
        for fetched in &polled.fetched {
            let partition = reader.partition(fetched.id).unwrap_or(0);
            for i in 0..fetched.batch.records.len() {
                seen += 1;
                if (seen - 1) % request.interval != 0 {
                    continue;
                }
                let record = &fetched.batch.records[i];
                keys.see(fetched.batch.key(i));
                values.see(fetched.batch.value(i));
                let formats = (keys.names(), values.names());
                if announced.as_ref() != Some(&formats) {
                    let event = PrintEvent::Formats {
                        key: formats.0.clone(),
                        value: formats.1.clone(),
                    };
                    if lines.blocking_send(event).is_err() {
                        return;
                    }
                    announced = Some(formats);
                }
                let mut line = String::from("rowtime: ");
                write_rowtime(record.timestamp, &mut line);
                line.push_str(", key: ");
                keys.write(fetched.batch.key(i), &mut line);
                line.push_str(", value: ");
                values.write(fetched.batch.value(i), &mut line);
                // Writing to a String cannot fail.
                let _ = write!(line, ", partition: {partition}");
                if lines.blocking_send(PrintEvent::Record(line)).is_err() {
                    return;
                }
                printed += 1;
                if request.limit.is_some_and(|limit| printed >= limit) {
                    return;
                }
            }
        }
    }
}

/// `2024/05/01 10:20:30.123 Z`
fn write_rowtime(ms: i64, out: &mut String) {
    if ms < 0 {
        out.push_str("N/A");
        return;
    }
    let mut iso = String::new();
    java::write_timestamp(ms, &mut iso);
    out.push_str(&iso.replace('-', "/").replace('T', " "));
    out.push_str(" Z");
}

/// A format that bytes may be of, most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Int,
    Bigint,
    Double,
    Text,
}

const FORMATS: [Format; 5] = [
    Format::Json,
    Format::Int,
    Format::Bigint,
    Format::Double,
    Format::Text,
];

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Int => "KAFKA_INT",
            Self::Bigint => "KAFKA_BIGINT",
            Self::Double => "KAFKA_DOUBLE",
            Self::Text => "KAFKA_STRING",
        }
    }

    /// The bytes as text of this format; `None`: they are not of it.
    fn text(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Json => {
                let value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
                (value.is_object() || value.is_array())
                    .then(|| String::from_utf8_lossy(bytes).into_owned())
            }
            Self::Int => Some(i32::from_be_bytes(bytes.try_into().ok()?).to_string()),
            Self::Bigint => Some(i64::from_be_bytes(bytes.try_into().ok()?).to_string()),
            Self::Double => Some(java::double_to_string(f64::from_be_bytes(
                bytes.try_into().ok()?,
            ))),
            Self::Text => std::str::from_utf8(bytes).ok().map(str::to_owned),
        }
    }
}

/// What stands behind the bytes of a windowed key (spec/semantics.md §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// End and start.
    Session,
    /// Start; nothing tells the two kinds apart.
    Hopping,
    Tumbling,
}

impl Window {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "SESSION",
            Self::Hopping => "HOPPING",
            Self::Tumbling => "TUMBLING",
        }
    }

    /// The key without its window, and the window as it is shown. Times before 1970, sessions
    /// that end before they start and keys without a byte are none.
    fn split(self, bytes: &[u8]) -> Option<(&[u8], String)> {
        let time = |bytes: &[u8]| {
            let ms = i64::from_be_bytes(bytes.try_into().ok()?);
            (ms >= 0).then_some(ms)
        };
        let (rest, start) = bytes.split_at(bytes.len().checked_sub(8)?);
        let start = time(start)?;
        let (key, end) = match self {
            Self::Hopping | Self::Tumbling => (rest, "-".to_owned()),
            Self::Session => {
                let (key, end) = rest.split_at(rest.len().checked_sub(8)?);
                let end = time(end).filter(|end| *end >= start)?;
                (key, end.to_string())
            }
        };
        (!key.is_empty()).then(|| (key, format!("{start}/{end}")))
    }
}

/// A format, perhaps with a window behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    window: Option<Window>,
    format: Format,
}

impl Candidate {
    fn name(self) -> String {
        let format = self.format.name();
        match self.window {
            Some(window) => format!("{}({format})", window.name()),
            None => format.to_owned(),
        }
    }

    fn text(self, bytes: &[u8]) -> Option<String> {
        let Some(window) = self.window else {
            return self.format.text(bytes);
        };
        let (key, window) = window.split(bytes)?;
        let key = self.format.text(key)?;
        Some(format!("[{key}@{window}]"))
    }
}

/// The candidates that no record has ruled out.
struct Guess {
    survivors: Vec<Candidate>,
    any: bool,
}

impl Guess {
    fn of_keys() -> Self {
        let windows = [
            Some(Window::Session),
            Some(Window::Hopping),
            Some(Window::Tumbling),
            None,
        ];
        Self::among(&windows)
    }

    fn of_values() -> Self {
        Self::among(&[None])
    }

    fn among(windows: &[Option<Window>]) -> Self {
        let survivors = FORMATS
            .into_iter()
            .flat_map(|format| {
                let window = windows.iter().copied();
                window.map(move |window| Candidate { window, format })
            })
            .collect();
        Self {
            survivors,
            any: false,
        }
    }

    fn see(&mut self, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.any = true;
            self.survivors
                .retain(|candidate| candidate.text(bytes).is_some());
        }
    }

    fn names(&self) -> String {
        if !self.any {
            return "¯\\_(ツ)_/¯ - no data processed".to_owned();
        }
        if self.survivors.is_empty() {
            return "does not match any supported format. It may be a STRING with encoding other \
                    than UTF8, or some other format."
                .to_owned();
        }
        let names: Vec<String> = self.survivors.iter().map(|c| c.name()).collect();
        names.join(" or ")
    }

    fn write(&self, bytes: Option<&[u8]>, out: &mut String) {
        let Some(bytes) = bytes else {
            out.push_str("<null>");
            return;
        };
        match self.survivors.iter().find_map(|c| c.text(bytes)) {
            Some(text) => out.push_str(&text),
            None => write_bytes(bytes, out),
        }
    }
}

/// Bytes of no known format: printable ASCII as it is, the rest as `\x0A`.
fn write_bytes(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b' '..=b'~' if *byte != b'\\' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_rule_candidates_out() {
        let mut guess = Guess::of_values();
        assert!(guess.names().contains("no data processed"));
        guess.see(Some(&[0, 0, 0, 1]));
        assert_eq!(guess.names(), "KAFKA_INT or KAFKA_STRING");
        guess.see(Some(b"longer"));
        assert_eq!(guess.names(), "KAFKA_STRING");
        let mut guess = Guess::of_values();
        guess.see(Some(b"{\"V\":1}"));
        assert_eq!(guess.names(), "JSON or KAFKA_STRING");
        let mut guess = Guess::of_values();
        guess.see(Some(&2.5f64.to_be_bytes()));
        assert_eq!(
            guess.names(),
            "KAFKA_BIGINT or KAFKA_DOUBLE or KAFKA_STRING"
        );
    }

    #[test]
    fn what_is_no_text_and_nothing_else_is_shown_byte_by_byte() {
        let mut guess = Guess::of_values();
        guess.see(Some(b"a\\\n\xff "));
        assert!(guess.names().starts_with("does not match"));
        let mut out = String::new();
        guess.write(Some(b"a\\\n\xff "), &mut out);
        assert_eq!(out, "a\\x5C\\x0A\\xFF ");
    }

    #[test]
    fn keys_may_have_windows() {
        const START: i64 = 1_600_000_000_000;
        let time = |key: &[u8]| [key, &START.to_be_bytes()].concat();
        let session = |key: &[u8], end: i64| {
            let (end, start) = (end.to_be_bytes(), START.to_be_bytes());
            [key, &end, &start].concat()
        };
        for (bytes, names, shown) in [
            (
                time(&7i32.to_be_bytes()),
                "HOPPING(KAFKA_INT) or TUMBLING(KAFKA_INT) or HOPPING(KAFKA_STRING) or \
                 TUMBLING(KAFKA_STRING)",
                "[7@1600000000000/-]",
            ),
            (
                time(b"{}"),
                "HOPPING(JSON) or TUMBLING(JSON) or HOPPING(KAFKA_STRING) or \
                 TUMBLING(KAFKA_STRING)",
                "[{}@1600000000000/-]",
            ),
            (
                session(b"x", START + 5),
                "SESSION(KAFKA_STRING)",
                "[x@1600000000000/1600000000005]",
            ),
            // No bytes before the window, a session that ends before it starts.
            (
                1i64.to_be_bytes().to_vec(),
                "KAFKA_BIGINT or KAFKA_DOUBLE or KAFKA_STRING",
                "1",
            ),
            (
                b"key of 24 z bytes, zzzaa".to_vec(),
                "HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING) or KAFKA_STRING",
                "[key of 24 z byte@8299043923749921121/-]",
            ),
        ] {
            let mut guess = Guess::of_keys();
            guess.see(Some(&bytes));
            assert_eq!(guess.names(), names);
            let mut out = String::new();
            guess.write(Some(&bytes), &mut out);
            assert_eq!(out, shown);
        }
    }

    #[test]
    fn rowtime_is_shown_in_utc() {
        let mut out = String::new();
        write_rowtime(1_600_000_000_000, &mut out);
        assert_eq!(out, "2020/09/13 12:26:40.000 Z");
    }
}
