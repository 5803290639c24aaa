import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main classes of Kafka's command-line tools inside this process, one after the other: a JVM for each would take
 * most of the time. What a tool would end its process with (System.exit through Kafka's Exit, shutdown hooks) is caught.
 */
final class Command {
  /** Thrown where a tool would end its process. */
  private static final class Ended extends Error {
    Ended(final int status) {
      super("exit status " + status, null, false, false);
    }
  }

  /** The first one with which the tool under way wanted to end: some catch what is thrown then, and end once more. */
  private static Integer status;

  private static final List<Runnable> HOOKS = new ArrayList<>();

  static {
    Exit.setExitProcedure((status, message) -> end(status));
    Exit.setHaltProcedure((status, message) -> end(status));
    Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
  }

  private Command() {}

  private static void end(final int wanted) {
    if (status == null) {
      status = wanted;
    }
    throw new Ended(wanted);
  }

  /** What the tool printed. Fails unless it ended with status 0. */
  static String run(final String main, final String... arguments) throws Exception {
    return feed(main, "", arguments);
  }

  /** The same with something to read on its standard input. */
  static String feed(final String main, final String input, final String... arguments) throws Exception {
    final Outcome outcome = attempt(main, input, arguments);
    if (outcome.status != 0) {
      throw new AssertionError(
          main + " " + String.join(" ", arguments) + " ended with " + outcome.status + ":\n" + outcome.output);
    }
    return outcome.output;
  }

  /** What a tool left: its exit status and what it printed. */
  record Outcome(int status, String output) {}

  /** Runs a tool that may fail. */
  static Outcome attempt(final String main, final String input, final String... arguments) throws Exception {
    final InputStream oldIn = System.in;
    final PrintStream oldOut = System.out;
    final PrintStream oldErr = System.err;
    final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    final PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);
    status = null;
    System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
    System.setOut(out);
    System.setErr(out);
    try {
      try {
        Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) arguments);
      } catch (final InvocationTargetException e) {
        if (status == null) {
          e.getCause().printStackTrace(out);
          status = -1;
        }
      }
      for (final Runnable hook : HOOKS) {
        hook.run();
      }
    } finally {
      HOOKS.clear();
      System.setIn(oldIn);
      System.setOut(oldOut);
      System.setErr(oldErr);
    }
    return new Outcome(status == null ? 0 : status, printed.toString(StandardCharsets.UTF_8));
  }
}
