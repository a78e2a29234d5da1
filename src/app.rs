//! The only assembly: configuration in, a running gateway and its bound addresses out.
//!
//! Ports are bound before anything starts, so that a taken one is an error by name. Everything but the data threads
//! lives on the runtime that `start` is called on: probes, reloads, scrapes, commands. No part is reachable by a global.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use thiserror::Error;
use tokio::{net::TcpListener, runtime::Handle, sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin::{self, ConfigStatus, Operated, Seen, listener::Limits},
    backends,
    config::{
        self, Loaded,
        model::{Config, OnFull, Scaler},
        watch::{Poke, Watcher},
    },
    events::{Event, Events},
    lifecycle::{Check, Lifecycle, Phase, Signals, Timing},
    living::Alive,
    metrics::{EventName, Living, Metrics, MetricsError, Scrape},
    profiling::{self, Profiler, WrongVariable},
    proxy::{
        Shared, plane,
        plane::Plane,
        port,
        tls::{Ready, Tls},
    },
    queries::{Keeper, Ledger, chronicle::AuditCounts, reaper},
    reload::{self, Reloading},
    replicas::{Replicas, round},
    scaling::{self, Ground},
    snapshot::Demand,
    store::{Memory, Redis, Scope, Seal, SharedStore, Store, Terms},
    telemetry::{
        audit::{Audit, Options, Tail, Unwritable},
        logs::Logs,
    },
};

mod spans;

/// Reload wishes that may wait; who sends more waits too.
const WISHES: usize = 16;

