//! The deadlines of a client connection that hyper does not keep.
//!
//! Three wrappers, each for one thing: `writing` is next to the socket, since bytes that TLS holds back are not taken
//! yet; `reading` and `frames` are next to HTTP, the first for one request after another, the second for HTTP/2. What
//! a single stream of HTTP/2 may keep waiting is its own task's business (`connection/streams`), and so is the
//! handshake of TLS (`tls`).

use std::{
    pin::Pin,
    sync::atomic::{AtomicU8, AtomicU32, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use tokio_rustls::server::TlsStream;

use crate::moment;

pub(crate) use self::{frames::Framed, reading::Guarded, writing::Pushed};

mod frames;
mod reading;
mod writing;

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;
const GIVING: u8 = 3;
const BROKEN: u8 = 4;

/// The limits of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Without a request.
    pub(crate) idle: Duration,
    /// From the first byte of a request to the end of its head.
    pub(crate) head: Duration,
    /// Without a byte taken by the client.
    pub(crate) write: Duration,
}

/// Where the one request of a connection stands, or the one of a stream; the service moves it, the deadlines read it.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    at: AtomicU8,
    given: AtomicU32,
}

impl Stage {
    /// A request reached its service.
    pub(crate) fn busy(&self) {
        self.at.store(BUSY, Ordering::Relaxed);
    }

    /// A piece of its answer was handed out: whatever is waited for now, the client keeps it waiting.
    pub(crate) fn gave(&self) {
        self.given.fetch_add(1, Ordering::Relaxed);
        self.go(BUSY, GIVING);
    }

    /// The next piece is not there yet.
    pub(crate) fn waits(&self) {
        self.go(GIVING, BUSY);
    }

    /// Its answer has been given.
    pub(crate) fn idle(&self) {
        self.go(GIVING, BUSY);
        self.go(BUSY, IDLE);
    }

    /// Its answer broke off: no end that looks like a clean one may follow.
    pub(crate) fn broken(&self) {
        self.at.store(BROKEN, Ordering::Relaxed);
    }

    /// The first byte of a request came.
    fn began(&self) {
        self.go(IDLE, HEAD);
    }

    /// How many pieces were handed out, if the client has to take them before anything else happens.
    pub(crate) fn held_up(&self) -> Option<u32> {
        (self.get() == GIVING).then(|| self.given.load(Ordering::Relaxed))
    }

    fn go(&self, from: u8, to: u8) {
        let _ = self.at.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn get(&self) -> u8 {
        self.at.load(Ordering::Relaxed)
    }
}

/// A connection that can end in a way that no client takes for a clean end.
pub(crate) trait Reset {
    /// Its end will be a reset.
    fn reset(&self);
}

impl Reset for TcpStream {
    fn reset(&self) {
        // Where it cannot be had, the framing of HTTP/1.1 still tells.
        let _ = self.set_zero_linger();
    }
}

impl<S: Reset> Reset for TlsStream<S> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

/// A deadline that starts when it is first waited for; its timer is armed anew only when it fires too early.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// What was waited for has come.
    pub(crate) fn clear(&mut self) {
        self.since = None;
    }

    /// Ready when it has been waited for so long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let due = *self.since.get_or_insert_with(moment::recent) + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            if timer.deadline() > due {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests;
