import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;

/** Shows what a user sees, one line of JSON each; what changes from run to run is replaced by a word. */
final class See {
  private final BufferedReader in;
  private final PrintStream out;
  private final Target target;

  See(BufferedReader in, Target target) {
    this.in = in;
    this.target = target;
    this.out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
  }

  /** Shows a value under a name. */
  void value(String name, Object value) {
    var line = new LinkedHashMap<String, Object>();
    line.put("see", name);
    line.put("value", value);
    out.println(steady(Json.text(line)));
  }

  /** Shows what comes of something: a value, or the error that a user would see. */
  void attempt(String name, Callable<?> does) throws Exception {
    try {
      value(name, does.call());
    } catch (SQLException | UnsupportedOperationException failure) {
      value(name, error(failure));
    }
  }

  /** Lets the situation do something to us, and waits until it has. */
  void mark(String word) throws IOException {
    out.println("{\"mark\":\"" + word + "\"}");
    if (in.readLine() == null) {
      throw new IOException("nobody answers the mark " + word);
    }
  }

  /** An error with its causes, without their stacks. */
  static Map<String, Object> error(Throwable failure) {
    var shown = new LinkedHashMap<String, Object>();
    shown.put("error", failure.getClass().getName());
    shown.put("message", String.valueOf(failure.getMessage()));
    if (failure instanceof SQLException sql) {
      shown.put("state", sql.getSQLState());
      shown.put("code", sql.getErrorCode());
    }
    if (failure.getCause() != null) {
      shown.put("cause", error(failure.getCause()));
    }
    return shown;
  }

  private String steady(String line) {
    return line.replaceAll("\\d{8}_\\d{6}_\\d{5}_\\w{5}", "<query>")
        .replaceAll("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>")
        .replace(target.authority(), "<address>");
  }
}
