import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.JDBCType;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;

/** Prepared statements: the driver's own and those of SQL. */
final class Prepared {
  // Longer than what fits a header of most servers; the driver compresses it.
  private static final int LONG = 20_000;
  private static final String NAMES = "SELECT name FROM nation WHERE nationkey > ? AND name LIKE ? ORDER BY name";

  private Prepared() {}

  static void all(Connection connection, See see) throws Exception {
    try (var statement = connection.prepareStatement(NAMES)) {
      see.attempt("its columns", () -> Shown.columns(statement.getMetaData()));
      see.attempt("its parameters", () -> parameters(statement.getParameterMetaData()));
      see.attempt("prepared", () -> names(statement, 15, "R%"));
      see.attempt("prepared, again", () -> names(statement, 22, "R%"));
      see.attempt("prepared, with a quote", () -> names(statement, 0, "'%"));
      statement.clearParameters();
      see.attempt("prepared, without parameters", () -> Shown.result(statement.executeQuery()));
    }
    see.attempt("parameters of every type", () -> everyType(connection));
    try (var statement = connection.prepareStatement("SELECT nope FROM nation WHERE 1 = ?")) {
      statement.setInt(1, 1);
      see.attempt("prepared and wrong", () -> Shown.result(statement.executeQuery()));
    }
    try (var statement = connection.createStatement()) {
      see.attempt("PREPARE", () -> statement.execute("PREPARE few FROM SELECT name FROM region WHERE regionkey < ?"));
      see.attempt("DESCRIBE INPUT", () -> Shown.query(statement, "DESCRIBE INPUT few"));
      see.attempt("DESCRIBE OUTPUT", () -> Shown.query(statement, "DESCRIBE OUTPUT few"));
      see.attempt("EXECUTE", () -> Shown.query(statement, "EXECUTE few USING 2"));
      see.attempt("EXECUTE IMMEDIATE", () -> Shown.query(statement, "EXECUTE IMMEDIATE 'SELECT ? + 1' USING 2"));
      see.attempt("DEALLOCATE", () -> statement.execute("DEALLOCATE PREPARE few"));
      see.attempt("EXECUTE what is gone", () -> Shown.query(statement, "EXECUTE few USING 2"));
    }
  }

  /** In headers, or in the text: what a user may choose, where the driver lets him. */
  static void explicit(Target target, See see) throws Exception {
    if (!target.knows("explicitPrepare")) {
      return;
    }
    var longer = NAMES + " -- " + "x".repeat(LONG);
    for (var choice : new String[] {"true", "false"}) {
      try (var connection = target.connect("explicitPrepare", choice)) {
        see.attempt("prepared, explicitly " + choice, () -> names(connection.prepareStatement(NAMES), 15, "R%"));
        see.attempt("prepared and long, explicitly " + choice, () -> names(connection.prepareStatement(longer), 15, "R%"));
      }
    }
  }

  private static Object names(PreparedStatement statement, int above, String like) throws Exception {
    statement.setInt(1, above);
    statement.setString(2, like);
    return Shown.result(statement.executeQuery());
  }

  private static Object parameters(ParameterMetaData meta) throws Exception {
    var shown = new ArrayList<Object>();
    for (int i = 1; i <= meta.getParameterCount(); i++) {
      shown.add(Arrays.asList(meta.getParameterTypeName(i), meta.getParameterType(i), meta.getParameterClassName(i)));
    }
    return shown;
  }

  private static Object everyType(Connection connection) throws Exception {
    var sql = "SELECT " + "?, ".repeat(11) + "?";
    try (var statement = connection.prepareStatement(sql)) {
      statement.setBoolean(1, true);
      statement.setByte(2, (byte) 2);
      statement.setLong(3, 9007199254740993L);
      statement.setDouble(4, 1.5);
      statement.setBigDecimal(5, new BigDecimal("12345678901234567890.5"));
      statement.setString(6, "it's\n\"ä\" ?");
      statement.setBytes(7, new byte[] {0, -1});
      statement.setDate(8, Date.valueOf("2026-11-21"));
      statement.setTimestamp(9, Timestamp.valueOf("2026-11-21 08:09:10.123"));
      statement.setNull(10, Types.VARCHAR);
      statement.setObject(11, 7, JDBCType.SMALLINT);
      statement.setFloat(12, 2.5f);
      return Shown.result(statement.executeQuery());
    }
  }
}
