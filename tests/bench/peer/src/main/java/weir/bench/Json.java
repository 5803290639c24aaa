package weir.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/**
 * Rows the way ksqlDB holds them: on the wire and in stores a JSON object, in memory a list of
 * boxed values in column order, and a Jackson tree between the two.
 */
final class Json {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private enum Kind { VARCHAR, INT, BIGINT, DOUBLE }

  private final String[] names;
  private final Kind[] kinds;

  private Json(final boolean lower, final String... columns) {
    names = new String[columns.length];
    kinds = new Kind[columns.length];
    for (int i = 0; i < columns.length; i++) {
      final String[] words = columns[i].split(" ");
      names[i] = lower ? words[0] : words[0].toUpperCase();
      kinds[i] = Kind.valueOf(words[1]);
    }
  }

  /** Of a topic that others write: columns ("name TYPE") have names in lower case there. */
  static Serde<List<Object>> input(final String... columns) {
    return new Json(true, columns).serde();
  }

  /** Of what the program writes itself, stores included: names in upper case, as in ksqlDB. */
  static Serde<List<Object>> rows(final String... columns) {
    return new Json(false, columns).serde();
  }

  private Serde<List<Object>> serde() {
    return Serdes.serdeFrom((topic, row) -> write(row), (topic, bytes) -> read(bytes));
  }

  private List<Object> read(final byte[] bytes) {
    if (bytes == null) {
      return null;
    }
    try {
      final JsonNode tree = MAPPER.readTree(bytes);
      final List<Object> row = new ArrayList<>(names.length);
      for (int i = 0; i < names.length; i++) {
        row.add(value(kinds[i], tree.get(names[i])));
      }
      return row;
    } catch (final IOException e) {
      throw new SerializationException(e);
    }
  }

  private static Object value(final Kind kind, final JsonNode node) {
    if (node == null || node.isNull()) {
      return null;
    }
    return switch (kind) {
      case VARCHAR -> node.asText();
      case INT -> (Object) node.intValue();
      case BIGINT -> (Object) node.longValue();
      case DOUBLE -> (Object) node.doubleValue();
    };
  }

  private byte[] write(final List<Object> row) {
    if (row == null) {
      return null;
    }
    final ObjectNode tree = MAPPER.createObjectNode();
    for (int i = 0; i < names.length; i++) {
      final Object value = row.get(i);
      if (value == null) {
        tree.putNull(names[i]);
        continue;
      }
      switch (kinds[i]) {
        case VARCHAR -> tree.put(names[i], (String) value);
        case INT -> tree.put(names[i], (int) value);
        case BIGINT -> tree.put(names[i], (long) value);
        case DOUBLE -> tree.put(names[i], (double) value);
      }
    }
    try {
      return MAPPER.writeValueAsBytes(tree);
    } catch (final IOException e) {
      throw new SerializationException(e);
    }
  }
}
