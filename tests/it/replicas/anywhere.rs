//! What leads to a coordinator leads there from every replica: an id that nobody knows, and segments of a result.

use http::Method;
use sluice::simulator::{Options, Simulator, Version};

use super::ENDLESS;
use crate::harness::{
    client::Client,
    fleet::{Fleet, Roaming, path_of},
    gateway::groups,
    pair::MODES,
    trino, wait,
};

/// Started around the gateways: neither table, marker, suffix nor store tells whose it is.
#[tokio::test]
async fn peers_G5_every_replica_asks_for_the_owner_of_an_unknown_id_and_waits_for_the_answers() {
    let (one, two) = (trino::old().await, trino::old().await);
    for owner in [&one, &two] {
        let mut running = Client::new(owner.url()).start(ENDLESS).await.unwrap();
        // Trino shows a query at /v1/query from its first poll on.
        running.advance().await.unwrap();
        let path = running.next_uri().replace(&owner.url(), "");
        // Asked at once: no coordinator has been heard by these gateways, and a 404 would end the query.
        let fleet = Fleet::start(2, &groups(&[one.url(), two.url()], "")).await;
        let (first, second) = (fleet.replicas[0].client(), fleet.replicas[1].client());
        let (first, second) = tokio::join!(first.get(&path), second.get(&path));
        assert_eq!([first.unwrap().status, second.unwrap().status], [200, 200]);
        fleet.until_in_flight(&[0, 1], 1).await;
        assert_eq!(owner.state_of(running.id()), Some("RUNNING"));
        let ended = fleet.replicas[1].client().send(Method::DELETE, &path, "").await.unwrap();
        assert_eq!(ended.status, 204);
        fleet.until_in_flight(&[0, 1], 0).await;
        let never = path.replace(running.id(), "20200101_000000_00000_zzzzz");
        for replica in &fleet.replicas {
            let answer = replica.client().get(&never).await.unwrap();
            assert_eq!(answer.status, 404, "both were heard and neither has it");
        }
        fleet.end().await;
    }
}

/// Of two coordinators that are equally loaded either is chosen: so many turns, and both have had one.
const TURNS: usize = 64;

/// Each segment is downloaded at one replica and acknowledged at the other, neither of which had the POST alone.
#[tokio::test]
async fn peers_G6_segments_are_downloaded_and_acknowledged_at_any_replica() {
    // 435 knows no segments.
    let modes = MODES.into_iter().filter(|(_, version, ..)| *version != Version::V435);
    for (mode, version, forwarded, uris) in modes {
        let options = Options { version, forwarded, spooling: true, ..Options::default() };
        let a = trino::trino_with(options.clone()).await;
        let b = trino::trino_with(options).await;
        let yaml = groups(&[a.url(), b.url()], &format!(", uris: {uris}"));
        let fleet = Fleet::start(2, &yaml).await.healthy(2).await;
        let had = || (a.counts().statements > 0, b.counts().statements > 0);
        for round in 0..TURNS {
            if round >= 2 && had() == (true, true) {
                break;
            }
            let kept = spooled(&fleet, mode).await;
            assert_eq!(segments(&a, &b), kept.len() as u64, "{mode}");
            for (uri, ack) in kept {
                for (at, path) in [(1, uri), (0, ack)] {
                    let answer = fleet.replicas[at].client().get(&path).await.unwrap();
                    assert_eq!(answer.status, 200, "{mode}: {}", answer.text());
                }
            }
            assert_eq!(segments(&a, &b), 0, "{mode}: each was acknowledged where it lies");
        }
        assert_eq!(had(), (true, true), "{mode}");
        fleet.end().await;
    }
}

/// Segments that nobody has acknowledged.
fn segments(a: &Simulator, b: &Simulator) -> u64 {
    a.counts().segments + b.counts().segments
}

