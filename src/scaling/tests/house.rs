//! A group made by hand, and KEDA without a network.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool, atomic::AtomicU32},
    time::Duration,
};

use sluice_routing::{BackendName, Fleet, GroupName, Load, RuleSet};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::StreamExt as _;
use tokio_util::task::TaskTracker;
use tonic::{Request, Status};

use crate::{
    config::{self, model::Uris},
    lifecycle::{Lifecycle, Signal, Signals, Timing},
    metrics::Metrics,
    queries::Ledger,
    replicas::Replicas,
    scaling::{
        Ground,
        feed::Frames,
        service::Scaler,
        wire::{ScaledObjectRef, external_scaler_server::ExternalScaler as _},
    },
    snapshot::{
        Backend, BackendState, BackendUrl, Circuit, Current, Group, GroupLive, GroupWake, Live,
        Mark, Moment, Report, Seat, Snapshot,
    },
};

/// One group, `etl`, with one backend.
pub(super) struct House {
    pub(super) ground: Ground,
    pub(super) group: GroupName,
    reports: mpsc::UnboundedSender<Report>,
    _heard: mpsc::UnboundedReceiver<Report>,
}

impl House {
    pub(super) fn new() -> Self {
        let (reports, heard) = mpsc::unbounded_channel();
        let metrics = Metrics::new().unwrap();
        let group = GroupName::parse("etl").unwrap();
        let ledger = Arc::<Ledger>::default();
        let ground = Ground {
            current: Current::new(snapshot(&metrics, &reports, BackendState::Sleeping)),
            replicas: Arc::new(Replicas::alone(Arc::clone(&ledger))),
            ledger,
            metrics,
            lifecycle: Lifecycle::new(),
            streams: TaskTracker::new(),
        };
        Self { ground, group, reports, _heard: heard }
    }

    /// The same, so long after its start that its counts are known.
    pub(super) async fn known() -> Self {
        let house = Self::new();
        tokio::time::advance(Duration::from_secs(10)).await;
        house
    }

    /// What probes say of the backend from now on.
    pub(super) fn backend_is(&self, state: BackendState) {
        self.ground.current.publish(snapshot(&self.ground.metrics, &self.reports, state));
    }

    /// As SIGTERM does.
    pub(super) fn terminate(&self) {
        let (sender, signals) = Signals::channel();
        sender.send(Signal::Stop).unwrap();
        let lifecycle = self.ground.lifecycle.clone();
        let timing = Timing { wait: Duration::from_secs(10), deadline: Duration::from_secs(30) };
        tokio::spawn(async move {
            // The sender lives as long, or a closed channel would read as another signal.
            let _sender = sender;
            lifecycle.run(signals, || {}, || timing, std::future::pending()).await;
        });
    }

    /// Opens a stream with these metadata beside the group.
    pub(super) async fn open(&self, more: &[(&str, &str)]) -> Result<Events, Status> {
        let pairs = more.iter().chain(&[("routingGroup", "etl")]);
        let scaler_metadata: HashMap<String, String> =
            pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let object = ScaledObjectRef { scaler_metadata, ..ScaledObjectRef::default() };
        let answer = Scaler(self.ground.clone()).stream_is_active(Request::new(object)).await?;
        Ok(Events(answer.into_inner()))
    }
}

/// An open stream, read as fast as it is said.
pub(super) struct Events(Frames);

impl Events {
    /// The next frame, however long it takes; `None` after an end with status OK.
    pub(super) async fn next(&mut self) -> Result<Option<bool>, Status> {
        let frame = self.0.next().await.transpose()?;
        Ok(frame.map(|frame| frame.result))
    }

    /// What is said within that time: it ends early only with the stream.
    pub(super) async fn within(&mut self, time: Duration) -> Vec<Option<bool>> {
        let mut said = Vec::new();
        let _ = timeout(time, async {
            while said.last() != Some(&None) {
                said.push(self.next().await.unwrap());
            }
        })
        .await;
        said
    }
}

fn snapshot(
    metrics: &Metrics,
    reports: &mpsc::UnboundedSender<Report>,
    state: BackendState,
) -> Snapshot {
    let text = "routingGroups: [{name: etl, backends: [{name: a, url: 'http://a:80'}]}]";
    let config = Arc::new(config::from_text(text, &HashMap::new()).unwrap());
    let name = GroupName::parse("etl").unwrap();
    let backend = Arc::new(backend(metrics, reports, state));
    let group = Group {
        name: name.clone(),
        namespace: "".into(),
        xtrinode: "".into(),
        metrics: metrics.group("etl"),
        members: vec![Arc::clone(&backend)],
        cold_start: config.routing_groups[0].cold_start.clone(),
        wake: GroupWake::default(),
        live: Arc::new(GroupLive::new(name, reports.clone())),
    };
    Snapshot {
        config,
        config_hash: "".into(),
        rules: Arc::new(RuleSet::compile(Vec::new()).unwrap()),
        fleet: Fleet { groups: Vec::new(), default_group: None },
        backends: std::iter::once((backend.name.clone(), backend)).collect(),
        groups: vec![Arc::new(group)],
        coordinators: Default::default(),
    }
}

fn backend(
    metrics: &Metrics,
    reports: &mpsc::UnboundedSender<Report>,
    state: BackendState,
) -> Backend {
    Backend {
        name: BackendName::parse("a").unwrap(),
        group: GroupName::parse("etl").unwrap(),
        url: BackendUrl::parse("http://a:80").unwrap(),
        uris: Uris::Auto,
        state,
        starting: false,
        wake: None,
        oauth2: false,
        mark: Mark::Active,
        circuit: Circuit::Closed,
        capabilities: None,
        coordinator: None,
        version: None,
        probed: true,
        retired: false,
        formerly: None,
        trust: None,
        no_tls: None,
        live: Arc::new(Live {
            seat: Seat(0),
            load: Load::default(),
            metrics: metrics.backend("etl", "a"),
            failures: AtomicU32::new(0),
            challenges: AtomicBool::new(false),
            last_check: Moment::default(),
            patch: crate::trino::patch::kept::Kept::default(),
            reports: reports.clone(),
        }),
    }
}
