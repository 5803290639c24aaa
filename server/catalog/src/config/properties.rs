//! The table of `ksql.*` properties: name, default, level, whether a session may set it
//! (spec/api.md §9). SHOW PROPERTIES is made from it.

/// One property of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// Name as SHOW PROPERTIES prints it.
    pub name: &'static str,
    /// Default value; `None`: unset.
    pub default: Option<&'static str>,
    /// `QUERY` level (else `SERVER`): takes effect for each query by itself.
    pub per_query: bool,
    /// Whether a session or a request may override it.
    pub editable: bool,
    /// ksqlDB sets it for Kafka Streams itself, so that listings count it among what the server
    /// was given, not among the defaults.
    pub preset: bool,
}

impl Property {
    const fn server(name: &'static str, default: Option<&'static str>) -> Self {
        Self {
            name,
            default,
            per_query: false,
            editable: false,
            preset: false,
        }
    }

    const fn query(name: &'static str, default: Option<&'static str>) -> Self {
        Self {
            name,
            default,
            per_query: true,
            editable: true,
            preset: false,
        }
    }

    const fn preset(mut self) -> Self {
        self.preset = true;
        self
    }

    const fn editable(mut self) -> Self {
        self.editable = true;
        self
    }
}

/// The property of that exact name.
pub fn find(name: &str) -> Option<&'static Property> {
    PROPERTIES.iter().find(|p| p.name == name)
}

