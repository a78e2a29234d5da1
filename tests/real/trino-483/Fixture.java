import static io.trino.testing.TestingSession.testSessionBuilder;

import com.google.inject.Inject;
import com.google.inject.Module;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.plugin.password.PasswordAuthenticatorPlugin;
import io.trino.plugin.tpch.TpchPlugin;
import io.trino.server.security.PasswordAuthenticatorManager;
import io.trino.server.security.oauth2.OAuth2Client;
import io.trino.spi.Plugin;
import io.trino.spi.function.ScalarFunction;
import io.trino.spi.function.SqlType;
import io.trino.testing.DistributedQueryRunner;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Trino coordinators in one JVM, one an argument: {@code PORT[,property=value...]}. A value may be
 * a list: the comma before {@code name=} ends it.
 *
 * <p>The property {@code spool} is ours: it names the encoding of the spooling protocol. Nothing is
 * printed to tell readiness; the starter asks each coordinator for a row. A server of the tests
 * leaves out what a whole Trino does at its start for its authenticators, so it is done here.
 */
public final class Fixture {
  private Fixture() {}

  public static void main(String[] coordinators) throws Exception {
    for (String coordinator : coordinators) {
      start(coordinator.split(",(?=[a-z][a-zA-Z0-9.-]*=)"));
    }
    // The starter holds the other end: a test run that is killed takes its coordinators along.
    while (System.in.read() >= 0) {}
    Runtime.getRuntime().halt(0);
  }

  private static void start(String[] words) throws Exception {
    var session = testSessionBuilder().setCatalog("tpch").setSchema("tiny").build();
    var builder =
        DistributedQueryRunner.builder(session)
            .setWorkerCount(0)
            .addCoordinatorProperty("http-server.http.port", words[0]);
    for (int i = 1; i < words.length; i++) {
      String[] property = words[i].split("=", 2);
      if (property[0].equals("spool")) {
        builder.withProtocolSpooling(property[1]);
      } else {
        builder.addCoordinatorProperty(property[0], property[1]);
      }
    }
    authenticators(String.join("\n", words)).ifPresent(builder::setAdditionalModule);
    var runner = builder.build();
    runner.installPlugin(new Waiting());
    runner.installPlugin(new TpchPlugin());
    runner.createCatalog("tpch", "tpch", Map.of());
    runner.installPlugin(new MemoryPlugin());
    runner.createCatalog("memory", "memory", Map.of());
  }

  /**
   * {@code rest_for(milliseconds)}, for queries that run long at no cost. Trino looks between two
   * rows whether it is cancelled, so each row should rest for a moment only.
   */
  public static final class Waiting implements Plugin {
    @Override
    public Set<Class<?>> getFunctions() {
      return Set.of(Waiting.class);
    }

    @ScalarFunction(value = "rest_for", deterministic = false)
    @SqlType("bigint")
    public static long restFor(@SqlType("bigint") long milliseconds) throws InterruptedException {
      Thread.sleep(milliseconds);
      return milliseconds;
    }
  }

  /** Loads them before the server says that it has started. */
  private static Optional<Module> authenticators(String properties) {
    if (properties.contains("password-authenticator.config-files=")) {
      return Optional.of(binder -> binder.bind(Passwords.class).asEagerSingleton());
    }
    if (properties.contains("http-server.authentication.type=OAUTH2")) {
      return Optional.of(binder -> binder.bind(Logins.class).asEagerSingleton());
    }
    return Optional.empty();
  }

  private static final class Passwords {
    @Inject
    Passwords(PasswordAuthenticatorManager manager) throws Exception {
      new PasswordAuthenticatorPlugin()
          .getPasswordAuthenticatorFactories()
          .forEach(manager::addPasswordAuthenticatorFactory);
      manager.loadPasswordAuthenticator();
    }
  }

  private static final class Logins {
    @Inject
    Logins(OAuth2Client client) {
      client.load();
    }
  }
}
