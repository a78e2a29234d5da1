import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/**
 * Asks by JDBC, one question a line: {@code URL TAB SQL [TAB property=value]...}. Of the properties
 * {@code hold} is ours: a line on standard input is awaited after the first row; and {@code then},
 * which is asked on the same connection afterwards.
 *
 * <p>Answers with {@code row TAB value...}, {@code held} and {@code error TAB state TAB message}
 * lines, then {@code end}. What the driver itself prints comes between, as a link to click on.
 */
public final class Ask {
  private static final PrintStream OUT =
      new PrintStream(System.out, true, StandardCharsets.UTF_8);

  private static final BufferedReader IN =
      new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

  private Ask() {}

  public static void main(String[] arguments) throws Exception {
    for (String line = IN.readLine(); line != null; line = IN.readLine()) {
      ask(line.split("\t"));
      OUT.println("end");
    }
  }

  private static void ask(String[] words) throws IOException {
    var properties = new Properties();
    for (int i = 2; i < words.length; i++) {
      String[] property = words[i].split("=", 2);
      properties.setProperty(property[0], property[1]);
    }
    boolean holds = properties.remove("hold") != null;
    var then = (String) properties.remove("then");
    try (var connection = DriverManager.getConnection(words[0], properties)) {
      read(connection, words[1], holds);
      if (then != null) {
        read(connection, then, false);
      }
    } catch (SQLException error) {
      OUT.println("error\t" + error.getSQLState() + "\t" + oneLine(error.getMessage()));
    }
  }

  private static void read(Connection connection, String sql, boolean holds)
      throws SQLException, IOException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      for (boolean first = true; rows.next(); first = false) {
        print(rows);
        if (first && holds) {
          OUT.println("held");
          IN.readLine();
        }
      }
    }
  }

  private static void print(ResultSet rows) throws SQLException {
    var line = new StringBuilder("row");
    for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
      line.append('\t').append(rows.getString(column));
    }
    OUT.println(line);
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\s+", " ");
  }
}
