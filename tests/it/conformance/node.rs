//! What a coordinator tells of itself, to anybody.

use http::Method;
use serde::Deserialize;

use super::target::{LONG, Target};

/// The fields in the order in which they stand in the text.
fn keys(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('"') {
        let Some((key, after)) = after.split_once('"') else { break };
        if after.starts_with(':') {
            keys.push(key.to_owned());
        }
        rest = after;
    }
    keys
}

pub(super) async fn info(target: Target) {
    let stranger = target.client().without("x-trino-user");
    let answer = stranger.get("/v1/info").await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let new: &[&str] = &[
        "nodeId",
        "state",
        "nodeVersion",
        "version",
        "environment",
        "coordinator",
        "coordinatorId",
        "starting",
        "uptime",
    ];
    let old: &[&str] =
        &["nodeVersion", "version", "environment", "coordinator", "starting", "uptime"];
    assert_eq!(keys(&answer.text()), if target.is_new() { new } else { old });
    let info = answer.json().unwrap();
    assert_eq!(info["coordinator"], true);
    let uptime = info["uptime"].as_str().unwrap();
    let unit = uptime.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    assert!(["ms", "s", "m", "h", "d"].contains(&unit), "{uptime}");
    let (_, fraction) = uptime.trim_end_matches(unit).split_once('.').unwrap();
    assert_eq!(fraction.len(), 2, "{uptime}");
    let running = target.client().start("SELECT 1").await.unwrap();
    if target.is_new() {
        assert_eq!(running.id().rsplit('_').next(), info["coordinatorId"].as_str());
    }
    running.cancel().await.unwrap();
    let head = stranger.send(Method::HEAD, "/v1/info", "").await.unwrap();
    assert_eq!((head.status.as_u16(), head.header("content-type")), (200, "application/json"));
}

pub(super) async fn info_state(target: Target) {
    let client = target.client().without("x-trino-user");
    let answer = client.get("/v1/info/state").await.unwrap();
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text().trim_end(), "\"ACTIVE\"");
    let answer = client.get("/v1/info/coordinator").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("content-length")), (200, "0"));
}

pub(super) async fn status(target: Target) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        node_id: String,
        coordinator: bool,
        uptime: String,
        processors: u32,
        heap_used: u64,
    }
    let client = target.client().without("x-trino-user");
    let answer = client.get("/v1/status").await.unwrap();
    let status: Status = serde_json::from_slice(&answer.body().unwrap()).unwrap();
    assert!(status.coordinator && status.processors > 0 && status.heap_used > 0);
    assert!(!status.node_id.is_empty() && !status.uptime.is_empty());
    let head = client.send(Method::HEAD, "/v1/status", "").await.unwrap();
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "0"));
    let gateway = target.client().get("/v1/integrations/gateway/metrics").await.unwrap();
    assert_eq!(gateway.status, if target.is_new() { 200 } else { 404 });
}

pub(super) async fn home(target: Target) {
    for path in ["/", "/ui"] {
        let answer = target.client().get(path).await.unwrap();
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("location"), format!("{}/ui/", target.base));
        assert_eq!(answer.header("content-length"), "0");
    }
}

pub(super) async fn ui(target: Target) {
    let client = target.client().without("x-trino-user");
    let page = client.get("/ui/").await.unwrap();
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let stats = client.get("/ui/api/stats").await.unwrap().json().unwrap();
    for field in ["runningQueries", "queuedQueries", "activeWorkers"] {
        assert!(stats[field].is_u64(), "{field}");
    }
    assert!(client.get("/ui/api/cluster").await.unwrap().json().unwrap()["uptime"].is_string());
    let unknown = client.get("/ui/api/query/20241030_150409_00000_zhg55").await.unwrap();
    target.assert_error(&unknown, 410, "HTTP 410 Gone");
    let old_page = client.get("/ui/query.html?20241030_150409_00000_zhg55").await.unwrap();
    assert_eq!(old_page.status, if target.is_new() { 404 } else { 200 });
}

pub(super) async fn query_resource(target: Target) {
    let client = target.client();
    let mut running = client.start(LONG).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    for prefix in ["/v1/query", "/ui/api/query"] {
        let path = format!("{prefix}/{}", running.id());
        let query = client.get(&path).await.unwrap().json().unwrap();
        assert_eq!(query["queryId"], running.id());
        assert_eq!(query["state"], "RUNNING");
        assert_eq!(
            query["session"]["user"],
            if prefix == "/v1/query" { "test" } else { query["session"]["user"].as_str().unwrap() }
        );
    }
    let list = client.get("/v1/query").await.unwrap().json().unwrap();
    assert!(list.as_array().unwrap().iter().any(|query| query["queryId"] == running.id()));
    running.cancel().await.unwrap();
    for id in ["20241030_150409_00000_zhg55", "abc"] {
        let path = format!("/v1/query/{id}");
        target.assert_error(&client.get(&path).await.unwrap(), 410, "HTTP 410 Gone");
        let answer = client.send(Method::DELETE, &path, "").await.unwrap();
        assert_eq!(answer.status, 204);
        let answer = client.send(Method::PUT, &format!("{path}/killed"), "").await.unwrap();
        target.assert_error(&answer, 410, "HTTP 410 Gone");
    }
    let stranger = client.without("x-trino-user");
    assert_eq!(stranger.get("/v1/query").await.unwrap().status, 401);
}

pub(super) async fn no_shutdown(target: Target) {
    let client = target.client().with("content-type", "application/json");
    let answer = client.send(Method::PUT, "/v1/info/state", "\"SHUTTING_DOWN\"").await.unwrap();
    assert_eq!(answer.status, 500);
    let words = "java.lang.UnsupportedOperationException: Cannot shutdown coordinator";
    assert!(answer.text().starts_with(words));
}
