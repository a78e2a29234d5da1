import java.sql.Connection;
import java.sql.PreparedStatement;
import java.util.Arrays;
import java.util.List;

/** Statements that change something, with their update counts; one table and one view, dropped before and after. */
final class Writes {
  private Writes() {}

  static void all(Target target, See see) throws Exception {
    var table = target.tables() + "_written";
    var view = target.tables() + "_seen";
    try (var connection = target.connect()) {
      drop(connection, table, view);
      for (var sql : statements(table, view)) {
        see.attempt(sql, () -> run(connection, sql));
      }
      batch(connection, table, see);
      see.attempt("what was written", () -> run(connection, "SELECT * FROM " + table + " ORDER BY 1, 2"));
      drop(connection, table, view);
    }
  }

  private static List<String> statements(String table, String view) {
    return List.of(
        "CREATE TABLE " + table + " (number bigint, word varchar)",
        "CREATE TABLE " + table + " (number bigint)",
        "INSERT INTO " + table + " VALUES (1, 'one'), (2, 'two'), (3, NULL)",
        "INSERT INTO " + table + " SELECT nationkey, name FROM tpch.tiny.nation WHERE nationkey > 20",
        "INSERT INTO " + table + " SELECT nationkey, name FROM tpch.tiny.nation WHERE false",
        "DELETE FROM " + table + " WHERE number = 2",
        "UPDATE " + table + " SET word = 'x' WHERE number = 1",
        "CREATE VIEW " + view + " AS SELECT number FROM " + table,
        "SELECT count(*) FROM " + view,
        "SHOW CREATE VIEW " + view,
        "COMMENT ON TABLE " + table + " IS 'of the tests'",
        "TRUNCATE TABLE " + table,
        "CREATE TABLE IF NOT EXISTS " + table + " AS SELECT 1 AS one",
        "EXPLAIN ANALYZE VERBOSE nothing",
        "INSERT INTO " + table + " VALUES (5, 'five')");
  }

  private static Object run(Connection connection, String sql) throws Exception {
    try (var statement = connection.createStatement()) {
      if (statement.execute(sql)) {
        return Shown.result(statement.getResultSet());
      }
      return Arrays.asList(statement.getUpdateCount(), statement.getLargeUpdateCount(), Shown.warnings(statement.getWarnings()));
    }
  }

  private static void batch(Connection connection, String table, See see) throws Exception {
    try (var statement = connection.prepareStatement("INSERT INTO " + table + " VALUES (?, ?)")) {
      add(statement, 10, "ten");
      add(statement, 11, "eleven");
      add(statement, 12, "it's \"twelve\"");
      see.attempt("batch", () -> counts(statement.executeBatch()));
      see.attempt("empty batch", () -> counts(statement.executeBatch()));
      add(statement, 13, "thirteen");
      see.attempt("prepared update", statement::executeUpdate);
      see.attempt("batch of one", () -> counts(statement.executeBatch()));
    }
    try (var statement = connection.prepareStatement("INSERT INTO " + table + " SELECT ? / 0, ?")) {
      add(statement, 14, "never");
      see.attempt("wrong batch", () -> counts(statement.executeBatch()));
    }
    try (var statement = connection.createStatement()) {
      see.attempt(
          "batch of plain statements",
          () -> {
            statement.addBatch("INSERT INTO " + table + " VALUES (15, 'fifteen')");
            return counts(statement.executeBatch());
          });
      see.attempt("large update", () -> statement.executeLargeUpdate("INSERT INTO " + table + " VALUES (16, 'sixteen')"));
    }
  }

  private static void add(PreparedStatement statement, long number, String word) throws Exception {
    statement.setLong(1, number);
    statement.setString(2, word);
    statement.addBatch();
  }

  private static Object counts(int[] counts) {
    return Arrays.toString(counts);
  }

  private static void drop(Connection connection, String table, String view) throws Exception {
    try (var statement = connection.createStatement()) {
      statement.execute("DROP VIEW IF EXISTS " + view);
      statement.execute("DROP TABLE IF EXISTS " + table);
    }
  }
}
