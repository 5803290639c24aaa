import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Java clients of Kafka 4.1 against a broker: {@code Main weir=BINARY|bootstrap=HOST:PORT [tools] [streams] [connect]}.
 * With {@code weir=} it starts {@code weir broker} itself; with {@code bootstrap=} the same tests run against any other
 * broker, such as Apache Kafka, which is how they were checked.
 */
public final class Main {
  private Main() {}

  /** A group of tests that needs a broker and a folder of its own. */
  private interface Part {
    void run(String bootstrap, Path folder) throws Exception;
  }

  public static void main(final String[] arguments) throws Exception {
    final String[] target = arguments[0].split("=", 2);
    final List<String> wanted = Arrays.asList(arguments).subList(1, arguments.length);
    final Path folder = Files.createTempDirectory("weir-java-clients");
    int failed = 0;
    try {
      if (target[0].equals("bootstrap")) {
        failed = parts(target[1], folder, wanted);
      } else {
        failed = withBroker(target[1], folder, wanted);
      }
    } finally {
      delete(folder);
    }
    // Clients that failed may have left threads behind.
    System.exit(failed == 0 ? 0 : 1);
  }

  private static int withBroker(final String weir, final Path folder, final List<String> wanted) throws Exception {
    final String data = folder.resolve("data").toString();
    try (Child broker = Child.start("broker", folder, List.of(weir, "broker", "--port", "0", "--data", data))) {
      final Pattern said = Pattern.compile("Kafka broker on (\\S+)");
      Check.until("the broker", Duration.ofSeconds(30), () -> {
        broker.alive();
        return said.matcher(broker.output()).find();
      });
      final var matcher = said.matcher(broker.output());
      Check.that(matcher.find(), "no address");
      final int failed = parts(matcher.group(1), folder, wanted);
      broker.alive();
      if (failed > 0) {
        System.out.println("the broker's log ends with:\n" + broker.tail());
      }
      return failed;
    }
  }

  private static int parts(final String bootstrap, final Path folder, final List<String> wanted) throws Exception {
    int failed = 0;
    failed += part("tools", Tools::run, bootstrap, folder, wanted);
    failed += part("streams", StreamsTest::run, bootstrap, folder, wanted);
    failed += part("connect", ConnectTest::run, bootstrap, folder, wanted);
    return failed;
  }

  private static int part(
      final String name, final Part part, final String bootstrap, final Path folder, final List<String> wanted)
      throws IOException {
    if (!wanted.isEmpty() && !wanted.contains(name)) {
      return 0;
    }
    final long start = System.nanoTime();
    String result = "ok";
    try {
      part.run(bootstrap, Files.createDirectories(folder.resolve(name)));
    } catch (final Exception | AssertionError e) {
      result = "FAILED";
      e.printStackTrace(System.out);
    }
    System.out.printf("java %s: %s (%.1f s)%n", name, result, (System.nanoTime() - start) / 1e9);
    return result.equals("ok") ? 0 : 1;
  }

  private static void delete(final Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (final Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
