import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The command-line tools, each asked for what its users ask it, and what it prints compared. */
final class Tools {
  private static final String TOPICS = "org.apache.kafka.tools.TopicCommand";
  private static final String CONFIGS = "kafka.admin.ConfigCommand";
  private static final String GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
  private static final String TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand";
  private static final String OFFSETS = "org.apache.kafka.tools.GetOffsetShell";
  private static final String PRODUCER = "org.apache.kafka.tools.ConsoleProducer";
  private static final String CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer";
  private static final String PRODUCER_PERF = "org.apache.kafka.tools.ProducerPerformance";
  private static final String CONSUMER_PERF = "org.apache.kafka.tools.ConsumerPerformance";

  private final String bootstrap;

  private Tools(final String bootstrap) {
    this.bootstrap = bootstrap;
  }

  static void run(final String bootstrap, final Path folder) throws Exception {
    final Tools tools = new Tools(bootstrap);
    tools.topics();
    tools.configs();
    tools.console();
    tools.groups();
    tools.transactions();
    tools.performance();
  }

  /** Runs a tool on the broker. */
  private String tool(final String main, final String... arguments) throws Exception {
    return Command.run(main, on(arguments));
  }

  private String[] on(final String... arguments) {
    final String[] all = new String[arguments.length + 2];
    all[0] = "--bootstrap-server";
    all[1] = bootstrap;
    System.arraycopy(arguments, 0, all, 2, arguments.length);
    return all;
  }

  private void topics() throws Exception {
    Check.line(
        tool(TOPICS, "--create", "--topic", "tool-a", "--partitions", "2", "--config", "retention.ms=86400000"),
        "^Created topic tool-a");
    final String described = tool(TOPICS, "--describe", "--topic", "tool-a");
    Check.line(described, "Topic: tool-a\\s+TopicId: \\S+\\s+PartitionCount: 2\\s+ReplicationFactor: 1");
    Check.line(described, "Configs:.*retention.ms=86400000");
    Check.line(described, "Partition: 1\\s+Leader: 1\\s+Replicas: 1\\s+Isr: 1");
    tool(TOPICS, "--alter", "--topic", "tool-a", "--partitions", "5");
    Check.line(tool(TOPICS, "--describe", "--topic", "tool-a"), "PartitionCount: 5");
    final Command.Outcome fewer =
        Command.attempt(TOPICS, "", on("--alter", "--topic", "tool-a", "--partitions", "3"));
    Check.that(fewer.status() != 0 && fewer.output().contains("InvalidPartitions"), fewer.output());
    final Command.Outcome again = Command.attempt(TOPICS, "", on("--create", "--topic", "tool-a"));
    Check.that(again.status() != 0 && again.output().contains("already exists"), again.output());
    tool(TOPICS, "--create", "--topic", "tool-a", "--if-not-exists");
    tool(TOPICS, "--create", "--topic", "tool-b");
    final String listed = tool(TOPICS, "--list");
    Check.line(listed, "^tool-a$");
    Check.line(listed, "^tool-b$");
    tool(TOPICS, "--delete", "--topic", "tool-b");
    Check.until("the topic to go", Duration.ofSeconds(10), () -> !tool(TOPICS, "--list").contains("tool-b"));
    Check.none(tool(TOPICS, "--describe", "--under-replicated-partitions"), "tool-");
  }

  private void configs() throws Exception {
    final String[] topic = {"--entity-type", "topics", "--entity-name", "tool-a"};
    tool(CONFIGS, join(topic, "--alter", "--add-config", "cleanup.policy=[compact,delete],segment.ms=60000"));
    String described = tool(CONFIGS, join(topic, "--describe"));
    Check.line(described, "cleanup.policy=compact,delete .*DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete");
    Check.line(described, "segment.ms=60000");
    tool(CONFIGS, join(topic, "--alter", "--delete-config", "segment.ms"));
    described = tool(CONFIGS, join(topic, "--describe"));
    Check.none(described, "segment.ms=60000");
    Check.line(tool(CONFIGS, join(topic, "--describe", "--all")), "segment.ms=604800000");
    final Command.Outcome wrong =
        Command.attempt(CONFIGS, "", on(join(topic, "--alter", "--add-config", "no.such.config=1")));
    Check.that(wrong.status() != 0 && wrong.output().contains("no.such.config"), wrong.output());
    final String broker = tool(CONFIGS, "--entity-type", "brokers", "--entity-name", "1", "--describe", "--all");
    Check.line(broker, "num.partitions=1 ");
  }

