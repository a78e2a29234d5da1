//! Which group and which backend a statement goes to, seen at the coordinators.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::collections::BTreeMap;

use http::Method;
use sluice::simulator::Simulator;

use crate::harness::client::Client;
use crate::harness::gateway::Gateway;
use crate::harness::trino;

const RULES: &str = r#"
rules:
  - { name: source, when: { source: ["airflow*", dbt] }, routingGroup: etl }
  - { name: user, when: { user: [alice, "svc-*"] }, routingGroup: etl }
  - { name: host, when: { host: etl.example.com }, routingGroup: etl }
  - { name: tags, when: { clientTags: [nightly, batch] }, routingGroup: etl }
  - { name: place, when: { catalog: hive, schema: "raw_?" }, routingGroup: etl }
  - { name: team, when: { headers: { X-Team: "data-*" } }, routingGroup: etl }
  - name: mixed
    when: { any: [{ source: x }, { all: [{ user: bob }, { not: { clientTags: ui } }] }] }
    routingGroup: etl
"#;

/// Two groups of one coordinator each: `etl` and the default `adhoc`.
async fn two_groups(more: &str) -> (Gateway, Simulator, Simulator) {
    let (etl, adhoc) = (trino::trino().await, trino::trino().await);
    let yaml = format!(
        "routingGroups:\n\
         \x20 - {{ name: etl, backends: [{{ name: e, url: \"{}\" }}] }}\n\
         \x20 - {{ name: adhoc, backends: [{{ name: a, url: \"{}\" }}] }}\n\
         defaultRoutingGroup: adhoc\n{more}",
        etl.url(),
        adhoc.url()
    );
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(2).await;
    (gateway, etl, adhoc)
}

#[tokio::test]
async fn rules_read_headers_in_their_order_then_the_header_then_the_default() {
    let (gateway, etl, adhoc) = two_groups(RULES).await;
    let cases: [(&str, &[(&str, &str)], bool); 20] = [
        ("default", &[], false),
        ("source", &[("x-trino-source", "airflow-7")], true),
        ("source", &[("x-presto-source", "dbt")], true),
        ("default", &[("x-trino-source", "dbt2")], false),
        ("user", &[("x-trino-user", "alice")], true),
        ("user", &[("x-trino-user", "svc-load")], true),
        ("host", &[("host", "etl.example.com:8080")], true),
        ("host", &[("host", "ETL.example.com")], true),
        ("tags", &[("x-trino-client-tags", "ui, nightly")], true),
        ("default", &[("x-trino-client-tags", "nightly2")], false),
        ("place", &[("x-trino-catalog", "hive"), ("x-trino-schema", "raw_1")], true),
        ("default", &[("x-trino-catalog", "hive"), ("x-trino-schema", "raw_12")], false),
        ("default", &[("x-trino-catalog", "hive")], false),
        ("team", &[("x-team", "data-x")], true),
        ("mixed", &[("x-trino-source", "x")], true),
        ("mixed", &[("x-trino-user", "bob")], true),
        ("default", &[("x-trino-user", "bob"), ("x-trino-client-tags", "ui")], false),
        ("header", &[("x-trino-routing-group", "etl")], true),
        ("header", &[("x-trino-routing-group", "adhoc")], false),
        ("source", &[("x-trino-source", "dbt"), ("x-trino-routing-group", "adhoc")], true),
    ];
    for (_, headers, to_etl) in cases {
        let (before_etl, before_adhoc) = (etl.counts().statements, adhoc.counts().statements);
        let mut client = gateway.client();
        for (name, value) in headers {
            client = client.with(name, value);
        }
        let sent = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
        assert_eq!(sent.status, 200, "{headers:?}: {}", sent.text());
        let went = (etl.counts().statements - before_etl, adhoc.counts().statements - before_adhoc);
        assert_eq!(went, if to_etl { (1, 0) } else { (0, 1) }, "{headers:?}");
        let id = sent.json().unwrap()["id"].as_str().unwrap().to_owned();
        client.send(Method::DELETE, &format!("/v1/query/{id}"), "").await.unwrap();
    }
    let wanted = cases.iter().filter(|(rule, ..)| *rule == "source").count();
    let decided = r#"gateway_routing_decisions_total{routing_group="etl",rule="source"}"#;
    assert_eq!(gateway.metric(decided).await as usize, wanted);
    gateway.stop().await;
}

#[tokio::test]
async fn an_unknown_group_is_404_in_words() {
    let (gateway, etl, adhoc) = two_groups("").await;
    let client = gateway.client().with("x-trino-routing-group", "nowhere");
    let answer = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("X-Trino-Routing-Group names no"), "{}", answer.text());
    assert_eq!((etl.counts().statements, adhoc.counts().statements), (0, 0));
    gateway.stop().await;
}

