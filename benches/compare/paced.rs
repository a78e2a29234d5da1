//! Polls that are due at times of their own, whether or not the one before has been answered.
//!
//! A client that waits for an answer before it asks again asks nothing while a proxy stalls, so that the stall is seen once
//! (coordinated omission). Here each poll has a time at which it is due, its latency counts from then, and what a stall
//! holds up is late, one and all. The times are told by a task that never sleeps: timers are a millisecond coarse.

use std::{io, time::Duration};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    task::yield_now,
    time::Instant,
};

use crate::{load, peers::Peer, wire::Wire};

/// A client asks 125 times a second: sixty-four of them 8,000 times, which each of the proxies can bear.
const PERIOD: Duration = Duration::from_millis(8);

/// Tells clients that a poll is due, one after the other, from `from` to `until`.
pub(crate) async fn tell(clients: Vec<UnboundedSender<Instant>>, from: Instant, until: Instant) {
    let between = PERIOD / u32::try_from(clients.len()).expect("few clients");
    let mut due = from;
    for client in clients.iter().cycle() {
        if due >= until {
            return;
        }
        while Instant::now() < due {
            yield_now().await;
        }
        // A client that has failed says so itself.
        let _ = client.send(due);
        due += between;
    }
}

/// Polls one page whenever it is due; how long after that each answer was there, of those that were due from `from` on.
pub(crate) async fn poll(
    peer: &Peer,
    size: usize,
    mut ticks: UnboundedReceiver<Instant>,
    from: Instant,
) -> io::Result<Vec<Duration>> {
    let mut wire = Wire::connect(peer.pages, peer.tls.as_ref()).await?;
    let request = load::first_page(&mut wire, peer, size, None).await?;
    let mut latencies = Vec::new();
    while let Some(due) = ticks.recv().await {
        let status = wire.ask(&request, |_| {}).await?;
        if status != 200 {
            return Err(io::Error::other(format!("status {status}")));
        }
        if due >= from {
            latencies.push(due.elapsed());
        }
    }
    Ok(latencies)
}
