import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Base64;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Trino's own word of a query, by its id: so it is found whichever coordinator has it. */
final class Trino {
  private static final Pattern STATE = Pattern.compile("\"state\":\"(\\w+)\"");
  private static final Pattern ERROR = Pattern.compile("\"errorCode\":\\{\"code\":\\d+,\"name\":\"(\\w+)\"");
  // For a query to end on a busy machine.
  private static final Duration LIMIT = Duration.ofSeconds(180);

  private static final Duration PAUSE = Duration.ofMillis(100);

  private Trino() {}

  /** The last state of a query and the name of its error. */
  static String outcome(Target target, String id) throws Exception {
    var deadline = System.nanoTime() + LIMIT.toNanos();
    while (true) {
      var info = info(target, id);
      var state = first(STATE, info);
      if (state.equals("FAILED") || state.equals("FINISHED")) {
        return state + " " + first(ERROR, info);
      }
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException("the query is still " + state);
      }
      Thread.sleep(PAUSE.toMillis());
    }
  }

  private static String info(Target target, String id) throws Exception {
    var uri = URI.create(target.get("scheme") + "://" + target.authority() + "/v1/query/" + id);
    var request = HttpRequest.newBuilder(uri).timeout(LIMIT).header("X-Trino-User", target.get("user"));
    if (target.get("password") != null) {
      var pair = target.get("user") + ":" + target.get("password");
      request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8)));
    }
    var answer = client(target).send(request.build(), BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IllegalStateException("GET of the query: " + answer.statusCode() + " " + answer.body());
    }
    return answer.body();
  }

  private static HttpClient client(Target target) throws Exception {
    var builder = HttpClient.newBuilder();
    if (target.get("ca") == null) {
      // Else it asks for HTTP/2 without TLS, which Trino grants, and then sometimes misreads the answer.
      return builder.version(HttpClient.Version.HTTP_1_1).build();
    }
    return builder.sslContext(trusting(target.get("ca"))).build();
  }

  private static SSLContext trusting(String path) throws Exception {
    var store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (var pem = new FileInputStream(path)) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
    }
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    var context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  private static String first(Pattern pattern, String text) {
    var found = pattern.matcher(text);
    return found.find() ? found.group(1) : "without error";
  }
}