#[tokio::test]
async fn without_a_default_a_statement_that_nothing_claims_is_404() {
    let (one, two) = (trino::trino().await, trino::trino().await);
    let yaml = format!(
        "routingGroups:\n\
         \x20 - {{ name: one, backends: [{{ name: a, url: \"{}\" }}] }}\n\
         \x20 - {{ name: two, backends: [{{ name: b, url: \"{}\" }}] }}\n",
        one.url(),
        two.url()
    );
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(2).await;
    let answer = gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert_eq!(gateway.in_flight(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn an_empty_group_refuses_in_words_or_hands_on_as_it_says() {
    for (on_empty, expected) in [("refuse", 503), ("adhoc", 200)] {
        let trino = trino::trino().await;
        let yaml = format!(
            "routingGroups:\n\
             \x20 - {{ name: etl, onEmpty: {on_empty}, backends: [{{ name: e, url: \"http://127.0.0.1:1\" }}] }}\n\
             \x20 - {{ name: adhoc, backends: [{{ name: a, url: \"{}\" }}] }}\n\
             defaultRoutingGroup: adhoc\n",
            trino.url()
        );
        let gateway = Gateway::start(&yaml).await;
        gateway.until_healthy(1).await;
        let client = gateway.client().with("x-trino-routing-group", "etl");
        let answer = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
        assert_eq!(answer.status, expected, "{}", answer.text());
        if expected == 503 {
            assert!(
                answer.has("retry-after") && answer.text().contains("etl"),
                "{}",
                answer.text()
            );
        } else {
            let id = answer.json().unwrap()["id"].as_str().unwrap().to_owned();
            client.send(Method::DELETE, &format!("/v1/query/{id}"), "").await.unwrap();
        }
        gateway.stop().await;
    }
}

async fn selecting(select: &str, weights: [u32; 2]) -> (Gateway, Simulator, Simulator) {
    let (a, b) = (trino::trino().await, trino::trino().await);
    let yaml = format!(
        "routingGroups:\n\
         \x20 - name: adhoc\n\
         \x20   select: {select}\n\
         \x20   backends:\n\
         \x20     - {{ name: a, url: \"{}\", weight: {} }}\n\
         \x20     - {{ name: b, url: \"{}\", weight: {} }}\n",
        a.url(),
        weights[0],
        b.url(),
        weights[1]
    );
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(2).await;
    (gateway, a, b)
}

async fn run(client: &Client, statements: usize) {
    for _ in 0..statements {
        client.rows("SELECT 1").await;
    }
}

#[tokio::test]
async fn one_user_stays_on_one_backend_with_user_hash() {
    let (gateway, a, b) = selecting("userHash", [1, 1]).await;
    let mut homes = BTreeMap::<bool, u32>::new();
    for user in 0..16 {
        let client = gateway.client().with("x-trino-user", &format!("user-{user}"));
        let before = (a.counts().statements, b.counts().statements);
        run(&client, 3).await;
        let went = (a.counts().statements - before.0, b.counts().statements - before.1);
        assert!(went == (3, 0) || went == (0, 3), "{went:?}");
        *homes.entry(went.0 == 3).or_default() += 1;
    }
    assert_eq!(homes.len(), 2, "users are spread: {homes:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn weights_share_out_the_statements() {
    let (gateway, a, b) = selecting("weighted", [1, 4]).await;
    run(&gateway.client(), 100).await;
    let (a, b) = (a.counts().statements, b.counts().statements);
    assert_eq!(a + b, 100);
    assert!((5..=40).contains(&a), "{a} of 100 at a weight of 1 in 5");
    gateway.stop().await;
}

#[tokio::test]
async fn the_kind_of_a_statement_is_counted() {
    let (gateway, _etl, _adhoc) = two_groups("").await;
    let client = gateway.client();
    for (sql, kind) in [
        ("SELECT 1", "query"),
        ("-- words\nINSERT INTO t VALUES (1)", "insert"),
        ("CREATE TABLE t AS SELECT 1", "ctas"),
        ("DELETE FROM t", "delete"),
        ("SHOW TABLES", "show_tables"),
        ("EXECUTE IMMEDIATE 'SELECT 1'", "query"),
    ] {
        let series = format!(
            "gateway_queries_total{{routing_group=\"adhoc\",statement_type=\"{kind}\",status=\"ok\"}}"
        );
        let before = gateway.metric(&series).await;
        client.rows(sql).await;
        assert_eq!(gateway.metric(&series).await, before + 1.0, "{sql}");
    }
    gateway.stop().await;
}
