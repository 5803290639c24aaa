//! The command topic: one partition, read from the beginning, written in transactions whose id is
//! the service id, so that servers writing at the same time fence each other.
//!
//! ```text
//!  append: begin ─► catch up ─► (caller validates) ─► send ─► commit ─► read until it comes back
//! ```

use std::time::{Duration, Instant};

use weir_kafka::{Admin, ClientConfig, LogReader, NewTopic, Polled, TransactionalProducer};
use weir_types::records::{EncodedBatch, EncodedColumn};

use crate::command::{self, Command, CommandId};

/// A command at its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCommand {
    /// Offset: the `commandSequenceNumber`.
    pub offset: i64,
    /// Its id, or why the record cannot be read.
    pub command: Result<(CommandId, Command), String>,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Kafka failed.
    #[error("command topic: {0}")]
    Kafka(#[from] weir_kafka::KafkaError),
    /// What was written did not come back in time.
    #[error("command topic: no answer within {0:?}")]
    Late(Duration),
    /// A command cannot be written as JSON.
    #[error("command topic: {0}")]
    Encoding(#[from] serde_json::Error),
}

/// How long one call to Kafka may take.
const WAIT: Duration = Duration::from_secs(10);

/// The command topic.
pub struct CommandLog {
    topic: String,
    clients: ClientConfig,
    transactional_id: String,
    producer: Option<TransactionalProducer>,
    reader: LogReader,
    polled: Polled,
    /// Offset of the next record to read.
    position: i64,
    admin: std::sync::Arc<Admin>,
}

impl CommandLog {
    /// Opens the topic, made with `replicas` copies if it is not there.
    pub fn open(
        admin: std::sync::Arc<Admin>,
        consumers: &ClientConfig,
        producers: ClientConfig,
        service_id: &str,
        replicas: u16,
    ) -> Result<Self, LogError> {
        let topic = format!("_confluent-ksql-{service_id}_command_topic");
        if admin.describe_topic(&topic)?.is_none() {
            let configs = [
                ("cleanup.policy", "delete"),
                ("retention.ms", "-1"),
                ("retention.bytes", "-1"),
                ("unclean.leader.election.enable", "false"),
            ];
            admin.create_topic(NewTopic {
                name: topic.clone(),
                partitions: 1,
                replicas: Some(replicas),
                configs: configs.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(),
            })?;
        }
        let consumers = consumers.clone().with("isolation.level", "read_committed");
        let reader = LogReader::open(&consumers, &topic, &[(0, -2)])?;
        Ok(Self {
            topic,
            clients: producers,
            transactional_id: service_id.to_owned(),
            producer: None,
            reader,
            polled: Polled::default(),
            position: 0,
            admin,
        })
    }

    /// Name of the topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Reads every command up to what is committed now.
    pub fn catch_up(&mut self) -> Result<Vec<LoggedCommand>, LogError> {
        let end = self.end()?;
        // A command is a transaction of its own: one offset behind the last one read is the mark
        // of its commit. Waiting for the reader to step over it would cost a long poll.
        if self.position > 0 && end == self.position + 1 {
            return Ok(Vec::new());
        }
        self.read_until(|position, _| position >= end)
    }

    /// The end of the committed log.
    fn end(&self) -> Result<i64, LogError> {
        let partition = weir_kafka::TopicPartition::new(&self.topic, 0);
        let ends = self
            .admin
            .offsets(&[partition], weir_kafka::OffsetAt::End)?;
        Ok(ends.first().copied().unwrap_or(0))
    }

    /// Reads until `done(position, commands)`.
    fn read_until(
        &mut self,
        done: impl Fn(i64, &[LoggedCommand]) -> bool,
    ) -> Result<Vec<LoggedCommand>, LogError> {
        let deadline = Instant::now() + WAIT;
        let mut commands = Vec::new();
        while !done(self.position, &commands) {
            if Instant::now() >= deadline {
                return Err(LogError::Late(WAIT));
            }
            self.reader
                .poll(1000, Duration::from_millis(100), &mut self.polled);
            for fetched in &self.polled.fetched {
                for (i, record) in fetched.batch.records.iter().enumerate() {
                    self.position = record.offset + 1;
                    let command = command::decode(fetched.batch.key(i), fetched.batch.value(i));
                    commands.push(LoggedCommand {
                        offset: record.offset,
                        command,
                    });
                }
            }
            for (_, end) in &self.polled.ends {
                self.position = self.position.max(*end);
            }
        }
        Ok(commands)
    }

    /// Appends a command and reads until it comes back, with whatever came before it. The last
    /// one returned is the command appended.
    pub fn append(
        &mut self,
        id: &CommandId,
        command: &Command,
    ) -> Result<Vec<LoggedCommand>, LogError> {
        let (key, value) = command::encode(id, command)?;
        let mut keys = EncodedColumn::default();
        keys.push(Some(&key));
        let mut values = EncodedColumn::default();
        values.push(Some(&value));
        let batch = EncodedBatch {
            keys,
            values,
            timestamps: vec![crate::clock::now_ms()],
            partitions: vec![0],
            ..EncodedBatch::default()
        };
        self.write(&batch)?;
        let origin = command.origin.clone();
        self.read_until(|_, commands| {
            commands
                .iter()
                .any(|c| c.command.as_ref().is_ok_and(|(_, c)| c.origin == origin))
        })
    }

    fn write(&mut self, batch: &EncodedBatch) -> Result<(), LogError> {
        let mut producer = match self.producer.take() {
            Some(producer) if !producer.is_given_up() => producer,
            _ => TransactionalProducer::open(&self.clients, &self.transactional_id, WAIT)?,
        };
        producer.begin(WAIT)?;
        let sent = producer
            .topic(&self.topic, WAIT)
            .and_then(|topic| producer.send(&topic, batch, WAIT))
            .and_then(|()| producer.commit(Vec::new(), WAIT));
        if let Err(error) = sent {
            // Given up or fenced producers are replaced; others give the transaction back.
            if !producer.is_given_up() && producer.abort(WAIT).is_ok() {
                self.producer = Some(producer);
            }
            return Err(error.into());
        }
        self.producer = Some(producer);
        Ok(())
    }
}
