//! Groups, backends and snapshots made by hand, and statements to put into their rooms.

use std::{
    collections::HashMap,
    sync::{Mutex, atomic::AtomicU32},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_routing::{BackendName, Fleet, Load, Member, OnEmpty, RuleSet, Select, StatementKind};
use tokio::sync::mpsc;

use super::*;
use crate::{
    config::{
        self,
        model::{Config, Uris},
    },
    metrics::Metrics,
    queries::query::{About, Statement},
    snapshot::{
        Backend, BackendState, BackendUrl, Circuit, GroupLive, GroupWake, Live, Mark, Report, Seat,
    },
};

/// One group with its backends.
pub(super) struct House {
    pub(super) current: Current,
    pub(super) ledger: Arc<Ledger>,
    pub(super) rooms: Arc<Rooms>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stop: CancellationToken,
    pub(super) group: GroupName,
    pub(super) plan: Mutex<Plan>,
    reports: mpsc::UnboundedSender<Report>,
    _heard: mpsc::UnboundedReceiver<Report>,
}

/// What the next snapshot says.
pub(super) struct Plan {
    config: Arc<Config>,
    pub(super) cold_start: ColdStart,
    pub(super) backends: Vec<(Arc<Live>, Availability)>,
    pub(super) hopeless: Option<(Unavailable, Arc<str>)>,
    pub(super) is_removed: bool,
}

impl House {
    /// A group with a backend of each availability, and the task of its room.
    pub(super) fn new(cold_start: ColdStart, backends: &[Availability]) -> Self {
        let (reports, heard) = mpsc::unbounded_channel();
        let metrics = Metrics::new().unwrap();
        let live = |(at, availability): (usize, &Availability)| {
            let live = Live {
                seat: Seat(at as u64),
                load: Load::default(),
                metrics: metrics.backend("etl", &format!("etl-{at}")),
                failures: AtomicU32::new(0),
                challenges: std::sync::atomic::AtomicBool::new(false),
                last_check: crate::snapshot::Moment::default(),
                patch: crate::trino::patch::kept::Kept::default(),
                reports: reports.clone(),
            };
            (Arc::new(live), *availability)
        };
        let backends = backends.iter().enumerate().map(live).collect();
        let text = "routingGroups: [{name: etl, backends: [{name: a, url: 'http://a:80'}]}]";
        let config = Arc::new(config::from_text(text, &HashMap::new()).unwrap());
        let plan = Plan { config, cold_start, backends, hopeless: None, is_removed: false };
        let group = GroupName::parse("etl").unwrap();
        let current = Current::new(plan.snapshot(&group, &metrics, &reports));
        let ledger = Arc::<Ledger>::default();
        let rooms = Rooms::new(current.clone(), Arc::clone(&ledger), ReplicaMark::draw());
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&rooms).run(stop.clone()));
        let plan = Mutex::new(plan);
        Self { current, ledger, rooms, metrics, stop, group, plan, reports, _heard: heard }
    }

    /// A group whose only backend sleeps.
    pub(super) fn asleep() -> Self {
        Self::new(ColdStart::default(), &[Availability::Unreachable])
    }

    /// Changes what is known, and publishes it.
    pub(super) fn say(&self, change: impl FnOnce(&mut Plan)) {
        let mut plan = self.plan.lock().unwrap();
        change(&mut plan);
        self.current.publish(plan.snapshot(&self.group, &self.metrics, &self.reports));
    }

    /// The same, and the room's task has heard of it.
    pub(super) async fn tell(&self, change: impl FnOnce(&mut Plan)) {
        self.say(change);
        settle().await;
    }

    pub(super) async fn wakes(&self) {
        self.tell(|plan| plan.backends[0].1 = Availability::Ready).await;
    }

    pub(super) fn guest(&self, user: &str, sql: &str) -> Guest {
        let statement = Statement {
            body: Bytes::copy_from_slice(sql.as_bytes()),
            headers: headers(user),
            kept: None,
            in_transaction: false,
            user: Some(user.to_owned()),
        };
        let about = About {
            metrics: self.metrics.group("etl"),
            kind: StatementKind::Other,
            accepted: Instant::now(),
            user: Some(user.into()),
            trace: None,
            span: None,
            origin: Default::default(),
        };
        Guest { about, statement: Arc::new(statement), lease: self.ledger.open(&self.group) }
    }

    pub(super) fn try_enter(&self, guest: Guest) -> Result<Arc<Waiting>, Box<Refused>> {
        // A request may have read its group just before a reload removed it.
        let known = self.current.load().group(&self.group).cloned();
        let group = known.unwrap_or_else(|| {
            let plan = self.plan.lock().unwrap();
            Arc::new(plan.group(&self.group, &self.metrics, &self.reports))
        });
        self.rooms.enter(&group, guest)
    }

    pub(super) fn enter(&self, user: &str) -> Arc<Waiting> {
        self.try_enter(self.guest(user, "SELECT 1")).unwrap()
    }

    /// Queries of all backends.
    pub(super) fn load(&self) -> u64 {
        let plan = self.plan.lock().unwrap();
        plan.backends.iter().map(|(live, _)| live.load.get()).sum()
    }

    pub(super) fn waiters(&self) -> u64 {
        self.rooms.seen(&self.group).waiters
    }

    /// Nothing waits, nothing counts, no place is taken, nobody awaits one.
    pub(super) fn is_empty(&self) -> bool {
        let room = self.rooms.seen(&self.group) == RoomSeen::default();
        let counts = self.ledger.counts().is_empty() && self.ledger.total() == 0;
        room && counts && self.load() == 0 && !self.ledger.is_awaited()
    }

    /// A number from the page of metrics.
    pub(super) fn metric(&self, series: &str) -> f64 {
        struct Nobody;
        impl crate::metrics::Living for Nobody {
            fn in_flight(&self) -> Vec<crate::metrics::InFlight> {
                Vec::new()
            }
            fn backends(&self) -> Vec<crate::metrics::BackendGauge> {
                Vec::new()
            }
            fn demand(&self, _: &str) -> Option<crate::metrics::Wanted> {
                None
            }
            fn groups(&self) -> Vec<crate::metrics::GroupGauge> {
                Vec::new()
            }
            fn tracked_queries(&self) -> u64 {
                0
            }
            fn active_sessions(&self) -> u64 {
                0
            }

            fn runtimes(&self) -> crate::metrics::Runtimes {
                crate::metrics::Runtimes::default()
            }

            fn ready(&self) -> bool {
                true
            }
        }
        let page = self.metrics.encode(&Nobody);
        let line = page.lines().find(|line| line.starts_with(series));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().unwrap())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What a usual client sends.
