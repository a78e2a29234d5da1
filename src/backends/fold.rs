//! The one task that owns the truth of the backends and publishes the next snapshot when it changes.
//!
//! It hears orders (a new configuration, marks), probes' outcomes, the data plane's reports and the clock, and
//! runs the probers. It waits for nobody: every answer it gives is made from what it has at hand.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use reqwest::Client;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    backends::{
        Refused,
        hearsay::word::Said,
        plan::{Plan, Tempo},
        probe::{Outcome, Prober, ask, ask::Target},
        renewal::Renewed,
        resume::calls::{Calls, Told},
        truth::{Effect, NotSteered, Steered, Truth},
    },
    config::model::Config,
    snapshot::{Current, Mark, Report, Seat},
};

/// What `Control` asks for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Take over another configuration.
    Apply { config: Arc<Config>, hash: Arc<str>, done: oneshot::Sender<Result<(), Refused>> },
    /// Mark a backend; answered with `None` if there is none of that name.
    Mark { backend: String, mark: Mark, done: oneshot::Sender<Option<Mark>> },
    /// Wake a group, or put it to sleep.
    Steer { group: String, steer: Steer, done: oneshot::Sender<Steering> },
    /// Other replicas have seen cold starts of that group.
    Learn { group: Arc<str>, times: Vec<Duration> },
    /// Take over certificates that changed in their files.
    Renew(Renewed),
}

/// Which way, and who says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Steer {
    Awake,
    Asleep,
    /// Said at another replica, which sees to what is ready there.
    AsleepElsewhere,
}

/// What became of an operator's resume or suspend.
pub(crate) type Steering = Result<Vec<Steered>, NotSteered>;

/// The fold with its ears and its probers.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) truth: Truth,
    pub(crate) current: Current,
    pub(crate) ears: Ears,
    pub(crate) probers: Probers,
    pub(crate) calls: Calls,
    /// Where there are other replicas that want to know.
    pub(crate) said: Option<mpsc::Sender<Said>>,
}

/// All that it hears.
#[derive(Debug)]
pub(crate) struct Ears {
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
    pub(crate) outcomes: mpsc::Receiver<Outcome>,
    pub(crate) told: mpsc::UnboundedReceiver<Told>,
}

/// Something that it heard.
#[derive(Debug)]
enum Heard {
    Order(Order),
    Report(Report),
    Outcome(Box<Outcome>),
    Told(Told),
    Time,
}

impl Fold {
    /// Works until it is cancelled.
    pub(crate) async fn run(mut self) {
        let cancel = self.probers.cancel.clone();
        self.follow();
        while let Some(Some(heard)) = cancel.run_until_cancelled(self.hear()).await {
            let done = self.take(heard);
            self.follow();
            if let Some(done) = done {
                done.tell();
            }
        }
    }

