//! The page as scrapers get it: formats, exemplars, gzip, the data port, slow readers and many of them.

use std::io::Read as _;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Delta, Page};
use crate::harness::client::Client;
use crate::harness::gateway::{Gateway, groups};
use crate::harness::{trino, wait};

const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Status, headers and body of a scrape with this `Accept` and this `Accept-Encoding`.
async fn scrape(url: &str, accept: &str, coding: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    let client = Client::new(url).with("accept", accept).with("accept-encoding", coding);
    let answer = client.get("/metrics").await.unwrap();
    (answer.status, answer.headers, answer.raw.to_vec())
}

fn metrics_port(gateway: &Gateway) -> String {
    format!("http://{}", gateway.addresses.metrics)
}

#[tokio::test]
async fn obs_M1_openmetrics_comes_with_exemplars_of_sampled_traces_and_text_without() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let traced = gateway.client().with("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"));
    traced.rows("SELECT 1").await;
    let other = "4bf92f3577b34da6a3ce929d0e0e4736";
    let unsampled =
        gateway.client().with("traceparent", &format!("00-{other}-b7ad6b7169203331-00"));
    unsampled.rows("SELECT 1").await;
    gateway.until_idle().await;
    let (status, headers, body) = scrape(&metrics_port(&gateway), OPEN, "identity").await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &OPEN.parse().unwrap()));
    let page = String::from_utf8(body).unwrap();
    assert!(page.ends_with("# EOF\n"));
    for name in ["gateway_request_duration_seconds_bucket", "gateway_query_duration_seconds_bucket"]
    {
        let wanted = format!(" # {{trace_id=\"{TRACE}\"}} ");
        assert!(
            page.lines().any(|line| line.starts_with(name) && line.contains(&wanted)),
            "{name}"
        );
    }
    assert!(!page.contains(other), "nobody keeps that trace");
    let text = gateway.metrics().await;
    assert!(!text.contains(" # {") && !text.contains("# EOF"));
    gateway.stop().await;
}

#[tokio::test]
async fn exemplars_can_be_turned_off_while_it_runs() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let traced = gateway.client().with("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"));
    traced.rows("SELECT 1").await;
    gateway.until_idle().await;
    let has = async || {
        let page = scrape(&metrics_port(&gateway), OPEN, "identity").await.2;
        String::from_utf8(page).unwrap().contains(" # {")
    };
    assert!(has().await);
    let off = "metrics: { bind: \"127.0.0.1:0\", exemplars: false }\n";
    gateway.rewrite(&format!("{off}{}", groups(&[trino.url()], "")));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    assert!(!has().await);
    gateway.stop().await;
}

#[tokio::test]
async fn gzip_is_served_when_it_is_asked_for() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let (_, headers, packed) = scrape(&metrics_port(&gateway), "*/*", "gzip").await;
    assert_eq!(headers["content-encoding"], "gzip");
    let mut page = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut page).unwrap();
    assert!(page.contains("\ngateway_up 1\n"));
    assert!(packed.len() * 5 < page.len(), "{} of {}", packed.len(), page.len());
    let (_, headers, plain) = scrape(&metrics_port(&gateway), "*/*", "identity").await;
    assert!(!headers.contains_key("content-encoding"));
    assert!(plain.starts_with(b"# HELP "));
    gateway.stop().await;
}

#[tokio::test]
async fn the_data_port_has_the_page_only_where_it_is_wanted_and_never_counts_it() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    assert_eq!(scrape(&gateway.url(), "*/*", "identity").await.0, 404);
    let on = "metrics: { bind: \"127.0.0.1:0\", onDataPort: true }\n";
    gateway.rewrite(&format!("{on}{}", groups(&[trino.url()], "")));
    assert_eq!(gateway.command("/admin/reload").await.0, 200);
    let delta = Delta::from(&gateway).await;
    let (status, headers, body) = scrape(&gateway.url(), OPEN, "gzip").await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &OPEN.parse().unwrap()));
    assert_eq!(headers["content-encoding"], "gzip");
    assert!(!body.is_empty());
    assert_eq!(delta.of("gateway_requests_total", &[]).await, 0.0);
    assert_eq!(delta.of("gateway_http_requests_in_flight", &[]).await, 0.0);
    assert!(trino.seen().iter().all(|seen| seen.path != "/metrics"), "it is not the coordinator's");
    gateway.client().rows("SELECT 1").await;
    gateway.stop().await;
}

#[tokio::test]
async fn two_hundred_scrapers_all_get_their_page_and_queries_go_on() {
    let trino = trino::trino().await;
    let gateway = Gateway::before(&[&trino]).await;
    let mut scrapers = tokio::task::JoinSet::new();
    let url = metrics_port(&gateway);
    for number in 0..200 {
        let url = url.clone();
        let accept = if number % 2 == 0 { OPEN } else { "*/*" };
        scrapers.spawn(async move { scrape(&url, accept, "identity").await });
    }
    gateway.client().rows("SELECT 1").await;
    for (status, _, body) in scrapers.join_all().await {
        assert_eq!(status, 200);
        let page = String::from_utf8(body).unwrap();
        assert!(Page::read(&page.replace("# EOF\n", "")).sum("gateway_up", &[]) > 0.0);
    }
    gateway.stop().await;
}

/// A page of so many bytes before a listener with that patience.
async fn listener(
    bytes: usize,
    answer: Duration,
    stop: &CancellationToken,
) -> std::net::SocketAddr {
    let page = bytes::Bytes::from(vec![b'x'; bytes]);
    let router = axum::Router::new().route("/", axum::routing::get(async move || page.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = sluice::admin::listener::Limits { answer, connections: 1, ..Default::default() };
    tokio::spawn(sluice::admin::listener::serve(listener, router, limits, stop.clone()));
    address
}

#[tokio::test]
async fn a_scraper_that_reads_a_byte_a_second_is_cut_off_and_one_that_reads_is_not() {
    let stop = CancellationToken::new();
    let bytes = 32 << 20;
    let address = listener(bytes, Duration::from_secs(3), &stop).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut slow = socket.connect(address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(slow.read(&mut [0]).await.unwrap(), 1, "its answer has begun");
    // There is one place, so this one is served when the slow one is gone.
    let mut quick = TcpStream::connect(address).await.unwrap();
    quick.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let whole = quick.read_to_end(&mut answer);
    tokio::time::timeout(wait::PATIENCE, whole).await.expect("the slow one is cut off").unwrap();
    assert!(answer.len() > bytes, "{} of {bytes}", answer.len());
    let head = String::from_utf8_lossy(&answer[..200]).to_lowercase();
    assert!(head.contains(&format!("content-length: {bytes}")), "{head}");
    drop(slow);
    stop.cancel();
}

#[tokio::test]
async fn a_connection_without_an_answer_under_way_is_not_cut_off() {
    let stop = CancellationToken::new();
    let address = listener(10, Duration::from_millis(50), &stop).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(read > 10, "it was cut off between two scrapes");
        wait::pass(Duration::from_millis(120)).await;
    }
    stop.cancel();
}
