import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/**
 * How Metabase's drivers for Trino use JDBC: their SQL and calls replayed, the cancelling above all. One task of
 * {@code ../client.py}, named by the argument; the other classes are those of the JDBC client beside it.
 *
 * <p>Metabase runs a card's statement in a thread of its own; when its reader leaves, or its time is up, another thread
 * cancels the statement.
 */
public final class Metabase {
  // What it reads at most of a card.
  private static final int ROWS = 2000;

  private Metabase() {}

  public static void main(String[] words) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var target = new Target(Json.flat(in.readLine()));
    var see = new See(in, target);
    switch (words[0]) {
      case "statements" -> statements(target, see);
      case "cancel" -> cancel(target, see);
      case "cold" -> cold(target, see);
      default -> throw new IllegalArgumentException("no such task: " + words[0]);
    }
    // The driver's threads would keep the process for a while.
    System.exit(0);
  }

  /** It connects, fills its lists, and draws a card. */
  private static void statements(Target target, See see) throws Exception {
    try (var connection = connect(target)) {
      for (var sql :
          List.of(
              "SELECT 1", "SHOW CATALOGS", "SHOW SCHEMAS FROM \"tpch\"", "SHOW TABLES FROM \"tpch\".\"tiny\"", "DESCRIBE \"tpch\".\"tiny\".\"orders\"",
              "SELECT current_timezone() as \"time-zone\"", "SELECT true AS \"_\" FROM \"tiny\".\"nation\" WHERE 1 <> 1 LIMIT 0")) {
        see.attempt(sql, () -> plain(connection, sql));
      }
      see.attempt("may select", () -> prepared(connection, "SHOW TABLES FROM \"tiny\" LIKE 'nation'"));
      see.attempt("card", () -> prepared(connection, remark("SELECT \"name\", \"nationkey\" FROM \"tiny\".\"nation\" WHERE \"nationkey\" > ? ORDER BY 1 LIMIT 2000"), 20));
      var since = "SELECT count(*) FROM \"tiny\".\"orders\" WHERE \"orderdate\" >= CAST(from_iso8601_timestamp(?) AS date)";
      see.attempt("card with a time", () -> prepared(connection, remark(since), "1995-01-01T00:00:00Z"));
      see.attempt("card with an error", () -> prepared(connection, remark("SELECT \"nope\" FROM \"tiny\".\"nation\"")));
      see.attempt("no more rows than it wants", () -> prepared(connection, remark("SELECT orderkey FROM \"tiny\".\"lineitem\" ORDER BY 1")).size());
      see.attempt("as somebody else", () -> impersonated(connection));
    }
  }

  /** Its reader leaves, or its time is up. */
  private static void cancel(Target target, See see) throws Exception {
    var running = new Card(target, 0);
    running.runs();
    see.attempt("cancel", running::cancel);
    see.value("canceled", List.of(running.end() == null, running.fate()));
    var early = new Card(target, 0);
    early.begun();
    see.attempt("cancel at once", early::cancel);
    see.value("canceled at once", early.end() == null);
    var late = new Card(target, 2);
    see.value("timed out", List.of(String.valueOf(late.end()), late.fate()));
    var killed = new Card(target, 0);
    killed.runs();
    see.attempt("kill", () -> kill(target, killed.firstId()));
    see.value("killed", List.of(String.valueOf(killed.end()), killed.fate()));
  }

  /** Two cards for who sleeps: one is canceled while it waits, one is killed after its hand-over by the first id that the driver told. */
  private static void cold(Target target, See see) throws Exception {
    var waiting = new Card(target, 0);
    var running = new Card(target, 0);
    var held = running.begun();
    if (waiting.begun() == null || held == null) {
      see.value("refused", String.valueOf(waiting.error() == null ? running.error() : waiting.error()));
      return;
    }
    see.attempt("cancel while it waits", waiting::cancel);
    see.value("canceled while it waited", waiting.end() == null);
    running.runs();
    see.attempt("kill after the hand-over", () -> kill(target, held));
    see.value("killed after the hand-over", List.of(String.valueOf(running.end()), running.fate()));
    try (var connection = connect(target)) {
      see.attempt("one more", () -> prepared(connection, remark("SELECT ? + 1"), 1));
    }
  }

  /** A connection as its pool makes them. */
  static Connection connect(Target target) throws SQLException {
    var connection = target.connect("source", "Metabase");
    connection.setTransactionIsolation(Connection.TRANSACTION_READ_UNCOMMITTED);
    connection.unwrap(io.trino.jdbc.TrinoConnection.class).setTimeZoneId("Europe/Berlin");
    connection.setReadOnly(true);
    return connection;
  }

  /** Its remark before each statement. */
  static String remark(String sql) {
    return "-- Metabase:: userID: 1 queryType: MBQL queryHash: 8d4f\n" + sql;
  }

  static Object kill(Target target, String id) throws SQLException {
    try (var connection = connect(target)) {
      return plain(connection, "CALL system.runtime.kill_query('" + id + "', 'by an operator')");
    }
  }

  /** A statement without parameters. */
  static List<Object> plain(Connection connection, String sql) throws SQLException {
    try (var statement = connection.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
      statement.setFetchDirection(ResultSet.FETCH_FORWARD);
      return statement.execute(sql) ? rows(statement) : List.of(statement.getUpdateCount());
    }
  }

  /** A statement with parameters. */
  static List<Object> prepared(Connection connection, String sql, Object... parameters) throws SQLException {
    try (var statement = connection.prepareStatement(sql, ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
      statement.setFetchDirection(ResultSet.FETCH_FORWARD);
      statement.setMaxRows(ROWS);
      for (int i = 0; i < parameters.length; i++) {
        statement.setObject(i + 1, parameters[i]);
      }
      statement.executeQuery();
      return rows(statement);
    }
  }

  private static List<Object> rows(Statement statement) throws SQLException {
    var rows = new ArrayList<>();
    try (var result = statement.getResultSet()) {
      int columns = result.getMetaData().getColumnCount();
      while (result.next()) {
        var row = new ArrayList<>();
        for (int i = 1; i <= columns; i++) {
          row.add(result.getString(i));
        }
        rows.add(row);
      }
    }
    return rows;
  }

  /** A card whose database impersonates its readers. */
  private static Object impersonated(Connection connection) throws SQLException {
    var trino = connection.unwrap(io.trino.jdbc.TrinoConnection.class);
    trino.setSessionUser("reader");
    var asReader = plain(connection, "SELECT current_user");
    trino.clearSessionUser();
    return List.of(asReader, plain(connection, "SELECT current_user"));
  }
}
