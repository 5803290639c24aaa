//! ksqlDB's (and so the Java clients') property names, as settings of librdkafka.

use std::collections::BTreeMap;

/// What a client is for; picks the prefixes of properties that apply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads records.
    Consumer,
    /// Writes records.
    Producer,
    /// Asks about and changes topics and groups.
    Admin,
}

/// Settings of one client, in librdkafka's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientConfig {
    settings: BTreeMap<String, String>,
}

/// Settings that have one name in both worlds.
const SAME: &[&str] = &[
    "bootstrap.servers",
    "client.id",
    "client.rack",
    "connections.max.idle.ms",
    "metadata.max.age.ms",
    "reconnect.backoff.ms",
    "reconnect.backoff.max.ms",
    "retry.backoff.ms",
    "retry.backoff.max.ms",
    "sasl.kerberos.service.name",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "ssl.key.password",
    "ssl.keystore.password",
    "socket.connection.setup.timeout.ms",
];
const SAME_CONSUMER: &[&str] = &[
    "check.crcs",
    "fetch.max.bytes",
    "fetch.min.bytes",
    "max.partition.fetch.bytes",
];
const SAME_PRODUCER: &[&str] = &[
    "acks",
    "batch.size",
    "compression.type",
    "delivery.timeout.ms",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "retries",
    "transaction.timeout.ms",
];

impl ClientConfig {
    /// The settings for a client of this role out of a server's properties. Names may carry
    /// `ksql.streams.` and then `consumer.`, `producer.` or `admin.` (which win over bare names).
    /// A property with the prefix `librdkafka.` is passed on as it is. Properties that only the
    /// Java clients know are left out.
    pub fn from_properties<'a>(
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
        role: Role,
    ) -> Self {
        let mut bare = BTreeMap::new();
        let mut own = BTreeMap::new();
        for (name, value) in properties {
            let name = name.strip_prefix("ksql.streams.").unwrap_or(name);
            let prefixes: &[&str] = match role {
                Role::Consumer => &["main.consumer.", "consumer."],
                Role::Producer => &["producer."],
                Role::Admin => &["admin."],
            };
            match prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)) {
                Some(name) => own.insert(name.to_owned(), value.to_owned()),
                None => bare.insert(name.to_owned(), value.to_owned()),
            };
        }
        bare.append(&mut own);
        let mut config = Self::default();
        for (name, value) in &bare {
            config.translate(name, value, &bare, role);
        }
        config
    }

    /// A client that only needs to find the cluster.
    pub fn bootstrap(servers: &str) -> Self {
        Self::default().with("bootstrap.servers", servers)
    }

    /// The same settings with one more, in librdkafka's name.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.insert(name.to_owned(), value.into());
        self
    }

    /// The same settings with one more, unless it is set already.
    pub fn or(mut self, name: &str, value: &str) -> Self {
        self.settings
            .entry(name.to_owned())
            .or_insert_with(|| value.to_owned());
        self
    }

    /// When to connect again, unless that is set already: soon, and at least every second. Half
    /// of the first interval is also how long librdkafka waits between its first connections,
    /// which are two: the one it was told of, and the same broker under the name it gives itself.
    pub(crate) fn reconnecting(self) -> Self {
        self.or("reconnect.backoff.ms", "20")
            .or("reconnect.backoff.max.ms", "1000")
    }

    /// A setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    fn translate(&mut self, name: &str, value: &str, all: &BTreeMap<String, String>, role: Role) {
        if let Some(native) = name.strip_prefix("librdkafka.") {
            return self.set(native, value);
        }
        let known = SAME.contains(&name)
            || (role == Role::Consumer && SAME_CONSUMER.contains(&name))
            || (role == Role::Producer && SAME_PRODUCER.contains(&name));
        if known {
            return self.set(name, value);
        }
        let pem = |of: &str| {
            all.get(of)
                .is_some_and(|kind| kind.eq_ignore_ascii_case("PEM"))
        };
        match name {
            "security.protocol" => self.set(name, value.to_ascii_lowercase()),
            "sasl.mechanism" => self.set("sasl.mechanisms", value),
            "sasl.jaas.config" => {
                for (option, setting) in
                    [("username", "sasl.username"), ("password", "sasl.password")]
                {
                    if let Some(found) = jaas_option(value, option) {
                        self.set(setting, found);
                    }
                }
            }
            "ssl.truststore.certificates" => self.set("ssl.ca.pem", value),
            "ssl.truststore.location" if pem("ssl.truststore.type") => {
                self.set("ssl.ca.location", value);
            }
            "ssl.keystore.certificate.chain" => self.set("ssl.certificate.pem", value),
            "ssl.keystore.key" => self.set("ssl.key.pem", value),
            "ssl.keystore.location" if pem("ssl.keystore.type") => {
                self.set("ssl.certificate.location", value);
                self.set("ssl.key.location", value);
            }
            "ssl.keystore.location" => self.set("ssl.keystore.location", value),
            "ssl.endpoint.identification.algorithm" => {
                self.set(name, if value.is_empty() { "none" } else { value });
            }
            "fetch.max.wait.ms" if role == Role::Consumer => self.set("fetch.wait.max.ms", value),
            "max.request.size" if role == Role::Producer => self.set("message.max.bytes", value),
            "buffer.memory" if role == Role::Producer => {
                if let Ok(bytes) = value.parse::<u64>() {
                    self.set(
                        "queue.buffering.max.kbytes",
                        (bytes / 1024).max(1).to_string(),
                    );
                }
            }
            "request.timeout.ms" if role == Role::Producer => self.set(name, value),
            "request.timeout.ms" => self.set("socket.timeout.ms", value),
            _ => tracing::debug!("{name} is no setting of a Kafka {role:?} here: left out"),
        }
    }
}

