//! The audit file and counted rows, through a whole gateway.

use std::path::{Path, PathBuf};

use http::Method;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sluice::lifecycle::Signal;
use tokio::process::Command;

use super::schema::{Schema, keys_of};
use crate::harness::{
    gateway::{Gateway, groups},
    stage::Plan,
    trino, wait,
};

/// Every keyword of the label, by a statement that has it.
const KINDS: [(&str, &str); 14] = [
    ("query", "SELECT 1"),
    ("ctas", "CREATE TABLE a.b.c AS SELECT 1"),
    ("insert", "INSERT INTO a.b.c SELECT 1"),
    ("merge", "MERGE INTO a.b.c USING d ON x = y WHEN MATCHED THEN DELETE"),
    ("delete", "DELETE FROM a.b.c"),
    ("drop", "DROP TABLE a.b.c"),
    ("create_view", "CREATE VIEW a.b.c AS SELECT 1"),
    ("create_schema", "CREATE SCHEMA a.b"),
    ("show_catalogs", "SHOW CATALOGS"),
    ("show_schemas", "SHOW SCHEMAS"),
    ("show_tables", "SHOW TABLES"),
    ("policy", "GRANT SELECT ON a.b.c TO USER x"),
    ("utility", "SHOW FUNCTIONS"),
    ("other", "UPDATE a.b.c SET x = 1"),
];

/// A folder for the audit, and the lines that say so.
pub(super) fn place(more: &str) -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let yaml = format!("audit: {{ path: \"{}\"{more} }}\n", path.display());
    (folder, path, yaml)
}

/// Waits until the file has so many lines, each as the schema wants it.
pub(super) async fn lines(path: &Path, count: usize) -> Vec<Value> {
    let text = || std::fs::read_to_string(path).unwrap_or_default();
    wait::until("audit lines", || text().matches('\n').count() >= count).await;
    let (schema, text) = (Schema::golden("audit.schema.json"), text());
    let read = text.lines().map(|line| {
        assert_eq!(keys_of(line), schema.keys(), "the order of the keys");
        schema.read(line)
    });
    let lines: Vec<Value> = read.collect();
    assert_eq!(lines.len(), count, "{text}");
    lines
}

