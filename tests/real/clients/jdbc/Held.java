import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** What goes on while something is done to the gateway or its backends: a long result, an idle connection, a start from cold. */
final class Held {
  // More than driver, gateway and coordinator hold together: most of it is still to come at the mark.
  private static final String LONG = "SELECT orderkey, totalprice, comment FROM tpch.\"sf0.25\".orders";
  private static final int LONG_ROWS = 375_000;
  private static final int FIRST = 1000;

  private Held() {}

  /** Two results at once, one in pages and one as the driver likes best, which is spooled where both sides know how. */
  static void reading(Target target, See see) throws Exception {
    try (var first = target.connect(target.inPages()); var second = target.connect();
        var pages = new Reader(first); var spooled = new Reader(second)) {
      see.mark("reading");
      pages.rest(see, "");
      spooled.rest(see, " of segments");
      see.attempt("afterwards", () -> one(first, "SELECT count(*) FROM nation"));
      see.attempt("afterwards, of segments", () -> one(second, "SELECT count(*) FROM nation"));
    }
  }

  /** A long result of which the first rows have been read. */
  private static final class Reader implements AutoCloseable {
    private final Statement statement;
    private final ResultSet rows;
    private long count = 0;
    private long sum = 0;

    Reader(Connection connection) throws SQLException {
      statement = connection.createStatement();
      rows = statement.executeQuery(LONG);
      while (count < FIRST) {
        read();
      }
    }

    private boolean read() throws SQLException {
      if (!rows.next()) {
        return false;
      }
      count++;
      sum += rows.getLong(1);
      return true;
    }

    /** Reads to the end: the number of all rows and a sum over them, or the error; a short result is none of both. */
    void rest(See see, String kind) throws SQLException {
      try {
        while (read()) {}
      } catch (SQLException failure) {
        see.value("error" + kind, See.error(failure));
        return;
      }
      if (count != LONG_ROWS) {
        throw new IllegalStateException("a result ended well with " + count + " rows");
      }
      see.value("rows" + kind, count + " rows, " + sum);
    }

    @Override
    public void close() throws SQLException {
      statement.close();
    }
  }

  static void idle(Target target, See see) throws Exception {
    try (var connection = target.connect()) {
      see.attempt("before", () -> one(connection, "SELECT count(*) FROM nation"));
      see.attempt("a setting", () -> connection.createStatement().execute("SET SESSION query_priority = 7"));
      var prepared = connection.prepareStatement("SELECT name FROM nation WHERE nationkey = ?");
      prepared.setInt(1, 3);
      see.attempt("prepared before", () -> Shown.result(prepared.executeQuery()));
      see.mark("idle");
      see.attempt("after", () -> one(connection, "SELECT count(*) FROM region"));
      see.attempt("the setting", () -> one(connection, "SHOW SESSION LIKE 'query_priority'"));
      see.attempt("prepared after", () -> Shown.result(prepared.executeQuery()));
      see.attempt("valid", () -> connection.isValid(10));
    }
  }

  static void cold(Target target, See see) throws Exception {
    // Validation asks without a user's name, so a Trino without authentication refuses it.
    boolean validates = target.knows("validateConnection") && target.hasCredentials();
    try (var connection = validates ? target.connect("validateConnection", "true") : target.connect()) {
      see.attempt("valid", () -> connection.isValid(10));
      // Whose version it is, the gateway may not know before somebody is awake.
      see.attempt("has a product version", () -> !connection.getMetaData().getDatabaseProductVersion().isEmpty());
      see.attempt("a select", () -> one(connection, "SELECT 1, 'woken'"));
      see.attempt("prepared", () -> prepared(connection));
      see.attempt("an error", () -> one(connection, "SELECT nope"));
    }
  }

  /** An old driver sends the statement when it prepares it. */
  private static Object prepared(Connection connection) throws Exception {
    try (var statement = connection.prepareStatement("SELECT ? + 1")) {
      statement.setInt(1, 41);
      return Shown.result(statement.executeQuery());
    }
  }

  private static Object one(Connection connection, String sql) throws Exception {
    try (var statement = connection.createStatement()) {
      return Shown.query(statement, sql);
    }
  }
}
