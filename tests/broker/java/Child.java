import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A process with its output in a file; killed when it is closed. */
final class Child implements AutoCloseable {
  private final String name;
  private final Process process;
  final Path log;

  private Child(final String name, final Process process, final Path log) {
    this.name = name;
    this.process = process;
    this.log = log;
  }

  static Child start(final String name, final Path folder, final List<String> command) throws IOException {
    final Path log = folder.resolve(name + ".log");
    final File file = log.toFile();
    final Process process = new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(file))
        .redirectInput(new File("/dev/null"))
        .start();
    return new Child(name, process, log);
  }

  /** A JVM with the class path of this one. */
  static Child java(final String name, final Path folder, final String main, final String... arguments)
      throws IOException {
    final List<String> command = new ArrayList<>(List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp", System.getProperty("java.class.path"), main));
    command.addAll(List.of(arguments));
    return start(name, folder, command);
  }

  /** Fails, with what it printed, when the process has ended. */
  void alive() throws IOException {
    Check.that(process.isAlive(), name + " has ended: " + tail());
  }

  String output() throws IOException {
    return Files.readString(log);
  }

  String tail() throws IOException {
    final String all = output();
    return all.substring(Math.max(0, all.length() - 3000));
  }

  /** SIGKILL. */
  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /** SIGTERM, and the exit status. */
  int stop() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(30, TimeUnit.SECONDS)) {
      throw new AssertionError(name + " does not stop");
    }
    return process.exitValue();
  }

  @Override
  public void close() throws InterruptedException {
    kill();
  }
}
