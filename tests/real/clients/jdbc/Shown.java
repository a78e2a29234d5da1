import io.trino.jdbc.Row;
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;

/** What JDBC gives, as values to compare. */
final class Shown {
  // More rows than these are shown by a checksum.
  private static final int MANY = 60;

  private Shown() {}

  /** Runs a query and shows all of it: columns, rows, warnings. */
  static Map<String, Object> query(Statement statement, String sql) throws SQLException {
    try (var rows = statement.executeQuery(sql)) {
      var shown = result(rows);
      shown.put("warnings", warnings(statement.getWarnings()));
      return shown;
    }
  }

  /** A result to its end. */
  static Map<String, Object> result(ResultSet rows) throws SQLException {
    var columns = columns(rows.getMetaData());
    var all = new ArrayList<Object>();
    while (rows.next()) {
      all.add(row(rows));
    }
    var shown = new LinkedHashMap<String, Object>();
    shown.put("columns", columns);
    shown.put("count", all.size());
    shown.put("rows", all.size() <= MANY ? all : Long.toHexString(checksum(Json.text(all))));
    return shown;
  }

  /** The columns as tools read them. */
  static List<Object> columns(ResultSetMetaData meta) throws SQLException {
    var columns = new ArrayList<Object>();
    for (int i = 1; i <= meta.getColumnCount(); i++) {
      columns.add(
          Arrays.asList(
              meta.getColumnLabel(i), meta.getColumnName(i), meta.getColumnTypeName(i), meta.getColumnType(i),
              meta.getColumnClassName(i), meta.getPrecision(i), meta.getScale(i), meta.getColumnDisplaySize(i),
              meta.isNullable(i), meta.isSigned(i), meta.isCaseSensitive(i), meta.isAutoIncrement(i),
              meta.getCatalogName(i), meta.getSchemaName(i), meta.getTableName(i)));
    }
    return columns;
  }

  /** One row. */
  static List<Object> row(ResultSet rows) throws SQLException {
    var values = new ArrayList<Object>();
    for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
      values.add(value(rows.getObject(i)));
    }
    return values;
  }

  /** One value, its type told where JSON has none for it. */
  static Object value(Object value) throws SQLException {
    if (value == null || value instanceof String || value instanceof Boolean || value instanceof Number) {
      return value instanceof BigDecimal exact ? "decimal " + exact.toPlainString() : value;
    }
    if (value instanceof byte[] bytes) {
      return "bytes " + java.util.HexFormat.of().formatHex(bytes);
    }
    if (value instanceof Array array) {
      return Map.of(array.getBaseTypeName() + "[]", value(array.getArray()));
    }
    if (value instanceof Object[] elements) {
      return value(Arrays.asList(elements));
    }
    if (value instanceof List<?> elements) {
      var shown = new ArrayList<Object>();
      for (var element : elements) {
        shown.add(value(element));
      }
      return shown;
    }
    return composite(value);
  }

  private static Object composite(Object value) throws SQLException {
    var shown = new TreeMap<String, Object>();
    if (value instanceof Map<?, ?> map) {
      for (var entry : map.entrySet()) {
        shown.put(String.valueOf(value(entry.getKey())), value(entry.getValue()));
      }
    } else if (value instanceof Row row) {
      for (var field : row.getFields()) {
        shown.put(field.getName().orElse("field " + field.getOrdinal()), value(field.getValue()));
      }
    } else {
      return value.getClass().getSimpleName() + " " + value;
    }
    return shown;
  }

  /** Warnings in their order. */
  static List<Object> warnings(SQLWarning first) {
    var shown = new ArrayList<Object>();
    for (var warning = first; warning != null; warning = warning.getNextWarning()) {
      shown.add(Arrays.asList(warning.getErrorCode(), warning.getSQLState(), warning.getMessage()));
    }
    return shown;
  }

  /** A number for a text. */
  static long checksum(String text) {
    var crc = new CRC32();
    crc.update(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    return crc.getValue();
  }
}
