//! A simulator as a process in the background: it stays when its starter has gone, and ends when it is told or forgotten.

use std::process::{Output, Stdio};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinHandle,
    time::timeout,
};

use crate::harness::{
    trino::trino,
    wait::{self, PATIENCE},
};

/// It is stopped by its test; a test that fails leaves it to this.
const FORGOTTEN: &str = "20s";

/// Runs `sluice simulator` to its end. A background process that kept the output open would hang this.
async fn simulator(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.arg("simulator").args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    timeout(PATIENCE, command.output()).await.expect("it ends in time").expect("it runs")
}

/// Starts one in the background; its URL.
async fn detached(arguments: &[&str]) -> String {
    let arguments = [arguments, &["--detach", "--unused-for", FORGOTTEN]].concat();
    let output = simulator(&arguments).await;
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    told.split_whitespace().next_back().unwrap().to_owned()
}

async fn listens(url: &str) -> bool {
    TcpStream::connect(url.trim_start_matches("http://")).await.is_ok()
}

async fn info(url: &str) -> String {
    reqwest::get(format!("{url}/v1/info")).await.unwrap().text().await.unwrap()
}

fn node(info: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(info).unwrap()["nodeId"].clone()
}

#[tokio::test]
async fn it_stays_until_it_is_stopped_and_both_may_be_repeated() {
    let url = detached(&["--bind", "127.0.0.1:0", "--starting-for", "10m"]).await;
    let first = info(&url).await;
    assert!(first.contains("\"starting\":true"), "{first}");

    // Whoever starts it twice gets the one that is there.
    let bind = url.trim_start_matches("http://").to_owned();
    assert_eq!(detached(&["--bind", &bind]).await, url);
    assert_eq!(node(&info(&url).await), node(&first));

    for _ in 0..2 {
        let stopped = simulator(&["--stop", &url]).await;
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
        assert!(!listens(&url).await, "stopped is said when nobody listens");
    }

    // The same address again, and another life.
    assert_eq!(detached(&["--bind", &bind]).await, url);
    assert_ne!(node(&info(&url).await), node(&first));
    assert!(simulator(&["--stop", &url]).await.status.success());
}

#[tokio::test]
async fn two_starts_at_once_make_one() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = free.local_addr().unwrap().to_string();
    drop(free);
    let arguments = ["--bind", bind.as_str()];
    let (one, other) = tokio::join!(detached(&arguments), detached(&arguments));
    assert_eq!(one, other);
    assert!(simulator(&["--stop", &one]).await.status.success());
    assert!(!listens(&one).await);
}

#[tokio::test]
async fn it_ends_by_itself_when_it_is_forgotten() {
    let output = simulator(&["--bind", "127.0.0.1:0", "--detach", "--unused-for", "100ms"]).await;
    let told = String::from_utf8(output.stdout).unwrap();
    let url = told.split_whitespace().next_back().unwrap();
    wait::until_async("it has ended", async || !listens(url).await).await;
}

#[tokio::test]
async fn what_cannot_be_started_or_stopped_is_said_in_words() {
    let (serving, stranger) = stranger().await;
    let bind = stranger.trim_start_matches("http://");
    let output = simulator(&["--bind", bind, "--detach"]).await;
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("has ended") && words.contains("in use"), "{words}");

    // A simulator that somebody runs in the foreground, here within this process, is theirs to end.
    let trino = trino().await;
    for (url, expected) in [
        (trino.url(), "no simulator that was started with --detach"),
        (stranger.clone(), "no simulator that was started with --detach"),
        ("nowhere".to_owned(), "no address"),
    ] {
        let output = simulator(&["--stop", &url]).await;
        assert!(!output.status.success(), "{url}");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(expected), "{words}");
    }
    serving.abort();
}

/// A web server that knows no path.
async fn stranger() -> (JoinHandle<()>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let answer =
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });
    (serving, url)
}
