//! The shape of `sluice.yaml`: plain data, one struct a section, defaults beside the fields.
//!
//! Keys are camelCase and unknown keys are errors. Durations read as `30s`, sizes as `16MiB` (see `units`).
//! Nothing here is checked against anything else: `check` does that, and reports every problem at once.

mod cold_start;
mod data;
mod resume;
mod rules;
mod scaler;
mod store;
mod tls;
mod told;

use std::{fmt, net::SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{config::units::Span, trino::uris::Mode};

pub use self::{
    cold_start::{ColdStart, ColdStartMode, Contract, Suspend},
    data::{Data, Upstream},
    resume::{
        Challenge, Command, CustomResource, External, KubernetesScale, Named, Resume, Stats,
        Webhook, XtrinodeApi,
    },
    rules::{Patterns, Rule, When},
    scaler::{Scaler, ScalerTls},
    store::{Memory, Redis, Sentinel, Store},
    tls::{Pair, Tls, UpstreamTls},
    told::{
        AccessLog, Audit, Info, Log, LogFormat, OnFull, OtlpProtocol, Profiling, QueryText,
        Telemetry,
    },
};

/// The whole file; only `routingGroups` is required.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The listener that Trino's clients connect to.
    #[serde(default)]
    pub data: Data,
    /// Deadlines towards the coordinators.
    #[serde(default)]
    pub upstream: Upstream,
    /// The health listener and the probes of the coordinators.
    #[serde(default)]
    pub health: Health,
    /// How the process leaves.
    #[serde(default)]
    pub drain: Drain,
    /// How long queries are remembered and when a silent one counts as abandoned.
    #[serde(default)]
    pub queries: Queries,
    /// The group of statements that no rule claims; with one group only, that group.
    #[serde(default)]
    pub default_routing_group: Option<String>,
    /// The header that may name a group, asked after the rules.
    #[serde(default = "default_routing_group_header")]
    pub routing_group_header: String,
    /// Named sets of backends that can stand in for each other.
    pub routing_groups: Vec<RoutingGroup>,
    /// Who goes where; the first match wins.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Where state lives.
    #[serde(default)]
    pub store: Store,
    /// The listener that Prometheus scrapes.
    #[serde(default)]
    pub metrics: Metrics,
    /// The listener of operators' commands.
    #[serde(default)]
    pub admin: Admin,
    /// What goes to standard output.
    #[serde(default)]
    pub log: Log,
    /// What `/v1/info` says.
    #[serde(default)]
    pub info: Info,
    /// Traces.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// The record of who asked what.
    #[serde(default)]
    pub audit: Audit,
    /// CPU profiles.
    #[serde(default)]
    pub profiling: Profiling,
    /// The gateway as KEDA's external scaler.
    #[serde(default)]
    pub scaler: Scaler,
}

fn default_routing_group_header() -> String {
    "X-Trino-Routing-Group".to_owned()
}

/// The health listener and the probes.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Health {
    /// Address of `/healthz`, `/readyz` and `/api/v1/status`.
    #[schemars(with = "String", extend("format" = "socket-address"))]
    pub bind: SocketAddr,
    /// Between two probes of one backend, ± 20 %.
    pub interval: Span,
    /// For one probe.
    pub timeout: Span,
    /// Successes in a row that make a backend healthy.
    #[schemars(range(min = 1, max = 1_000))]
    pub rise: u32,
    /// Failures in a row that make it unhealthy.
    #[schemars(range(min = 1, max = 1_000))]
    pub fall: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], 9091)),
            interval: Span::secs(5),
            timeout: Span::secs(2),
            rise: 1,
            fall: 3,
        }
    }
}

/// How the process leaves after SIGTERM.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Drain {
    /// Still accepting, so that load balancers notice.
    pub wait: Span,
    /// For open exchanges after that.
    pub deadline: Span,
}

impl Default for Drain {
    fn default() -> Self {
        Self { wait: Span::secs(10), deadline: Span::secs(30) }
    }
}

/// The query table.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Queries {
    /// Without a successful poll or HEAD; Trino's own `query.client.timeout`.
    pub abandon_after: Span,
    /// How long the backend of an ended query stays known; Trino's `query.min-expire-age`.
    pub remember_for: Span,
    /// A waiting statement that nobody has polled for so long is no demand for scalers until it is polled again.
    pub idle_demand_after: Span,
    /// How long the last query of a group goes on as demand of 1.
    pub linger: Span,
    /// How long a statement that was refused for want of capacity goes on as demand.
    pub unmet_lease: Span,
    /// Whether the rows of results are counted, for which whole pages are read; the audit log needs it and turns it on.
    pub count_rows: bool,
}

