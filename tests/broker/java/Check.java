import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;

/** What the tests demand, and waiting for it. */
final class Check {
  private Check() {}

  static void that(final boolean holds, final String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  static void equal(final Object expected, final Object found, final String what) {
    that(Objects.equals(expected, found), what + ": expected " + expected + ", found " + found);
  }

  /** Demands that a line of the text matches, and returns its first group (or the line). */
  static String line(final String text, final String pattern) {
    final var matcher = Pattern.compile(pattern, Pattern.MULTILINE).matcher(text);
    that(matcher.find(), "nothing matches '" + pattern + "' in:\n" + text);
    return matcher.groupCount() > 0 ? matcher.group(1) : matcher.group();
  }

  static void none(final String text, final String pattern) {
    that(!Pattern.compile(pattern, Pattern.MULTILINE).matcher(text).find(), "'" + pattern + "' is in:\n" + text);
  }

  /** Asks until the answer is true. */
  static void until(final String what, final Duration limit, final Callable<Boolean> condition) throws Exception {
    final long end = System.nanoTime() + limit.toNanos();
    while (!condition.call()) {
      that(System.nanoTime() < end, "waited " + limit + " in vain for: " + what);
      Thread.sleep(50);
    }
  }
}
