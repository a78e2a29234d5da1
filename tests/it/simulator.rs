//! The simulator's own faults: what its script promises to break does break, and the strict client sees it.

use std::time::Duration;

use sluice::simulator::{Forwarded, Login, Options, Simulator};

use crate::harness::chaos::{Chaos, Weather};
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
    let abandon_after = Duration::from_millis(200);
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

#[tokio::test]
async fn a_page_can_stall_in_its_midst() {
    let trino = trino().await;
    let client = Client::new(trino.url());
    for ending in ["stall", "stall:page"] {
        let sql = format!("SELECT 1 /* sim: running=0 at=0 ending={ending} */");
        let mut running = client.start(sql).await.unwrap();
        running
            .advance_until(|page| page.next.as_ref().is_some_and(|next| !next.is_queued))
            .await
            .unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(100), running.advance()).await;
        assert!(waited.is_err(), "{ending}");
    }
}

#[tokio::test]
async fn a_long_poll_ends_when_the_query_does() {
    let trino = trino().await;
    let client = Client::new(trino.url());
    let mut running =
        client.start("SELECT 1 /* sim: queued=0 running=0 at=0 ending=hang */").await.unwrap();
    running.advance().await.unwrap();
    let next = running.next_uri();
    let polls = trino.counts().polls;
    let poll = tokio::spawn({
        let (client, next) = (client.clone(), next.clone());
        async move { client.get(&next).await }
    });
    wait::until("the poll is there", || trino.counts().polls > polls).await;
    let cancelled = tokio::time::Instant::now();
    assert_eq!(client.send(http::Method::DELETE, &next, "").await.unwrap().status, 204);
    let page = poll.await.unwrap().unwrap().json().unwrap();
    assert_eq!(page["error"]["errorName"], "USER_CANCELED");
    assert!(cancelled.elapsed() < Duration::from_millis(900));
}

#[tokio::test]
async fn segments_can_be_inline() {
    let trino = trino_with(Options { spooling: true, ..Options::default() }).await;
    let client = Client::new(trino.url()).with("x-trino-query-data-encoding", "json+zstd");
    let rows = client.rows("SELECT 1 /* sim: pages=2 rows=5000 inline */").await;
    assert_eq!(rows.len(), 10_000);
    assert!(rows.iter().enumerate().all(|(at, row)| row[0] == at));
    assert_eq!(trino.counts().segments, 0);
}

#[tokio::test]
async fn a_password_is_asked_for_over_https_only() {
    let login = Login::Password("secret".to_owned());
    let forwarded = Forwarded::Accept;
    let trino = trino_with(Options { login, forwarded, ..Options::default() }).await;
    let client = Client::new(trino.url());
    let plain = client.query("SELECT 1").await.unwrap_err();
    assert_eq!(plain.status(), Some(403));
    let own = trino.addr();
    let secure = client.with("x-forwarded-proto", "https").expecting(format!("https://{own}"));
    let Broken::Status(answer) = secure.query("SELECT 1").await.unwrap_err() else { panic!() };
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (401, "Unauthorized"));
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"Trino\"");
    let known = secure.with("authorization", "Basic dGVzdDpzZWNyZXQ=").via(own);
    assert_eq!(known.rows("SELECT 1").await.len(), 1);
}

#[tokio::test]
async fn a_browser_login_goes_its_way() {
    let (login, forwarded) = (Login::OAuth2, Forwarded::Accept);
    let trino = trino_with(Options { login, forwarded, ..Options::default() }).await;
    let base = format!("https://{}", trino.addr());
    let client = Client::new(trino.url())
        .with("x-forwarded-proto", "https")
        .expecting(&base)
        .via(trino.addr());
    let Broken::Status(refused) = client.query("SELECT 1").await.unwrap_err() else { panic!() };
    let challenge = refused.header("www-authenticate").to_owned();
    let quoted: Vec<&str> = challenge.split('"').collect();
    assert_eq!(quoted[0], "Bearer x_redirect_server=");
    let (redirect, token) = (quoted[1], quoted[3]);
    let issuer = client.get(redirect).await.unwrap();
    let nonce = issuer.header("set-cookie").split(';').next().unwrap().to_owned();
    let back = client.get(issuer.header("location")).await.unwrap();
    let stranger = client.get(back.header("location")).await.unwrap();
    assert_eq!(stranger.status, 400, "without the nonce");
    let refused = client.get(token).await.unwrap().json().unwrap();
    assert!(refused["error"].as_str().unwrap().starts_with("Authentication response could not"));
    let browser = client.clone().with("cookie", &nonce);
    assert_eq!(browser.get(back.header("location")).await.unwrap().status, 200);
    let granted = client.get(token).await.unwrap().json().unwrap();
    let bearer = format!("Bearer {}", granted["token"].as_str().unwrap());
    assert_eq!(client.with("authorization", &bearer).rows("SELECT 1").await.len(), 1);
}

#[tokio::test]
async fn a_ui_login_is_of_one_coordinator() {
    let options = || Options { ui_login: true, ..Options::default() };
    let (one, other) = (trino_with(options()).await, trino_with(options()).await);
    let client = Client::new(one.url());
    let refused = client.get("/ui/api/stats").await.unwrap();
    assert_eq!(
        (refused.status.as_u16(), refused.header("www-authenticate")),
        (401, "Trino-Form-Login")
    );
    let login = client.send(http::Method::POST, "/ui/auth/login", "{}").await.unwrap();
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    assert_eq!(client.with("cookie", &cookie).get("/ui/api/stats").await.unwrap().status, 200);
    let stranger = Client::new(other.url()).with("cookie", &cookie);
    assert_eq!(stranger.get("/ui/api/stats").await.unwrap().status, 401);
}

#[tokio::test]
async fn headers_above_the_limit_are_refused() {
    let trino = trino().await;
    let client = Client::new(trino.url()).with("x-trino-client-info", &"x".repeat(9000));
    assert_eq!(client.query("SELECT 1").await.unwrap_err().status(), Some(431));
}

#[tokio::test]
async fn the_network_breaks_and_is_mended() {
    let trino = trino().await;
    let chaos = Chaos::before(trino.addr()).await;
    let client = Client::new(chaos.url());
    let sql = "SELECT 1 /* sim: pages=2 bytes=1MiB */";
    assert_eq!(client.rows(sql).await.len(), 2 * 16 * 1024);
    for weather in [Weather::Cut, Weather::Reset, Weather::ResetAfter(100_000)] {
        chaos.turn(weather);
        assert!(client.query(sql).await.unwrap_err().is_transport(), "{weather:?}");
    }
    chaos.turn(Weather::Stall);
    let stalled = tokio::time::timeout(Duration::from_millis(100), client.query(sql)).await;
    assert!(stalled.is_err());
    chaos.turn(Weather::Dribble(20_000, Duration::from_millis(1)));
    assert_eq!(client.rows(sql).await.len(), 2 * 16 * 1024);
    chaos.restore();
    assert_eq!(client.rows(sql).await.len(), 2 * 16 * 1024);
    assert!(chaos.connections() > 4 && chaos.bytes() > 4 << 20);
    chaos.close();
    drop(client);
    wait::until("all connections are gone", || chaos.open() == 0 && trino.counts().open == 0).await;
}