impl Default for Queries {
    fn default() -> Self {
        Self {
            abandon_after: Span::secs(300),
            remember_for: Span::secs(900),
            idle_demand_after: Span::secs(60),
            linger: Span::secs(60),
            unmet_lease: Span::secs(60),
            count_rows: false,
        }
    }
}

/// A named set of backends.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutingGroup {
    /// Unique; a value of the label `routing_group`.
    pub name: String,
    /// The label `namespace`; unset: what stands before `--` in the name.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The label `xtrinode`; unset: what stands behind `--` in the name.
    #[serde(default)]
    pub xtrinode: Option<String>,
    /// How one of the backends is chosen.
    #[serde(default)]
    pub select: Select,
    /// What happens when no backend can take a statement: `refuse`, or the name of another group.
    #[serde(default = "refuse")]
    pub on_empty: String,
    /// What happens while no backend can take a statement, or the group is full.
    #[serde(default)]
    pub cold_start: ColdStart,
    /// When its backends are put to sleep; unset: never.
    #[serde(default)]
    pub suspend: Option<Suspend>,
    /// At least one.
    pub backends: Vec<Backend>,
}

fn refuse() -> String {
    "refuse".to_owned()
}

/// How a backend of a group is chosen.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Select {
    /// Fewest living queries for its weight.
    #[default]
    LeastLoaded,
    /// By weight alone.
    Weighted,
    /// The same user goes to the same backend (rendezvous hashing).
    UserHash,
}

/// One Trino coordinator.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backend {
    /// Unique in the file, `[a-z0-9-]{1,63}`.
    pub name: String,
    /// Unique in the file, for example `http://trino-a:8080`.
    pub url: String,
    /// Share of the group's load.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub weight: u32,
    /// How the URIs in answers are made to point at the gateway.
    #[serde(default)]
    pub uris: Uris,
    /// Probes of this backend, where they differ from `health`.
    #[serde(default)]
    pub health: Option<BackendHealth>,
    /// How it is woken and put to sleep; unset: it is not.
    #[serde(default)]
    pub resume: Option<Resume>,
    /// Who reads its own counts of queries before it is suspended.
    #[serde(default)]
    pub stats: Option<Stats>,
    /// How its clients are asked who they are.
    #[serde(default)]
    pub challenge: Challenge,
    /// How it proves itself, and the gateway to it, where its URL is `https`; unset: by the system's roots.
    #[serde(default)]
    pub tls: Option<UpstreamTls>,
}

fn one() -> u32 {
    1
}

/// What of `health` a backend may override.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BackendHealth {
    /// See `health.interval`.
    pub interval: Option<Span>,
    /// See `health.timeout`.
    pub timeout: Option<Span>,
    /// See `health.rise`.
    #[schemars(range(min = 1, max = 1_000))]
    pub rise: Option<u32>,
    /// See `health.fall`.
    #[schemars(range(min = 1, max = 1_000))]
    pub fall: Option<u32>,
}

/// How the URIs in a backend's answers come to point at the gateway.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Uris {
    /// The best that a probe proved.
    #[default]
    Auto,
    /// `X-Forwarded-*`: Trino makes the right URIs.
    Forwarded,
    /// The client's `Host` is passed on.
    Host,
    /// The gateway patches the URIs in the head of each page.
    Rewrite,
}

impl Uris {
    /// The mode that is set; `None` where it is chosen for each request.
    pub fn mode(self) -> Option<Mode> {
        match self {
            Self::Auto => None,
            Self::Forwarded => Some(Mode::Forwarded),
            Self::Host => Some(Mode::Host),
            Self::Rewrite => Some(Mode::Rewrite),
        }
    }
}

/// The metrics listener.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Metrics {
    /// Address of `/metrics`.
    #[schemars(with = "String", extend("format" = "socket-address"))]
    pub bind: SocketAddr,
    /// Whether OpenMetrics answers carry exemplars.
    pub exemplars: bool,
    /// Whether the data port answers `/metrics` too; coordinators own that path there.
    pub on_data_port: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { bind: SocketAddr::from(([0, 0, 0, 0], 9090)), exemplars: true, on_data_port: false }
    }
}

/// The admin listener.
#[derive(Clone, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Admin {
    /// Beyond loopback only with a token.
    #[schemars(with = "String", extend("format" = "socket-address"))]
    pub bind: SocketAddr,
    /// The bearer token; best as `${ENV:NAME}`.
    #[serde(skip_serializing)]
    pub token: Option<String>,
}

/// Shows whether there is a token, never the token.
impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "***");
        f.debug_struct("Admin").field("bind", &self.bind).field("token", &token).finish()
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { bind: SocketAddr::from(([127, 0, 0, 1], 8081)), token: None }
    }
}
