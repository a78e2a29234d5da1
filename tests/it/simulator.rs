//! The simulator's own faults: what its script promises to break does break, and the strict client sees it.

use sluice::simulator::{Options, Simulator};

use crate::harness::client::{Broken, Client};
use crate::harness::trino::{trino, trino_with};
use crate::harness::wait;

async fn run(simulator: &Simulator, sql: &str) -> Result<Vec<serde_json::Value>, Broken> {
    let client = Client::new(simulator.url());
    client.query(sql.to_owned()).await.map(|done| done.rows)
}

#[tokio::test]
async fn rows_come_complete_and_in_order() {
    let trino = trino().await;
    let rows = run(&trino, "SELECT * FROM sim.rows(25_000)").await.unwrap();
    assert_eq!(rows.len(), 25_000);
    assert!(rows.iter().enumerate().all(|(at, row)| row[0] == at));
    let rows = run(&trino, "SELECT 1 /* sim: pages=3 bytes=1MiB */").await.unwrap();
    assert_eq!(rows.len(), 3 * 16 * 1024);
    assert_eq!(trino.counts().living, 0);
}

#[tokio::test]
async fn a_broken_page_never_ends_cleanly() {
    let trino = trino().await;
    for ending in ["die", "die:head", "die:page", "truncate"] {
        for at in ["post", "queued", "1"] {
            let sql = format!("SELECT 1 /* sim: pages=3 rows=9 at={at} ending={ending} */");
            let broken = run(&trino, &sql).await.expect_err(&sql);
            assert!(broken.is_transport(), "{sql}: {broken}");
        }
    }
}

#[tokio::test]
async fn a_fault_can_pass() {
    let trino = trino().await;
    let client = Client::new(trino.url());
    let sql = "SELECT 1 /* sim: pages=2 rows=2 at=1 ending=die:page times=1 */";
    let mut running = client.start(sql).await.unwrap();
    running.advance_until(|page| !page.rows().is_empty()).await.unwrap();
    assert!(running.advance().await.unwrap_err().is_transport());
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 4);
}

#[tokio::test]
async fn statuses_and_wrong_bodies_are_seen() {
    let trino = trino().await;
    let status = run(&trino, "SELECT 1 /* sim: at=post ending=status:503 */").await.unwrap_err();
    assert_eq!(status.status(), Some(503));
    for ending in ["garbage", "endless", "notgzip", "bomb"] {
        let sql = format!("SELECT 1 /* sim: at=0 ending={ending} */");
        let broken = run(&trino, &sql).await.unwrap_err();
        assert!(matches!(broken, Broken::Rule(_)), "{sql}");
    }
}

#[tokio::test]
async fn a_wrong_directive_fails_the_query_in_words() {
    let trino = trino().await;
    let done = Client::new(trino.url()).query("SELECT 1 /* sim: page=3 */").await.unwrap();
    assert_eq!(done.error_name(), Some("SYNTAX_ERROR"));
    assert!(done.last().json["error"]["message"].as_str().unwrap().contains("page=3"));
}

#[tokio::test]
async fn a_restart_forgets_every_query() {
    let trino = trino().await;
    let client = Client::new(trino.url());
    let running = client.start("SELECT 1 /* sim: ending=hang */").await.unwrap();
    let before = trino.coordinator_id();
    trino.restart().await.unwrap();
    assert_ne!(trino.coordinator_id(), before);
    let answer = client.get(&running.next_uri()).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.text().as_str()),
        (404, "Error 404 Not Found: Query not found")
    );
    trino.stop().await;
    assert!(client.get("/v1/info").await.unwrap_err().is_transport());
}

#[tokio::test]
async fn a_starting_coordinator_takes_statements_and_fails_them() {
    let trino = trino().await;
    trino.set_starting(true);
    let client = Client::new(trino.url());
    let info = client.get("/v1/info").await.unwrap().json().unwrap();
    assert_eq!((&info["starting"], &info["state"]), (&true.into(), &"ACTIVE".into()));
    let done = client.query("SELECT 1").await.unwrap();
    assert_eq!(done.error_name(), Some("SERVER_STARTING_UP"));
    trino.set_starting(false);
    assert_eq!(client.rows("SELECT 1").await.len(), 1);
}

#[tokio::test]
async fn a_full_coordinator_queues_then_refuses() {
    let trino = trino_with(Options { max_running: 1, max_queued: 1, ..Options::default() }).await;
    let client = Client::new(trino.url());
    let mut first = client.start("SELECT 1 /* sim: queued=0 ending=hang */").await.unwrap();
    first.advance().await.unwrap();
    let mut second = client.start("SELECT 2").await.unwrap();
    for _ in 0..3 {
        second.advance().await.unwrap();
        assert_eq!(second.last().state, "QUEUED");
    }
    let third = client.query("SELECT 3").await.unwrap();
    assert_eq!(third.error_name(), Some("QUERY_QUEUE_FULL"));
    assert_eq!(first.cancel().await.unwrap().status, 204);
    while second.advance().await.unwrap() {}
    assert_eq!(second.done().rows.len(), 1);
}

#[tokio::test]
async fn a_query_that_nobody_polls_is_given_up() {
    let abandon_after = std::time::Duration::from_millis(200);
    let trino = trino_with(Options { abandon_after, ..Options::default() }).await;
    let client = Client::new(trino.url());
    let running = client.start("SELECT 1 /* sim: ending=hang */").await.unwrap();
    wait::until("the query is given up", || trino.state_of(running.id()) == Some("FAILED")).await;
    assert_eq!(trino.counts().living, 0);
}

#[tokio::test]
async fn requests_are_remembered() {
    let trino = trino().await;
    let client = Client::new(trino.url()).with("x-trino-source", "a test");
    client.rows("SELECT 1").await;
    let seen = trino.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/v1/statement"));
    assert_eq!(
        (seen[0].text().as_str(), seen[0].header("x-trino-source")),
        ("SELECT 1", Some("a test"))
    );
    assert_eq!(trino.counts().statements, 1);
    assert_eq!(trino.counts().polls as usize, seen.len() - 1);
}
