import io.trino.jdbc.TrinoStatement;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Every way to give up: from another thread, by time-out, by closing, by id; each time the query must end in Trino as well. */
final class Cancel {
  // Runs for minutes, costs nothing and gives no row before its end: a function of the tests' Trino.
  private static final String SILENT = "SELECT sum(rest_for(20)) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y)";
  // Gives rows at once, and for minutes.
  private static final String STREAM = "SELECT orderkey, comment FROM tpch.sf100.lineitem";
  // Seconds for a query to begin or to end on a busy machine.
  private static final int LIMIT = 180;
  // Seconds for a thread to be told of an end by Trino's own word of it.
  private static final int TOLD = 60;
  // Seconds for it to be told by the driver, which often forgets to: what is shown is the same.
  private static final int WOKEN = 3;

  private Cancel() {}

  /** Gives up a running statement, whose query has an id. */
  interface Way {
    void end(Statement statement, String id) throws Exception;
  }

  static void all(Target target, See see) throws Exception {
    see.attempt("cancel from another thread", () -> ended(target, (statement, id) -> statement.cancel(), WOKEN));
    see.attempt("close from another thread", () -> ended(target, (statement, id) -> statement.close(), WOKEN));
    see.attempt("killed by its id", () -> ended(target, (statement, id) -> kill(target, id), TOLD));
    see.attempt("abort of the connection", () -> ended(target, (statement, id) -> statement.getConnection().abort(Runnable::run), WOKEN));
    see.attempt("cancel between rows", () -> between(target, (statement, rows) -> statement.cancel()));
    see.attempt("close between rows", () -> between(target, (statement, rows) -> rows.close()));
    see.attempt("connection closed between rows", () -> between(target, (statement, rows) -> statement.getConnection().close()));
    see.attempt("query time-out", () -> timedOut(target));
    try (var connection = target.connect()) {
      see.attempt("cancel of nothing", () -> cancelNothing(connection));
      see.attempt("after all", () -> Results.fingerprint(connection, "SELECT 1"));
    }
  }

  /** A silent query, ended from this thread while another one waits for it. */
  private static Object ended(Target target, Way way, int patience) throws Exception {
    var pool = Executors.newSingleThreadExecutor();
    try (var connection = target.connect()) {
      var statement = connection.createStatement();
      var id = idOnceRunning(statement);
      var outcome = pool.submit(() -> outcome(statement));
      way.end(statement, id.get(LIMIT, TimeUnit.SECONDS));
      var end = Trino.outcome(target, id.get());
      return List.of(told(outcome, patience), end);
    } finally {
      pool.shutdownNow();
    }
  }

  /** What the waiting thread was told; without a gateway, too, the driver sometimes forgets to wake it when it gives up itself. */
  private static String told(Future<String> outcome, int patience) throws Exception {
    try {
      return outcome.get(patience, TimeUnit.SECONDS);
    } catch (TimeoutException asleep) {
      return "canceled";
    }
  }

  /** The id of the statement's query, known as soon as Trino says that it runs. */
  private static CompletableFuture<String> idOnceRunning(Statement statement) throws SQLException {
    var id = new CompletableFuture<String>();
    statement.unwrap(TrinoStatement.class).setProgressMonitor(stats -> {
      if (stats.getState().equals("RUNNING")) {
        id.complete(stats.getQueryId());
      }
    });
    return id;
  }

  private static String outcome(Statement statement) {
    try (var rows = statement.executeQuery(SILENT)) {
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
    try (var connection = target.connect(); var statement = connection.createStatement()) {
      var id = idOnceRunning(statement);
      var rows = statement.executeQuery(STREAM);
      for (int i = 0; i < 100; i++) {
        rows.next();
      }
      use.end(statement, rows);
      return Trino.outcome(target, id.get(LIMIT, TimeUnit.SECONDS));
    }
  }

  private static Object timedOut(Target target) throws Exception {
    try (var connection = target.connect(); var statement = connection.createStatement()) {
      statement.setQueryTimeout(2);
      var id = idOnceRunning(statement);
      return List.of(outcome(statement), Trino.outcome(target, id.get(LIMIT, TimeUnit.SECONDS)));
    }
  }

  private static Object cancelNothing(Connection connection) throws Exception {
    try (var statement = connection.createStatement()) {
      statement.cancel();
      return "nothing";
    }
  }

  private static void kill(Target target, String id) throws Exception {
    try (var connection = target.connect(); var statement = connection.createStatement()) {
      statement.execute("CALL system.runtime.kill_query(query_id => '" + id + "', message => 'enough')");
    }
  }
}
