import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.KStream;

/**
 * A program of Kafka Streams with exactly-once processing: a running sum for each key, and, behind a repartition topic, a
 * running count for each remainder of the value by seven. Without caches every input record gives one output record in
 * each topic, so that the output is known whatever happens to the program.
 */
public final class StreamsProgram {
  static final String INPUT = "streams-in";
  static final String SUMS = "streams-sums";
  static final String COUNTS = "streams-counts";

  private StreamsProgram() {}

  public static void main(final String[] arguments) {
    final Properties properties = new Properties();
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "streams-test");
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, arguments[1]);
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    properties.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    properties.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.LongSerde.class);
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    // A killed member is missed soon.
    properties.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 6000);
    properties.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 1000);
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    // Small bites, so that there are many transactions.
    properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 50);

    final StreamsBuilder builder = new StreamsBuilder();
    final KStream<String, Long> input = builder.stream(INPUT);
    input.groupByKey().reduce(Long::sum).toStream().to(SUMS);
    input.selectKey((key, value) -> "r" + value % 7).groupByKey().count().toStream().to(COUNTS);
    new KafkaStreams(builder.build(), properties).start();
  }
}
