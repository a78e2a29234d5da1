//! A store behind a long way, and one that is full.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sluice::store::{Change, Fault, Key, Kind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::ground_at;
use crate::harness::{
    gateway::{Gateway, groups},
    server::{Server, Used},
    trino::trino,
    wait,
};

const LIFE: Duration = Duration::from_secs(60);

/// The length of a way in milliseconds, which may change.
type Length = Arc<AtomicU64>;

/// A long way to a server: what is sent arrives so much later, however much is on its way.
async fn long_way(to: SocketAddr, length: &Length) -> SocketAddr {
    let length = Arc::clone(length);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(to).await.unwrap();
            let (client, server) = (client.into_split(), server.into_split());
            tokio::spawn(late(client.0, server.1, Arc::clone(&length)));
            // The way back is short, so that one question costs one delay.
            tokio::spawn(late(server.0, client.1, Length::default()));
        }
    });
    address
}

async fn late(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, length: Length) {
    let (came, mut pieces) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let delay = Duration::from_millis(length.load(Ordering::Relaxed));
            if came.send((Instant::now() + delay, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    while let Some((due, piece)) = pieces.recv().await {
        sleep_until(due).await;
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_store_200_ms_away_works_and_many_writes_take_one_way() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let way = long_way(([127, 0, 0, 1], server.port).into(), &Arc::new(200.into())).await;
    let used = Used::by(&format!("url: 'redis://{way}', timeout: 400ms"));
    let key = |id: u32| Key::new(Kind::Query, format!("q{id}"));
    wait::until_async("a connection", async || used.shared.put(key(0), "1", LIFE).await.is_ok())
        .await;
    let begun = Instant::now();
    for id in 0..2_000 {
        used.shared.later(Change::put(key(id), "1", LIFE));
    }
    // One by one they would take 400 s.
    wait::until_async("all writes", async || server.ask::<usize>(&["DBSIZE"]).await == 2_000).await;
    println!("2,000 writes over a way of 200 ms: {:?}", begun.elapsed());
    assert!(used.shared.is_up());
    used.stop().await;
}

/// A store that answers later than its callers wait is one that does not answer: a replica serves without it and says so.
#[tokio::test]
async fn obs_H2_with_a_slow_store_a_replica_is_ready_and_says_that_it_is_degraded() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let (server, trino) = (Server::start(&program, &[]).await, trino().await);
    let length = Length::default();
    let way = long_way(([127, 0, 0, 1], server.port).into(), &length).await;
    let (ground, _secret) = ground_at(&format!("url: 'redis://{way}', timeout: 500ms"));
    let gateway = ground.gateway(&groups(&[trino.url()], "")).await;
    gateway.until_healthy(1).await;
    wait::until_async("it has heard its store", async || gateway.health("/readyz").await.0 == 200)
        .await;
    until_ready_is(&gateway, "healthy").await;
    length.store(1_500, Ordering::Relaxed);
    until_ready_is(&gateway, "degraded").await;
    let (status, page) = gateway.health("/readyz").await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("\"store\":\"unreachable\""), "{page}");
    assert_eq!(gateway.client().rows("SELECT 1").await.len(), 1);
    length.store(0, Ordering::Relaxed);
    until_ready_is(&gateway, "healthy").await;
    gateway.stop().await;
}

/// It is ready whenever it is asked.
async fn until_ready_is(gateway: &Gateway, word: &str) {
    let word = format!("\"status\":\"{word}\"");
    wait::until_async(&word, async || {
        let (status, page) = gateway.health("/readyz").await;
        assert_eq!(status, 200, "{page}");
        page.contains(&word)
    })
    .await;
}

#[tokio::test]
async fn a_full_store_refuses_in_its_word_and_stays_up_for_reads() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &["--maxmemory-policy", "noeviction"]).await;
    let used = Used::by(&format!("url: '{}'", server.url()));
    let (kept, mark) = (Key::new(Kind::Query, "kept"), Key::new(Kind::Mark, "m"));
    used.shared.put(kept.clone(), "1", LIFE).await.unwrap();
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let full = Fault::Refused("OOM".to_owned());
    let mut filled = 0;
    while used
        .shared
        .put(Key::new(Kind::Query, format!("{filled}")), vec![0; 65_536], LIFE)
        .await
        .is_ok()
    {
        filled += 1;
        assert!(filled < 100, "it is never full");
    }
    // Well over it: at the brink a few bytes of a connection decide.
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "512kb"]).await;
    for _ in 0..5 {
        assert_eq!(used.shared.put(kept.clone(), "2", LIFE).await, Err(full.clone()));
        assert_eq!(used.shared.put(mark.clone(), "2", LIFE).await, Err(full.clone()), "by script");
        let inbox = Key::new(Kind::Inbox, "i");
        assert_eq!(used.shared.push(inbox, "2", LIFE).await, Err(full.clone()));
        let lease = Key::new(Kind::Lease, "l");
        assert_eq!(used.shared.claim(lease, "me", LIFE).await, Err(full.clone()));
    }
    assert!(used.shared.is_up(), "a refusal is an answer");
    assert_eq!(used.shared.get(kept.clone()).await.unwrap().unwrap().value, "1");
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    used.shared.put(kept, "2", LIFE).await.unwrap();
    used.stop().await;
}
