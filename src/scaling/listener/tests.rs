//! PINGs under a steered clock, frame by frame: the client is the test itself.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use super::answer;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;
/// Length, kind, flags, stream.
const HEAD: usize = 9;

/// A client that has begun to speak HTTP/2 and asks for nothing.
async fn client() -> DuplexStream {
    let (mut client, server) = duplex(64 * 1024);
    tokio::spawn(answer(server, Routes::default(), CancellationToken::new()));
    client.write_all(PREFACE).await.unwrap();
    tell(&mut client, SETTINGS, 0, &[]).await;
    client
}

async fn tell(client: &mut DuplexStream, kind: u8, flags: u8, payload: &[u8]) {
    let length = u8::try_from(payload.len()).unwrap();
    client.write_all(&[0, 0, length, kind, flags, 0, 0, 0, 0]).await.unwrap();
    client.write_all(payload).await.unwrap();
}

/// What the next PING bears; `None` where the server hangs up.
async fn ping(client: &mut DuplexStream) -> Option<Vec<u8>> {
    loop {
        let mut head = [0; HEAD];
        client.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        client.read_exact(&mut payload).await.ok()?;
        if (head[3], head[4] & ACK) == (PING, 0) {
            return Some(payload);
        }
    }
}

/// Seconds from then on; the clock stands still but where everybody waits.
fn since(begun: Instant) -> u64 {
    (begun.elapsed() + Duration::from_millis(500)).as_secs()
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_asked_every_20_s_and_stays_while_it_answers() {
    let (begun, mut client) = (Instant::now(), client().await);
    for round in 1..=5 {
        let payload = ping(&mut client).await.expect("a PING");
        assert_eq!(since(begun), 20 * round);
        tell(&mut client, PING, ACK, &payload).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_ping_without_an_answer_is_gone_10_s_later() {
    let (begun, mut client) = (Instant::now(), client().await);
    assert!(ping(&mut client).await.is_some());
    assert_eq!(ping(&mut client).await, None);
    assert_eq!(since(begun), 30);
}
