//! What the broker costs by what it holds: idle partitions, many segments, a log that is compacted.

use std::time::{Duration, Instant};

use rdkafka::producer::BaseRecord;
use weir_test_support::pause;

use super::client::Cluster;
use super::process::{Brokered, WeirBroker};
use super::{Bar, Figure};

const MIB: u64 = 1 << 20;
const SEGMENTS: u64 = 1000;
const SEGMENT: u64 = 10 * MIB;
/// Bytes of a record in the log of 10 GB; what a segment holds of them leaves no room for one more.
const LARGE: usize = 1_000_000;
const KEYS: u64 = 10_000_000;
/// How long producing is watched without compaction.
const ALONE: Duration = Duration::from_secs(30);
/// Longest that a log may take to be compacted.
const LIMIT: Duration = Duration::from_secs(600);

fn figure(name: &'static str, weir: f64, most: f64) -> Figure {
    Figure {
        name,
        weir,
        kafka: None,
        bar: Bar::AtMost(most),
    }
}

/// A thousand partitions that nobody uses.
pub(super) fn idle() -> Result<Vec<Figure>, String> {
    let broker = WeirBroker::start(&[])?;
    let cluster = Cluster::new(&broker.bootstrap());
    for topic in 0..10 {
        cluster.create(&format!("idle-{topic}"), 100, &[])?;
    }
    // What creating them left to do.
    pause(Duration::from_secs(5));
    let before = broker.usage();
    let began = Instant::now();
    pause(Duration::from_secs(20));
    let after = broker.usage();
    let cpu = (after.cpu_seconds - before.cpu_seconds) / began.elapsed().as_secs_f64();
    Ok(vec![
        figure("idle, 1,000 partitions, % of a core", cpu * 100.0, 1.0),
        figure(
            "idle, 1,000 partitions, MiB resident",
            after.resident_mib,
            40.0,
        ),
    ])
}

/// 10 GB in a thousand segments, then SIGKILL.
pub(super) fn restart() -> Result<Vec<Figure>, String> {
    let mut broker = WeirBroker::start(&[])?;
    let cluster = Cluster::new(&broker.bootstrap());
    let size = SEGMENT.to_string();
    let configs = [
        ("segment.bytes", size.as_str()),
        ("max.message.bytes", "2000000"),
    ];
    cluster.create("large", 10, &configs)?;
    let records = SEGMENTS * (SEGMENT / LARGE as u64);
    let settings = [
        ("queue.buffering.max.kbytes", "200000"),
        ("sticky.partitioning.linger.ms", "0"),
        ("batch.num.messages", "1"),
    ];
    // Records without a key go to every partition in turn, by keys they are spread evenly as well.
    cluster.fill("large", &settings, (0..records).map(Some), &[b'x'; LARGE])?;
    let started = broker.kill_and_start()?;
    let answered = Instant::now();
    cluster.answered()?;
    let seconds = (started + answered.elapsed()).as_secs_f64();
    let (bytes, segments) = broker.stored("log");
    if segments < SEGMENTS as usize * 9 / 10 || bytes < 9_000_000_000 {
        return Err(format!(
            "only {segments} segments with {bytes} bytes were made"
        ));
    }
    // Every segment is opened when the log is searched by time.
    cluster.first_record("large")?;
    let (open, mapped) = broker.files();
    Ok(vec![
        figure("start, 10 GB in 1,000 segments, SIGKILL, s", seconds, 2.0),
        figure("files open then", open as f64, 300.0),
        figure("files mapped then", mapped as f64, 0.0),
        figure("MiB resident then", broker.usage().resident_mib, 100.0),
    ])
}

/// A log of 1 GB with ten million keys, compacted while a producer goes on.
pub(super) fn compaction() -> Result<Vec<Figure>, String> {
    const TOPIC: &str = "keys";
    let broker = WeirBroker::start(&["log.cleaner.backoff.ms=1000"])?;
    let cluster = Cluster::new(&broker.bootstrap());
    cluster.create(TOPIC, 1, &[("segment.bytes", "67108864")])?;
    // The first key comes again at the end: when its first record is gone, the last round is through.
    let keys = (0..KEYS).chain([0]).map(Some);
    cluster.fill(TOPIC, &[], keys, &[b'x'; 90])?;
    // One more segment, so that the last key's is sealed.
    cluster.fill(TOPIC, &[], (KEYS..KEYS + 700_000).map(Some), &[b'x'; 90])?;
    let (bytes, _) = broker.stored("log");
    if bytes < 1_000_000_000 {
        return Err(format!("the log has {bytes} bytes"));
    }
    let compacted = [
        ("segment.bytes", "67108864"),
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0"),
    ];
    // What the machine does to a producer by itself: others may be at work on it.
    let alone = longest_produce(&cluster, TOPIC, |elapsed| Ok(elapsed > ALONE))?;
    cluster.alter(TOPIC, &compacted)?;
    let before = broker.usage();
    let began = Instant::now();
    let longest = longest_produce(&cluster, TOPIC, |elapsed| {
        if elapsed > LIMIT {
            return Err(format!("the log was not compacted in {LIMIT:?}"));
        }
        Ok(cluster.first_record(TOPIC)? > 0)
    })?;
    let after = broker.usage();
    Ok(vec![
        figure(
            "longest produce ms, without compaction",
            alone.as_secs_f64() * 1e3,
            f64::INFINITY,
        ),
        figure(
            "compaction, 1 GB, 10 million keys, s",
            began.elapsed().as_secs_f64(),
            f64::INFINITY,
        ),
        figure(
            "compaction, CPU-s",
            after.cpu_seconds - before.cpu_seconds,
            f64::INFINITY,
        ),
        figure(
            "compaction, peak MiB resident",
            after.peak_mib as f64,
            256.0,
        ),
        figure(
            "compaction, longest produce ms",
            longest.as_secs_f64() * 1e3,
            50.0,
        ),
    ])
}

/// Produces a record every few milliseconds, one at a time, until `done` says so, which is asked every two seconds.
/// Returns the longest time that one took to be acknowledged.
fn longest_produce(
    cluster: &Cluster,
    topic: &str,
    done: impl Fn(Duration) -> Result<bool, String>,
) -> Result<Duration, String> {
    let (producer, deliveries) = cluster.producer(&[("linger.ms", "0")])?;
    let began = Instant::now();
    let mut looked = began;
    let mut longest = Duration::ZERO;
    let mut sent = 0;
    loop {
        let asked = Instant::now();
        let record = BaseRecord::<[u8], [u8]>::to(topic)
            .key(b"probe")
            .payload(b"x");
        producer.send(record).map_err(|(e, _)| e.to_string())?;
        sent += 1;
        while deliveries.count() < sent {
            producer.poll(Duration::from_millis(1));
            if asked.elapsed() > LIMIT {
                return Err("a record was not delivered".to_owned());
            }
        }
        // The first one also finds the broker.
        if sent > 1 {
            longest = longest.max(asked.elapsed());
        }
        pause(Duration::from_millis(2));
        if looked.elapsed() > Duration::from_secs(2) {
            looked = Instant::now();
            if done(began.elapsed())? {
                return Ok(longest);
            }
        }
    }
}
