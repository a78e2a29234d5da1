//! The prober of one backend: a task that asks `/v1/info` again and again and tells the fold.
//!
//! Each backend has its own, so that one that hangs delays no other. A prober remembers which process answered;
//! where a new one is ready it first finds out which forwarded headers that honours, so that the first statement
//! gets the right URIs. It judges nothing: rise, fall and circuit are the fold's.

pub(crate) mod ask;
mod pace;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use self::{
    ask::{Answer, Target},
    pace::{MIN_GAP, Pace},
};
use crate::{
    backends::{capabilities, health::Sign, identity::Identity, plan::Tempo},
    metrics::Probe,
    snapshot::{BackendUrl, Seat},
    trino::{info::ServerInfo, uris::Capabilities},
};

/// How often a new process is asked for its capabilities before it takes its first statement without them.
const PROOFS_AT_FIRST: u32 = 3;

/// What one probe found.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Of whom.
    pub(crate) seat: Seat,
    /// When it began.
    pub(crate) began: Instant,
    /// When it ended, for people.
    pub(crate) at: SystemTime,
    /// How long `/v1/info` took.
    pub(crate) took: Duration,
    /// For the metric.
    pub(crate) result: Probe,
    /// For the verdict.
    pub(crate) sign: Sign,
    /// For the circuit: any answer below 500.
    pub(crate) alive: bool,
    /// Why no TLS connection came about, if that is what happened.
    pub(crate) no_tls: Option<Arc<str>>,
    /// Who answered, if it was a coordinator.
    pub(crate) seen: Option<Seen>,
    /// Found in this round; with the first `Ready` of each process.
    pub(crate) capabilities: Option<Capabilities>,
}

/// A coordinator that answered.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) identity: Identity,
    pub(crate) version: Option<Arc<str>>,
    /// It is another process than the last one that answered.
    pub(crate) restarted: bool,
}

/// What a prober needs to work.
#[derive(Debug)]
pub(crate) struct Prober {
    pub(crate) seat: Seat,
    pub(crate) url: BackendUrl,
    pub(crate) target: Target,
    pub(crate) tempo: watch::Receiver<Tempo>,
    pub(crate) poked: Arc<Notify>,
    pub(crate) outcomes: mpsc::Sender<Outcome>,
}

/// What a prober remembers between two probes.
#[derive(Debug, Default)]
struct Memory {
    last: Option<Identity>,
    /// How often the present process was asked for its capabilities, and whether it answered.
    proofs: u32,
    proven: bool,
    pace: Pace,
}

impl Prober {
    /// Probes until it is cancelled.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        cancel.run_until_cancelled(self.probe_on()).await;
    }

    async fn probe_on(mut self) {
        let mut memory = Memory::default();
        loop {
            let tempo = *self.tempo.borrow_and_update();
            let (outcome, refused) = self.probe(&mut memory, tempo).await;
            let rest = memory.pace.after(outcome.sign, refused, tempo);
            if self.outcomes.send(outcome).await.is_err() {
                return;
            }
            self.rest(rest).await;
        }
    }

    async fn rest(&mut self, rest: Duration) {
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = self.poked.notified() => tokio::time::sleep(MIN_GAP).await,
            Ok(()) = self.tempo.changed() => {}
        }
    }

    async fn probe(&self, memory: &mut Memory, tempo: Tempo) -> (Outcome, bool) {
        let began = Instant::now();
        let answer = self.target.info(tempo.timeout).await;
        let took = began.elapsed();
        let refused = matches!(answer, Answer::Refused | Answer::NoTls(_));
        let (sign, result) = (sign(&answer), result(&answer));
        let alive = is_alive(&answer);
        let (seen, no_tls) = match answer {
            Answer::Info(info) => (Some(memory.recognise(&info)), None),
            Answer::NoTls(why) => (None, Some(why)),
            _ => (None, None),
        };
        let capabilities = match sign {
            Sign::Ready => self.capabilities(memory, tempo.timeout).await,
            Sign::Starting | Sign::Failed => None,
        };
        let (seat, at) = (self.seat, SystemTime::now());
        let outcome =
            Outcome { seat, began, at, took, result, sign, alive, no_tls, seen, capabilities };
        (outcome, refused)
    }

    /// Asks a new process what it honours: some tries at first, then one with each probe until it answers.
    ///
    /// Without an answer none is proven, which works with every Trino.
    async fn capabilities(&self, memory: &mut Memory, timeout: Duration) -> Option<Capabilities> {
        if memory.proven {
            return None;
        }
        let first = memory.proofs == 0;
        let tries = if first { PROOFS_AT_FIRST } else { 1 };
        memory.proofs = memory.proofs.saturating_add(tries);
        let asked = async {
            for _ in 0..tries {
                let proven = capabilities::prove(&self.target, &self.url, timeout).await;
                if proven.is_some() {
                    return proven;
                }
            }
            None
        };
        let proven = tokio::time::timeout(timeout.saturating_mul(2), asked).await.ok().flatten();
        memory.proven = proven.is_some();
        proven.or_else(|| first.then(Capabilities::default))
    }
}

impl Memory {
    fn recognise(&mut self, info: &ServerInfo) -> Seen {
        let identity = Identity::of(info);
        let restarted = self.last.as_ref().is_some_and(|last| identity.is_new_since(last));
        if restarted {
            (self.proofs, self.proven) = (0, false);
        }
        self.last = Some(identity.clone());
        Seen { identity, version: info.version().map(Arc::from), restarted }
    }
}

/// A worker, or a body that leaves `starting` out, is no coordinator that takes statements.
fn sign(answer: &Answer) -> Sign {
    match answer {
        Answer::Info(info) if info.ready() => Sign::Ready,
        Answer::Info(info) if info.starting == Some(true) => Sign::Starting,
        _ => Sign::Failed,
    }
}

fn result(answer: &Answer) -> Probe {
    match answer {
        Answer::Info(_) => Probe::Success,
        Answer::Timeout => Probe::Timeout,
        Answer::Status(_) | Answer::Refused | Answer::NoTls(_) | Answer::Broken => Probe::Failure,
    }
}

/// A 401 or a 404 comes from something that lives.
fn is_alive(answer: &Answer) -> bool {
    match answer {
        Answer::Info(_) => true,
        Answer::Status(status) => !status.is_server_error(),
        Answer::Refused | Answer::NoTls(_) | Answer::Broken | Answer::Timeout => false,
    }
}
