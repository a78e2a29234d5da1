//! The connections of one data thread to the coordinators, and what their failures mean.
//!
//! Each data thread has a client of its own: a pooled connection lives on the runtime that made it. The client
//! resends a request by itself only when a reused connection never began it, which is safe for a POST too.

mod connecting;
mod wire;

use std::{
    error::Error,
    fmt, io,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use ahash::AHashMap;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use thiserror::Error;
use tokio::time::timeout;

use self::connecting::Connecting;
use crate::{
    config::{
        model::Upstream as Settings,
        trust::{NoTls, Trust, TrustId},
    },
    metrics::{Metrics, UpstreamError},
};

/// More than any Trino sends: Jetty's default is 8 KiB for all response headers, and settings raise it.
const MOST_HEADERS: usize = 1024;

/// The largest read; pages stream through it, so it bounds what a page costs, and the head of an answer. Larger ones
/// are no faster, and every slow reader of a large page holds some of them.
const BUFFER: usize = 128 * 1024;

type Http = Client<Connecting, Body>;

/// One data thread's way to the coordinators.
pub(crate) struct Upstream {
    plain: Http,
    /// A pool for each set of certificates: a connection never serves under other settings than it was made with.
    /// Only this thread takes the lock, and never over an `.await`.
    secure: Mutex<AHashMap<TrustId, Pool>>,
    settings: Settings,
    metrics: Arc<Metrics>,
}

/// Connections over TLS.
struct Pool {
    http: Http,
    /// Gone when no snapshot has it any more.
    trust: Weak<Trust>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// No connection came about: nothing was sent.
    #[error("cannot connect")]
    Connect(#[source] hyper_util::client::legacy::Error),
    /// The connection ended before an answer came.
    #[error("connection lost")]
    Lost(#[source] hyper_util::client::legacy::Error),
    /// The request could not even be written down.
    #[error("cannot be sent: {0}")]
    Unsendable(String),
    /// The answer's head did not come in time.
    #[error("no answer within {0:?}")]
    Late(Duration),
}

impl Upstream {
    /// A client for the runtime it is built on.
    pub(crate) fn new(settings: &Settings, metrics: &Arc<Metrics>) -> Self {
        Self {
            plain: http(settings, None, metrics),
            secure: Mutex::default(),
            settings: settings.clone(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Sends one request and waits for the head of its answer; over TLS where the backend's URL says so.
    pub(crate) async fn send(
        &self,
        trust: Option<&Arc<Trust>>,
        request: Request<Body>,
        within: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        let answering = match trust {
            None => self.plain.request(request),
            Some(trust) => self.pool(trust).request(request),
        };
        match timeout(within, answering).await {
            Err(_) => Err(Failure::Late(within)),
            Ok(Err(error)) if error.is_connect() => Err(Failure::Connect(error)),
            Ok(Err(error)) => Err(Failure::Lost(error)),
            Ok(Ok(answer)) => Ok(answer),
        }
    }

    /// The connections of that trust; those of trusts that a reload took away go when another comes.
    fn pool(&self, trust: &Arc<Trust>) -> Http {
        let mut pools = self.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get_mut(&trust.id()) {
            // A reload that changed nothing here made it anew.
            if !std::ptr::eq(pool.trust.as_ptr(), Arc::as_ptr(trust)) {
                pool.trust = Arc::downgrade(trust);
            }
            return pool.http.clone();
        }
        pools.retain(|_, pool| pool.trust.strong_count() > 0);
        let http = http(&self.settings, Some(trust), &self.metrics);
        let pool = Pool { http: http.clone(), trust: Arc::downgrade(trust) };
        pools.insert(trust.id(), pool);
        http
    }
}

fn http(settings: &Settings, trust: Option<&Trust>, metrics: &Arc<Metrics>) -> Http {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(settings.pool_idle_timeout.get())
        .http1_max_headers(MOST_HEADERS)
        .http1_max_buf_size(BUFFER)
        .retry_canceled_requests(true)
        .set_host(true)
        .build(Connecting::new(trust, settings.connect_timeout.get(), metrics))
}

impl Failure {
    /// Whether certainly no byte of the request was sent.
    pub(crate) fn nothing_sent(&self) -> bool {
        matches!(self, Self::Connect(_))
    }

    /// Whether nobody listens there, as opposed to somebody who does not answer.
    pub(crate) fn refused(&self) -> bool {
        self.nothing_sent() && !matches!(self.kind(), UpstreamError::Timeout | UpstreamError::Tls)
    }

    /// What was wrong with TLS, if that is the reason.
    pub(crate) fn no_tls(&self) -> Option<NoTls> {
        match self {
            Self::Connect(error) | Self::Lost(error) => NoTls::find(error),
            Self::Late(_) | Self::Unsendable(_) => None,
        }
    }

    /// The value of the metric's label `error_type`.
    pub(crate) fn kind(&self) -> UpstreamError {
        match self {
            Self::Late(_) => UpstreamError::Timeout,
            Self::Unsendable(_) => UpstreamError::Protocol,
            Self::Connect(_) | Self::Lost(_) if self.no_tls().is_some() => UpstreamError::Tls,
            Self::Connect(error) => match io_kind(error) {
                Some(io::ErrorKind::TimedOut) => UpstreamError::Timeout,
                Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted) => {
                    UpstreamError::Reset
                }
                Some(io::ErrorKind::ConnectionRefused) => UpstreamError::Refused,
                // The resolver's failures have no kind of their own; hyper-util names the step in its message.
                _ if chain_says(error, "dns error") => UpstreamError::Dns,
                _ => UpstreamError::Refused,
            },
            Self::Lost(error) => match hyper_error(error) {
                Some(inner) if inner.is_parse() => UpstreamError::Protocol,
                _ => UpstreamError::Reset,
            },
        }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}

fn io_kind(error: &hyper_util::client::legacy::Error) -> Option<io::ErrorKind> {
    chain(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

fn hyper_error(error: &hyper_util::client::legacy::Error) -> Option<&hyper::Error> {
    chain(error).find_map(|cause| cause.downcast_ref::<hyper::Error>())
}

fn chain_says(error: &hyper_util::client::legacy::Error, words: &str) -> bool {
    chain(error).any(|cause| cause.to_string().contains(words))
}
