import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

/**
 * An unmodified worker of Kafka Connect in distributed mode with the file connectors: lines go from a file through a topic
 * into another file, also those that are written while the worker is down.
 */
final class ConnectTest {
  private static final Duration LIMIT = Duration.ofSeconds(90);
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final Path folder;
  private final Path properties;
  private final String url;

  private ConnectTest(final String bootstrap, final Path folder) throws IOException {
    this.folder = folder;
    url = "http://127.0.0.1:" + freePort();
    properties = folder.resolve("worker.properties");
    final Path plugins = Files.createDirectories(folder.resolve("plugins"));
    Files.writeString(properties, """
        bootstrap.servers=%s
        group.id=connect-test
        key.converter=org.apache.kafka.connect.json.JsonConverter
        value.converter=org.apache.kafka.connect.storage.StringConverter
        offset.storage.topic=connect-offsets
        offset.storage.replication.factor=1
        offset.storage.partitions=3
        config.storage.topic=connect-configs
        config.storage.replication.factor=1
        status.storage.topic=connect-status
        status.storage.replication.factor=1
        status.storage.partitions=2
        offset.flush.interval.ms=500
        listeners=%s
        plugin.path=%s
        plugin.discovery=only_scan
        """.formatted(bootstrap, url, plugins));
    // The connectors come from a folder of plugins, as users install them.
    for (final String jar : System.getProperty("java.class.path").split(":")) {
      if (jar.contains("connect-file-")) {
        Files.copy(Path.of(jar), plugins.resolve(Path.of(jar).getFileName()));
      }
    }
  }

  static void run(final String bootstrap, final Path folder) throws Exception {
    new ConnectTest(bootstrap, folder).run();
  }

  private void run() throws Exception {
    final Path source = folder.resolve("source.txt");
    final Path sink = folder.resolve("sink.txt");
    Files.writeString(source, lines(0, 100));
    try (Child worker = start()) {
      create(worker, "source", """
          {"connector.class": "FileStreamSource", "tasks.max": "1", "file": "%s", "topic": "connect-lines"}"""
          .formatted(source));
      create(worker, "sink", """
          {"connector.class": "FileStreamSink", "tasks.max": "1", "file": "%s", "topics": "connect-lines"}"""
          .formatted(sink));
      arrived(worker, sink, 100);
      Check.that(get("/connectors/source/status").body().contains("\"state\":\"RUNNING\""), "the source runs");
      worker.stop();
    }
    Files.writeString(source, lines(100, 150), StandardOpenOption.APPEND);
    try (Child worker = start()) {
      // Connectors, their offsets and the group's are taken from the topics: nothing is read or written twice.
      arrived(worker, sink, 150);
      Check.equal(200, put("/connectors/source/pause").statusCode() / 100 * 100, "pause");
      Check.equal(204, delete("/connectors/sink").statusCode(), "delete");
      worker.stop();
    }
  }

  private Child start() throws Exception {
    final Child worker =
        Child.java("connect", folder, "org.apache.kafka.connect.cli.ConnectDistributed", properties.toString());
    Check.until("Kafka Connect", LIMIT, () -> {
      worker.alive();
      try {
        return get("/connectors").statusCode() == 200;
      } catch (final IOException e) {
        return false;
      }
    });
    return worker;
  }

  private void create(final Child worker, final String name, final String config) throws Exception {
    Check.until("the connector " + name, LIMIT, () -> {
      worker.alive();
      final HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/connectors/" + name + "/config"))
          .header("Content-Type", "application/json")
          .PUT(HttpRequest.BodyPublishers.ofString(config))
          .build();
      final HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
      // 409: a rebalance is under way.
      Check.that(List.of(200, 201, 409).contains(response.statusCode()), response.body());
      return response.statusCode() != 409;
    });
  }

  private void arrived(final Child worker, final Path sink, final int count) throws Exception {
    Check.until(count + " lines in the sink's file", LIMIT, () -> {
      worker.alive();
      return Files.exists(sink) && Files.readAllLines(sink).size() >= count;
    });
    Check.equal(lines(0, count), Files.readString(sink), "the sink's file");
  }

  private HttpResponse<String> get(final String path) throws Exception {
    return send(HttpRequest.newBuilder(URI.create(url + path)).GET());
  }

  private HttpResponse<String> put(final String path) throws Exception {
    return send(HttpRequest.newBuilder(URI.create(url + path)).PUT(HttpRequest.BodyPublishers.noBody()));
  }

  private HttpResponse<String> delete(final String path) throws Exception {
    return send(HttpRequest.newBuilder(URI.create(url + path)).DELETE());
  }

  private static HttpResponse<String> send(final HttpRequest.Builder request) throws Exception {
    return HTTP.send(request.timeout(LIMIT).build(), HttpResponse.BodyHandlers.ofString());
  }

  private static String lines(final int from, final int to) {
    final StringBuilder text = new StringBuilder();
    IntStream.range(from, to).forEach(n -> text.append("line ").append(n).append('\n'));
    return text.toString();
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }
}
