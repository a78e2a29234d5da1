//! What a client may put anywhere, and nobody may read anywhere: the log, the audit, spans, metrics, status, admin API.

use crate::{
    drain::{Process, process_yaml},
    harness::{client::Client, trino},
    traces::sink::{Manner, Sink},
};

/// Never to be seen in any output.
const SECRETS: [&str; 12] = [
    "hunter2",
    "dGVzdDpodW50ZXIy",
    "bearersecret",
    "cookiesecret",
    "extrasecret",
    "preparedsecret",
    "propertysecret",
    "literalsecret",
    "commentsecret",
    "oauthsecret",
    "spooledsecret",
    "parametersecret",
];

const STATEMENTS: [&str; 5] = [
    "SELECT 'literalsecret' -- commentsecret",
    "SELECT 1 /* commentsecret */ WHERE x = 'literalsecret' /* sim: ending=fail:TABLE_NOT_FOUND */",
    "CREATE CATALOG c USING p WITH (\"connection-password\" = 'hunter2')",
    "EXECUTE IMMEDIATE 'SELECT ''literalsecret'''",
    "SELECT 'literalsecret never closed",
];

#[tokio::test]
async fn obs_L4_no_output_of_any_kind_holds_a_secret() {
    let coordinator = trino::trino().await;
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.jsonl");
    let sink = Sink::start(Manner::Take).await;
    let more = format!(
        "audit: {{ path: '{}' }}\nlog: {{ access: all }}\ntelemetry: {{ otlpEndpoint: '{}', \
         otlpProtocol: http/protobuf, sampleRatio: 1.0, captureQueryText: true }}\n",
        audit.display(),
        sink.url()
    );
    let yaml = process_yaml(&coordinator.url(), "wait: 50ms, deadline: 5s") + &more;
    let process = Process::start(&yaml, "trace,hyper=info,hyper_util=info,mio=info").await;
    let client = Client::new(format!("http://{}", process.data))
        .with("x-trino-user", "alice")
        .with("cookie", "Trino-UI-Token=cookiesecret; __Secure-Trino-OAuth2-Token=cookiesecret")
        .with("x-trino-extra-credential", "key=extrasecret")
        .with("x-trino-session", "prop=propertysecret")
        .with("x-trino-prepared-statement", "p=SELECT+%27preparedsecret%27");
    let (basic, bearer) = ("Basic dGVzdDpodW50ZXIy", "Bearer bearersecret");
    let mut slugs = Vec::new();
    for (sql, credential) in STATEMENTS.iter().zip([basic, bearer].iter().cycle()) {
        let done = client.clone().with("authorization", credential).query(*sql).await.unwrap();
        slugs.extend(done.pages.iter().filter_map(|page| page.next.clone()).map(|next| next.slug));
    }
    let running = client.start("SELECT 'literalsecret' /* sim: running=10s */").await.unwrap();
    slugs.push(running.next().unwrap().slug.clone());
    for path in [
        "/oauth2/token/oauthsecret",
        "/oauth2/callback?code=oauthsecret&state=oauthsecret",
        "/v1/spooled/download/spooledsecret",
        "/v1/info?query=parametersecret",
        "/ui/login?password=parametersecret",
        "/v1/nothing/parametersecret",
    ] {
        let _ = client.get(path).await;
    }
    let mut outputs = Vec::new();
    for (listener, path) in [
        ("metrics", "/metrics"),
        ("health", "/api/v1/status"),
        ("health", "/api/v1/routing-groups"),
        ("health", "/readyz"),
        ("admin", "/api/v1/queries"),
        ("admin", "/api/v1/events"),
    ] {
        let answer = reqwest::get(format!("http://{}{path}", process.address(listener).unwrap()))
            .await
            .unwrap();
        outputs.push((path, answer.text().await.unwrap()));
    }
    running.cancel().await.unwrap();
    outputs.push(("log", process.log().await.join("\n")));
    outputs.push(("audit", std::fs::read_to_string(&audit).unwrap()));
    // It has ended, and with it the last of its spans came.
    outputs.push(("spans", format!("{:#?}", sink.spans())));
    let of = |name: &str| &outputs.iter().find(|(of, _)| *of == name).unwrap().1;
    assert!(
        of("log").contains("query_completed")
            && of("audit").lines().count() == STATEMENTS.len() + 1
    );
    assert!(of("spans").contains("gateway.query") && of("spans").contains("/v1/spooled/"));
    assert!(of("/api/v1/queries").contains("SELECT '?'") && of("/metrics").contains("gateway_up"));
    for (name, output) in &outputs {
        for secret in SECRETS.iter().copied().chain(slugs.iter().map(String::as_str)) {
            let line = output.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{name} tells {secret}");
        }
    }
}
