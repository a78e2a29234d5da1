import io.trino.jdbc.TrinoConnection;
import java.sql.Connection;
import java.util.Arrays;
import java.util.List;

/** What a connection keeps from one statement to the next, all of which travels in headers. */
final class Session {
  private static final String ME = "SELECT current_user, current_catalog, current_schema, current_timezone(), current_path";
  // The statement finds itself, and not that of another client: whatever coordinator runs it knows it.
  private static final String SOURCE = "SELECT \"user\", source FROM system.runtime.queries WHERE state = 'RUNNING' AND query LIKE '%finds itself: %s%%'";
  private static final List<String> EFFECTS =
      List.of(
          "SET SESSION query_priority = 3",
          "SHOW SESSION LIKE 'query_priority'",
          "RESET SESSION query_priority",
          "SHOW SESSION LIKE 'query_priority'",
          "SET SESSION nothing_of_that_name = 3",
          "USE tpch.sf1",
          "SELECT count(*) FROM customer",
          "USE tpch.tiny",
          "SET TIME ZONE 'America/Bahia_Banderas'",
          "SELECT current_timezone()",
          "SET PATH tpch.tiny",
          "SELECT current_path",
          "SET ROLE ALL",
          "SET ROLE NONE IN tpch",
          "SHOW ROLES",
          "SHOW CURRENT ROLES",
          "SELECT 'after the roles'",
          "SET SESSION AUTHORIZATION bob",
          "SELECT current_user",
          "RESET SESSION AUTHORIZATION",
          "SELECT current_user");

  private Session() {}

  static void all(Target target, See see) throws Exception {
    try (var connection = target.connect()) {
      for (var sql : EFFECTS) {
        see.attempt(sql, () -> run(connection, sql));
      }
    }
    try (var connection = target.connect()) {
      methods(connection, target, see);
    }
    properties(target, see);
  }

  private static String source(Target target) {
    return SOURCE.replace("%s%%", target.get("word") + "%");
  }

  private static Object run(Connection connection, String sql) throws Exception {
    try (var statement = connection.createStatement()) {
      boolean rows = statement.execute(sql);
      var count = statement.getUpdateCount();
      return Arrays.asList(rows ? Shown.result(statement.getResultSet()) : count, connection.getCatalog(), connection.getSchema());
    }
  }

  private static void methods(Connection connection, Target target, See see) throws Exception {
    var trino = connection.unwrap(TrinoConnection.class);
    connection.setCatalog("system");
    connection.setSchema("runtime");
    see.attempt("setCatalog, setSchema", () -> run(connection, "SELECT count(*) > 0 FROM nodes"));
    trino.setSessionProperty("query_max_run_time", "17m");
    see.attempt("setSessionProperty", () -> run(connection, "SHOW SESSION LIKE 'query_max_run_time'"));
    trino.setTimeZoneId("Asia/Kathmandu");
    see.attempt("setTimeZoneId", () -> run(connection, "SELECT current_timezone()"));
    trino.setSessionUser("carol");
    see.attempt("setSessionUser", () -> run(connection, "SELECT current_user"));
    trino.clearSessionUser();
    see.attempt("clearSessionUser", () -> run(connection, "SELECT current_user"));
    for (var name : List.of("ApplicationName", "ClientInfo", "ClientTags", "TraceToken")) {
      connection.setClientInfo(name, "of the tests");
    }
    see.attempt("setClientInfo", () -> new java.util.TreeMap<>(connection.getClientInfo()));
    see.attempt("the source then", () -> run(connection, source(target)));
    see.attempt("warnings of the connection", () -> Shown.warnings(connection.getWarnings()));
  }

  /** What stands in the URL of a connection. */
  private static void properties(Target target, See see) throws Exception {
    try (var connection =
        target.connect(
            "sessionProperties", "query_max_run_time:18m;query_priority:2", "clientTags", "one,two", "clientInfo", "words",
            "traceToken", "a-trace", "applicationNamePrefix", "tests-", "extraCredentials", "key:value",
            "timezone", "Pacific/Chatham", "roles", "system:ALL", "disableCompression", "true")) {
      see.attempt("properties of the URL", () -> run(connection, ME));
      see.attempt("the source by URL", () -> run(connection, source(target)));
      see.attempt("session properties by URL", () -> run(connection, "SHOW SESSION LIKE 'query%pri%'"));
    }
    try (var connection = target.connect("sessionUser", "dave")) {
      see.attempt("another user by URL", () -> run(connection, ME));
    }
    if (target.hasCredentials() && target.knows("validateConnection")) {
      see.attempt("validated", () -> validated(target));
    }
  }

  /** Without credentials a gateway says yes where Trino says no, since the driver asks without a user's name. */
  private static Object validated(Target target) throws Exception {
    try (var connection = target.connect("validateConnection", "true")) {
      return Arrays.asList(run(connection, ME), connection.isValid(5));
    }
  }
}
