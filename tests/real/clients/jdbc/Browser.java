import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/**
 * What DBeaver asks when it connects and when its tree is opened, in its order, read in its public
 * sources; and beyond that every other question of {@code DatabaseMetaData}.
 */
final class Browser {
  private static final String ALL = "%";
  private static final Set<String> NOT_OURS = Set.of("getConnection", "getURL");
  private static final int PREVIEW = 200;

  private Browser() {}

  static void all(Target target, See see) throws Exception {
    try (var connection = target.connect()) {
      connect(connection, see);
      tree(connection, see);
      open(connection, see);
      rest(connection.getMetaData(), see);
    }
  }

  /** From the click on the connection until the tree shows its first level. */
  private static void connect(Connection connection, See see) throws Exception {
    var meta = connection.getMetaData();
    see.attempt("ping", () -> connection.isValid(10));
    see.attempt("client info", () -> Shown.result(meta.getClientInfoProperties()));
    facts(meta, see);
    see.attempt("types", () -> Shown.result(meta.getTypeInfo()));
    see.attempt("catalogs", () -> Shown.result(meta.getCatalogs()));
    see.attempt("table types", () -> Shown.result(meta.getTableTypes()));
    see.attempt("active", () -> Arrays.asList(connection.getCatalog(), connection.getSchema(), connection.getAutoCommit(), connection.getTransactionIsolation()));
  }

  /** Every question without arguments: name and version of the product, terms, key words, functions, what is supported. */
  private static void facts(DatabaseMetaData meta, See see) throws Exception {
    var questions = DatabaseMetaData.class.getMethods();
    Arrays.sort(questions, Comparator.comparing(Method::getName));
    for (var question : questions) {
      if (question.getParameterCount() == 0 && question.getReturnType() != ResultSet.class && !NOT_OURS.contains(question.getName())) {
        see.attempt(question.getName(), () -> answer(meta, question));
      }
    }
  }

  private static Object answer(DatabaseMetaData meta, Method question) throws Exception {
    try {
      return question.invoke(meta);
    } catch (InvocationTargetException failure) {
      if (failure.getCause() instanceof SQLException cause) {
        throw cause;
      }
      throw failure;
    }
  }

  /** One level after the other: catalogs, schemas, tables and views, and the other folders of a schema. */
  private static void tree(Connection connection, See see) throws Exception {
    var meta = connection.getMetaData();
    // In memory others make schemas at the same time.
    for (var catalog : List.of("tpch", "system")) {
      see.attempt("schemas of " + catalog, () -> Shown.result(meta.getSchemas(catalog, ALL)));
    }
    for (var schema : List.of("tpch.tiny", "system.runtime", "system.jdbc", "tpch.information\\_schema")) {
      var words = schema.split("\\.");
      see.attempt("tables of " + schema, () -> Shown.result(meta.getTables(words[0], words[1], ALL, null)));
      see.attempt("columns of " + schema, () -> Shown.result(meta.getColumns(words[0], words[1], ALL, ALL)));
    }
    see.attempt("functions", () -> Shown.result(meta.getFunctions("tpch", "tiny", ALL)));
    see.attempt("procedures", () -> Shown.result(meta.getProcedures("tpch", "tiny", ALL)));
    see.attempt("procedure columns", () -> Shown.result(meta.getProcedureColumns("tpch", "tiny", ALL, ALL)));
    see.attempt("user types", () -> Shown.result(meta.getUDTs("tpch", "tiny", ALL, null)));
  }

  /** A table's own page: columns, keys, indexes, its text, its first rows. */
  private static void open(Connection connection, See see) throws Exception {
    var meta = connection.getMetaData();
    see.attempt("the table", () -> Shown.result(meta.getTables("tpch", "tiny", "lineitem", null)));
    see.attempt("its columns", () -> Shown.result(meta.getColumns("tpch", "tiny", "lineitem", ALL)));
    see.attempt("its primary key", () -> Shown.result(meta.getPrimaryKeys("tpch", "tiny", "lineitem")));
    see.attempt("its foreign keys", () -> Shown.result(meta.getImportedKeys("tpch", "tiny", "lineitem")));
    see.attempt("its references", () -> Shown.result(meta.getExportedKeys("tpch", "tiny", "lineitem")));
    see.attempt("its indexes", () -> Shown.result(meta.getIndexInfo("tpch", "tiny", "lineitem", false, true)));
    see.attempt("its text", () -> Shown.result(connection.prepareStatement("SHOW CREATE TABLE tpch.tiny.lineitem").executeQuery()));
    see.attempt("the text of no view", () -> Shown.result(connection.prepareStatement("SHOW CREATE VIEW tpch.tiny.lineitem").executeQuery()));
    try (var statement = connection.createStatement()) {
      statement.setFetchSize(PREVIEW);
      statement.setMaxRows(PREVIEW);
      see.attempt("its first rows", () -> Shown.query(statement, "SELECT * FROM tpch.tiny.lineitem ORDER BY orderkey, linenumber LIMIT " + PREVIEW));
      see.attempt("its size", () -> Shown.query(statement, "SELECT count(*) FROM tpch.tiny.lineitem"));
    }
    see.attempt("schema of the editor", () -> chosen(connection));
  }

  private static Object chosen(Connection connection) throws SQLException {
    connection.setCatalog("tpch");
    connection.setSchema("sf1");
    return Arrays.asList(connection.getCatalog(), connection.getSchema());
  }

  /** What other tools ask. */
  private static void rest(DatabaseMetaData meta, See see) throws Exception {
    see.attempt("attributes", () -> Shown.result(meta.getAttributes("tpch", "tiny", ALL, ALL)));
    see.attempt("best row identifier", () -> Shown.result(meta.getBestRowIdentifier("tpch", "tiny", "nation", DatabaseMetaData.bestRowSession, true)));
    see.attempt("column privileges", () -> Shown.result(meta.getColumnPrivileges("tpch", "tiny", "nation", ALL)));
    see.attempt("cross reference", () -> Shown.result(meta.getCrossReference("tpch", "tiny", "nation", "tpch", "tiny", "region")));
    see.attempt("function columns", () -> Shown.result(meta.getFunctionColumns("tpch", "tiny", ALL, ALL)));
    see.attempt("pseudo columns", () -> Shown.result(meta.getPseudoColumns("tpch", "tiny", "nation", ALL)));
    see.attempt("super tables", () -> Shown.result(meta.getSuperTables("tpch", "tiny", ALL)));
    see.attempt("super types", () -> Shown.result(meta.getSuperTypes("tpch", "tiny", ALL)));
    see.attempt("table privileges", () -> Shown.result(meta.getTablePrivileges("tpch", "tiny", "nation")));
    see.attempt("version columns", () -> Shown.result(meta.getVersionColumns("tpch", "tiny", "nation")));
    see.attempt("schemas", () -> Shown.result(meta.getSchemas()));
    see.attempt("tables and views of two types", () -> Shown.result(meta.getTables("tpch", "sf1", "%a%", new String[] {"TABLE", "VIEW"})));
    see.attempt("columns by their names", () -> Shown.result(meta.getColumns("tpch", "tiny", ALL, "%key")));
  }
}
