//! `kill_query` in SQL, and the verbs of `/v1/query/{id}`: they reach the query's own coordinator.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use http::Method;

use crate::harness::pair::Pair;

const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";

#[tokio::test]
async fn peers_X10_kill_query_reaches_the_coordinator_of_its_target() {
    for pair in Pair::each_mode(false).await {
        let client = pair.gateway.client();
        for call in [
            "CALL system.runtime.kill_query('ID', 'enough')",
            "CALL system.runtime.kill_query(query_id => 'ID', message => 'enough')",
            "/* now */ call System.Runtime.Kill_Query ( 'ID' )",
        ] {
            let mut running = client.start(ENDLESS).await.unwrap();
            running.advance().await.unwrap();
            let id = running.id().to_owned();
            let killed = client.query(call.replace("ID", &id)).await.unwrap();
            assert_eq!(killed.error_name(), None, "{}: {call}", pair.mode);
            assert_eq!(pair.gateway.in_flight(), 1, "the call itself does not count");
            while running.advance().await.unwrap() {}
            assert_eq!(running.done().error_name(), Some("ADMINISTRATIVELY_KILLED"));
            assert_eq!(pair.gateway.in_flight(), 0);
        }
        let unknown = "CALL system.runtime.kill_query('20260101_000000_00000_zzzzz')";
        assert_eq!(client.query(unknown).await.unwrap().error_name(), Some("NOT_FOUND"));
        pair.stop().await;
    }
}

#[tokio::test]
async fn peers_X10_kill_query_knows_the_alias_of_a_query_that_was_sent_again() {
    let pair = Pair::usual().await;
    let client = pair.gateway.client().may_change_id();
    let mut running = client.start(ENDLESS).await.unwrap();
    let old = running.id().to_owned();
    pair.owner(&old).set_starting(true);
    running.advance().await.unwrap();
    pair.owner(&old).set_starting(false);
    running.advance().await.unwrap();
    let killed = client.query(format!("CALL system.runtime.kill_query('{old}')")).await.unwrap();
    assert_eq!(killed.error_name(), None);
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().error_name(), Some("ADMINISTRATIVELY_KILLED"));
    pair.stop().await;
}

#[tokio::test]
async fn peers_X10_the_verbs_of_a_query_reach_its_coordinator() {
    for pair in Pair::each_mode(false).await {
        let client = pair.gateway.client();
        for verb in ["killed", "preempted"] {
            let mut running = client.start(ENDLESS).await.unwrap();
            running.advance().await.unwrap();
            let path = format!("/v1/query/{}/{verb}", running.id());
            let answer = client.send(Method::PUT, &path, "enough").await.unwrap();
            assert_eq!(answer.status, 202, "{}: {verb}", pair.mode);
            while running.advance().await.unwrap() {}
        }
        pair.stop().await;
    }
}
