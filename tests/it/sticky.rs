//! A query id finds its coordinator, whatever the encoding, the headers and the state of the fleet.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use http::Method;
use sluice::simulator::Options;

use crate::harness::canned::{self, Canned, ID};
use crate::harness::client::Client;
use crate::harness::gateway::{Gateway, groups};
use crate::harness::pair::Pair;
use crate::harness::{trino, wait};

const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";
const COMPLETED: &str = r#"gateway_query_events_total{event="completed",routing_group="adhoc"}"#;

#[tokio::test]
async fn peers_X1_compressed_answers_are_followed_and_counted_as_plain_ones() {
    for pair in Pair::each_mode(false).await {
        for encoding in ["identity", "gzip", "zstd", "br", "gzip, br, zstd"] {
            let before = pair.gateway.metric(COMPLETED).await;
            let client = pair.gateway.client().with("accept-encoding", encoding);
            for _ in 0..4 {
                let sql = "SELECT * /* sim: pages=2 rows=500 running=2 */ FROM t";
                let mut running = client.start(sql).await.unwrap();
                assert_eq!(pair.gateway.in_flight(), 1, "{}: {encoding}", pair.mode);
                while running.advance().await.unwrap() {}
                assert_eq!(running.done().rows.len(), 1000);
                assert_eq!(pair.gateway.in_flight(), 0, "{}: {encoding}", pair.mode);
            }
            assert_eq!(pair.gateway.metric(COMPLETED).await, before + 4.0);
        }
        pair.stop().await;
    }
}

/// A coordinator with one executing page, `tail` behind its `nextUri`'s place.
async fn one_page(page: impl Fn(&str) -> String + Clone + Send + Sync + 'static) -> Canned {
    Canned::start(move |asked| match asked.method {
        Method::POST => canned::first(asked, &format!("/v1/statement/queued/{ID}/yslug/1")),
        Method::DELETE => canned::status(204, ""),
        _ => canned::page(page(&asked.base())),
    })
    .await
}

