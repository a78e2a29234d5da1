import io.trino.jdbc.QueryStats;
import io.trino.jdbc.TrinoStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;

/** A long statement in a thread of its own, as a card's is, with what the driver tells of its progress. */
final class Card {
  // For a query to begin, behind a cold start of 20 s and on a busy machine, or to end.
  private static final Duration LIMIT = Duration.ofSeconds(240);
  // For its thread to see an end that has come.
  private static final Duration WOKEN = Duration.ofSeconds(60);
  // Runs for minutes and gives no row before its end. No table: a fixture says that it is ready before its catalogs are there.
  private static final String SILENT =
      "SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 10000)) AS b(y) CROSS JOIN UNNEST(sequence(1, 10000)) AS c(z)";

  private final Target target;
  // Trino is asked by these words: a client that waited for a cold coordinator holds another id than Trino.
  private final String mark = UUID.randomUUID().toString();
  private final Statement statement;
  private final CompletableFuture<String> outcome = new CompletableFuture<>();
  private volatile String error;
  private String firstId;
  private String state;

  /** Begins it; without a time-out that is 0. */
  Card(Target target, int timeOut) throws SQLException {
    this.target = target;
    statement = Metabase.connect(target).createStatement();
    statement.setQueryTimeout(timeOut);
    statement.unwrap(TrinoStatement.class).setProgressMonitor(this::progress);
    var thread = new Thread(this::run, "card");
    thread.setDaemon(true);
    thread.start();
  }

  private void run() {
    try (var rows = statement.executeQuery(Metabase.remark(SILENT) + " -- " + mark)) {
      outcome.complete(rows.next() ? "rows" : "no rows");
    } catch (SQLException failure) {
      error = String.valueOf(failure.getMessage());
      outcome.complete(told(failure));
    }
    over();
  }

  private synchronized void over() {
    notifyAll();
  }

  /** The driver tells one of several things of a cancel, by what its threads see first: null for all of them. */
  private static String told(SQLException failure) {
    var message = String.valueOf(failure.getMessage());
    return message.contains("killed") || message.contains("time") ? message.replaceFirst("^Query failed \\(#\\w+\\): ", "") : null;
  }

  private synchronized void progress(QueryStats stats) {
    if (firstId == null) {
      firstId = stats.getQueryId();
    }
    state = stats.getState();
    notifyAll();
  }

  /** The first id that the driver told, as soon as it has; null if the statement was refused. */
  String begun() throws InterruptedException {
    return until(card -> card.firstId != null);
  }

  /** Waits until Trino runs it. */
  void runs() throws InterruptedException {
    until(card -> "RUNNING".equals(card.state));
  }

  /** The whole error, where there is one. */
  String error() {
    return error;
  }

  synchronized String firstId() {
    return firstId;
  }

  Object cancel() throws SQLException {
    statement.cancel();
    return "asked";
  }

  /** What its thread saw, null for a cancel; without a gateway, too, the driver sometimes forgets to wake it then. */
  String end() throws Exception {
    try {
      return outcome.get(WOKEN.toSeconds(), TimeUnit.SECONDS);
    } catch (TimeoutException asleep) {
      return null;
    }
  }

  /** How Trino says that it ended. */
  String fate() throws SQLException, InterruptedException {
    var sql = "SELECT state || ' ' || coalesce(error_code, '') FROM system.runtime.queries WHERE query LIKE '%-- " + mark + "' AND query NOT LIKE '%runtime%'";
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      var found = String.valueOf(Metabase.plain(Metabase.connect(target), sql));
      if (found.contains("FAILED") || found.contains("FINISHED") || System.nanoTime() > deadline) {
        return found;
      }
      Thread.sleep(200);
    }
  }

  private synchronized String until(Predicate<Card> isSo) throws InterruptedException {
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (!isSo.test(this) && !outcome.isDone()) {
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      if (left <= 0) {
        throw new IllegalStateException("still " + state);
      }
      wait(left);
    }
    return firstId;
  }
}
