//! What a simulated coordinator is like.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The Trino that is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Version {
    /// Trino 483: coordinator id, X-Forwarded-Prefix, spooling, HEAD.
    #[default]
    #[value(name = "483")]
    V483,
    /// Trino 435, the last for Java 17: none of these, and `process-forwarded: false` ignores instead of refusing.
    #[value(name = "435")]
    V435,
}

/// Trino's `http-server.process-forwarded`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Forwarded {
    /// `true`: URIs follow the X-Forwarded-* headers.
    #[value(name = "true")]
    Accept,
    /// `false`, Trino's default: 406 to any X-Forwarded-* header (435: they are ignored).
    #[default]
    #[value(name = "false")]
    Reject,
    /// `ignore`: as if they had not been sent.
    Ignore,
}

/// How clients say who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Login {
    /// A user name is enough.
    #[default]
    Nobody,
    /// Basic with this password, on requests that came by https.
    Password(String),
    /// A browser login in the shape of Trino's OAuth2 flow; the simulator is its own issuer.
    OAuth2,
}

/// The settings of one simulator.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The Trino that it plays.
    pub version: Version,
    /// What it makes of X-Forwarded-* headers.
    pub forwarded: Forwarded,
    /// For how long after each start it is `starting`; [`super::Simulator::set_starting`] overrides it.
    pub starting_for: Duration,
    /// Whether it offers the spooling protocol, in `json+zstd` and `json`.
    pub spooling: bool,
    /// How clients of the statement protocol log in.
    pub login: Login,
    /// Whether the pages under `/ui/api/` want a login cookie.
    pub ui_login: bool,
    /// How many queries run at once; the others stay QUEUED.
    pub max_running: usize,
    /// How many may be queued before QUERY_QUEUE_FULL.
    pub max_queued: usize,
    /// After how long without a poll a query is given up (`query.client.timeout`).
    pub abandon_after: Duration,
    /// Headers of a request above this size are refused with 431 (Jetty's default is 8 KiB), in bytes.
    pub max_header_bytes: usize,
    /// How many requests [`super::Simulator::seen`] keeps, the newest; 0 for benchmarks.
    pub remember: usize,
    /// The suffix of its query ids until the first restart; random unless set.
    pub coordinator_id: Option<String>,
    /// Speaks TLS, and nothing else, with these certificates.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Cancelled by `DELETE /sim/process`, a path that is there only with this.
    pub quit: Option<CancellationToken>,
}

impl Options {
    /// The scheme of its own URL.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            version: Version::default(),
            forwarded: Forwarded::default(),
            starting_for: Duration::ZERO,
            spooling: false,
            login: Login::default(),
            ui_login: false,
            max_running: 10_000,
            max_queued: 10_000,
            abandon_after: Duration::from_mins(5),
            max_header_bytes: 8 * 1024,
            remember: 10_000,
            coordinator_id: None,
            tls: None,
            quit: None,
        }
    }
}
