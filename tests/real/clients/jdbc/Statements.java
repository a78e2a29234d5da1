import io.trino.jdbc.QueryStats;
import io.trino.jdbc.TrinoStatement;
import java.sql.Connection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.Vector;
import java.util.concurrent.CopyOnWriteArrayList;

/** Plain statements: rows, types, errors, warnings, limits, progress. */
final class Statements {
  private static final String TYPES =
      "SELECT true AS yes, TINYINT '-1' AS tiny, SMALLINT '2' AS small, 3 AS whole, 9007199254740993 AS big,"
          + " REAL '1.5' AS single, DOUBLE '2.25' AS twice, nan() AS nan, infinity() AS infinity,"
          + " DECIMAL '123.450' AS exact, DECIMAL '12345678901234567890.12345' AS long_exact,"
          + " 'wörd' AS word, CAST('ab' AS char(4)) AS fixed, CAST('cd' AS varchar(10)) AS bounded, X'00ff' AS bytes,"
          + " JSON '{\"a\":[1,null]}' AS json, DATE '2026-11-21' AS day, TIME '08:09:10.123' AS time,"
          + " TIME '08:09:10.123456 +02:00' AS zoned_time, TIMESTAMP '2026-11-21 08:09:10' AS moment,"
          + " TIMESTAMP '2026-11-21 08:09:10.123456789012' AS exact_moment,"
          + " TIMESTAMP '2026-11-21 08:09:10.123 Europe/Berlin' AS zoned, INTERVAL '3' MONTH AS months,"
          + " INTERVAL '2' DAY AS days, ARRAY[1, NULL, 3] AS list, ARRAY[ARRAY['a'], ARRAY['b', 'c']] AS lists,"
          + " MAP(ARRAY['ä', 'b'], ARRAY[1, NULL]) AS map, CAST(ROW(1, 'x') AS ROW(n integer, w varchar)) AS pair,"
          + " UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS uuid, IPADDRESS '2001:db8::1' AS address, NULL AS nothing,"
          + " CAST(NULL AS bigint) AS no_number";
  private static final List<String> WRONG =
      List.of(
          "SELECT nope FROM nation",
          "SELECT FROM WHERE",
          "SELECT * FROM tpch.tiny.nowhere",
          "SELECT * FROM nowhere.tiny.nation",
          "SELECT 1 / (orderkey - 4000) FROM tpch.sf1.orders",
          "SELECT CAST('x' AS integer)",
          "SELECT fail('said so')",
          "CALL system.runtime.kill_query(query_id => '20260101_000000_00000_nobdy', message => 'no')");

  private Statements() {}

  static void all(Connection connection, See see) throws Exception {
    see.attempt("is valid", () -> connection.isValid(10));
    see.attempt("product", () -> connection.getMetaData().getDatabaseProductName());
    see.attempt("product version", () -> connection.getMetaData().getDatabaseProductVersion());
    try (var statement = connection.createStatement()) {
      see.attempt("rows", () -> Shown.query(statement, "SELECT * FROM nation ORDER BY nationkey"));
      see.attempt("no rows", () -> Shown.query(statement, "SELECT * FROM nation WHERE false"));
      see.attempt("types", () -> Shown.query(statement, TYPES));
      see.attempt("a number of today", () -> Shown.query(statement, "SELECT NUMBER '1.5'"));
      see.attempt("warnings", () -> Shown.query(statement, "SELECT * FROM (SELECT name FROM region ORDER BY name) WHERE name < 'B'"));
      for (var sql : WRONG) {
        see.attempt(sql, () -> Shown.query(statement, sql));
      }
      see.attempt("after the errors", () -> Shown.query(statement, "SELECT 1"));
      for (var sql : List.of("EXPLAIN (TYPE VALIDATE) SELECT 1", "SHOW CATALOGS", "SHOW CREATE TABLE nation", "DESCRIBE orders", "VALUES 1, 2")) {
        see.attempt(sql, () -> Shown.query(statement, sql));
      }
    }
    limits(connection, see);
    see.attempt("progress", () -> progress(connection));
    see.attempt("many at once", () -> manyAtOnce(connection));
  }

  private static void limits(Connection connection, See see) throws Exception {
    try (var statement = connection.createStatement()) {
      statement.setMaxRows(7);
      statement.setFetchSize(3);
      see.attempt("seven rows", () -> Shown.query(statement, "SELECT orderkey FROM orders ORDER BY orderkey"));
      see.attempt("largest number of rows", statement::getLargeMaxRows);
      see.attempt("executed without saying what", () -> statement.execute("SELECT 1") && Shown.result(statement.getResultSet()) != null);
      see.attempt("its update count", statement::getUpdateCount);
      see.attempt("no more results", statement::getMoreResults);
      see.attempt("an update that is a query", () -> statement.executeUpdate("SELECT 1"));
      see.attempt("a query that is none", () -> Shown.query(statement, "SET SESSION query_priority = 1"));
    }
    try (var statement = connection.createStatement()) {
      var rows = statement.executeQuery("SELECT * FROM tpch.sf1.lineitem");
      rows.next();
      rows.close();
      see.attempt("after an early close", () -> Shown.query(statement, "SELECT 1"));
    }
  }

  /** The statistics that a progress bar is drawn from; how many come, and what the last of them says, depends on the machine. */
  private static Object progress(Connection connection) throws Exception {
    // The driver may still tell while we look.
    var told = new CopyOnWriteArrayList<QueryStats>();
    try (var statement = connection.createStatement()) {
      statement.unwrap(TrinoStatement.class).setProgressMonitor(told::add);
      try (var rows = statement.executeQuery("SELECT count(*) FROM tpch.sf1.orders")) {
        rows.next();
      }
    }
    var ids = told.stream().map(QueryStats::getQueryId).allMatch(id -> id.matches("\\d+_\\d+_\\d+_\\w+"));
    var within = told.stream().allMatch(stats -> stats.getProgressPercentage().orElse(0) >= 0 && stats.getProgressPercentage().orElse(0) <= 100);
    return new TreeMap<>(Map.of("told", !told.isEmpty(), "ids", ids, "percentages", within));
  }

  /** Four statements of one connection in four threads. */
  private static Object manyAtOnce(Connection connection) throws Exception {
    var seen = Collections.synchronizedMap(new TreeMap<Integer, Object>());
    var threads = new Vector<Thread>();
    for (int i = 1; i <= 4; i++) {
      int number = i;
      threads.add(new Thread(() -> seen.put(number, counted(connection, "SELECT count(*) FROM lineitem WHERE linenumber = " + number))));
      threads.lastElement().start();
    }
    for (var thread : threads) {
      thread.join();
    }
    return seen;
  }

  private static Object counted(Connection connection, String sql) {
    try (var statement = connection.createStatement(); var rows = statement.executeQuery(sql)) {
      rows.next();
      return rows.getLong(1);
    } catch (java.sql.SQLException failure) {
      return See.error(failure);
    }
  }
}
