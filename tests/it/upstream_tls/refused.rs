//! Coordinators that are not trusted, or do not trust the gateway: told in words, in health, metric and answer.

use http::Method;
use sluice::simulator::Options;

use super::*;

/// Waits until a probe has failed, and gives back the reason.
async fn reason(trino: &Simulator, more: &str) -> String {
    let gateway = before(trino, more).await;
    let told = why(&gateway).await;
    gateway.stop().await;
    told
}

#[tokio::test]
async fn each_reason_stands_on_the_status_page() {
    let folder = Folder::new();
    let stranger = Authority::new("stranger");
    for (issued, words) in [
        (stranger.local(), "signed by nobody who is trusted; `tls.ca` names who is"),
        (folder.authority.expired(), "expired at 2020-02-03T00:00:00Z"),
        (
            folder.authority.server(&["trino", "10.0.0.1"]),
            "not for `127.0.0.1`; it is for trino, 10.0.0.1",
        ),
    ] {
        let trino = secure(Shown::new(&issued).server()).await;
        let told = reason(&trino, &folder.tls("")).await;
        assert!(told.contains(words), "{told}");
        assert_eq!(trino.counts().statements, 0);
    }
}

#[tokio::test]
async fn without_a_named_authority_the_systems_roots_judge() {
    let folder = Folder::new();
    let (trino, _) = folder.trino().await;
    let told = reason(&trino, "").await;
    assert!(told.contains("signed by nobody who is trusted"), "{told}");
}

#[tokio::test]
async fn a_coordinator_that_misses_our_certificate_says_so() {
    let folder = Folder::new();
    let clients = Authority::new("clients");
    let trino = secure(Shown::new(&folder.authority.local()).server_for(&clients)).await;
    let told = reason(&trino, &folder.tls("")).await;
    assert!(told.contains("it wants a certificate of ours"), "{told}");
    let strangers = Authority::new("strangers");
    let (certificate, key) = strangers.client("sluice").write(folder.path(), "own");
    let own = format!(", certificate: \"{}\", key: \"{}\"", certificate.display(), key.display());
    let told = reason(&trino, &folder.tls(&own)).await;
    assert!(told.contains("it does not accept our certificate"), "{told}");
}

#[tokio::test]
async fn plain_http_behind_https_is_told_as_what_it_is() {
    let folder = Folder::new();
    let trino = trino::trino().await;
    let url = trino.url().replace("http:", "https:");
    let gateway = Gateway::start(&groups(&[url], &folder.tls(""))).await;
    let told = why(&gateway).await;
    assert!(told.contains("does not speak TLS"), "{told}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_statement_that_meets_a_bad_certificate_gets_502_in_words() {
    let folder = Folder::new();
    let (trino, shown) = folder.trino().await;
    let gateway =
        Gateway::start(&format!("{SLOW_PROBES}{}", groups(&[trino.url()], &folder.tls("")))).await;
    gateway.until_healthy(1).await;
    shown.show(&folder.authority.expired());
    // Its connections are gone, and nobody has asked it since.
    trino.restart().await.unwrap();
    let answer = gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status.as_u16(), 502);
    assert_eq!(
        answer.text(),
        "Error 502 Bad Gateway: adhoc: its coordinator is not spoken to: its certificate has expired"
    );
    let series =
        "gateway_upstream_errors_total{backend=\"a\",error_type=\"tls\",routing_group=\"adhoc\"}";
    assert_eq!(gateway.metric(series).await, 1.0);
    assert!(why(&gateway).await.contains("expired at"), "the failure brought a probe about");
    assert_eq!(trino.counts().statements, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_statement_goes_elsewhere_when_one_certificate_is_bad() {
    let folder = Folder::new();
    let ((ill, shown), (well, _)) = (folder.trino().await, folder.trino().await);
    let urls = [ill.url(), well.url()];
    let gateway = Gateway::start(&format!("{SLOW_PROBES}{}", groups(&urls, &folder.tls("")))).await;
    gateway.until_healthy(2).await;
    shown.show(&Authority::new("stranger").local());
    ill.restart().await.unwrap();
    let series =
        "gateway_upstream_errors_total{backend=\"a\",error_type=\"tls\",routing_group=\"adhoc\"}";
    let mut sent = 0;
    while sent < 4 || gateway.metric(series).await == 0.0 {
        assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
        sent += 1;
        assert!(sent < 100, "the ill one is never chosen");
    }
    assert_eq!((ill.counts().statements, well.counts().statements), (0, sent));
    gateway.stop().await;
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    let folder = Folder::new();
    let (trino, shown) = folder.trino().await;
    // Whoever comes later than the probe is accepted by the kernel and by nobody else.
    let yaml = format!(
        "upstream: {{ connectTimeout: 200ms, statementTimeout: 5s }}\n{SLOW_PROBES}{}",
        groups(&[trino.url()], &folder.tls(""))
    );
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    let addr = trino.addr();
    trino.stop().await;
    let _silent = tokio::net::TcpListener::bind(addr).await.unwrap();
    let answer = gateway.client().send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status.as_u16(), 503, "{}", answer.text());
    let series = "gateway_upstream_errors_total{backend=\"a\",error_type=\"timeout\",routing_group=\"adhoc\"}";
    assert_eq!(gateway.metric(series).await, 1.0);
    drop(shown);
    gateway.stop().await;
}

#[tokio::test]
async fn passwords_that_need_a_secure_request_are_taken_over_tls() {
    let folder = Folder::new();
    let shown = Shown::new(&folder.authority.local());
    let login = sluice::simulator::Login::Password("secret".to_owned());
    let options = Options { tls: Some(shown.server()), login, ..Options::default() };
    let trino = trino::trino_with(options).await;
    let gateway = before(&trino, &folder.tls("")).await;
    gateway.until_healthy(1).await;
    let client = gateway.client().with("authorization", "Basic dGVzdDpzZWNyZXQ=");
    assert_eq!(client.rows("SELECT 1").await.len(), 1);
    let wrong = gateway.client().with("authorization", "Basic dGVzdDp3cm9uZw==");
    let answer = wrong.send(Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert_eq!(answer.status.as_u16(), 401);
    gateway.stop().await;
}
