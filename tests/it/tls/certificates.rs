//! Which certificate is shown: by name, and from the moment that another one stands in its file.

use tokio::net::TcpStream;

use super::{Door, data_of};
use crate::harness::{
    frames::Frames,
    gateway::{Gateway, groups},
    secure::{Authority, Files},
    trino, wait,
};

/// The bytes of a certificate in PEM.
fn der(files: &Files) -> Vec<u8> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    CertificateDer::from_pem_file(&files.certificate).unwrap().as_ref().to_vec()
}

#[tokio::test]
async fn each_name_gets_its_certificate() {
    let coordinator = trino::trino().await;
    let authority = Authority::new();
    let first = authority.signs("first", &["gw.test", "127.0.0.1"]);
    let etl = authority.signs("etl", &["etl.test"]);
    let star = authority.signs("star", &["*.example.test"]);
    let tls = format!("{}, others: [{{ {} }}, {{ {} }}]", first.yaml(), star.yaml(), etl.yaml());
    let gateway =
        Gateway::start(&format!("{}{}", data_of(&tls, ""), groups(&[coordinator.url()], ""))).await;
    let secure = authority.trusted(&["h2"]);
    for (host, files) in
        [("gw.test", &first), ("etl.test", &etl), ("x.example.test", &star), ("127.0.0.1", &first)]
    {
        assert_eq!(secure.shown(gateway.addresses.data, host).await, der(files), "{host}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_who_comes_next_and_nobody_is_cut_off() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let (addr, secure) = (door.gateway.addresses.data, door.authority.trusted(&["h2"]));
    let mut frames = Frames::to(&secure, addr, &[]).await;
    frames.ask(1, "GET", "/v1/info").await;
    assert!(frames.until_end(1).await.1.ends_stream());
    let old = der(&door.pair);
    assert_eq!(secure.shown(addr, "localhost").await, old);
    let renewed = door.authority.signs("renewed", &["127.0.0.1", "localhost"]);
    door.pair.replace(&renewed);
    // Nobody asks for a reload: the files are watched.
    wait::until_async("the new certificate", async || {
        secure.shown(addr, "localhost").await == der(&renewed)
    })
    .await;
    frames.ask(3, "GET", "/v1/info").await;
    assert!(frames.until_end(3).await.1.ends_stream(), "the old connection goes on");
    let reloads = "gateway_config_reloads_total{result=\"success\"}";
    wait::until_async("told", async || door.gateway.metric(reloads).await >= 1.0).await;
    drop(frames);
    door.stop().await;
}

#[tokio::test]
async fn a_bad_pair_is_refused_in_words_and_the_old_one_stays() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let (addr, secure) = (door.gateway.addresses.data, door.authority.trusted(&["h2"]));
    let old = der(&door.pair);
    let stranger = door.authority.signs("stranger", &["localhost"]);
    std::fs::copy(&stranger.key, &door.pair.key).unwrap();
    let (code, words) = door.gateway.command("/admin/reload").await;
    assert!((400..500).contains(&code), "{code}: {words}");
    assert!(words.contains("data.tls.key: this key does not belong to the certificate"), "{words}");
    assert_eq!(secure.shown(addr, "localhost").await, old);
    let events = door.gateway.asked("/api/v1/events").await.1.to_string();
    assert!(events.contains("ConfigRejected") && events.contains("data.tls.key"), "{events}");
    std::fs::remove_file(&door.pair.certificate).unwrap();
    let (code, words) = door.gateway.command("/admin/reload").await;
    assert!((400..500).contains(&code) && words.contains("cannot be read"), "{code}: {words}");
    assert_eq!(secure.shown(addr, "localhost").await, old);
    door.pair.replace(&stranger);
    assert_eq!(door.gateway.command("/admin/reload").await.0, 200);
    assert_eq!(secure.shown(addr, "localhost").await, der(&stranger));
    door.stop().await;
}

#[tokio::test]
async fn tls_can_be_taken_away_and_given_back_by_a_reload() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let yaml = groups(&[coordinator.url()], "");
    let secure = door.authority.trusted(&["http/1.1"]);
    door.gateway.rewrite(&yaml);
    assert_eq!(door.gateway.command("/admin/reload").await.0, 200);
    assert_eq!(door.gateway.client().rows("SELECT 1").await.len(), 1);
    let stream = TcpStream::connect(door.gateway.addresses.data).await.unwrap();
    assert!(secure.connect(stream, "localhost").await.is_err());
    door.gateway.rewrite(&format!("{}{yaml}", data_of(&door.pair.yaml(), "")));
    assert_eq!(door.gateway.command("/admin/reload").await.0, 200);
    assert_eq!(door.client(&["h2"]).rows("SELECT 1").await.len(), 1);
    door.stop().await;
}