/// The paths of a result's segments and of their acknowledgements; its pages come from both replicas in turn.
async fn spooled(fleet: &Fleet, mode: &str) -> Vec<(String, String)> {
    let client = fleet.replicas[0].client().with("x-trino-query-data-encoding", "json");
    let sql = "SELECT * /* sim: pages=3 rows=2000 */ FROM t";
    let answer = client.send(Method::POST, "/v1/statement", sql).await.unwrap();
    let (mut query, mut kept, mut at) = (Roaming::of(&answer), Vec::new(), 0);
    while query.next.is_some() {
        at = 1 - at;
        query.poll(&fleet.replicas[at]).await;
        let segments = query.page["data"]["segments"].as_array().cloned().unwrap_or_default();
        kept.extend(segments.iter().filter(|each| each["type"] == "spooled").map(|each| {
            let path = |key: &str| path_of(each[key].as_str().expect("a URI"));
            (path("uri"), path("ackUri"))
        }));
    }
    assert_eq!((query.state.as_str(), query.error()), ("FINISHED", None), "{mode}");
    assert!(kept.len() > 1, "{mode}: {}", query.page);
    kept
}

/// Of the old one's nothing but its record tells whose it is.
#[tokio::test]
async fn a_heartbeat_reaches_the_coordinator_from_any_replica_and_changes_nothing() {
    for version in [Version::V435, Version::V483] {
        let options = Options { version, ..Options::default() };
        let (a, b) = (trino::trino_with(options.clone()).await, trino::trino_with(options).await);
        let fleet = Fleet::start(2, &groups(&[a.url(), b.url()], "")).await.healthy(2).await;
        let mut query = fleet.post(0, ENDLESS).await;
        let (owner, other) = if a.state_of(&query.id).is_some() { (&a, &b) } else { (&b, &a) };
        for state in ["QUEUED", "RUNNING"] {
            query.until(&fleet.replicas[0], state).await;
            let (before, elsewhere) = (owner.counts(), other.counts().heartbeats);
            let answer = query.ask(&fleet.replicas[1], Method::HEAD).await;
            assert_eq!((answer.status.as_u16(), answer.raw.len()), (200, 0), "{version:?}");
            assert_eq!(owner.counts().heartbeats, before.heartbeats + 1, "{version:?}");
            assert_eq!(owner.counts().polls, before.polls, "it asks for no page");
            assert_eq!(other.counts().heartbeats, elsewhere, "nobody else is asked");
        }
        fleet.until_in_flight(&[0, 1], 1).await;
        assert_eq!((fleet.replicas[0].in_flight(), fleet.replicas[1].in_flight()), (1, 0));
        query.ask(&fleet.replicas[1], Method::DELETE).await;
        fleet.until_in_flight(&[0, 1], 0).await;
        fleet.end().await;
    }
}

/// Whoever counts a query hears that its client is there, though it comes to another replica.
#[tokio::test]
async fn heartbeats_at_another_replica_keep_a_query_alive() {
    let trino = trino::trino().await;
    let yaml = format!("{}queries: {{ abandonAfter: 4s }}\n", groups(&[trino.url()], ""));
    let fleet = Fleet::start(2, &yaml).await.healthy(1).await;
    let kept = fleet.post(0, ENDLESS).await;
    // Given up later than the first one would be.
    let left = fleet.post(0, ENDLESS).await;
    wait::until_async("nobody asks for the second one", async || {
        let answer = kept.ask(&fleet.replicas[1], Method::HEAD).await;
        assert_eq!(answer.status, 200);
        fleet.replicas[0].in_flight() < 2
    })
    .await;
    let (_, told) = fleet.replicas[0].asked("/api/v1/queries").await;
    let state = |id: &str| {
        let all = told.as_array().expect("queries").iter();
        let mut found = all.filter(|query| query["queryId"] == id);
        found.next().map(|query| query["state"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(state(&left.id).as_deref(), Some("ABANDONED"), "{told}");
    assert_ne!(state(&kept.id).as_deref(), Some("ABANDONED"), "{told}");
    assert_eq!((fleet.replicas[0].in_flight(), fleet.replicas[1].in_flight()), (1, 0));
    kept.ask(&fleet.replicas[1], Method::DELETE).await;
    fleet.until_in_flight(&[0, 1], 0).await;
    fleet.end().await;
}
