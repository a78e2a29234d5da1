import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * The JDBC driver as its users have it: one task of {@code ../client.py}, named by the argument; where
 * to connect comes as one line of JSON on standard input.
 */
public final class Program {
  private Program() {}

  /** What a task does, given where to connect and where to show what it sees. */
  interface Task {
    void run(Target target, See see) throws Exception;
  }

  public static void main(String[] words) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var target = new Target(Json.flat(in.readLine()));
    var task = task(words[0]);
    task.run(target, new See(in, target));
    // The driver's threads would keep the process for a while.
    System.exit(0);
  }

  private static Task task(String name) {
    switch (name) {
      case "statements":
        return Program::statements;
      case "large":
        return Results::large;
      case "spooled":
        return Results::spooled;
      case "cancel":
        return Cancel::all;
      case "transactions":
        return Transactions::all;
      case "reading":
        return Held::reading;
      case "idle":
        return Held::idle;
      case "cold":
        return Held::cold;
      default:
        throw new IllegalArgumentException("no such task: " + name);
    }
  }

  private static void statements(Target target, See see) throws Exception {
    try (var connection = target.connect()) {
      Statements.all(connection, see);
      Prepared.all(connection, see);
    }
    Prepared.explicit(target, see);
    Session.all(target, see);
    Writes.all(target, see);
    Browser.all(target, see);
  }
}
