//! Files that change: another configuration, and other contents under the same names.

use super::*;

/// One data thread, so that its pool is the only one.
const ONE: &str = "data: { bind: \"127.0.0.1:0\", workers: 1 }\n";

#[tokio::test]
async fn a_reload_that_names_the_right_authority_makes_the_backend_healthy() {
    let folder = Folder::new();
    let (trino, _) = folder.trino().await;
    let gateway = before(&trino, "").await;
    why(&gateway).await;
    gateway.rewrite(&groups(&[trino.url()], &folder.tls("")));
    gateway.until_healthy(1).await;
    assert!(backend(&gateway).await.get("tls").is_none(), "the reason went with it");
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn an_idle_connection_never_serves_under_other_certificates() {
    let folder = Folder::new();
    let (trino, _) = folder.trino().await;
    let yaml = |more: &str| format!("{ONE}{SLOW_PROBES}{}", groups(&[trino.url()], more));
    let gateway = Gateway::start(&yaml(&folder.tls(""))).await;
    gateway.until_healthy(1).await;
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    let stranger = folder.path().join("stranger.crt");
    std::fs::write(&stranger, Authority::new("stranger").pem()).unwrap();
    gateway.rewrite(&yaml(&format!(", tls: {{ ca: \"{}\" }}", stranger.display())));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    let answer =
        gateway.client().send(http::Method::POST, "/v1/statement", "SELECT 1").await.unwrap();
    assert!(matches!(answer.status.as_u16(), 502 | 503), "{}: {}", answer.status, answer.text());
    assert_eq!(trino.counts().statements, 1, "nothing went over the old connection");
    gateway.stop().await;
}

#[tokio::test]
async fn a_reload_that_changes_no_certificate_keeps_the_connections() {
    let folder = Folder::new();
    let (trino, _) = folder.trino().await;
    let yaml =
        |head: &str| format!("{head}{ONE}{SLOW_PROBES}{}", groups(&[trino.url()], &folder.tls("")));
    let gateway = Gateway::start(&yaml("")).await;
    gateway.until_healthy(1).await;
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    let before = trino.counts().connections;
    gateway.rewrite(&yaml("queries: { linger: 1s }\n"));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(trino.counts().connections, before);
    gateway.stop().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_refused_at_reload_and_the_old_one_stays() {
    let folder = Folder::new();
    let (trino, _) = folder.trino().await;
    let gateway = before(&trino, &folder.tls("")).await;
    gateway.until_healthy(1).await;
    std::fs::write(folder.ca(), "nothing of use").unwrap();
    let (status, words) = gateway.command("/admin/reload").await;
    assert_ne!(status, 200);
    assert!(words.contains("tls.ca") && words.contains("holds no certificate"), "{words}");
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn files_that_are_renewed_under_their_names_are_taken_without_a_reload() {
    let folder = Folder::new();
    let (trino, shown) = folder.trino().await;
    let gateway = before(&trino, &folder.tls("")).await;
    gateway.until_healthy(1).await;
    let next = Authority::new("next");
    shown.show(&next.local());
    assert!(why(&gateway).await.contains("nobody who is trusted"));
    // As a renewal does that writes in two steps.
    std::fs::write(folder.ca(), "").unwrap();
    std::fs::write(folder.ca(), next.pem()).unwrap();
    gateway.until_healthy(1).await;
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    gateway.stop().await;
}
