import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;

/** Results too large to be shown: their number of rows and a checksum of all of them, in whatever order they come. */
final class Results {
  private static final String MILLION = "SELECT orderkey, totalprice, clerk FROM tpch.\"sf0.7\".orders";
  private static final String SMALLER = "SELECT orderkey, partkey, extendedprice, comment FROM lineitem";
  // Spooled segments are asked for by this path.
  private static final String SEGMENT = "/v1/spooled/download/";

  private Results() {}

  static void large(Target target, See see) throws Exception {
    try (var connection = target.connect()) {
      see.attempt("a million rows", () -> fingerprint(connection, MILLION));
      see.attempt("after them", () -> fingerprint(connection, "SELECT * FROM nation"));
    }
  }

  /** In each encoding and without; whether segments came is seen in the driver's own log. */
  static void spooled(Target target, See see) throws Exception {
    if (!target.knows("encoding")) {
      see.attempt("in pages, of a driver without spooling", () -> each(target));
      return;
    }
    see.attempt("by default", () -> each(target));
    for (var encoding : new String[] {"json", "json+lz4", "json+zstd"}) {
      see.attempt(encoding, () -> each(target, "encoding", encoding));
    }
    see.attempt("switched off", () -> each(target, target.inPages()));
  }

  private static Object each(Target target, String... properties) throws Exception {
    var stderr = System.err;
    var log = new ByteArrayOutputStream();
    System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
    try (var connection = target.connect(logged(target, properties))) {
      return Arrays.asList(
          fingerprint(connection, SMALLER), fingerprint(connection, "SELECT 1"),
          "segments " + log.toString(StandardCharsets.UTF_8).contains(SEGMENT));
    } finally {
      System.setErr(stderr);
    }
  }

  private static String[] logged(Target target, String... properties) throws Exception {
    var all = new ArrayList<>(Arrays.asList(properties));
    if (target.knows("httpLoggingLevel")) {
      all.addAll(Arrays.asList("httpLoggingLevel", "BASIC"));
    }
    return all.toArray(String[]::new);
  }

  /** The number of rows and the sum of their hashes. */
  static Object fingerprint(Connection connection, String sql) throws Exception {
    try (var statement = connection.createStatement(); var rows = statement.executeQuery(sql)) {
      long count = 0;
      long sum = 0;
      while (rows.next()) {
        count++;
        sum += hash(rows);
      }
      return Arrays.asList(count, sum);
    }
  }

  private static int hash(ResultSet row) throws SQLException {
    int hash = 0;
    for (int i = 1; i <= row.getMetaData().getColumnCount(); i++) {
      hash = 31 * hash + String.valueOf(row.getObject(i)).hashCode();
    }
    return hash;
  }
}
