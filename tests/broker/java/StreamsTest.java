import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** {@link StreamsProgram}, killed with SIGKILL at work and started again, twice: what it leaves is what its input implies. */
final class StreamsTest {
  private static final int RECORDS = 30_000;
  private static final int KEYS = 40;
  private static final Duration LIMIT = Duration.ofSeconds(90);

  private final String bootstrap;
  private final Path folder;

  private StreamsTest(final String bootstrap, final Path folder) {
    this.bootstrap = bootstrap;
    this.folder = folder;
  }

  static void run(final String bootstrap, final Path folder) throws Exception {
    new StreamsTest(bootstrap, folder).run();
  }

  private void run() throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      final List<NewTopic> topics = new ArrayList<>();
      for (final String name : List.of(StreamsProgram.INPUT, StreamsProgram.SUMS, StreamsProgram.COUNTS)) {
        topics.add(new NewTopic(name, 2, (short) 1));
      }
      admin.createTopics(topics).all().get();
    }
    produce(0, RECORDS / 2);
    untilKilled(1000);
    produce(RECORDS / 2, RECORDS);
    untilKilled(RECORDS / 2);
    try (Child program = start()) {
      Check.until("all of the output", LIMIT, () -> {
        program.alive();
        return committed(StreamsProgram.SUMS).size() >= RECORDS && committed(StreamsProgram.COUNTS).size() >= RECORDS;
      });
    }
    Check.equal(sums(), byKey(committed(StreamsProgram.SUMS)), "running sums");
    Check.equal(counts(), byKey(committed(StreamsProgram.COUNTS)), "running counts");
  }

  private Child start() throws Exception {
    return Child.java("streams", folder, "StreamsProgram", bootstrap, folder.resolve("state").toString());
  }

  /** Runs the program until it has committed so many sums, and kills it. */
  private void untilKilled(final int committed) throws Exception {
    try (Child program = start()) {
      Check.until(committed + " sums", LIMIT, () -> {
        program.alive();
        return committed(StreamsProgram.SUMS).size() >= committed;
      });
    }
  }

  private static String key(final long n) {
    return "k" + n * 31 % KEYS;
  }

  private void produce(final int from, final int to) {
    final Map<String, Object> properties = Map.of("bootstrap.servers", bootstrap);
    try (KafkaProducer<String, Long> producer =
        new KafkaProducer<>(properties, new StringSerializer(), new LongSerializer())) {
      for (long n = from; n < to; n++) {
        producer.send(new ProducerRecord<>(StreamsProgram.INPUT, key(n), n));
      }
    }
  }

  private List<ConsumerRecord<String, Long>> committed(final String topic) {
    final Map<String, Object> properties =
        Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
    final List<ConsumerRecord<String, Long>> records = new ArrayList<>();
    try (KafkaConsumer<String, Long> consumer =
        new KafkaConsumer<>(properties, new StringDeserializer(), new LongDeserializer())) {
      final List<TopicPartition> partitions = new ArrayList<>();
      for (final PartitionInfo partition : consumer.partitionsFor(topic)) {
        partitions.add(new TopicPartition(topic, partition.partition()));
      }
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      // For a reader of committed records these are the last stable offsets.
      final Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        consumer.poll(Duration.ofMillis(200)).forEach(records::add);
      }
    }
    return records;
  }

  /** Values in their order, by key; a key is always in one partition. */
  private static Map<String, List<Long>> byKey(final List<ConsumerRecord<String, Long>> records) {
    final Map<String, List<Long>> found = new TreeMap<>();
    for (final ConsumerRecord<String, Long> record : records) {
      found.computeIfAbsent(record.key(), key -> new ArrayList<>()).add(record.value());
    }
    return found;
  }

  private static Map<String, List<Long>> sums() {
    final Map<String, List<Long>> expected = new TreeMap<>();
    final Map<String, Long> running = new HashMap<>();
    for (long n = 0; n < RECORDS; n++) {
      final long sum = running.merge(key(n), n, Long::sum);
      expected.computeIfAbsent(key(n), key -> new ArrayList<>()).add(sum);
    }
    return expected;
  }

  private static Map<String, List<Long>> counts() {
    final Map<String, List<Long>> expected = new TreeMap<>();
    for (long n = 0; n < RECORDS; n++) {
      final List<Long> counts = expected.computeIfAbsent("r" + n % 7, key -> new ArrayList<>());
      counts.add(counts.size() + 1L);
    }
    return expected;
  }
}
