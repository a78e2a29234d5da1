//! The connections of one data thread to the coordinators, and what their failures mean.
//!
//! Each data thread has a client of its own: a pooled connection lives on the runtime that made it. The client
//! resends a request by itself only when a reused connection never began it, which is safe for a POST too.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use thiserror::Error;
use tokio::time::{Instant, timeout};
use tower::Service;

use crate::{
    config::model::Upstream as Settings,
    metrics::{Metrics, Step, UpstreamError},
    proxy::port::{KEEPALIVE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES},
};

/// More than any Trino sends: Jetty's default is 8 KiB for all response headers, and settings raise it.
const MOST_HEADERS: usize = 1024;

/// The largest read; pages stream through it, so it bounds what a page costs, and the head of an answer. Larger ones
/// are no faster, and every slow reader of a large page holds some of them.
const BUFFER: usize = 128 * 1024;

/// One data thread's way to the coordinators.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    client: Client<Connecting, Body>,
}

/// Opens connections, and says how long that took.
#[derive(Clone, Debug)]
struct Connecting {
    connector: HttpConnector,
    metrics: Arc<Metrics>,
}

impl Service<Uri> for Connecting {
    type Response = <HttpConnector as Service<Uri>>::Response;
    type Error = <HttpConnector as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Uri>::poll_ready(&mut self.connector, cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, metrics) = (self.connector.call(uri), Arc::clone(&self.metrics));
        Box::pin(async move {
            let began = Instant::now();
            let connected = connecting.await;
            metrics.step(Step::UpstreamConnect, began.elapsed());
            connected
        })
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
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        connector.set_connect_timeout(Some(settings.connect_timeout.get()));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.pool_idle_timeout.get())
            .http1_max_headers(MOST_HEADERS)
            .http1_max_buf_size(BUFFER)
            .retry_canceled_requests(true)
            .set_host(true)
            .build(Connecting { connector, metrics: Arc::clone(metrics) });
        Self { client }
    }

    /// Sends one request and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
        within: Duration,
    ) -> Result<Response<Incoming>, Failure> {
        match timeout(within, self.client.request(request)).await {
            Err(_) => Err(Failure::Late(within)),
            Ok(Err(error)) if error.is_connect() => Err(Failure::Connect(error)),
            Ok(Err(error)) => Err(Failure::Lost(error)),
            Ok(Ok(answer)) => Ok(answer),
        }
    }
}

impl Failure {
    /// Whether certainly no byte of the request was sent.
    pub(crate) fn nothing_sent(&self) -> bool {
        matches!(self, Self::Connect(_))
    }

    /// Whether nobody listens there, as opposed to somebody who does not answer.
    pub(crate) fn refused(&self) -> bool {
        self.nothing_sent() && self.kind() != UpstreamError::Timeout
    }

    /// The value of the metric's label `error_type`.
    pub(crate) fn kind(&self) -> UpstreamError {
        match self {
            Self::Late(_) => UpstreamError::Timeout,
            Self::Unsendable(_) => UpstreamError::Protocol,
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