fn hash(sql: &str) -> String {
    let digest = Sha256::digest(sql.as_bytes());
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

pub(super) async fn started(yaml: &str, url: &str) -> Gateway {
    let gateway = Gateway::start(&(yaml.to_owned() + &groups(&[url.to_owned()], ""))).await;
    gateway.until_healthy(1).await;
    gateway
}

#[tokio::test]
async fn obs_A1_A3_every_end_is_one_line_with_every_key() {
    let coordinator = trino::trino().await;
    let (_folder, path, yaml) = place("");
    let gateway = started(&yaml, &coordinator.url()).await;
    let client = gateway.client().with("x-trino-user", "alice").with("x-trino-source", "cli");
    let client = client.with("x-trino-catalog", "tpch").with("x-request-id", "r-81f2");
    let sql = "SELECT name, 'geheim' FROM t WHERE x = 42 /* sim: pages=3 rows=2 */";
    client.query(sql).await.unwrap();
    let told = lines(&path, 1).await.remove(0);
    for (key, value) in [
        ("username", "alice".into()),
        ("query_text", "SELECT name, '?' FROM t WHERE x = ?".into()),
        ("query_hash", Value::from(hash(sql))),
        ("statement_type", "query".into()),
        ("client_ip", "127.0.0.1".into()),
        ("rows_returned", 6.into()),
        ("status", "ok".into()),
        ("event", "query_completed".into()),
        ("request_id", "r-81f2".into()),
        ("routing_group", "adhoc".into()),
        ("backend", "a".into()),
        ("rule", "default".into()),
        ("source", "cli".into()),
        ("catalog", "tpch".into()),
        ("schema", Value::Null),
        ("http_status", 200.into()),
        ("trino_state", "FINISHED".into()),
        ("error_name", Value::Null),
        ("resume_waited_ms", 0.into()),
        ("seq", 1.into()),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
    assert!(told["bytes_returned"].as_u64().unwrap() > 500, "{told}");
    client.query("SELECT 1 /* sim: ending=fail:TABLE_NOT_FOUND */").await.unwrap();
    let running = client.start("SELECT 1 /* sim: running=10s */").await.unwrap();
    running.cancel().await.unwrap();
    let refused = client.clone().with("x-trino-routing-group", "nowhere");
    let refused = refused.send(Method::POST, "/v1/statement", "SELECT 2").await.unwrap();
    assert_eq!(refused.status, 404);
    let all = lines(&path, 4).await;
    let of = |key: &str| all.iter().map(|line| line[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("status"), ["ok", "error", "canceled", "rejected"]);
    assert_eq!(of("error_name")[1], "TABLE_NOT_FOUND");
    assert_eq!(of("http_status")[3], 404);
    assert_eq!(of("query_hash")[3], hash("SELECT 2"));
    assert_eq!(of("seq"), [1, 2, 3, 4]);
    assert_eq!(gateway.metric(r#"gateway_audit_records_total{status="written"}"#).await, 4.0);
    gateway.stop().await;
}

#[tokio::test]
async fn obs_A3_what_waits_is_refused_or_canceled_is_told_once() {
    let (_folder, path, yaml) = place("");
    let plan = Plan {
        more: Box::leak(yaml.into_boxed_str()),
        cold_start: "holdFor: 200ms",
        ..Plan::default()
    };
    let stage = plan.asleep().await;
    stage.webhook.close();
    let waiting = stage.queued("SELECT 'while it sleeps'").await;
    let id = waiting.id().to_owned();
    waiting.cancel().await.unwrap();
    let told = lines(&path, 1).await.remove(0);
    assert_eq!((&told["status"], &told["query_id"]), (&"canceled".into(), &Value::from(id)));
    assert!(told["resume_waited_ms"].as_u64().unwrap() >= 100, "{told}");
    assert_eq!(told["backend"], Value::Null);
    // Who killed it, when nobody but the gateway could answer, is told as well.
    let waiting = stage.queued("SELECT 1").await;
    let call = format!("CALL system.runtime.kill_query('{}')", waiting.id());
    stage.client().with("x-trino-user", "mallory").query(call).await.unwrap();
    let told = lines(&path, 3).await;
    let by = |name: &str| told.iter().find(|line| line["username"] == name).unwrap();
    assert_eq!((&by("mallory")["status"], &by("mallory")["rule"]), (&"ok".into(), &Value::Null));
    let killed = told.iter().find(|line| line["query_id"] == waiting.id()).unwrap();
    assert_eq!(killed["status"], "canceled");
    stage.stop().await;
}

#[tokio::test]
async fn obs_A_a_statement_without_capacity_is_a_line_with_503() {
    let (_folder, path, yaml) = place(", queryText: none");
    let yaml = yaml + &groups(&["http://127.0.0.1:1".to_owned()], "");
    let gateway = Gateway::start(&yaml).await;
    let series =
        r#"gateway_queries_total{routing_group="adhoc",statement_type="query",status="rejected"}"#;
    assert_eq!(gateway.metric(series).await, 0.0);
    let answer = gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status, 503);
    let told = lines(&path, 1).await.remove(0);
    assert_eq!((&told["status"], &told["http_status"]), (&"rejected".into(), &503.into()));
    assert_eq!(
        (&told["query_text"], &told["query_hash"]),
        (&Value::Null, &hash("SELECT 1").into())
    );
    assert_eq!(gateway.metric(series).await, 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn obs_A_full_text_is_written_only_where_it_is_asked_for() {
    let coordinator = trino::trino().await;
    let (_folder, path, yaml) = place(", queryText: full");
    let gateway = started(&yaml, &coordinator.url()).await;
    gateway.client().query("SELECT 'as it \"is\"\n'").await.unwrap();
    assert_eq!(lines(&path, 1).await[0]["query_text"], "SELECT 'as it \"is\"\n'");
    gateway.stop().await;
}

#[tokio::test]
async fn obs_A_sighup_begins_a_new_file() {
    let coordinator = trino::trino().await;
    let (_folder, path, yaml) = place("");
    let gateway = started(&yaml, &coordinator.url()).await;
    gateway.client().query("SELECT 1").await.unwrap();
    lines(&path, 1).await;
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    gateway.signal(Signal::Reload);
    wait::until("a new file", || path.exists()).await;
    gateway.client().query("SELECT 2").await.unwrap();
    assert_eq!(lines(&path, 1).await[0]["seq"], 2);
    assert_eq!(lines(&path.with_extension("old"), 1).await[0]["seq"], 1);
    gateway.stop().await;
}

#[tokio::test]
async fn obs_A_a_full_disk_degrades_and_serving_goes_on() {
    let coordinator = trino::trino().await;
    let gateway = started("audit: { path: /dev/full }\n", &coordinator.url()).await;
    assert_eq!(gateway.health("/readyz").await.0, 200);
    gateway.client().query("SELECT 1").await.unwrap();
    let lost = r#"gateway_audit_dropped_total{reason="write_error"}"#;
    wait::until_async("a counted loss", async || gateway.metric(lost).await == 1.0).await;
    let (status, page) = gateway.health("/readyz").await;
    assert!(status == 200 && page.contains("degraded") && page.contains("unwritable"), "{page}");
    gateway.client().query("SELECT 1").await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn obs_A2_an_unwritable_path_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.yaml");
    let yaml = "data: { bind: \"127.0.0.1:0\" }\nmetrics: { bind: \"127.0.0.1:0\" }\nadmin: { bind: \"127.0.0.1:0\" }\n\
                health: { bind: \"127.0.0.1:0\" }\naudit: { path: /nowhere/at/all/audit.jsonl }\n";
    std::fs::write(&file, yaml.to_owned() + &groups(&["http://127.0.0.1:1".to_owned()], ""))
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    let output = command.args(["serve", "--config"]).arg(&file).kill_on_drop(true).output();
    let output = tokio::time::timeout(wait::PATIENCE, output).await.expect("it ends").unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("/nowhere/at/all/audit.jsonl"), "{words}");
}

#[tokio::test]
async fn obs_M4_rows_types_and_sessions_are_counted() {
    let coordinator = trino::trino().await;
    let gateway = started("queries: { countRows: true }\n", &coordinator.url()).await;
    let rows = r#"gateway_query_rows_returned_total{routing_group="adhoc"}"#;
    assert_eq!(gateway.metric(rows).await, 0.0);
    let sql = "SELECT 1 /* sim: pages=3 rows=2 */";
    gateway.client().with("x-trino-user", "alice").query(sql).await.unwrap();
    assert_eq!(gateway.metric(rows).await, 6.0);
    for encoding in ["gzip", "zstd"] {
        let before = gateway.metric(rows).await;
        let answer = gateway
            .client()
            .with("accept-encoding", encoding)
            .with("x-trino-user", "bob")
            .query(sql)
            .await;
        if answer.is_ok() {
            assert_eq!(gateway.metric(rows).await - before, 6.0, "{encoding}");
        }
    }
    let by_type = async |kind: &str| {
        let page = gateway.metrics().await;
        let of = |line: &&str| {
            line.starts_with("gateway_queries_total{")
                && line.contains(r#"routing_group="adhoc""#)
                && line.contains(&format!("statement_type=\"{kind}\""))
        };
        let values = page.lines().filter(of).filter_map(|line| line.rsplit(' ').next());
        values.map(|value| value.parse::<f64>().unwrap()).sum::<f64>()
    };
    for (kind, sql) in KINDS {
        let before = by_type(kind).await;
        gateway.client().query(sql).await.unwrap();
        assert_eq!(by_type(kind).await - before, 1.0, "{kind}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn rows_stay_uncounted_where_nobody_asks() {
    let coordinator = trino::trino().await;
    let gateway = started("", &coordinator.url()).await;
    gateway.client().query("SELECT 1 /* sim: pages=3 rows=2 */").await.unwrap();
    let page = gateway.metrics().await;
    assert!(!page.lines().any(|line| line.starts_with("gateway_query_rows_returned_total{")));
    gateway.stop().await;
}
