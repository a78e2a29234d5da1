//! How much memory a proxy holds while fifty large pages go to clients that hardly read.

use std::{fmt::Write, time::Duration};

use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

use crate::{load, machine, peers::Peer, wire::Wire};

const READERS: usize = 50;
const PAGE: usize = 16 << 20;
/// One such sip every [`PAUSE`] is 640 KB/s: no page ends while we look.
const SIP: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(100);

/// Measures every proxy, one after the other.
pub(crate) async fn measure(peers: &[Peer], quick: bool) -> String {
    let long = if quick { Duration::from_millis(300) } else { Duration::from_secs(8) };
    let mut text =
        "| fifty 16 MB pages in flight | resident before, MB | largest, MB |\n| --- | --: | --: |\n"
            .to_owned();
    for peer in peers {
        let Some(pid) = peer.pid else { continue };
        let before = machine::resident_mb(pid);
        let readers: Vec<_> = (0..READERS).map(|_| spawn_local(read(peer.clone(), long))).collect();
        let until = Instant::now() + long;
        let mut largest = before;
        while Instant::now() < until {
            largest = machine::resident_mb(pid).max(largest);
            sleep(Duration::from_millis(20)).await;
        }
        for reader in readers {
            reader
                .await
                .expect("a reader")
                .unwrap_or_else(|error| panic!("{}: {error}", peer.name));
        }
        let _ = writeln!(text, "| {} | {before:.0} | {largest:.0} |", peer.name);
    }
    text
}

async fn read(peer: Peer, long: Duration) -> std::io::Result<()> {
    let until = Instant::now() + long;
    let mut wire = Wire::connect(peer.pages, peer.tls.as_ref()).await?;
    let request = load::first_page(&mut wire, &peer, PAGE, None).await?;
    wire.send(&request).await?;
    while Instant::now() < until {
        if wire.sip(SIP).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        sleep(PAUSE).await;
    }
    Ok(())
}
