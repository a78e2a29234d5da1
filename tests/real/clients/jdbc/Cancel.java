import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Every way to give up: from another thread, by time-out, by closing, by id; each time the query must end in Trino as well. */
final class Cancel {
  // Runs for minutes and gives no row before its end.
  private static final String SILENT = "SELECT count(*) FROM tpch.sf100.lineitem a CROSS JOIN tpch.sf1.nation b";
  // Gives rows at once, and for minutes.
  private static final String STREAM = "SELECT orderkey, comment FROM tpch.sf100.lineitem";
  // For a query to begin or to end on a busy machine.
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private Cancel() {}

  /** Gives up a running statement, whose text has the word {@code mark} in it. */
  interface Way {
    void end(Statement statement, String mark) throws Exception;
  }

  static void all(Target target, See see) throws Exception {
    see.attempt("cancel from another thread", () -> ended(target, (statement, mark) -> statement.cancel()));
    see.attempt("close from another thread", () -> ended(target, (statement, mark) -> statement.close()));
    see.attempt("killed by its id", () -> ended(target, (statement, mark) -> kill(target, mark)));
    see.attempt("abort of the connection", () -> ended(target, (statement, mark) -> statement.getConnection().abort(Runnable::run)));
    see.attempt("cancel between rows", () -> between(target, (statement, rows) -> statement.cancel()));
    see.attempt("close between rows", () -> between(target, (statement, rows) -> rows.close()));
    see.attempt("connection closed between rows", () -> between(target, (statement, rows) -> statement.getConnection().close()));
    see.attempt("query time-out", () -> timedOut(target));
    try (var connection = target.connect()) {
      see.attempt("cancel of nothing", () -> cancelNothing(connection));
      see.attempt("after all", () -> texts(connection, "SELECT 1"));
    }
  }

  /** A silent query, ended from this thread while another one waits for it. */
  private static Object ended(Target target, Way way) throws Exception {
    var mark = UUID.randomUUID().toString();
    var pool = Executors.newSingleThreadExecutor();
    try (var connection = target.connect()) {
      var statement = connection.createStatement();
      Future<String> outcome = pool.submit(() -> outcome(statement, SILENT + " -- " + mark));
      until(target, mark, List.of("RUNNING"));
      way.end(statement, mark);
      return List.of(outcome.get(LIMIT.toSeconds(), TimeUnit.SECONDS), inTrino(target, mark));
    } finally {
      pool.shutdownNow();
    }
  }

  private static String outcome(Statement statement, String sql) {
    try (var rows = statement.executeQuery(sql)) {
      return rows.next() ? "rows" : "no rows";
    } catch (SQLException failure) {
      return told(failure);
    }
  }

  /** The driver tells one of several things, by what its threads see first: its own end of the query, or Trino's word of it. */
  private static String told(SQLException failure) {
    var message = String.valueOf(failure.getMessage());
    var canceled = List.of("Error fetching results", "Error executing query", "Query was canceled", "Query is gone", "closed", "Statement was interrupted");
    return canceled.stream().anyMatch(message::contains) ? "canceled" : message;
  }

  /** Uses an open result. */
  interface Use {
    void end(Statement statement, ResultSet rows) throws Exception;
  }

  private static Object between(Target target, Use use) throws Exception {
    var mark = UUID.randomUUID().toString();
    try (var connection = target.connect(); var statement = connection.createStatement()) {
      var rows = statement.executeQuery(STREAM + " -- " + mark);
      for (int i = 0; i < 100; i++) {
        rows.next();
      }
      use.end(statement, rows);
      return inTrino(target, mark);
    }
  }

  private static Object timedOut(Target target) throws Exception {
    var mark = UUID.randomUUID().toString();
    try (var connection = target.connect(); var statement = connection.createStatement()) {
      statement.setQueryTimeout(2);
      return List.of(outcome(statement, SILENT + " -- " + mark), inTrino(target, mark));
    }
  }

  private static Object cancelNothing(Connection connection) throws Exception {
    try (var statement = connection.createStatement()) {
      statement.cancel();
      return "nothing";
    }
  }

  private static void kill(Target target, String mark) throws Exception {
    try (var connection = target.connect(); var statement = connection.createStatement()) {
      var id = texts(connection, "SELECT query_id " + from(mark)).get(0);
      statement.execute("CALL system.runtime.kill_query(query_id => '" + id + "', message => 'enough')");
    }
  }

  /** How Trino itself says that the query ended. */
  private static Object inTrino(Target target, String mark) throws Exception {
    until(target, mark, List.of("FAILED", "FINISHED"));
    try (var connection = target.connect()) {
      return texts(connection, "SELECT state || ' ' || coalesce(error_code, 'well') " + from(mark));
    }
  }

  private static void until(Target target, String mark, List<String> states) throws Exception {
    var deadline = System.nanoTime() + LIMIT.toNanos();
    try (var connection = target.connect()) {
      List<String> found;
      do {
        found = texts(connection, "SELECT state " + from(mark));
        if (System.nanoTime() > deadline) {
          throw new IllegalStateException("the query is " + found + " and not " + states);
        }
      } while (found.isEmpty() || !states.containsAll(found));
    }
  }

  private static String from(String mark) {
    return "FROM system.runtime.queries WHERE query LIKE '%" + mark + "' AND query NOT LIKE '%system.runtime%'";
  }

  private static List<String> texts(Connection connection, String sql) throws Exception {
    try (var statement = connection.createStatement(); var rows = statement.executeQuery(sql)) {
      var texts = new ArrayList<String>();
      while (rows.next()) {
        texts.add(rows.getString(1));
      }
      return texts;
    }
  }
}