  private static String[] join(final String[] first, final String... second) {
    final String[] all = java.util.Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, all, first.length, second.length);
    return all;
  }

  private void console() throws Exception {
    tool(TOPICS, "--create", "--topic", "tool-lines", "--partitions", "1");
    final String input = "a:first\nb:second\nc:NULL\n";
    Command.feed(
        PRODUCER, input,
        on("--topic", "tool-lines", "--property", "parse.key=true", "--property", "key.separator=:",
            "--property", "null.marker=NULL", "--compression-codec", "zstd"));
    final String read = tool(
        CONSUMER, "--topic", "tool-lines", "--from-beginning", "--max-messages", "3", "--timeout-ms", "20000",
        "--property", "print.key=true", "--property", "print.offset=true");
    Check.line(read, "^Offset:0\\ta\\tfirst$");
    Check.line(read, "^Offset:2\\tc\\tnull$");
    Check.line(read, "Processed a total of 3 messages");
    Check.equal("tool-lines:0:3", tool(OFFSETS, "--topic", "tool-lines").strip(), "offsets");
    Check.equal("tool-lines:0:0", tool(OFFSETS, "--topic", "tool-lines", "--time", "earliest").strip(), "offsets");
    Check.line(tool(OFFSETS, "--topic", "tool-lines", "--time", "max-timestamp"), "^tool-lines:0:[012]$");
    Check.equal("tool-lines:0:0", tool(OFFSETS, "--topic", "tool-lines", "--time", "0").strip(), "offsets");
    Check.equal(
        5L, tool(OFFSETS, "--topic-partitions", "tool-a").lines().count(), "one line for each partition");
  }

  private void groups() throws Exception {
    final String group = "tool-group";
    final Properties properties = new Properties();
    properties.putAll(Map.of(
        "bootstrap.servers", bootstrap, "group.id", group, "auto.offset.reset", "earliest",
        "enable.auto.commit", "false", "key.deserializer", StringDeserializer.class.getName(),
        "value.deserializer", StringDeserializer.class.getName(), "client.id", "tool-client"));
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties)) {
      consumer.subscribe(List.of("tool-lines"));
      int seen = 0;
      for (int i = 0; i < 100 && seen < 3; i++) {
        seen += consumer.poll(Duration.ofMillis(200)).count();
      }
      Check.equal(3, seen, "records of the group");
      consumer.commitSync(Map.of(
          new org.apache.kafka.common.TopicPartition("tool-lines", 0),
          new org.apache.kafka.clients.consumer.OffsetAndMetadata(2, "note")));
      Check.line(tool(GROUPS, "--list"), "^tool-group$");
      Check.line(tool(GROUPS, "--list", "--state", "stable"), "^tool-group\\s+Stable");
      final String described = tool(GROUPS, "--describe", "--group", group);
      Check.line(described, "^tool-group\\s+tool-lines\\s+0\\s+2\\s+3\\s+1\\s+tool-client-\\S+\\s+/127.0.0.1\\s+tool-client");
      Check.line(
          tool(GROUPS, "--describe", "--group", group, "--members", "--verbose"),
          "^tool-group\\s+tool-client-\\S+\\s+/127.0.0.1\\s+tool-client\\s+1\\s+.*tool-lines");
      Check.line(
          tool(GROUPS, "--describe", "--group", group, "--state"), "^tool-group\\s+\\S+\\s+\\(1\\)\\s+range\\s+Stable\\s+1");
      final Command.Outcome busy =
          Command.attempt(GROUPS, "", on("--delete", "--group", group));
      Check.that(busy.output().contains("not empty") || busy.output().contains("GroupNotEmpty"), busy.output());
    }
    final String[] reset = {"--reset-offsets", "--group", group, "--topic", "tool-lines"};
    Check.line(tool(GROUPS, join(reset, "--to-earliest", "--dry-run")), "^tool-group\\s+tool-lines\\s+0\\s+0\\s*$");
    Check.line(tool(GROUPS, "--describe", "--group", group), "tool-lines\\s+0\\s+2\\s+3\\s+1");
    tool(GROUPS, join(reset, "--to-offset", "1", "--execute"));
    Check.line(tool(GROUPS, "--describe", "--group", group), "tool-lines\\s+0\\s+1\\s+3\\s+2");
    tool(GROUPS, join(reset, "--shift-by", "1", "--execute"));
    tool(GROUPS, join(reset, "--to-datetime", "2020-01-01T00:00:00.000", "--execute"));
    Check.line(tool(GROUPS, "--describe", "--group", group), "tool-lines\\s+0\\s+0\\s+3\\s+3");
    tool(GROUPS, join(reset, "--to-latest", "--execute"));
    Check.line(tool(GROUPS, "--describe", "--group", group), "tool-lines\\s+0\\s+3\\s+3\\s+0");
    Check.line(
        tool(GROUPS, "--delete-offsets", "--group", group, "--topic", "tool-lines"), "tool-lines\\s+0\\s+Successful");
    tool(GROUPS, join(reset, "--to-offset", "1", "--execute"));
    Check.line(tool(GROUPS, "--delete", "--group", group), "Deletion of requested .*groups .*was successful");
    Check.none(tool(GROUPS, "--list"), "^tool-group$");
  }

  private void transactions() throws Exception {
    final Properties properties = new Properties();
    properties.putAll(Map.of(
        "bootstrap.servers", bootstrap, "transactional.id", "tool-transaction",
        "key.serializer", StringSerializer.class.getName(), "value.serializer", StringSerializer.class.getName()));
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
      producer.initTransactions();
      producer.beginTransaction();
      producer.send(new ProducerRecord<>("tool-lines", "k", "open")).get();
      Check.line(tool(TRANSACTIONS, "list"), "^tool-transaction\\s+\\d+\\s+\\d+\\s+Ongoing");
      Check.none(tool(TRANSACTIONS, "list", "--duration-filter", "3600000"), "tool-transaction");
      final String described = tool(TRANSACTIONS, "describe", "--transactional-id", "tool-transaction");
      Check.line(described, "tool-transaction\\s+\\d+\\s+\\d+\\s+Ongoing\\s+60000\\s+\\d+\\s+\\d+\\s+tool-lines-0");
      Check.line(
          tool(TRANSACTIONS, "describe-producers", "--topic", "tool-lines", "--partition", "0"),
          "^\\d+\\s+\\d+\\s+-?\\d+\\s+0\\s+\\d+\\s+3\\s*$");
      Check.line(
          tool(TRANSACTIONS, "find-hanging", "--broker-id", "1", "--max-transaction-timeout", "1"),
          "^Topic\\s+Partition");
      final String committed = tool(
          CONSUMER, "--topic", "tool-lines", "--from-beginning", "--timeout-ms", "3000", "--isolation-level",
          "read_committed");
      Check.none(committed, "open");
      producer.commitTransaction();
    }
    Check.line(
        tool(TRANSACTIONS, "describe", "--transactional-id", "tool-transaction"), "tool-transaction\\s+.*CompleteCommit");
    final String committed = tool(
        CONSUMER, "--topic", "tool-lines", "--from-beginning", "--max-messages", "4", "--timeout-ms", "20000",
        "--isolation-level", "read_committed");
    Check.line(committed, "^open$");
    final Command.Outcome unknown =
        Command.attempt(TRANSACTIONS, "", on("describe", "--transactional-id", "nobody"));
    Check.that(unknown.status() != 0 && unknown.output().contains("could not be found"), unknown.output());
  }

  private void performance() throws Exception {
    tool(TOPICS, "--create", "--topic", "tool-perf", "--partitions", "3");
    final String produced = Command.run(
        PRODUCER_PERF, "--topic", "tool-perf", "--num-records", "50000", "--record-size", "200", "--throughput", "-1",
        "--producer-props", "bootstrap.servers=" + bootstrap, "acks=all", "compression.type=lz4");
    Check.line(produced, "^50000 records sent, ");
    final String inTransactions = Command.run(
        PRODUCER_PERF, "--topic", "tool-perf", "--num-records", "2000", "--record-size", "200", "--throughput", "2000",
        "--transaction-duration-ms", "50", "--transactional-id", "tool-perf",
        "--producer-props", "bootstrap.servers=" + bootstrap);
    Check.line(inTransactions, "^2000 records sent, ");
    final String consumed = tool(
        CONSUMER_PERF, "--topic", "tool-perf", "--messages", "52000", "--timeout", "30000");
    final String[] figures = consumed.strip().lines().reduce((a, b) -> b).orElseThrow().split(", ");
    Check.that(Long.parseLong(figures[4].strip()) >= 52000, consumed);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.deleteTopics(List.of("tool-a", "tool-lines", "tool-perf")).all().get();
    }
  }
}
