//! How much memory a proxy holds while large pages go to clients that hardly read: fifty of them, then three times as many,
//! which tells what a page needs from what a proxy needs anyway.

use std::{fmt::Write, time::Duration};

use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

use crate::{load, machine, peers::Peer, wire::Wire};

/// More would not fit into what the kernel gives all sockets together: it holds some megabytes of each page, on both sides.
const READERS: [usize; 2] = [50, 150];
const PAGE: usize = 16 << 20;
/// One such sip every [`PAUSE`] is 640 KB/s: no page ends while we look.
const SIP: usize = 64 << 10;
const PAUSE: Duration = Duration::from_millis(100);

/// Measures every proxy, one after the other.
pub(crate) async fn measure(peers: &[Peer], quick: bool) -> String {
    let long = if quick { Duration::from_millis(300) } else { Duration::from_secs(8) };
    let [few, many] = READERS;
    let mut text = format!(
        "| 16 MB pages in flight | resident before, MB | {few} pages: largest, MB | {many} pages: largest, MB | KB for one more |\n\
         | --- | --: | --: | --: | --: |\n"
    );
    for peer in peers {
        let Some(pid) = peer.pid else { continue };
        let before = machine::resident_mb(pid);
        let with_few = largest(peer, pid, few, long).await;
        let with_many = largest(peer, pid, many, long).await;
        let one_more = (with_many - with_few) * 1e3 / (many - few) as f64;
        let _ = writeln!(
            text,
            "| {} | {before:.0} | {with_few:.0} | {with_many:.0} | {one_more:.0} |",
            peer.name
        );
    }
    text
}

/// The most that is resident while so many pages are in flight, in MB.
async fn largest(peer: &Peer, pid: u32, pages: usize, long: Duration) -> f64 {
    let readers: Vec<_> = (0..pages).map(|_| spawn_local(read(peer.clone(), long))).collect();
    let until = Instant::now() + long;
    let mut largest = 0.0_f64;
    while Instant::now() < until {
        largest = machine::resident_mb(pid).max(largest);
        sleep(Duration::from_millis(20)).await;
    }
    for reader in readers {
        let outcome = reader.await.expect("a reader");
        outcome.unwrap_or_else(|error| panic!("{}: {error}", peer.name));
    }
    largest
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
