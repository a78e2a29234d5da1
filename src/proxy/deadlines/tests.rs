//! Slow clients, by a clock that the test moves.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::timeout,
};

use super::*;

impl Reset for tokio::io::DuplexStream {
    fn reset(&self) {}
}

const LIMITS: Limits = Limits {
    idle: Duration::from_secs(360),
    head: Duration::from_secs(30),
    write: Duration::from_secs(300),
};

/// The client's preface and its empty SETTINGS.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The beginning of a frame.
fn frame(length: u8, kind: u8, flags: u8) -> [u8; 9] {
    [0, 0, length, kind, flags, 0, 0, 0, 1]
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends_after_its_idle_time() {
    let (client, server) = duplex(1024);
    let mut guarded = Guarded::new(server, LIMITS, Arc::default());
    let started = Instant::now();
    let error = guarded.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(started.elapsed().as_secs(), 360);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_dribbled_head_ends_after_its_time_however_steadily_it_comes() {
    let (mut client, server) = duplex(1024);
    let mut guarded = Guarded::new(server, LIMITS, Arc::default());
    let dribble = tokio::spawn(async move {
        let mut each_second = tokio::time::interval(Duration::from_secs(1));
        while client.write_all(b"x").await.is_ok() {
            each_second.tick().await;
        }
    });
    let started = Instant::now();
    let error = loop {
        if let Err(error) = guarded.read_u8().await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!((30..=31).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    drop(guarded);
    dribble.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_busy_connection_may_be_silent_and_is_idle_anew_afterwards() {
    let (mut client, server) = duplex(1024);
    let stage = Arc::new(Stage::default());
    let mut guarded = Guarded::new(server, LIMITS, Arc::clone(&stage));
    client.write_all(b"x").await.unwrap();
    guarded.read_u8().await.unwrap();
    stage.busy();
    stage.gave();
    assert!(timeout(Duration::from_secs(3600), guarded.read_u8()).await.is_err());
    stage.idle();
    let started = Instant::now();
    guarded.read_u8().await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 360);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_byte_is_cut_off() {
    let (client, server) = duplex(16);
    let mut pushed = Pushed::new(server, LIMITS.write);
    let started = Instant::now();
    let error = pushed.write_all(&[0; 64]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(started.elapsed().as_secs(), 300);
    drop(client);
}

/// How long a connection lived after its client sent this and then nothing more.
async fn lived(bytes: &[u8]) -> Option<u64> {
    let (mut client, server) = duplex(4096);
    let mut framed = Framed::new(server, LIMITS.head);
    client.write_all(bytes).await.unwrap();
    let mut read = vec![0; bytes.len()];
    framed.read_exact(&mut read).await.unwrap();
    assert_eq!(read, bytes);
    let started = Instant::now();
    let outcome = timeout(Duration::from_secs(3600), framed.read_u8()).await.ok()?;
    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
    Some(started.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_cut_into_frames_must_end_in_time() {
    let with = |more: &[&[u8]]| [HELLO, &more.concat()].concat();
    let (whole, part) = (frame(1, 1, 5), frame(1, 1, 1));
    assert_eq!(lived(HELLO).await, None, "idle is somebody else's business");
    assert_eq!(lived(&with(&[&whole, b"x"])).await, None);
    assert_eq!(lived(&with(&[&whole])).await, Some(30), "its payload is missing");
    assert_eq!(lived(&with(&[&part, b"x"])).await, Some(30), "its CONTINUATION is missing");
    assert_eq!(lived(&with(&[&part, b"x", &frame(0, 9, 0)])).await, Some(30));
    assert_eq!(lived(&with(&[&part, b"x", &frame(1, 9, 4), b"x"])).await, None);
    assert_eq!(lived(&with(&[&frame(9, 0, 0), b"x"])).await, None, "a body has another deadline");
    assert_eq!(lived(&with(&[&whole[..4]])).await, Some(30), "half the beginning of a frame");
}

#[tokio::test(start_paused = true)]
async fn each_head_has_its_own_time() {
    let (mut client, server) = duplex(4096);
    let mut framed = Framed::new(server, LIMITS.head);
    client.write_all(HELLO).await.unwrap();
    let asking = tokio::spawn(async move {
        let mut each = tokio::time::interval(Duration::from_secs(20));
        each.tick().await;
        for _ in 0..5 {
            // The end of one head and the beginning of the next come together.
            client.write_all(&[&frame(1, 1, 5)[..], b"x", &frame(1, 1, 5)].concat()).await.unwrap();
            each.tick().await;
            client.write_all(b"x").await.unwrap();
        }
        client
    });
    let mut read = [0; 1024];
    let ended = timeout(Duration::from_secs(110), async {
        loop {
            if let Err(error) = framed.read(&mut read).await {
                return error;
            }
        }
    });
    assert!(ended.await.is_err(), "nobody was slow");
    drop(asking.await.unwrap());
}

#[test]
fn a_stage_knows_who_is_waited_for() {
    let stage = Stage::default();
    stage.busy();
    assert_eq!(stage.held_up(), None);
    stage.gave();
    assert_eq!(stage.held_up(), Some(1));
    stage.gave();
    assert_eq!(stage.held_up(), Some(2), "the client took the first piece");
    stage.waits();
    assert_eq!(stage.held_up(), None, "the coordinator is waited for");
    stage.gave();
    stage.broken();
    stage.idle();
    assert_eq!(stage.get(), BROKEN, "it stays");
}
