package weir.bench;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The peer of the benchmark: its queries written for Kafka Streams, the library under ksqlDB, with
 * the settings that ksqlDB gives it. Runs until it is killed.
 *
 * <p>Their SQL is in {@code src/queries.rs}. Expressions are plain Java, there is no processing log
 * and there are no metrics of rows: the engine of ksqlDB at its best.
 */
public final class Peer {
  private static final String[] ORDER = {
      "order_id BIGINT", "item_id VARCHAR", "quantity INT", "price DOUBLE", "status VARCHAR",
      "currency VARCHAR", "address VARCHAR", "ts BIGINT"};
  private static final String[] CLICK = {
      "click_id BIGINT", "item_id VARCHAR", "page VARCHAR", "referrer VARCHAR", "agent VARCHAR",
      "dwell_ms INT", "ts BIGINT"};
  private static final String[] USER = {
      "name VARCHAR", "city VARCHAR", "tier VARCHAR", "since BIGINT"};
  private static final String[] ITEM = {"title VARCHAR", "category VARCHAR", "stock INT"};
  private static final Duration DAY = Duration.ofDays(1);

  private final StreamsBuilder builder = new StreamsBuilder();
  private final String output;

  private Peer(final String output) {
    this.output = output;
  }

  /** Arguments: query, bootstrap servers, application id, output topic, folder for state. */
  public static void main(final String[] args) {
    final Properties settings = settings(args[1], args[2], args[4]);
    final Peer peer = new Peer(args[3]);
    peer.build(args[0]);
    final KafkaStreams streams = new KafkaStreams(peer.builder.build(settings), settings);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      Runtime.getRuntime().halt(1);
      return null;
    });
    streams.start();
  }

  private static Properties settings(final String servers, final String id, final String state) {
    final Properties settings = new Properties();
    settings.putAll(Map.of(
        StreamsConfig.APPLICATION_ID_CONFIG, id,
        StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, servers,
        StreamsConfig.STATE_DIR_CONFIG, state,
        StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2,
        StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2,
        StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 2000,
        StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 10_000_000,
        StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE,
        StreamsConfig.REPLICATION_FACTOR_CONFIG, 1,
        StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest"));
    return settings;
  }

  private void build(final String query) {
    switch (query) {
      case "q0" -> orders().to(output, to(ORDER));
      case "q1" -> filterAndProject();
      case "q2" -> countAndSumByKey();
      case "q3" -> tumbling(clickDwell().groupBy((user, click) -> (String) click.get(0),
          Grouped.with(Serdes.String(), DWELL)));
      case "q3k" -> tumbling(dwellByUser());
      case "q4" -> joinTable();
      case "q5" -> joinStreams();
      case "q6" -> countByItem();
      case "hop" -> hopping();
      case "session" -> sessions();
      case "tt" -> joinTables();
      case "fk" -> joinByForeignKey();
      default -> throw new IllegalArgumentException("no such query: " + query);
    }
  }

  // ---- streams and tables that are read -------------------------------------------------------

  private KStream<String, List<Object>> orders() {
    return builder.stream("orders", Consumed.with(Serdes.String(), Json.input(ORDER)));
  }

  private KStream<String, List<Object>> clicks() {
    return builder.stream("clicks", Consumed.with(Serdes.String(), Json.input(CLICK)));
  }

  private KTable<String, List<Object>> table(final String topic, final String[] columns) {
    // The topic is the store's changelog as well: both hold the same bytes.
    final Serde<List<Object>> rows = Json.input(columns);
    return builder.table(topic, Consumed.with(Serdes.String(), rows),
        Materialized.with(Serdes.String(), rows));
  }

  private static Produced<String, List<Object>> to(final String... columns) {
    return Produced.with(Serdes.String(), Json.rows(columns));
  }

  private static List<Object> row(final Object... values) {
    return Arrays.asList(values);
  }

  // ---- without state --------------------------------------------------------------------------

  private void filterAndProject() {
    orders()
        .filter((user, o) -> (int) o.get(2) > 2 && !"CANCELLED".equals(o.get(4)))
        .mapValues(o -> row(o.get(0), (double) o.get(3) * (int) o.get(2),
            ((String) o.get(1)).toUpperCase(), o.get(4) + "-" + o.get(5)))
        .to(output, to("order_id BIGINT", "total DOUBLE", "item VARCHAR", "state VARCHAR"));
  }

  // ---- aggregates -----------------------------------------------------------------------------

  private void countAndSumByKey() {
    final Serde<List<Object>> sums = Json.rows("n BIGINT", "total DOUBLE");
    orders()
        .mapValues(o -> row(o.get(3)))
        .groupByKey(Grouped.with(Serdes.String(), Json.rows("price DOUBLE")))
        .aggregate(() -> row(0L, 0.0),
            (user, o, sum) -> row((long) sum.get(0) + 1, (double) sum.get(1) + (double) o.get(0)),
            Materialized.with(Serdes.String(), sums))
        .toStream()
        .to(output, Produced.with(Serdes.String(), sums));
  }

  private void countByItem() {
    final Serde<List<Object>> counts = Json.rows("n BIGINT");
    orders()
        .mapValues(o -> row(o.get(1)))
        .groupBy((user, o) -> (String) o.get(0),
            Grouped.with(Serdes.String(), Json.rows("item_id VARCHAR")))
        .aggregate(() -> row(0L), (item, o, count) -> row((long) count.get(0) + 1),
            Materialized.with(Serdes.String(), counts))
        .toStream()
        .to(output, Produced.with(Serdes.String(), counts));
  }

  // ---- aggregates over windows: a day of grace and of retention, as ksqlDB has by default --------

  private static final Serde<List<Object>> DWELL = Json.rows("item_id VARCHAR", "dwell_ms INT");
  private static final Serde<List<Object>> SUMS = Json.rows("n BIGINT", "dwell INT");

  private KStream<String, List<Object>> clickDwell() {
    return clicks().mapValues(click -> row(click.get(1), click.get(5)));
  }

  private KGroupedStream<String, List<Object>> dwellByUser() {
    return clickDwell().groupByKey(Grouped.with(Serdes.String(), DWELL));
  }

  private static List<Object> addDwell(final List<Object> click, final List<Object> sum) {
    return row((long) sum.get(0) + 1, (int) sum.get(1) + (int) click.get(1));
  }

  private void windows(final KGroupedStream<String, List<Object>> grouped, final TimeWindows of) {
    grouped
        .windowedBy(of)
        .aggregate(() -> row(0L, 0), (key, click, sum) -> addDwell(click, sum),
            Materialized.<String, List<Object>, WindowStore<Bytes, byte[]>>with(
                Serdes.String(), SUMS).withRetention(DAY))
        .toStream()
        .to(output, Produced.with(
            WindowedSerdes.timeWindowedSerdeFrom(String.class, of.size()), SUMS));
  }

  private void tumbling(final KGroupedStream<String, List<Object>> grouped) {
    final Duration size = Duration.ofMinutes(1);
    windows(grouped, TimeWindows.ofSizeAndGrace(size, DAY.minus(size)));
  }

  private void hopping() {
    final Duration size = Duration.ofMinutes(1);
    windows(dwellByUser(), TimeWindows.ofSizeAndGrace(size, DAY.minus(size))
        .advanceBy(Duration.ofSeconds(30)));
  }

  private void sessions() {
    final Duration gap = Duration.ofMinutes(1);
    dwellByUser()
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(gap, DAY.minus(gap)))
        .aggregate(() -> row(0L, 0), (user, click, sum) -> addDwell(click, sum),
            (user, a, b) -> row((long) a.get(0) + (long) b.get(0), (int) a.get(1) + (int) b.get(1)),
            Materialized.<String, List<Object>, SessionStore<Bytes, byte[]>>with(
                Serdes.String(), SUMS).withRetention(DAY))
        .toStream()
        .to(output, Produced.with(WindowedSerdes.sessionWindowedSerdeFrom(String.class), SUMS));
  }

  // ---- joins ----------------------------------------------------------------------------------

  private static Object of(final List<Object> row, final int column) {
    return row == null ? null : row.get(column);
  }

  private void joinTable() {
    orders()
        .leftJoin(table("users", USER),
            (o, user) -> row(o.get(0), o.get(1), o.get(2), o.get(3), o.get(4),
                of(user, 0), of(user, 1)),
            Joined.with(Serdes.String(), Json.rows(ORDER), null))
        .to(output, to("order_id BIGINT", "item_id VARCHAR", "quantity INT", "price DOUBLE",
            "status VARCHAR", "name VARCHAR", "city VARCHAR"));
  }

  private void joinStreams() {
    final Duration ten = Duration.ofSeconds(10);
    orders().mapValues(o -> row(o.get(0), o.get(1), o.get(3)))
        .join(clicks().mapValues(click -> row(click.get(0), click.get(1), click.get(2))),
            (o, click) -> row(o.get(0), o.get(1), o.get(2),
                click.get(0), click.get(1), click.get(2)),
            JoinWindows.ofTimeDifferenceAndGrace(ten, ten),
            StreamJoined.with(Serdes.String(),
                Json.rows("order_id BIGINT", "item_id VARCHAR", "price DOUBLE"),
                Json.rows("click_id BIGINT", "item_id VARCHAR", "page VARCHAR")))
        .to(output, to("order_id BIGINT", "ordered VARCHAR", "price DOUBLE", "click_id BIGINT",
            "clicked VARCHAR", "page VARCHAR"));
  }

  private void joinTables() {
    table("orders", ORDER)
        .join(table("clicks", CLICK),
            (o, click) -> row(o.get(0), o.get(1), o.get(3), click.get(0), click.get(1)))
        .toStream()
        .to(output, to("order_id BIGINT", "ordered VARCHAR", "price DOUBLE", "click_id BIGINT",
            "clicked VARCHAR"));
  }

  private void joinByForeignKey() {
    final String[] result = {
        "order_id BIGINT", "item VARCHAR", "price DOUBLE", "title VARCHAR", "category VARCHAR"};
    table("orders", ORDER)
        .<List<Object>, String, List<Object>>join(table("items", ITEM),
            o -> (String) o.get(1),
            (o, item) -> row(o.get(0), o.get(1), o.get(3), item.get(0), item.get(1)),
            TableJoined.as("fk"),
            Materialized.with(Serdes.String(), Json.rows(result)))
        .toStream()
        .to(output, to(result));
  }
}
