//! Coordinators behind TLS: whom the gateway trusts, what it says of those it does not, and what a reload changes.

mod files;
mod refused;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use serde_json::Value;
use sluice::simulator::{Options, Simulator};

use crate::harness::authority::{Authority, Shown};
use crate::harness::chaos::{Chaos, Weather};
use crate::harness::gateway::{Gateway, groups};
use crate::harness::{trino, wait};

/// Probes that come too late to help: the data plane must see for itself.
const SLOW_PROBES: &str = "health: { bind: \"127.0.0.1:0\", interval: 1h, timeout: 5s }\n";

/// A folder with an authority's certificate in it.
struct Folder {
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        let (authority, folder) = (Authority::new("ours"), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        Self { authority, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ca(&self) -> PathBuf {
        self.path().join("ca.crt")
    }

    /// `, tls: { ca: … }` for a backend, with more keys.
    fn tls(&self, more: &str) -> String {
        format!(", tls: {{ ca: \"{}\"{more} }}", self.ca().display())
    }

    /// A coordinator that shows what this authority signed for loopback.
    async fn trino(&self) -> (Simulator, Shown) {
        let shown = Shown::new(&self.authority.local());
        (secure(shown.server()).await, shown)
    }
}

async fn secure(tls: Arc<ServerConfig>) -> Simulator {
    trino::trino_with(Options { tls: Some(tls), ..Options::default() }).await
}

/// A gateway before that coordinator alone; `more` stands in the backend.
async fn before(trino: &Simulator, more: &str) -> Gateway {
    Gateway::start(&groups(&[trino.url()], more)).await
}

/// What the status page says of the first backend.
async fn backend(gateway: &Gateway) -> Value {
    let (_, page) = gateway.health("/api/v1/routing-groups/adhoc").await;
    let page: Value = serde_json::from_str(&page).unwrap();
    page["backends"][0].clone()
}

/// Waits until the status page tells why there is no TLS, and says what.
async fn why(gateway: &Gateway) -> String {
    wait::until_async("a reason", async || {
        let told = backend(gateway).await;
        told["tls"].is_string() && told["state"] == "unhealthy"
    })
    .await;
    backend(gateway).await["tls"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn statements_run_on_a_coordinator_whose_authority_is_named() {
    let folder = Folder::new();
    for uris in ["auto", "rewrite"] {
        let (trino, _) = folder.trino().await;
        let more = format!(", uris: {uris}{}", folder.tls(""));
        let gateway = before(&trino, &more).await;
        gateway.until_healthy(1).await;
        let done = gateway.client().query("SELECT 1").await.unwrap();
        assert_eq!(done.rows.len(), 1, "{uris}");
        assert_eq!(trino.counts().statements, 1);
        assert!(backend(&gateway).await.get("tls").is_none(), "no reason where all is well");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let folder = Folder::new();
    let (trino, _) = folder.trino().await;
    let more = folder.tls("");
    let yaml = format!(
        "data: {{ bind: \"127.0.0.1:0\", workers: 1 }}\n{SLOW_PROBES}{}",
        groups(&[trino.url()], &more)
    );
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    let before = trino.counts().connections;
    for _ in 0..5 {
        assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    }
    assert_eq!(trino.counts().connections - before, 1);
    gateway.stop().await;
}

/// As a proxy before a coordinator that sleeps does it: that is nobody there, not a bad certificate.
#[tokio::test]
async fn a_handshake_that_is_cut_off_is_a_connection_that_did_not_come_about() {
    let folder = Folder::new();
    let (trino, _) = folder.trino().await;
    let network = Chaos::before(trino.addr()).await;
    let url = network.url().replace("http:", "https:");
    let gateway = Gateway::start(&groups(&[url], &folder.tls(""))).await;
    gateway.until_healthy(1).await;
    let sql = "SELECT 1 /* sim: pages=3 rows=5 queued=0 running=0 */";
    let mut running = gateway.client().start(sql).await.unwrap();
    running.advance().await.unwrap();
    network.turn(Weather::Cut);
    let accepted = network.connections();
    let polling = tokio::spawn(async move { running.advance().await.map(|_| running) });
    wait::until("it is tried again", || network.connections() >= accepted + 2).await;
    network.restore();
    let mut running = polling.await.unwrap().unwrap();
    while running.advance().await.unwrap() {}
    assert_eq!(running.done().rows.len(), 15);
    assert!(backend(&gateway).await.get("tls").is_none(), "nothing is wrong with TLS");
    gateway.stop().await;
}

#[tokio::test]
async fn a_broken_page_stays_broken_over_tls() {
    let folder = Folder::new();
    let (trino, _) = folder.trino().await;
    for ending in ["die:page", "truncate"] {
        // A gateway each: who fails a poll time and again loses its circuit.
        let gateway = before(&trino, &folder.tls("")).await;
        gateway.until_healthy(1).await;
        let sql = format!("SELECT 1 /* sim: pages=2 rows=2 at=1 ending={ending} */");
        let client = gateway.client();
        let mut running = client.start(sql).await.unwrap();
        running.advance_until(|page| !page.rows().is_empty()).await.unwrap();
        let broken = running.advance().await.unwrap_err();
        // Of a page this small the client may have had nothing yet: then it is told in words.
        assert!(broken.is_transport() || broken.status() == Some(503), "{ending}: {broken}");
        running.cancel().await.unwrap();
        gateway.until_idle().await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn the_gateway_shows_its_own_certificate_to_who_asks_for_one() {
    let folder = Folder::new();
    let clients = Authority::new("clients");
    let (certificate, key) = clients.client("sluice").write(folder.path(), "own");
    let trino = secure(Shown::new(&folder.authority.local()).server_for(&clients)).await;
    let own = format!(", certificate: \"{}\", key: \"{}\"", certificate.display(), key.display());
    let gateway = before(&trino, &folder.tls(&own)).await;
    gateway.until_healthy(1).await;
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn any_certificate_is_taken_where_the_file_says_so_by_name() {
    let stranger = Authority::new("stranger");
    let trino = secure(Shown::new(&stranger.server(&["elsewhere"])).server()).await;
    let gateway = before(&trino, ", tls: { insecureSkipVerify: true }").await;
    gateway.until_healthy(1).await;
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    gateway.stop().await;
}
