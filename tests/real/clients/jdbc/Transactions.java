import java.sql.Connection;
import java.util.Arrays;
import java.util.List;

/** Transactions, which live in one coordinator, and many statements around them that may run in any. */
final class Transactions {
  private static final int TIMES = 8;

  private Transactions() {}

  static void all(Target target, See see) throws Exception {
    try (var connection = target.connect()) {
      connection.setAutoCommit(false);
      committed(connection, see);
      aborted(connection, see);
      levels(connection, see);
      connection.setAutoCommit(true);
      see.attempt("autocommit again", () -> count(connection, "nation"));
      spelled(connection, see);
      between(connection, target, see);
    }
    // Memory refuses to write in a transaction: one connection for that alone.
    try (var connection = target.connect()) {
      connection.setAutoCommit(false);
      see.attempt("write in a transaction", () -> run(connection, "CREATE TABLE " + target.tables() + "_never AS SELECT 1 AS one"));
      see.attempt("aborted by it", () -> count(connection, "nation"));
      see.attempt("rolled back then", () -> rolledBack(connection));
      see.attempt("a new one", () -> count(connection, "nation"));
      connection.commit();
    }
  }

  private static void committed(Connection connection, See see) throws Exception {
    for (int i = 0; i < TIMES; i++) {
      see.attempt("in a transaction", () -> count(connection, "region"));
    }
    connection.commit();
    see.attempt("in the next", () -> count(connection, "nation"));
    connection.rollback();
    try (var statement = connection.prepareStatement("SELECT name FROM nation WHERE nationkey = ?")) {
      statement.setInt(1, 7);
      see.attempt("prepared in a transaction", () -> Shown.result(statement.executeQuery()));
    }
    connection.commit();
  }

  private static void aborted(Connection connection, See see) throws Exception {
    see.attempt("wrong in a transaction", () -> count(connection, "nowhere"));
    see.attempt("after the error", () -> count(connection, "nation"));
    see.attempt("rolled back", () -> rolledBack(connection));
    see.attempt("after that", () -> count(connection, "nation"));
    connection.commit();
  }

  private static void levels(Connection connection, See see) throws Exception {
    connection.setReadOnly(true);
    see.attempt("read only", () -> count(connection, "nation"));
    connection.commit();
    connection.setReadOnly(false);
    var levels =
        List.of(
            Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ,
            Connection.TRANSACTION_SERIALIZABLE);
    for (int level : levels) {
      see.attempt(
          "isolation " + level,
          () -> {
            connection.setTransactionIsolation(level);
            return Arrays.asList(count(connection, "region"), connection.getTransactionIsolation());
          });
      see.attempt("end of isolation " + level, () -> rolledBack(connection));
    }
    connection.setTransactionIsolation(Connection.TRANSACTION_READ_UNCOMMITTED);
  }

  /** Transactions begun and ended by SQL. */
  private static void spelled(Connection connection, See see) throws Exception {
    for (var sql : List.of("START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY", "SELECT 1", "COMMIT", "START TRANSACTION", "SELECT nope", "SELECT 2", "ROLLBACK", "COMMIT", "SELECT 3")) {
      see.attempt(sql, () -> run(connection, sql));
    }
  }

  /** A transaction is open on one connection while another one works. */
  private static void between(Connection other, Target target, See see) throws Exception {
    try (var connection = target.connect()) {
      connection.setAutoCommit(false);
      for (int i = 0; i < TIMES; i++) {
        see.attempt("here", () -> count(connection, "region"));
        see.attempt("there", () -> count(other, "nation"));
      }
      connection.commit();
    }
  }

  private static Object rolledBack(Connection connection) throws Exception {
    connection.rollback();
    return "rolled back";
  }

  private static Object count(Connection connection, String table) throws Exception {
    return run(connection, "SELECT count(*) FROM " + table);
  }

  private static Object run(Connection connection, String sql) throws Exception {
    try (var statement = connection.createStatement()) {
      if (statement.execute(sql)) {
        return Shown.result(statement.getResultSet()).get("rows");
      }
      return statement.getUpdateCount();
    }
  }
}
