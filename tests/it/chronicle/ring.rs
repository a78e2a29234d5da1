//! `/api/v1/queries`: what waits, runs and ended lately.

use serde_json::Value;

use crate::harness::{gateway::Gateway, trino};

async fn queries(gateway: &Gateway, wanted: &str) -> Vec<Value> {
    let url = format!("http://{}/api/v1/queries{wanted}", gateway.addresses.admin);
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn obs_Q1_the_newest_come_first_and_nothing_is_told_in_clear() {
    let coordinator = trino::trino().await;
    let gateway = Gateway::before(&[&coordinator]).await;
    let client = gateway.client().with("x-trino-user", "alice");
    assert_eq!(queries(&gateway, "").await, Vec::<Value>::new());
    let first = client.query("SELECT 'one'").await.unwrap();
    let second = client.query("SELECT 'two' /* sim: ending=fail:TABLE_NOT_FOUND */").await.unwrap();
    let third = gateway
        .client()
        .with("x-trino-user", "bob")
        .start("SELECT 'three' /* sim: running=10s */")
        .await
        .unwrap();
    let ids = |rows: &[Value]| {
        rows.iter().map(|row| row["queryId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&queries(&gateway, "").await), [third.id(), second.id(), first.id()]);
    assert_eq!(ids(&queries(&gateway, "?limit=2").await), [third.id(), second.id()]);
    let failed = queries(&gateway, "?state=FAILED").await;
    assert_eq!(ids(&failed), [second.id()]);
    assert_eq!(
        (&failed[0]["query"], &failed[0]["errorName"]),
        (&"SELECT '?'".into(), &"TABLE_NOT_FOUND".into())
    );
    assert_eq!(ids(&queries(&gateway, "?user=alice&state=finished").await), [first.id()]);
    assert_eq!(queries(&gateway, "?routing_group=other").await, Vec::<Value>::new());
    let url = format!("http://{}/api/v1/queries/{}", gateway.addresses.admin, first.id());
    let one: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(one["state"], "FINISHED");
    third.cancel().await.unwrap();
    assert_eq!(queries(&gateway, "?limit=1").await[0]["state"], "CANCELED");
    gateway.stop().await;
}
