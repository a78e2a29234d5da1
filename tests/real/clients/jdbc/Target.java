import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.Properties;

/** Where to connect, as the line on standard input says. */
final class Target {
  private final Map<String, Object> line;

  Target(Map<String, Object> line) {
    this.line = line;
    if ("1.1".equals(get("http"))) {
      // The driver's HTTP library believes to run on a Java that has no ALPN, and offers nothing.
      System.setProperty("java.specification.version", "8");
    }
  }

  /** A value of the line, or null. */
  String get(String name) {
    var value = line.get(name);
    return value == null ? null : value.toString();
  }

  /** The host with the port, as it may stand in messages. */
  String authority() {
    var host = get("host");
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + get("port");
  }

  String url() {
    return "jdbc:trino://" + authority() + "/" + get("catalog") + "/" + get("schema");
  }

  /** Whether the user has something to show but a name. */
  boolean hasCredentials() {
    return get("password") != null || get("token") != null;
  }

  /** The start of the names of our tables. */
  String tables() {
    return "memory.default." + get("word");
  }

  /** A connection; {@code more} are driver properties, name and value by turns. */
  Connection connect(String... more) throws SQLException {
    var properties = new Properties();
    put(properties, "user", get("user"));
    put(properties, "password", get("password"));
    put(properties, "accessToken", get("token"));
    put(properties, "source", get("source"));
    put(properties, "encoding", get("encoding"));
    if ("https".equals(get("scheme"))) {
      put(properties, "SSL", "true");
      put(properties, "SSLTrustStorePath", get("ca"));
    }
    for (int i = 0; i < more.length; i += 2) {
      put(properties, more[i], more[i + 1]);
    }
    return DriverManager.getConnection(url(), properties);
  }

  /** Driver properties for results inside the pages: an old driver knows nothing else. */
  String[] inPages() throws SQLException {
    return knows("encoding") ? new String[] {"sessionProperties", "spooling_enabled:false"} : new String[0];
  }

  private static void put(Properties properties, String name, String value) {
    if (value != null) {
      properties.put(name, value);
    }
  }

  /** Whether this version of the driver has a connection property. */
  boolean knows(String property) throws SQLException {
    var driver = DriverManager.getDriver(url());
    for (var info : driver.getPropertyInfo(url(), new Properties())) {
      if (info.name.equals(property)) {
        return true;
      }
    }
    return false;
  }
}