/// The value of `option` in a JAAS line: `… required username="u" password="p";`.
fn jaas_option(line: &str, option: &str) -> Option<String> {
    let at = line.find(&format!("{option}="))? + option.len() + 1;
    let rest = line.get(at..)?;
    let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'');
    match quote {
        Some(quote) => rest.get(1..)?.split(quote).next().map(str::to_owned),
        None => rest.split([' ', ';']).next().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn setting(role: Role, properties: &[(&str, &str)], name: &str) -> Option<String> {
        ClientConfig::from_properties(properties.iter().copied(), role)
            .get(name)
            .map(str::to_owned)
    }

    #[test]
    fn prefixes_and_names_are_translated() {
        let cases: &[(Role, &[(&str, &str)], &str, Option<&str>)] = &[
            (
                Role::Admin,
                &[("bootstrap.servers", "a:1")],
                "bootstrap.servers",
                Some("a:1"),
            ),
            (
                Role::Admin,
                &[("ksql.streams.bootstrap.servers", "a:1")],
                "bootstrap.servers",
                Some("a:1"),
            ),
            (
                Role::Consumer,
                &[("ksql.streams.consumer.fetch.max.wait.ms", "7")],
                "fetch.wait.max.ms",
                Some("7"),
            ),
            (
                Role::Producer,
                &[("consumer.fetch.max.wait.ms", "7")],
                "fetch.wait.max.ms",
                None,
            ),
            (
                Role::Producer,
                &[("linger.ms", "1"), ("ksql.streams.producer.linger.ms", "2")],
                "linger.ms",
                Some("2"),
            ),
            (Role::Consumer, &[("linger.ms", "1")], "linger.ms", None),
            (
                Role::Producer,
                &[("buffer.memory", "33554432")],
                "queue.buffering.max.kbytes",
                Some("32768"),
            ),
            (
                Role::Admin,
                &[("security.protocol", "SASL_SSL")],
                "security.protocol",
                Some("sasl_ssl"),
            ),
            (
                Role::Admin,
                &[("ssl.endpoint.identification.algorithm", "")],
                "ssl.endpoint.identification.algorithm",
                Some("none"),
            ),
            (
                Role::Admin,
                &[("interceptor.classes", "x")],
                "interceptor.classes",
                None,
            ),
            (
                Role::Consumer,
                &[("librdkafka.debug", "fetch")],
                "debug",
                Some("fetch"),
            ),
        ];
        for (role, properties, name, expected) in cases {
            assert_eq!(
                setting(*role, properties, name).as_deref(),
                *expected,
                "{properties:?}"
            );
        }
    }

    #[test]
    fn credentials_come_out_of_a_jaas_line() {
        let line = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                    username=\"an na\" password='s;e';";
        let properties = [("sasl.jaas.config", line)];
        assert_eq!(
            setting(Role::Admin, &properties, "sasl.username").unwrap(),
            "an na"
        );
        assert_eq!(
            setting(Role::Admin, &properties, "sasl.password").unwrap(),
            "s;e"
        );
    }
}
