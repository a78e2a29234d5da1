import static io.trino.testing.TestingSession.testSessionBuilder;

import com.google.inject.Key;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.plugin.tpch.TpchPlugin;
import io.trino.server.StartupStatus;
import io.trino.testing.DistributedQueryRunner;
import java.util.Map;

/**
 * Trino coordinators in one JVM, one an argument: {@code PORT[,property=value...]}.
 *
 * <p>This Trino knows no spooling protocol. Nothing is printed to tell readiness; the starter asks
 * each coordinator for a row.
 */
public final class Fixture {
  private Fixture() {}

  public static void main(String[] coordinators) throws Exception {
    for (String coordinator : coordinators) {
      start(coordinator.split(","));
    }
    // The starter holds the other end: a test run that is killed takes its coordinators along.
    while (System.in.read() >= 0) {}
    Runtime.getRuntime().halt(0);
  }

  private static void start(String[] words) throws Exception {
    var session = testSessionBuilder().setCatalog("tpch").setSchema("tiny").build();
    var builder =
        DistributedQueryRunner.builder(session)
            .setNodeCount(1)
            .addCoordinatorProperty("http-server.http.port", words[0]);
    for (int i = 1; i < words.length; i++) {
      String[] property = words[i].split("=", 2);
      builder.addCoordinatorProperty(property[0], property[1]);
    }
    var runner = builder.build();
    runner.installPlugin(new TpchPlugin());
    runner.createCatalog("tpch", "tpch", Map.of());
    runner.installPlugin(new MemoryPlugin());
    runner.createCatalog("memory", "memory", Map.of());
    // The real server says so at the end of its start; this release's test server never does, and
    // `/v1/info` would go on saying `starting: true`.
    runner.getCoordinator().getInstance(Key.get(StartupStatus.class)).startupComplete();
  }
}
