//! Input that no well-meaning client or coordinator sends: nothing panics, nothing leaks, nothing runs twice, and
//! nothing that broke looks whole.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

mod bodies;
mod framing;
mod leaving;
mod requests;
mod upstream;

use sluice::simulator::{Options, Simulator};

use crate::harness::{
    gateway::{Gateway, groups},
    raw::Told,
    trino, wait,
};

/// A gateway with these settings of the data listener.
async fn gateway(coordinators: &[&Simulator], data: &str) -> Gateway {
    let urls: Vec<String> = coordinators.iter().map(|each| each.url()).collect();
    let data = format!("data: {{ bind: \"127.0.0.1:0\", workers: 2{data} }}\n");
    let gateway = Gateway::start(&(data + &groups(&urls, ""))).await;
    gateway.until_healthy(urls.len()).await;
    gateway
}

/// A coordinator that takes what the gateway takes.
async fn roomy() -> Simulator {
    trino::trino_with(Options { max_header_bytes: 8 << 20, ..Options::default() }).await
}

/// Stops the gateway when no connection is open any more; nobody came with a query.
async fn stop_untouched(gateway: Gateway, coordinator: &Simulator) {
    until_no_connection(&gateway).await;
    assert!(gateway.shared.table.is_empty(), "a query came of it");
    assert_eq!(coordinator.counts().statements, 0, "a statement went through");
    gateway.stop().await;
}

async fn until_no_connection(gateway: &Gateway) {
    wait::until_async("no open connection", async || {
        gateway.metric("gateway_client_connections_active").await == 0.0
    })
    .await;
}

/// The `nextUri` of a page, if it has one.
fn next_uri(told: &Told) -> Option<String> {
    let page: serde_json::Value = serde_json::from_slice(&told.body).ok()?;
    Some(page.get("nextUri")?.as_str()?.to_owned())
}

/// Cancels the query of a first page.
async fn cancel(gateway: &Gateway, told: &Told) {
    let next = next_uri(told).unwrap_or_else(|| panic!("no page that goes on: {told:?}"));
    let answer = gateway.client().send(http::Method::DELETE, &next, "").await.unwrap();
    assert_eq!(answer.status, 204);
}
