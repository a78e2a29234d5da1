//! Those who come to the secured port and do not speak TLS, or not yet, or with somebody before them.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use super::{Door, PROTOCOLS, data_of};
use crate::harness::{
    client::Client,
    gateway::{Gateway, groups},
    raw::{Raw, post},
    trino,
};

#[tokio::test]
async fn plain_http_is_told_that_this_is_https() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let addr = door.gateway.addresses.data;
    for request in ["GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n".to_owned(), post("", "SELECT 1")] {
        let told = Raw::ask(addr, request).await;
        assert_eq!(told.status(), 400);
        assert!(told.is_whole, "{told:?}");
        assert_eq!(told.text(), "This port speaks HTTPS, and the request was plain HTTP.\n");
    }
    assert_eq!(coordinator.counts().statements, 0);
    door.stop().await;
}

#[tokio::test]
async fn a_handshake_must_be_done_in_time() {
    let coordinator = trino::trino().await;
    let yaml = groups(&[coordinator.url()], "");
    let door = Door::with(&yaml, ", headerTimeout: 300ms", 1).await;
    // Nothing at all; the beginning of a record; a byte now and then would be the same.
    for begin in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut raw = Raw::to(door.gateway.addresses.data).await;
        raw.send(begin).await;
        let began = Instant::now();
        assert!(raw.is_ended().await);
        assert!(began.elapsed() > Duration::from_millis(250), "{:?}", began.elapsed());
    }
    // After the handshake a client may wait as long as it likes.
    let secure = door.authority.trusted(&["http/1.1"]);
    let stream = TcpStream::connect(door.gateway.addresses.data).await.unwrap();
    let mut stream = secure.connect(stream, "localhost").await.unwrap();
    crate::harness::wait::pass(Duration::from_millis(600)).await;
    stream.write_all(b"GET /v1/info HTTP/1.1\r\nhost: gw\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    drop(stream);
    door.stop().await;
}

#[tokio::test]
async fn what_is_neither_tls_nor_http_is_closed() {
    let coordinator = trino::trino().await;
    let door = Door::before(&coordinator).await;
    let mut raw = Raw::to(door.gateway.addresses.data).await;
    raw.send(b"\x00\x01\x02\x03\x04\x05\x06\x07").await;
    assert!(raw.is_reset().await || raw.is_ended().await);
    door.stop().await;
}

#[tokio::test]
async fn a_balancer_says_first_who_the_client_is() {
    let coordinator = trino::forwarded().await;
    let yaml = groups(&[coordinator.url()], "");
    let door = Door::with(&yaml, ", proxyProtocol: true", 1).await;
    for protocols in PROTOCOLS {
        coordinator.forget();
        let client = door.client(protocols).introduced("PROXY TCP4 192.0.2.7 192.0.2.1 9 443\r\n");
        assert_eq!(client.rows("SELECT * FROM sim.rows(5)").await.len(), 5);
        let seen = coordinator.seen();
        let post = seen.iter().find(|seen| seen.method == "POST").unwrap();
        assert_eq!(post.header("x-forwarded-for"), Some("192.0.2.7"));
        assert_eq!(post.header("x-forwarded-proto"), Some("https"));
    }
    door.stop().await;
}

#[tokio::test]
async fn two_processes_may_share_a_secured_port() {
    let coordinator = trino::trino().await;
    let yaml = groups(&[coordinator.url()], "");
    let door = Door::with(&yaml, ", sharePort: true", 1).await;
    let data = data_of(&door.pair.yaml(), ", sharePort: true");
    let port = door.gateway.addresses.data.port();
    let data = data.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let second = Gateway::start(&format!("{data}{yaml}")).await;
    second.until_healthy(1).await;
    let (url, secure) = (door.url(), door.authority.trusted(&["h2", "http/1.1"]));
    door.stop().await;
    let client = Client::new(url).secured(secure);
    assert_eq!(client.rows("SELECT * FROM sim.rows(5)").await.len(), 5);
    second.stop().await;
}