    /// The next thing; `None` when nobody is left to speak.
    async fn hear(&mut self) -> Option<Heard> {
        let wake = self.truth.next_wake(Instant::now());
        let time = async {
            match wake {
                Some(wake) => tokio::time::sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            order = self.ears.orders.recv() => order.map(Heard::Order),
            report = self.ears.reports.recv() => report.map(Heard::Report),
            outcome = self.ears.outcomes.recv() => outcome.map(|o| Heard::Outcome(Box::new(o))),
            told = self.ears.told.recv() => told.map(Heard::Told),
            () = time => Some(Heard::Time),
        }
    }

    fn take(&mut self, heard: Heard) -> Option<Done> {
        let now = Instant::now();
        match heard {
            Heard::Outcome(outcome) => self.truth.probed(&outcome, now),
            Heard::Report(report) => self.truth.reported(report, now),
            Heard::Told(told) => self.truth.told(told, now),
            Heard::Order(Order::Mark { backend, mark, done }) => {
                return Some(Done::Mark(done, self.truth.mark(&backend, mark, now)));
            }
            Heard::Order(Order::Steer { group, steer, done }) => {
                let steered = match steer {
                    Steer::Awake => self.truth.resume(&group, now),
                    Steer::Asleep => self.truth.suspend(&group, now),
                    Steer::AsleepElsewhere => self.truth.keep_down(&group, now),
                };
                return Some(Done::Steer(done, steered));
            }
            Heard::Order(Order::Renew(renewed)) => self.truth.renew(renewed),
            Heard::Order(Order::Learn { group, times }) => self.truth.learn(&group, &times),
            Heard::Order(Order::Apply { config, hash, done }) => {
                return Some(Done::Apply(done, self.apply(config, hash)));
            }
            Heard::Time => {}
        }
        self.truth.tick(now);
        None
    }

    fn apply(&mut self, config: Arc<Config>, hash: Arc<str>) -> Result<(), Refused> {
        let plan = Plan::of(&config).map_err(Refused::Wrong)?;
        plan.warn();
        self.truth.apply(plan, config, hash, Instant::now());
        Ok(())
    }

    /// Does what follows, and publishes if there is something new.
    fn follow(&mut self) {
        for effect in self.truth.take_effects() {
            self.calls.follow(effect, &self.truth);
            self.probers.follow(effect, &self.truth);
        }
        for (group, took) in self.truth.take_took() {
            let Some(said) = &self.said else { continue };
            // A time that is lost in a throng is one of twenty.
            let _ = said.try_send(Said::Took(group.as_str().into(), took));
        }
        if self.truth.take_changed() {
            self.truth.tell_states();
            self.current.publish(self.truth.snapshot());
        }
    }
}

/// An answer that is given after the snapshot is out, so that who asked sees it.
#[derive(Debug)]
enum Done {
    Mark(oneshot::Sender<Option<Mark>>, Option<Mark>),
    Apply(oneshot::Sender<Result<(), Refused>>, Result<(), Refused>),
    Steer(oneshot::Sender<Steering>, Steering),
}

impl Done {
    fn tell(self) {
        // Who asked may have left; the change stands.
        match self {
            Self::Mark(done, marked) => drop(done.send(marked)),
            Self::Apply(done, applied) => drop(done.send(applied)),
            Self::Steer(done, steered) => drop(done.send(steered)),
        }
    }
}

/// The probers at work.
#[derive(Debug)]
pub(crate) struct Probers {
    pub(crate) http: Client,
    pub(crate) outcomes: mpsc::Sender<Outcome>,
    pub(crate) tracker: TaskTracker,
    pub(crate) cancel: CancellationToken,
    pub(crate) at_work: BTreeMap<Seat, Leash>,
}

/// How a prober is led.
#[derive(Debug)]
pub(crate) struct Leash {
    tempo: watch::Sender<Tempo>,
    poked: Arc<Notify>,
    cancel: CancellationToken,
}

impl Probers {
    fn follow(&mut self, effect: Effect, truth: &Truth) {
        match effect {
            Effect::Start(seat) => self.start(seat, truth),
            Effect::Poke(seat) => self.at_work.get(&seat).into_iter().for_each(Leash::poke),
            Effect::Stop(seat) => {
                self.at_work.remove(&seat).into_iter().for_each(|leash| leash.cancel.cancel());
            }
            Effect::Retune(seat) => {
                let Some(tempo) = truth.tempo(seat) else { return };
                self.at_work.get(&seat).into_iter().for_each(|leash| leash.retune(tempo));
            }
            Effect::Call(..) | Effect::Count(_) => {}
        }
    }

    fn start(&mut self, seat: Seat, truth: &Truth) {
        let Some(record) = truth.record(seat) else { return };
        let (tempo, heard_tempo) = watch::channel(record.planned.tempo);
        let poked = Arc::new(Notify::new());
        let cancel = self.cancel.child_token();
        let url = record.planned.url.clone();
        let http = ask::client_of(record.planned.trust.as_deref(), &self.http);
        let prober = Prober {
            seat,
            target: Target::new(http, &url),
            url,
            tempo: heard_tempo,
            poked: Arc::clone(&poked),
            outcomes: self.outcomes.clone(),
        };
        let span = tracing::info_span!("prober", backend = %record.name());
        self.tracker.spawn(prober.run(cancel.clone()).instrument(span));
        // One that works under other settings ends; what it still tells counts, as any late outcome does.
        let old = self.at_work.insert(seat, Leash { tempo, poked, cancel });
        old.into_iter().for_each(|leash| leash.cancel.cancel());
    }
}

impl Leash {
    fn poke(&self) {
        self.poked.notify_one();
    }

    fn retune(&self, tempo: Tempo) {
        self.tempo.send_if_modified(|old| std::mem::replace(old, tempo) != tempo);
    }
}