fn headers(user: &str) -> HeaderMap {
    let pairs = [
        ("authorization", "Basic YWxpY2U6c2VjcmV0LXBhc3N3b3Jk"),
        ("user-agent", "trino-python-client/0.340.0"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate, zstd"),
        ("x-trino-user", user),
        ("x-trino-source", "airflow"),
        ("x-trino-catalog", "hive"),
        ("x-trino-schema", "default"),
        ("x-trino-time-zone", "Europe/Berlin"),
        ("x-trino-client-capabilities", "PARAMETRIC_DATETIME,SESSION_AUTHORIZATION"),
        ("x-trino-client-info", "{\"dag\":\"nightly\",\"task\":\"load\"}"),
        ("x-trino-session", "query_max_run_time=2h,join_distribution_type=AUTOMATIC"),
        ("x-trino-client-tags", "etl,nightly"),
        ("host", "trino.example.com"),
        ("content-type", "text/plain; charset=utf-8"),
    ];
    let header = |(name, value): (&'static str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.into_iter().map(header).collect()
}

impl Plan {
    fn snapshot(
        &self,
        name: &GroupName,
        metrics: &Metrics,
        reports: &mpsc::UnboundedSender<Report>,
    ) -> Snapshot {
        let groups = match self.is_removed {
            true => Vec::new(),
            false => vec![Arc::new(self.group(name, metrics, reports))],
        };
        let fleet = groups.iter().map(|group| self.seen_by_place(group)).collect();
        Snapshot {
            config: Arc::clone(&self.config),
            config_hash: "".into(),
            rules: Arc::new(RuleSet::compile(Vec::new()).unwrap()),
            fleet: Fleet { groups: fleet, default_group: None },
            backends: groups
                .iter()
                .flat_map(|group| &group.members)
                .map(|backend| (backend.name.clone(), Arc::clone(backend)))
                .collect(),
            groups,
            coordinators: Default::default(),
        }
    }

    fn group(
        &self,
        name: &GroupName,
        metrics: &Metrics,
        reports: &mpsc::UnboundedSender<Report>,
    ) -> Group {
        Group {
            name: name.clone(),
            namespace: "".into(),
            xtrinode: "".into(),
            metrics: metrics.group(name.as_str()),
            members: self.backends.iter().map(|(live, _)| Arc::new(backend(name, live))).collect(),
            cold_start: self.cold_start.clone(),
            wake: GroupWake {
                has_driver: true,
                hopeless: self.hopeless.clone(),
                ..GroupWake::default()
            },
            live: Arc::new(GroupLive::new(name.clone(), reports.clone())),
        }
    }

    fn seen_by_place(&self, group: &Group) -> sluice_routing::Group {
        let members =
            group.members.iter().zip(&self.backends).map(|(backend, (live, at))| Member {
                name: backend.name.clone(),
                weight: 1,
                availability: *at,
                load: live.load.clone(),
            });
        sluice_routing::Group {
            name: group.name.clone(),
            select: Select::LeastLoaded,
            on_empty: OnEmpty::Refuse,
            members: members.collect(),
        }
    }
}

fn backend(group: &GroupName, live: &Arc<Live>) -> Backend {
    Backend {
        name: BackendName::parse(&format!("etl-{}", live.seat.0)).unwrap(),
        group: group.clone(),
        url: BackendUrl::parse("http://etl:8080").unwrap(),
        trust: None,
        no_tls: None,
        uris: Uris::Auto,
        state: BackendState::Healthy,
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
        live: Arc::clone(live),
    }
}
