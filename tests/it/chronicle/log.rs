//! The lines of the log, read from the real program.

use serde_json::Value;

use super::schema::Schema;
use crate::{
    drain::{Process, process_yaml},
    harness::{client::Client, raw::Raw, trino},
};

const DRAIN: &str = "wait: 50ms, deadline: 5s";

fn read(log: &[String]) -> Vec<Value> {
    let schema = Schema::golden("log.schema.json");
    log.iter().map(|line| schema.read(line)).collect()
}

fn event<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    lines
        .iter()
        .find(|line| line["event"] == name)
        .unwrap_or_else(|| panic!("no {name}: {lines:#?}"))
}

#[tokio::test]
async fn obs_L1_L2_every_line_of_a_mixed_load_is_as_the_schema_says() {
    let coordinator = trino::trino().await;
    let yaml = process_yaml(&coordinator.url(), DRAIN)
        + "  - name: team-a--empty\n    backends: [{ name: dead, url: \"http://127.0.0.1:1\" }]\nlog: { access: all }\nqueries: { countRows: true }\n";
    let process = Process::start(&yaml, "info").await;
    let client = Client::new(format!("http://{}", process.data)).with("x-trino-user", "alice");
    let client = client.with("x-trino-source", "cli").with("x-request-id", "r-81f2");
    let client = client.with("x-trino-routing-group", "adhoc");
    let tokened = client.clone().with("x-trino-trace-token", "token-1");
    let done = tokened.query("SELECT 1 /* sim: pages=2 rows=2 */");
    let id = done.await.unwrap().id().to_owned();
    client.query("SELECT 1 /* sim: ending=fail:TABLE_NOT_FOUND */").await.unwrap();
    client.start("SELECT 1 /* sim: running=10s */").await.unwrap().cancel().await.unwrap();
    let _ = client.query("SELECT 1 /* sim: rows=1000 ending=truncate at=0 times=1 */").await;
    for group in ["nowhere", "team-a--empty"] {
        let refused = client.clone().with("x-trino-routing-group", group);
        refused.send(http::Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    }
    let unknown = "/v1/statement/executing/20260101_000000_00001_abcde/y1/0";
    let _ = client.get(unknown).await;
    let lines = read(&process.log().await);
    let told = event(&lines, "query_completed");
    for (key, value) in [
        ("message", Value::from("Query executed")),
        ("level", "INFO".into()),
        ("target", "sluice::query".into()),
        ("query_id", id.clone().into()),
        ("routing_group", "adhoc".into()),
        ("backend", "a".into()),
        ("user", "alice".into()),
        ("source", "cli".into()),
        ("request_id", "r-81f2".into()),
        ("statement_type", "query".into()),
        ("rows", 4.into()),
        ("trace_token", "token-1".into()),
    ] {
        assert_eq!(told[key], value, "{key}: {told}");
    }
    let submitted = event(&lines, "query_submitted");
    assert_eq!(told["trace_id"], submitted["trace_id"]);
    let polls =
        |line: &&Value| line["event"] == "request_completed" && line["query_id"] == id.as_str();
    assert!(lines.iter().filter(polls).count() > 2, "the POST and its polls name the query");
    assert!(lines.iter().filter(polls).all(|line| line["trace_id"] == told["trace_id"]));
    for name in [
        "query_failed",
        "query_canceled",
        "query_rejected",
        "no_route",
        "capacity_absent",
        "upstream_error",
        "gateway_draining",
    ] {
        event(&lines, name);
    }
    assert_eq!(event(&lines, "capacity_absent")["routing_group"], "team-a--empty");
    let in_requests = lines.iter().filter(|line| line.get("request_id").is_some());
    assert!(in_requests.clone().count() > 20);
    assert!(in_requests.clone().all(|line| line.get("traceparent").is_some()));
}

#[tokio::test]
async fn hostile_header_values_stay_inside_one_line() {
    let coordinator = trino::trino().await;
    let process = Process::start(
        &(process_yaml(&coordinator.url(), DRAIN) + "log: { access: all }\n"),
        "debug",
    )
    .await;
    let values: [&[u8]; 6] = [
        b"\"}{\"level\":\"ERROR",
        b"a\tb\\",
        b"\xff\xfe\xc3(",
        "caf\u{e9} \u{2028}\u{202e}".as_bytes(),
        b"%0a%0d\\n\\u0000",
        b"'; DROP TABLE x --",
    ];
    for value in values {
        let mut request =
            b"POST /v1/statement HTTP/1.1\r\nhost: gw\r\ncontent-length: 8\r\n".to_vec();
        for name in [
            "x-trino-user",
            "x-trino-source",
            "x-trino-catalog",
            "x-session-id",
            "x-request-id",
            "x-trino-trace-token",
            "traceparent",
            "user-agent",
        ] {
            request.extend_from_slice(format!("{name}: ").as_bytes());
            request.extend_from_slice(value);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\nSELECT 1");
        Raw::ask(process.data, request).await;
    }
    let lines = read(&process.log().await);
    let posts = lines.iter().filter(|line| line["event"] == "request_completed");
    assert_eq!(posts.count(), values.len());
    let user = |line: &Value| line["user"].as_str() == Some("\"}{\"level\":\"ERROR");
    assert!(lines.iter().any(user), "a quote is data");
}