/// Every property, by name.
pub const PROPERTIES: &[Property] = &[
    Property::server("ksql.access.validator.enable", Some("auto")),
    Property::server("ksql.assert.schema.default.timeout.ms", Some("1000")),
    Property::server("ksql.assert.topic.default.timeout.ms", Some("1000")),
    Property::server("ksql.authorization.cache.expiry.time.secs", Some("30")),
    Property::server("ksql.authorization.cache.max.entries", Some("10000")),
    Property::query("ksql.cast.strings.preserve.nulls", Some("true")),
    Property::server("ksql.client.ip_port.configuration.enabled", Some("false")),
    Property::server("ksql.connect.basic.auth.credentials.file", Some("")),
    Property::server("ksql.connect.basic.auth.credentials.reload", Some("false")),
    Property::server("ksql.connect.basic.auth.credentials.source", Some("NONE")),
    Property::server("ksql.connect.request.headers.plugin", None),
    Property::server("ksql.connect.request.timeout.ms", Some("5000")),
    Property::server("ksql.connect.url", None),
    Property::server("ksql.connect.worker.config", Some("")),
    Property::server("ksql.create.or.replace.enabled", Some("true")),
    Property::server("ksql.deployment.type", Some("selfManaged")),
    Property::server("ksql.endpoint.migrate.query", Some("true")),
    Property::server("ksql.error.classifier.regex", Some("")),
    Property::server("ksql.extension.dir", Some("ext")),
    Property::server("ksql.fetch.remote.hosts.max.timeout.seconds", Some("10")),
    Property::server("ksql.headers.columns.enabled", Some("true")),
    Property::server(
        "ksql.hidden.topics",
        Some(
            "_confluent.*,__confluent.*,_schemas,__consumer_offsets,__transaction_state,connect-configs,connect-offsets,connect-status,connect-statuses",
        ),
    ),
    Property::server("ksql.insert.into.values.enabled", Some("true")),
    Property::server("ksql.internal.topic.min.insync.replicas", Some("1")),
    Property::server("ksql.internal.topic.replicas", Some("1")),
    Property::server("ksql.json_sr.converter.deserializer.enabled", Some("true")),
    Property::server("ksql.lambdas.enabled", Some("true")),
    Property::server("ksql.metastore.backup.location", Some("")),
    Property::server("ksql.metrics.extension", None),
    Property::server("ksql.metrics.tags.custom", Some("")),
    Property::query("ksql.nested.error.set.null", Some("true")),
    Property::server("ksql.new.query.planner.enabled", Some("false")),
    Property::server("ksql.output.topic.name.prefix", Some("")),
    Property::server("ksql.persistence.default.format.key", Some("KAFKA")),
    Property::server("ksql.persistence.default.format.value", None),
    Property::server("ksql.persistence.wrap.single.values", None),
    Property::server("ksql.persistent.prefix", Some("query_")),
    Property::server("ksql.properties.overrides.denylist", Some("")),
    Property::server("ksql.proxy.protocol.local.mode.enabled", Some("false")),
    Property::server("ksql.pull.queries.enable", Some("true")),
    Property::server("ksql.query.cleanup.shutdown.timeout.ms", Some("30000")),
    Property::server("ksql.query.error.max.queue.size", Some("10")),
    Property::server("ksql.query.persistent.active.limit", Some("2147483647")),
    Property::server(
        "ksql.query.persistent.max.bytes.buffering.total",
        Some("-1"),
    ),
    Property::server("ksql.query.pull.enable.standby.reads", Some("false")),
    Property::server("ksql.query.pull.forwarding.timeout.ms", Some("20000")),
    Property::server("ksql.query.pull.interpreter.enabled", Some("true")),
    Property::server("ksql.query.pull.limit.clause.enabled", Some("true")),
    Property::query(
        "ksql.query.pull.max.allowed.offset.lag",
        Some("9223372036854775807"),
    ),
    Property::server(
        "ksql.query.pull.max.concurrent.requests",
        Some("2147483647"),
    ),
    Property::server(
        "ksql.query.pull.max.hourly.bandwidth.megabytes",
        Some("2147483647"),
    ),
    Property::server("ksql.query.pull.max.qps", Some("2147483647")),
    Property::server("ksql.query.pull.metrics.enabled", Some("true")),
    Property::server("ksql.query.pull.range.scan.enabled", Some("true")),
    Property::server("ksql.query.pull.router.thread.pool.size", Some("50")),
    Property::server("ksql.query.pull.stream.enabled", Some("true")),
    Property::query("ksql.query.pull.table.scan.enabled", Some("true")),
    Property::server("ksql.query.pull.thread.pool.size", Some("50")),
    Property::server("ksql.query.push.v2.alos.enabled", Some("true")),
    Property::server("ksql.query.push.v2.catchup.consumer.msg.window", Some("50")),
    Property::server(
        "ksql.query.push.v2.continuation.tokens.enabled",
        Some("false"),
    ),
    Property::server("ksql.query.push.v2.enabled", Some("false")),
    Property::server("ksql.query.push.v2.interpreter.enabled", Some("true")),
    Property::server("ksql.query.push.v2.latest.reset.age.ms", Some("30000")),
    Property::server("ksql.query.push.v2.max.catchup.consumers", Some("5")),
    Property::server(
        "ksql.query.push.v2.max.hourly.bandwidth.megabytes",
        Some("2147483647"),
    ),
    Property::server("ksql.query.push.v2.metrics.enabled", Some("true")),
    Property::server("ksql.query.push.v2.new.latest.delay.ms", Some("5000")),
    Property::server("ksql.query.push.v2.registry.installed", Some("false")),
    Property::server("ksql.query.retry.backoff.initial.ms", Some("15000")),
    Property::query("ksql.query.retry.backoff.max.ms", Some("900000")),
    Property::server("ksql.query.status.running.threshold.seconds", Some("300")),
    Property::server("ksql.query.transient.max.bytes.buffering.total", Some("-1")),
    Property::server("ksql.queryanonymizer.cluster_namespace", None),
    Property::server("ksql.queryanonymizer.logs_enabled", Some("true")),
    Property::server(
        "ksql.readonly.topics",
        Some(
            "_confluent.*,__confluent.*,_schemas,__consumer_offsets,__transaction_state,connect-configs,connect-offsets,connect-status,connect-statuses",
        ),
    ),
    Property::server("ksql.resource.extension.class", None),
    Property::server("ksql.runtime.feature.shared.enabled", Some("false")),
    Property::server("ksql.schema.registry.url", None),
    Property::server("ksql.security.extension.class", None),
    Property::server("ksql.service.id", Some("default_")),
    Property::server("ksql.shared.runtimes.count", Some("2")),
    Property::server(
        "ksql.sink.window.change.log.additional.retention",
        Some("1000000"),
    ),
    Property::server("ksql.source.table.materialization.enabled", Some("true")),
    Property::server("ksql.streams.application.server", None),
    Property::server("ksql.streams.bootstrap.servers", None),
    Property::server("ksql.streams.cache.max.bytes.buffering", Some("10000000"))
        .editable()
        .preset(),
    // Unset, so not listed: the default of 100 ms is ours, where ksqlDB gives Kafka Streams 2000.
    Property::server("ksql.streams.commit.interval.ms", None)
        .editable()
        .preset(),
    Property::server(
        "ksql.streams.default.deserialization.exception.handler",
        Some("io.confluent.ksql.errors.LogMetricAndContinueExceptionHandler"),
    )
    .preset(),
    Property::server(
        "ksql.streams.default.production.exception.handler",
        Some(
            "io.confluent.ksql.errors.ProductionExceptionHandlerUtil$LogAndFailProductionExceptionHandler",
        ),
    )
    .preset(),
    Property::server("ksql.streams.num.stream.threads", None),
    Property::server("ksql.streams.replication.factor", Some("1")).preset(),
    Property::server("ksql.streams.shutdown.timeout.ms", Some("300000")).preset(),
    Property::server("ksql.streams.state.dir", None),
    Property::server("ksql.streams.topology.optimization", Some("all")).preset(),
    Property::server("ksql.suppress.buffer.size.bytes", Some("-1")),
    Property::server("ksql.suppress.enabled", Some("true")),
    Property::query("ksql.timestamp.throw.on.invalid", Some("false")),
    Property::server("ksql.transient.prefix", Some("transient_")),
    Property::server("ksql.transient.query.cleanup.service.enable", Some("true")),
    Property::server(
        "ksql.transient.query.cleanup.service.initial.delay.seconds",
        Some("600"),
    ),
    Property::server(
        "ksql.transient.query.cleanup.service.period.seconds",
        Some("600"),
    ),
    Property::server("ksql.udf.collect.metrics", Some("false")),
    Property::server("ksql.udfs.enabled", Some("true")),
    Property::server("ksql.variable.substitution.enable", Some("true")),
    Property::server("ksql.websocket.connection.max.timeout.ms", Some("3600000")),
];