/// Why the gateway did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port is taken, or an address is not ours.
    #[error("cannot bind {key} {address}: {cause}")]
    Bind {
        /// The key of the configuration.
        key: &'static str,
        /// What it says.
        address: SocketAddr,
        /// The system's words.
        cause: io::Error,
    },
    /// The environment contradicts itself.
    #[error(transparent)]
    Variable(#[from] WrongVariable),
    /// The metrics contradict each other.
    #[error("cannot set up the metrics: {0}")]
    Metrics(#[from] MetricsError),
    /// The configuration cannot be put to work.
    #[error("cannot put the configuration to work: {0}")]
    Refused(#[from] backends::Refused),
    /// The way to the collector of spans is not one, as the key or variable that it names says.
    #[error("cannot export spans: {0}")]
    Spans(String),
    /// The certificates changed since the configuration was checked, and cannot be used any more.
    #[error("cannot secure the data port: {0}")]
    Tls(String),
    /// The audit cannot be kept.
    #[error(transparent)]
    Audit(#[from] Unwritable),
    /// The files of the scaler's TLS cannot be put to work.
    #[error("cannot open the scaler: {0}")]
    Scaler(String),
    /// The settings of the store cannot be put to work.
    #[error("cannot use the store: {0}")]
    Store(String),
    /// No thread, no file descriptor.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Where everything listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Trino's clients.
    pub data: SocketAddr,
    /// Prometheus.
    pub metrics: SocketAddr,
    /// Health and status.
    pub health: SocketAddr,
    /// Commands.
    pub admin: SocketAddr,
    /// CPU profiles, where they are enabled.
    pub profiling: Option<SocketAddr>,
    /// KEDA, where the scaler is enabled.
    pub scaler: Option<SocketAddr>,
}

/// A running gateway.
pub struct App {
    /// Where it listens.
    pub addresses: Addresses,
    /// What the data threads share.
    pub shared: Arc<Shared>,
    lifecycle: Lifecycle,
    plane: Plane,
    tasks: TaskTracker,
    cancel: CancellationToken,
    poke: Option<Poke>,
    /// Waits for the last records.
    audit: Option<Tail>,
}

struct Ports {
    data: std::net::TcpListener,
    metrics: TcpListener,
    health: TcpListener,
    admin: TcpListener,
    profiling: Option<TcpListener>,
    scaler: Option<TcpListener>,
}

/// Starts a gateway; `path` is the file that `loaded` came from, and is watched if given.
pub async fn start(loaded: Loaded, path: Option<PathBuf>, logs: Logs) -> Result<App, StartError> {
    begin(loaded, path, logs, None).await
}

/// The same with a store that may have other users, in this process or elsewhere.
pub async fn start_with(
    loaded: Loaded,
    path: Option<PathBuf>,
    logs: Logs,
    store: Arc<dyn Store>,
    terms: Terms,
) -> Result<App, StartError> {
    begin(loaded, path, logs, Some((store, terms))).await
}

async fn begin(
    loaded: Loaded,
    path: Option<PathBuf>,
    logs: Logs,
    given: Option<(Arc<dyn Store>, Terms)>,
) -> Result<App, StartError> {
    let ports = bind(&loaded.config).await?;
    let scaler_tls = loaded.config.scaler.tls.as_ref().map(scaling::tls::Tls::read);
    let scaler_tls = scaler_tls.transpose().map_err(StartError::Scaler)?;
    let metrics = Metrics::new()?;
    let traces = spans::export(&loaded.config, &metrics).map_err(StartError::Spans)?;
    let events = Events::new(Arc::clone(&metrics));
    let lifecycle = Lifecycle::new();
    let (config_part, listeners_part) =
        (lifecycle.part(Check::Config, "config"), lifecycle.part(Check::Listeners, "listeners"));
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (running, files) = (loaded.state(), loaded.files.clone());
    let hash: Arc<str> = loaded.hash.as_str().into();
    let config = Arc::new(loaded.config);
    let (store, terms) = match given {
        Some(given) => given,
        None => store(&config.store, &metrics, &tasks, &cancel)?,
    };
    let part = (terms.scope == Scope::Fleet).then(|| lifecycle.part(Check::Store, "store"));
    let store = SharedStore::start(store, terms, &metrics, part, (&tasks, cancel.clone()));
    let ledger = Arc::<Ledger>::default();
    let replicas = Arc::new(Replicas::new(Arc::clone(&ledger), store.clone()));
    let (current, control) = backends::start(
        Arc::clone(&config),
        Arc::clone(&hash),
        Arc::clone(&metrics),
        events.clone(),
        Arc::clone(&replicas) as Arc<dyn Demand>,
        &store,
        (cancel.clone(), &tasks),
    )?;
    config_part.done();
    let shared =
        Shared::new(current.clone(), ledger, Arc::clone(&metrics), replicas, lifecycle.clone());
    let tls = Arc::new(Tls::new(Ready::read(&config).map_err(StartError::Tls)?));
    let shared = Arc::new(Shared { traces, tls: Arc::clone(&tls), ..shared });
    let audit = audit(&shared, &config.audit)?;
    let status = ConfigStatus::new(Arc::clone(&metrics), events.clone(), Arc::clone(&hash));
    let (reloads, wishes) = mpsc::channel(WISHES);
    let addresses = Addresses {
        data: ports.data.local_addr()?,
        metrics: ports.metrics.local_addr()?,
        health: ports.health.local_addr()?,
        admin: ports.admin.local_addr()?,
        profiling: ports.profiling.as_ref().map(TcpListener::local_addr).transpose()?,
        scaler: ports.scaler.as_ref().map(TcpListener::local_addr).transpose()?,
    };
    let plane = plane::start(ports.data, &shared)?;
    let seen = seen(&shared, &status, &plane);
    tasks.spawn(admin::listener::serve(
        ports.metrics,
        admin::metrics(seen.clone()),
        Limits::default(),
        cancel.clone(),
    ));
    tasks.spawn(admin::listener::serve(
        ports.health,
        admin::health(seen),
        Limits::default(),
        cancel.clone(),
    ));
    let operated = Operated {
        metrics: Arc::clone(&metrics),
        current: current.clone(),
        control: control.clone(),
        logs: logs.clone(),
        table: Arc::clone(&shared.table),
        rooms: Arc::clone(&shared.rooms),
        chronicle: Arc::clone(&shared.chronicle),
        events: events.clone(),
        reload: reloads.clone(),
    };
    tasks.spawn(admin::listener::serve(
        ports.admin,
        admin::commands(operated),
        Limits::default(),
        cancel.clone(),
    ));
    if let Some(port) = ports.profiling {
        let router = admin::profiling(Profiler::default());
        tasks.spawn(admin::listener::serve(port, router, Limits::few(), cancel.clone()));
    }
    if let Some(port) = ports.scaler {
        tasks.spawn(scaling::listener::serve(port, ground(&shared), scaler_tls, cancel.clone()));
    }
    tasks.spawn(reaper::run(
        Arc::clone(&shared.table),
        [Arc::clone(&shared.bindings), Arc::clone(&shared.challenged)],
        current,
        metrics,
        cancel.clone(),
    ));
    if shared.replicas.is_shared() {
        shared.rooms.share(Arc::clone(&shared.replicas) as Arc<dyn Keeper>);
        tasks.spawn(round::run(around(&shared), cancel.clone()));
    }
    tasks.spawn(tell_drain(lifecycle.clone(), events, cancel.clone()));
    let rooms_close = cancel.child_token();
    tasks.spawn(Arc::clone(&shared.rooms).run(rooms_close.clone()));
    tasks.spawn(close_rooms(Arc::clone(&shared), rooms_close));
    let (readings, read) = mpsc::channel(WISHES);
    let watcher = path.map(|path| Watcher::start(path, running, readings, &cancel));
    let poke = watcher.as_ref().map(Watcher::poke);
    tasks.spawn(reload::wishes(wishes, poke.clone(), cancel.clone()));
    tasks.spawn(Reloading { config, files, control, status, logs, tls }.run(
        watcher,
        read,
        cancel.clone(),
    ));
    listeners_part.done();
    lifecycle.started(&addresses.to_string(), &hash);
    Ok(App { addresses, shared, lifecycle, plane, tasks, cancel, poke, audit })
}

/// What is told to the other replicas, and heard from them.
fn around(shared: &Shared) -> round::Around {
    round::Around {
        replicas: Arc::clone(&shared.replicas),
        table: Arc::clone(&shared.table),
        rooms: Arc::clone(&shared.rooms),
        current: shared.current.clone(),
        lifecycle: shared.lifecycle.clone(),
    }
}

/// The store that the configuration names.
fn store(
    settings: &config::model::Store,
    metrics: &Arc<Metrics>,
    tasks: &TaskTracker,
    cancel: &CancellationToken,
) -> Result<(Arc<dyn Store>, Terms), StartError> {
    let Some(settings) = &settings.redis else {
        return Ok((Arc::<Memory>::default(), Terms::OWN));
    };
    let seal = Arc::new(Seal::read(&settings.secret_file).map_err(StartError::Store)?);
    let redis = Redis::start(settings, Arc::clone(metrics), tasks, cancel.clone());
    let terms = Terms { timeout: settings.timeout.get(), seal: Some(seal), ..Terms::FLEET };
    Ok((Arc::new(redis.map_err(StartError::Store)?), terms))
}

/// What KEDA's scaler stands on.
fn ground(shared: &Shared) -> Ground {
    Ground {
        current: shared.current.clone(),
        ledger: Arc::clone(&shared.ledger),
        replicas: Arc::clone(&shared.replicas),
        metrics: Arc::clone(&shared.metrics),
        lifecycle: shared.lifecycle.clone(),
        streams: TaskTracker::new(),
    }
}

/// Begins the audit, if the configuration wants one.
fn audit(shared: &Shared, wanted: &config::model::Audit) -> Result<Option<Tail>, Unwritable> {
    let Some(path) = wanted.path.clone() else { return Ok(None) };
    let block = wanted.on_full == OnFull::Block;
    let options = Options { path, queue: wanted.queue, block, fsync: wanted.fsync };
    let tally = AuditCounts::of(&shared.metrics);
    let part = shared.lifecycle.part(Check::Audit, "file");
    let (audit, tail) = Audit::start(&options, Box::new(tally), part)?;
    shared.chronicle.audit_to(
        audit,
        wanted.query_text,
        crate::telemetry::instance().into(),
        Arc::clone(&shared.metrics),
    );
    Ok(Some(tail))
}

/// Ends the waiting in the middle of the drain's wait: until then a backend may come, and after it each client hears
/// the words on its next poll, before the port closes.
async fn close_rooms(shared: Arc<Shared>, close: CancellationToken) {
    let closing = async {
        shared.lifecycle.reached(Phase::Draining).await;
        let wait = shared.current.load().config.drain.wait.get();
        tokio::time::sleep(wait / 2).await;
    };
    close.run_until_cancelled(closing).await;
    close.cancel();
}

/// The lifecycle stands below the events and cannot tell its own.
async fn tell_drain(lifecycle: Lifecycle, events: Events, cancel: CancellationToken) {
    let draining = lifecycle.reached(Phase::Draining);
    if cancel.run_until_cancelled(draining).await.is_some() {
        events.tell(Event::normal(EventName::Draining, "the gateway is leaving"));
    }
}

async fn bind(config: &Config) -> Result<Ports, StartError> {
    let data = config.data.bind;
    let bound = port::bind(data, config.data.share_port);
    let set = &config.profiling;
    let profiles = profiling::address(set.enabled, set.bind, |name| std::env::var(name).ok())?;
    Ok(Ports {
        data: bound.map_err(|cause| StartError::Bind { key: "data.bind", address: data, cause })?,
        metrics: listener("metrics.bind", config.metrics.bind).await?,
        health: listener("health.bind", config.health.bind).await?,
        admin: listener("admin.bind", config.admin.bind).await?,
        profiling: match profiles {
            Some(address) => Some(listener("profiling.bind", address).await?),
            None => None,
        },
        scaler: match &config.scaler {
            Scaler { enabled: true, bind, .. } => Some(listener("scaler.bind", *bind).await?),
            Scaler { .. } => None,
        },
    })
}

async fn listener(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|cause| StartError::Bind { key, address, cause })
}

fn seen(shared: &Shared, status: &ConfigStatus, plane: &Plane) -> Seen {
    let runtimes = plane.runtimes.iter().cloned().chain([Handle::current()]);
    let living: Arc<dyn Living> = Arc::new(Alive {
        current: shared.current.clone(),
        ledger: Arc::clone(&shared.ledger),
        replicas: Arc::clone(&shared.replicas),
        table: Arc::clone(&shared.table),
        rooms: Arc::clone(&shared.rooms),
        sessions: Arc::clone(&shared.sessions),
        runtimes: runtimes.collect(),
        lifecycle: shared.lifecycle.clone(),
    });
    let metrics = Arc::clone(&shared.metrics);
    let scrape = Scrape::new(Arc::clone(&metrics), Arc::clone(&living), Handle::current());
    let _ = shared.scrape.set(scrape.apart());
    Seen {
        metrics,
        scrape,
        living,
        lifecycle: shared.lifecycle.clone(),
        current: shared.current.clone(),
        config: status.clone(),
        started: Instant::now(),
        instance: Arc::clone(&shared.instance),
    }
}

impl App {
    /// Runs until a signal has led it out; returns when nothing of it is left.
    pub async fn run(self, signals: Signals) {
        let Self { shared, lifecycle, plane, tasks, cancel, poke, audit, .. } = self;
        let left = plane.leave(lifecycle.clone());
        let (done, finished) = tokio::sync::oneshot::channel();
        tasks.spawn(async move {
            left.await;
            let _ = done.send(());
        });
        let reload = || {
            if let Some(poke) = &poke {
                poke.reload();
            }
            shared.chronicle.reopen();
        };
        let timing = || {
            let drain = shared.current.load().config.drain.clone();
            Timing { wait: drain.wait.get(), deadline: drain.deadline.get() }
        };
        let finished = async {
            let _ = finished.await;
        };
        lifecycle.run(signals, reload, timing, finished).await;
        cancel.cancel();
        tasks.close();
        tasks.wait().await;
        shared.traces.flush().await;
        // Blocks for a moment; nobody is served any more.
        drop(audit);
    }
}

impl std::fmt::Display for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { data, metrics, health, admin, profiling, scaler } = self;
        write!(f, "data={data} metrics={metrics} health={health} admin={admin}")?;
        for (name, address) in [("profiling", profiling), ("scaler", scaler)] {
            address.map_or(Ok(()), |address| write!(f, " {name}={address}"))?;
        }
        Ok(())
    }
}
