//! The shape of `sluice.yaml`: plain data, one struct a section, defaults beside the fields.
//!
//! Keys are camelCase and unknown keys are errors. Durations read as `30s`, sizes as `16MiB` (see `units`).
//! Nothing here is checked against anything else: `check` does that, and reports every problem at once.

mod cold_start;
mod resume;
mod told;

use std::{fmt, net::SocketAddr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::units::{self, Bytes, Span},
    trino::uris::Mode,
};

pub use self::{
    cold_start::{ColdStart, ColdStartMode, Contract, Suspend},
    resume::{
        Challenge, Command, CustomResource, External, KubernetesScale, Named, Resume, Stats,
        Webhook, XtrinodeApi,
    },
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
}

fn default_routing_group_header() -> String {
    "X-Trino-Routing-Group".to_owned()
}

/// The data listener.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Data {
    /// Address and port; port 0 takes a free one.
    #[schemars(with = "String", extend("format" = "socket-address"))]
    pub bind: SocketAddr,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed; from all others they are replaced.
    #[schemars(with = "Vec<units::Network>")]
    pub trusted_proxies: Vec<IpNet>,
    /// The base URL that every client uses; wins over `Host` and `X-Forwarded-*`.
    pub external_url: Option<String>,
    /// Whether each connection begins with a PROXY protocol header (version 1 or 2).
    pub proxy_protocol: bool,
    /// Connections accepted at the same time; above it new ones wait in the kernel's queue.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_connections: usize,
    /// The largest statement that is kept for sending elsewhere; larger ones get 413.
    pub max_statement_bytes: Bytes,
    /// From the first byte of a request to the end of its head.
    pub header_timeout: Span,
    /// Without a byte of a next request.
    pub idle_timeout: Span,
    /// Without a byte taken by the client.
    pub write_timeout: Span,
    /// Whether another process may share the port (`SO_REUSEPORT`).
    pub share_port: bool,
    /// Data threads; unset: one a core.
    #[schemars(range(min = 1, max = 1_024))]
    pub workers: Option<usize>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], 8080)),
            trusted_proxies: Vec::new(),
            external_url: None,
            proxy_protocol: false,
            max_connections: 20_000,
            max_statement_bytes: Bytes::mib(16),
            header_timeout: Span::secs(30),
            // Clients' pools keep connections for 5 minutes (OkHttp); closing earlier races with a POST.
            idle_timeout: Span::secs(360),
            write_timeout: Span::secs(300),
            share_port: false,
            workers: None,
        }
    }
}

/// Deadlines towards the coordinators.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Upstream {
    /// For a TCP connection.
    pub connect_timeout: Span,
    /// For the head of a POST's answer; then elsewhere, or 504.
    pub statement_timeout: Span,
    /// For the head of every other answer; between bytes there is no limit.
    pub first_byte_timeout: Span,
    /// How long an idle connection is kept; below Trino's 200 s.
    pub pool_idle_timeout: Span,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            connect_timeout: Span::secs(3),
            statement_timeout: Span::secs(8),
            first_byte_timeout: Span::secs(60),
            pool_idle_timeout: Span::secs(60),
        }
    }
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

/// One routing rule.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Unique; a value of the label `rule`.
    pub name: String,
    /// The condition.
    pub when: When,
    /// Where matching statements go.
    pub routing_group: String,
}

/// A condition: every key that is given must hold (`any` and `not` combine others).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// `X-Trino-Source`.
    pub source: Option<Patterns>,
    /// `X-Trino-User`, else the Basic user, else `X-Trino-Original-User`.
    pub user: Option<Patterns>,
    /// The host that the client asked, lower case, without port.
    pub host: Option<Patterns>,
    /// One of `X-Trino-Client-Tags`.
    pub client_tags: Option<Patterns>,
    /// `X-Trino-Catalog`.
    pub catalog: Option<Patterns>,
    /// `X-Trino-Schema`.
    pub schema: Option<Patterns>,
    /// Any request header, by name.
    pub headers: std::collections::BTreeMap<String, Patterns>,
    /// All of these hold.
    pub all: Option<Vec<When>>,
    /// At least one of these holds.
    pub any: Option<Vec<When>>,
    /// This does not hold.
    pub not: Option<Box<When>>,
}

/// One pattern or a list of which one must match: exact text, or a glob where it holds `*`, `?` or `[`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(untagged)]
pub enum Patterns {
    /// A single pattern.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

/// Where state lives; memory is all there is yet.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Store {
    /// One replica, nothing to install.
    pub memory: Option<Memory>,
}

/// The memory store has no settings.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Memory {}

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