#[tokio::test]
async fn peers_X2_a_last_page_of_5_MB_ends_its_query() {
    let trino = one_page(|_| {
        let rows = vec![r#"["0123456789abcdef"]"#; 250_000].join(",");
        format!(r#"{{"id":"{ID}","columns":[],"data":[{rows}],"stats":{{"state":"FINISHED"}},"warnings":[]}}"#)
    })
    .await;
    let gateway = Gateway::with_backends(&[trino.url()]).await;
    let client = gateway.client();
    let first = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    let next = first.json().unwrap()["nextUri"].as_str().unwrap().to_owned();
    assert_eq!(gateway.in_flight(), 1);
    assert!(client.get(&next).await.unwrap().raw.len() > 5_000_000);
    assert_eq!(gateway.in_flight(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn peers_L1_bodies_leave_as_they_came() {
    let body = |base: &str| {
        format!(
            r#"{{"id":"{ID}", "infoUri":"{base}/ui/query.html?{ID}","nextUri":"{base}/v1/statement/executing/{ID}/yslug/1","columns":[{{"name":"x"}}],"data":[[5.203437274582956E-10,{{"b":1,"a":2,"b":3}},9223372036854775807,"\u00e9 {base}/v1/"]],"stats":{{"state":"RUNNING","unknown":[1.0E5]}},"novel":null,"warnings":[]}}"#
        )
    };
    let trino = one_page(body).await;
    for uris in ["host", "forwarded", "rewrite"] {
        let gateway = Gateway::start(&groups(&[trino.url()], &format!(", uris: {uris}"))).await;
        gateway.until_healthy(1).await;
        let client = gateway.client();
        let first = client.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
        assert_eq!(first.status, 200, "{}", first.text());
        let path = format!("/v1/statement/queued/{ID}/yslug/1");
        let page = client.get(&path).await.unwrap().text();
        let (own, ours) = (trino.url(), gateway.url());
        let expected = match uris {
            "host" => body(&ours),
            "forwarded" => body(&own),
            // Two URIs are put right; what stands in the data stays.
            _ => body(&own).replacen(&own, &ours, 2),
        };
        assert_eq!(page, expected, "{uris}");
        client.send(Method::DELETE, &path, "").await.unwrap();
        gateway.stop().await;
    }
}

#[tokio::test]
async fn peers_X9_a_next_uri_needs_no_selector() {
    let (etl, adhoc) = (trino::trino().await, trino::trino().await);
    let yaml = format!(
        "routingGroups:\n\
         \x20 - {{ name: etl, backends: [{{ name: e, url: \"{}\" }}] }}\n\
         \x20 - {{ name: adhoc, backends: [{{ name: a, url: \"{}\" }}] }}\n\
         defaultRoutingGroup: adhoc\n",
        etl.url(),
        adhoc.url()
    );
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(2).await;
    let client = gateway.client().with("x-trino-routing-group", "etl");
    let running = client.start("SELECT 1").await.unwrap();
    let bare = gateway.client().without("x-trino-user");
    let page = bare.get(&running.next_uri()).await.unwrap();
    assert_eq!(page.status, 200);
    assert_eq!((etl.counts().polls, adhoc.counts().polls), (1, 0));
    running.cancel().await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn peers_X7_G22_an_id_never_moves() {
    for pair in Pair::each_mode(false).await {
        let client = pair.gateway.client();
        let mut running = client.start(ENDLESS).await.unwrap();
        running.advance().await.unwrap();
        let id = running.id().to_owned();
        let owner = if std::ptr::eq(pair.owner(&id), &pair.a) { "a" } else { "b" };
        for command in ["drain", "deactivate", "activate", "deactivate"] {
            let path = format!("/admin/backends/{owner}/{command}");
            let (status, words) = pair.gateway.command(&path).await;
            assert_eq!(status, 200, "{path}: {words}");
            assert!(running.advance().await.unwrap(), "{}: {command}", pair.mode);
        }
        assert_eq!(pair.other(&id).counts().polls, 0, "{}", pair.mode);
        let known = client.get(&format!("/v1/query/{id}")).await.unwrap();
        assert_eq!(known.json().unwrap()["queryId"], id.as_str());
        assert_eq!(running.cancel().await.unwrap().status, 204);
        pair.stop().await;
    }
}

#[tokio::test]
async fn peers_G20_deactivate_and_drain_are_effective_at_once() {
    let pair = Pair::usual().await;
    for (command, back) in [("deactivate", "activate"), ("drain", "activate")] {
        let path = format!("/admin/backends/a/{command}");
        assert_eq!(pair.gateway.command(&path).await.0, 200);
        let before = pair.a.counts().statements;
        for _ in 0..6 {
            pair.gateway.client().rows("SELECT 1").await;
        }
        assert_eq!(pair.a.counts().statements, before, "{command}");
        let path = format!("/admin/backends/a/{back}");
        assert_eq!(pair.gateway.command(&path).await.0, 200);
    }
    let before = pair.a.counts().statements;
    for _ in 0..20 {
        pair.gateway.client().rows("SELECT 1").await;
    }
    assert!(pair.a.counts().statements > before);
    pair.stop().await;
}

#[tokio::test]
async fn peers_X8_an_unknown_id_is_trinos_404_and_nothing_is_stored() {
    for pair in Pair::each_mode(false).await {
        let client = pair.gateway.client();
        let before = pair.gateway.shared.table.len();
        for path in [
            "/v1/statement/executing/20260101_000000_00000_zzzzz/y0/1",
            "/v1/statement/queued/20260101_000000_00000_zzzzz/y0/1",
            "/v1/query/20260101_000000_00000_zzzzz",
        ] {
            for method in [Method::GET, Method::DELETE] {
                let answer = client.send(method, path, "").await.unwrap();
                let seen = (answer.status.as_u16(), answer.text());
                assert_eq!(
                    seen,
                    (404, "Error 404 Not Found: Query not found".to_owned()),
                    "{}",
                    pair.mode
                );
            }
        }
        assert_eq!((pair.gateway.shared.table.len(), pair.gateway.in_flight()), (before, 0));
        pair.stop().await;
    }
}

#[tokio::test]
async fn peers_G5_the_owner_of_an_unknown_id_is_found_among_coordinators_that_tell_none() {
    let (one, two) = (trino::old().await, trino::old().await);
    for owner in [&one, &two] {
        for by_id in [false, true] {
            // Started around the gateway: neither the table nor a marker nor a suffix tells.
            let gateway = Gateway::before(&[&one, &two]).await;
            let running = Client::new(owner.url()).start(ENDLESS).await.unwrap();
            let path = running.next_uri().replace(&owner.url(), "");
            let client = gateway.client();
            if by_id {
                let query = format!("/v1/query/{}", running.id());
                assert_eq!(client.send(Method::DELETE, &query, "").await.unwrap().status, 204);
                assert_eq!(owner.state_of(running.id()), Some("FAILED"));
            } else {
                assert_eq!(client.get(&path).await.unwrap().status, 200);
                assert_eq!(gateway.in_flight(), 1);
                assert_eq!(client.send(Method::DELETE, &path, "").await.unwrap().status, 204);
            }
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn peers_G5_a_denied_id_says_nothing_of_its_neighbours() {
    let old = trino::old().await;
    let gateway = Gateway::before(&[&old]).await;
    let running = Client::new(old.url()).start(ENDLESS).await.unwrap();
    let path = running.next_uri().replace(&old.url(), "");
    let client = gateway.client();
    let wrong = path.replace(&running.next().unwrap().slug, &format!("y{}", "0".repeat(40)));
    assert_eq!(client.get(&wrong).await.unwrap().status, 404);
    let gone =
        format!("/v1/statement/executing/20200101_000000_00000_{}/y0/1", old.coordinator_id());
    assert_eq!(client.get(&gone).await.unwrap().status, 404);
    assert_eq!(client.get(&path).await.unwrap().status, 200);
    client.send(Method::DELETE, &path, "").await.unwrap();
    gateway.stop().await;
}

#[tokio::test]
async fn peers_G14_what_is_no_id_is_never_looked_up() {
    let pair = Pair::usual().await;
    let client = pair.gateway.client();
    let asked = |pair: &Pair| pair.a.counts().polls + pair.b.counts().polls;
    for path in [
        "/v1/statement/queued/x/y/1",
        "/v1/statement/executing/not_an_id/y/1",
        "/v1/query/not_an_id",
        "/v1/query/20240102_blah",
    ] {
        assert_eq!(client.get(path).await.unwrap().status, 404, "{path}");
    }
    for number in 0..50 {
        let path = format!("/v1/statement/executing/20260101_000000_{number:05}_zzzzz/y0/1");
        assert_eq!(client.get(&path).await.unwrap().status, 404);
    }
    assert_eq!(asked(&pair), 0, "all coordinators are known by id: none is asked");
    pair.stop().await;
}

#[tokio::test]
async fn peers_G3_a_poll_costs_one_request_and_nothing_else() {
    let pair = Pair::usual().await;
    let sql = "SELECT 1 /* sim: pages=20 rows=1 */";
    let mut running = pair.gateway.client().start(sql).await.unwrap();
    let id = running.id().to_owned();
    let mut polls = 0;
    while running.advance().await.unwrap() {
        polls += 1;
    }
    assert_eq!(pair.owner(&id).counts().polls, polls + 1);
    assert_eq!(pair.other(&id).counts().polls, 0);
    pair.stop().await;
}

#[tokio::test]
async fn peers_L10_what_other_gateways_forgot() {
    let pair = Pair::usual().await;
    let client = pair.gateway.client();
    assert_eq!(client.send(Method::HEAD, "/v1/statement", "").await.unwrap().status, 200);
    assert_eq!(client.get("/v1/info").await.unwrap().status, 200);
    let running = client.start(ENDLESS).await.unwrap();
    let head = running.heartbeat().await.unwrap();
    assert_eq!(
        (head.status.as_u16(), head.raw.len()),
        (405, 0),
        "Trino's own answer to a queued one"
    );
    let path = format!("/v1/query/{}", running.id());
    assert_eq!(client.send(Method::DELETE, &path, "").await.unwrap().status, 204);
    assert_eq!(pair.gateway.in_flight(), 0);
    pair.stop().await;
}

#[tokio::test]
async fn peers_L17_all_headers_and_all_uris_come_through_the_gateway() {
    for pair in Pair::each_mode(false).await {
        let sql = "SELECT 1 /* sim: pages=2 rows=1 header=X-Own:kept header=X-Own:twice */";
        let done = pair.gateway.client().query(sql).await.unwrap();
        // The strict client has checked infoUri, nextUri and partialCancelUri.
        let page = done.pages.iter().find(|page| !page.rows().is_empty()).unwrap();
        let own: Vec<_> = page.answer.headers.get_all("x-own").iter().collect();
        assert_eq!(own, ["kept", "twice"], "{}", pair.mode);
        pair.stop().await;
    }
}

#[tokio::test]
async fn peers_X23_100_parallel_statements_split_evenly() {
    let pair = Pair::start("", &Options::default(), "auto", "").await;
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let client = pair.gateway.client();
        starts.spawn(async move { client.start(ENDLESS).await.unwrap() });
    }
    let running = starts.join_all().await;
    assert_eq!((pair.a.counts().statements, pair.b.counts().statements), (50, 50));
    for query in running {
        query.cancel().await.unwrap();
    }
    wait::until("an empty ledger", || pair.gateway.in_flight() == 0).await;
    pair.stop().await;
}
