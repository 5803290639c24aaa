//! What was healed is said in the log.

use super::*;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Mutex;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What this thread logs during `work`.
fn logged(work: impl FnOnce()) -> String {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(captured.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(captured.0.lock().unwrap().clone()).unwrap()
}

/// Something that happens to a partition's folder while nobody looks.
type Damage = fn(&Path);

#[test]
fn every_repair_is_a_line_with_the_place() {
    let cases: [(Damage, &str, &str); 6] = [
        (|_| {}, "", ""),
        (
            |dir| {
                let log = OpenOptions::new().append(true).open(last_log(dir));
                log.unwrap().write_all(b"torn").unwrap();
            },
            "cut a torn tail off the log",
            "bytes=4",
        ),
        (
            |dir| std::fs::write(dir.join("checkpoint"), b"nonsense").unwrap(),
            "the checkpoint is unusable; reading the whole partition",
            "its checksum is wrong",
        ),
        (
            |dir| std::fs::remove_file(dir.join("00000000000000000000.index")).unwrap(),
            "its index is missing or does not fit; reading the whole partition",
            "00000000000000000000.log",
        ),
        (
            |dir| {
                let log = OpenOptions::new().write(true).open(last_log(dir));
                log.unwrap().set_len(10).unwrap();
            },
            "shorter than the checkpoint says; reading the whole partition",
            "folder=",
        ),
        (
            |dir| {
                let first = dir.join("00000000000000000000.log");
                std::fs::write(first, b"nothing is left of it").unwrap();
            },
            "removed a segment that follows the torn one",
            "00000000000000000002.log",
        ),
    ];
    for (damage, line, place) in cases {
        let mut fixture = Fixture::on_disk(&[("segment.bytes", "1048576")]);
        for key in ["a", "b", "c"] {
            fixture.append(&filler(key, 600_000));
        }
        fixture.partition.flush(true, NOW).unwrap();
        damage(&fixture.dir());
        let log = logged(|| fixture.reopen());
        assert!(log.contains(line) && log.contains(place), "{line}: {log}");
        assert_eq!(log.is_empty(), line.is_empty(), "{log}");
        let again = logged(|| fixture.reopen());
        assert!(!again.contains("torn"), "healed for good: {again}");
    }
}
