//! A backend that really sleeps: its port refuses connections until it is woken, and again when it sleeps.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluice::simulator::{Counts, Options, Seen, Simulator};
use socket2::{Domain, Socket, Type};

use super::trino;

/// Until a slow one can be told to be starting.
const FIRST: Duration = Duration::from_millis(300);

/// A reserved port with a coordinator behind it at times.
pub(crate) struct Sleeper {
    pub(crate) addr: SocketAddr,
    options: Options,
    /// The one of the last life, running or not; it keeps what it saw over its lives.
    life: Mutex<Option<Arc<Simulator>>>,
    /// Whether it runs; held while it starts or stops.
    is_awake: tokio::sync::Mutex<bool>,
    /// Bound and never listening: connections are refused, and the system gives the port to nobody else.
    _port: Socket,
}

impl Sleeper {
    /// Asleep; a Trino 483 once it wakes.
    pub(crate) fn new() -> Arc<Self> {
        Self::with(Options::default())
    }

    /// Says `starting: true` after each wake until [`Self::ready`].
    pub(crate) fn slow() -> Arc<Self> {
        Self::with(Options { starting_for: FIRST, ..Options::default() })
    }

    /// Asleep; wakes as a coordinator of the test's own making.
    pub(crate) fn with(options: Options) -> Arc<Self> {
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        port.set_reuse_address(true).expect("an option of Linux");
        port.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        let addr = port.local_addr().ok().and_then(|addr| addr.as_socket()).expect("it is bound");
        let options = Options { bind: addr, ..options };
        Arc::new(Self {
            addr,
            options,
            life: Mutex::default(),
            is_awake: tokio::sync::Mutex::default(),
            _port: port,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Starts the process, unless it runs.
    pub(crate) async fn wake(&self) {
        let mut is_awake = self.is_awake.lock().await;
        match self.last() {
            None => {
                let first = trino::trino_with(self.options.clone()).await;
                *self.life.lock().unwrap() = Some(Arc::new(first));
            }
            Some(simulator) if !*is_awake => {
                simulator.restart().await.expect("its port is free");
            }
            Some(_) => {}
        }
        if !self.options.starting_for.is_zero() && !*is_awake {
            self.simulator().set_starting(true);
        }
        *is_awake = true;
    }

    /// Ends the process: connections are cut, and refused from now on.
    pub(crate) async fn sleep(&self) {
        let mut is_awake = self.is_awake.lock().await;
        if let Some(simulator) = self.last() {
            simulator.stop().await;
        }
        *is_awake = false;
    }

    /// Whether the process runs.
    pub(crate) async fn is_awake(&self) -> bool {
        *self.is_awake.lock().await
    }

    /// Ends the `starting: true` of a slow one.
    pub(crate) fn ready(&self) {
        self.simulator().set_starting(false);
    }

    /// The coordinator of the last life; there must have been one.
    pub(crate) fn simulator(&self) -> Arc<Simulator> {
        self.last().expect("it was woken")
    }

    /// What it has done in all its lives.
    pub(crate) fn counts(&self) -> Counts {
        self.last().map(|simulator| simulator.counts()).unwrap_or_default()
    }

    /// The statements it was sent, the oldest first.
    pub(crate) fn statements(&self) -> Vec<Seen> {
        let mut seen = self.last().map(|simulator| simulator.seen()).unwrap_or_default();
        seen.retain(|request| request.method == "POST" && request.path == "/v1/statement");
        seen
    }

    fn last(&self) -> Option<Arc<Simulator>> {
        self.life.lock().unwrap().clone()
    }
}
