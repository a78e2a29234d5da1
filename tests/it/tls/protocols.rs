//! HTTP/1.1 and HTTP/2 inside TLS: the same answers, the same bytes, the same URIs.

use rustls::version::{TLS12, TLS13};

use super::{Door, PROTOCOLS};
use crate::harness::{client::Client, gateway::groups, pair::MODES, trino};

#[tokio::test]
async fn both_protocols_and_both_versions_of_tls_are_served() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    for version in [&TLS12, &TLS13] {
        for protocols in PROTOCOLS {
            let secure = door.authority.trusted_with(protocols, &[version]);
            let client = Client::new(door.url()).secured(secure);
            // The strict client accepts no URI but the gateway's own, which is https.
            let rows = client.rows("SELECT * FROM sim.rows(25) /* sim: pages=3 */").await;
            assert_eq!(rows.len(), 25, "{version:?} {protocols:?}");
        }
    }
    door.stop().await;
}

#[tokio::test]
async fn every_uri_mode_gives_https_uris() {
    for (mode, version, forwarded, uris) in MODES {
        let options = sluice::simulator::Options { version, forwarded, ..Default::default() };
        let (a, b) = (trino::trino_with(options.clone()).await, trino::trino_with(options).await);
        let yaml = groups(&[a.url(), b.url()], &format!(", uris: {uris}"));
        let door = Door::with(&yaml, "", 2).await;
        for protocols in PROTOCOLS {
            let client = door.client(protocols);
            let rows = client.rows("SELECT * FROM sim.rows(25) /* sim: pages=3 */").await;
            assert_eq!(rows.len(), 25, "{mode} {protocols:?}");
        }
        door.stop().await;
    }
}

#[tokio::test]
async fn backends_are_told_that_the_client_came_by_https() {
    let coordinator = trino::forwarded().await;
    let door = Door::before(&coordinator).await;
    for protocols in PROTOCOLS {
        coordinator.forget();
        door.client(protocols).rows("SELECT 1").await;
        let authority = door.gateway.addresses.data.to_string();
        let seen = coordinator.seen();
        let seen: Vec<_> =
            seen.iter().filter(|seen| seen.path.starts_with("/v1/statement")).collect();
        assert!(!seen.is_empty());
        for seen in seen {
            assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
            assert_eq!(seen.header("x-forwarded-host"), Some(authority.as_str()));
            assert_eq!(seen.header("x-forwarded-port"), authority.rsplit(':').next());
        }
    }
    door.stop().await;
}
