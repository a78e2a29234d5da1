//! The connections of one data thread to the coordinators, and what their failures mean.
//!
//! Each data thread has ways of its own: a connection lives on the runtime that made it. Statements and polls go on a
//! `line`, without a task between them and the socket; what has a streaming body goes by hyper's client. `asking` is what
//! either is given: the client's headers, and ours in their place. Either repeats a request by itself only where that is
//! safe: hyper if a reused connection never began it, a line if it is a GET or HEAD and a reused connection closed without a
//! byte of an answer.

mod answer;
mod asking;
mod connecting;
mod line;
mod wire;

use std::{
    error::Error,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use ahash::AHashMap;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, Uri, uri::Authority};
use hyper_util::{
    client::legacy::{Client, connect::HttpInfo},
    rt::{TokioExecutor, TokioTimer},
};
use thiserror::Error;
use tokio::time::timeout_at;
use tower::{Service as _, ServiceExt as _};

pub(crate) use self::{
    answer::{AnswerBody, Broken},
    asking::{Asking, Headers, Outgoing},
};
use self::{
    connecting::{Cause, Connecting},
    line::{Answered, Home, Idle, LARGE_READ, Line, LineBody, MOST_HEADERS, asked},
};
use crate::{
    config::{
        model::Upstream as Settings,
        trust::{NoTls, Trust, TrustId},
    },
    metrics::{Metrics, UpstreamError},
    moment,
};

type Http = Client<Connecting, Body>;

/// One data thread's way to the coordinators.
pub(crate) struct Upstream {
    plain: Ways,
    /// A pool for each set of certificates: a connection never serves under other settings than it was made with.
    /// Only this thread takes the lock, and never over an `.await`.
    secure: Mutex<AHashMap<TrustId, Pool>>,
    settings: Settings,
    metrics: Arc<Metrics>,
}

/// The two ways to the coordinators that are connected to alike.
struct Ways {
    http: Http,
    connecting: Connecting,
    idle: Arc<Idle>,
}

/// Connections over TLS.
struct Pool {
    ways: Arc<Ways>,
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
    Connect(#[source] Cause),
    /// The connection ended before an answer came.
    #[error("connection lost")]
    Lost(#[source] Cause),
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
            plain: Ways::new(settings, None, metrics),
            secure: Mutex::default(),
            settings: settings.clone(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Sends one request and waits for the head of its answer; over TLS where the backend's URL says so.
    pub(crate) async fn send(
        &self,
        trust: Option<&Arc<Trust>>,
        asking: &Asking<'_>,
        body: Outgoing,
        within: Duration,
    ) -> Result<Response<AnswerBody>, Failure> {
        let ways = trust.map(|trust| self.pool(trust));
        let answering = ways.as_deref().unwrap_or(&self.plain).send(asking, body);
        timeout_at(moment::after(within), answering).await.unwrap_or(Err(Failure::Late(within)))
    }

    /// The connections of that trust; those of trusts that a reload took away go when another comes.
    fn pool(&self, trust: &Arc<Trust>) -> Arc<Ways> {
        let mut pools = self.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get_mut(&trust.id()) {
            // A reload that changed nothing here made it anew.
            if !std::ptr::eq(pool.trust.as_ptr(), Arc::as_ptr(trust)) {
                pool.trust = Arc::downgrade(trust);
            }
            return Arc::clone(&pool.ways);
        }
        pools.retain(|_, pool| pool.trust.strong_count() > 0);
        let ways = Arc::new(Ways::new(&self.settings, Some(trust), &self.metrics));
        let pool = Pool { ways: Arc::clone(&ways), trust: Arc::downgrade(trust) };
        pools.insert(trust.id(), pool);
        ways
    }
}

impl Ways {
    fn new(settings: &Settings, trust: Option<&Trust>, metrics: &Arc<Metrics>) -> Self {
        let connecting = Connecting::new(trust, settings.connect_timeout.get(), metrics);
        let patience = settings.pool_idle_timeout.get();
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(patience)
            .http1_max_headers(MOST_HEADERS)
            .http1_max_buf_size(LARGE_READ)
            .retry_canceled_requests(true)
            .set_host(true)
            .build(connecting.clone());
        Self { http, connecting, idle: Idle::new(patience) }
    }

    async fn send(
        &self,
        asking: &Asking<'_>,
        body: Outgoing,
    ) -> Result<Response<AnswerBody>, Failure> {
        match body {
            Outgoing::Whole(body) => self.ask(asking, body).await,
            Outgoing::Streaming(body) => Box::pin(self.stream(asking, body)).await,
        }
    }

    async fn stream(
        &self,
        asking: &Asking<'_>,
        body: Body,
    ) -> Result<Response<AnswerBody>, Failure> {
        let mut request = Request::new(body);
        *request.headers_mut() = asking.headers.whole();
        asking.method.clone_into(request.method_mut());
        asking.uri.clone_into(request.uri_mut());
        match self.http.request(request).await {
            Ok(answer) => Ok(answer.map(AnswerBody::Hyper)),
            Err(error) if error.is_connect() => Err(Failure::Connect(error.into())),
            Err(error) => Err(Failure::Lost(error.into())),
        }
    }

    /// Asks on a line that is open already, else on a new one.
    async fn ask(&self, asking: &Asking<'_>, body: Bytes) -> Result<Response<AnswerBody>, Failure> {
        let method = &asking.method;
        let (words, body) = asked(asking, body);
        let authority = asking.uri.authority();
        let authority =
            authority.ok_or_else(|| Failure::Unsendable("no coordinator".to_owned()))?;
        let may_repeat = matches!(*method, Method::GET | Method::HEAD);
        let mut was_sent = false;
        if let Some(mut line) = self.idle.take(authority) {
            match line.ask(words.clone(), body.clone(), method).await {
                Ok(answered) => return Ok(self.answer(authority, answered, line)),
                // The coordinator closed it while we wrote, as a rule.
                Err(_) if may_repeat && line.is_silent() => was_sent = true,
                Err(broken) => return Err(Failure::Lost(broken.into())),
            }
        }
        // Rare, and so not a part of what each request's future has room for.
        Box::pin(self.ask_anew(asking, words, body, was_sent)).await
    }

    /// Asks on a new line.
    async fn ask_anew(
        &self,
        asking: &Asking<'_>,
        words: Bytes,
        body: Bytes,
        was_sent: bool,
    ) -> Result<Response<AnswerBody>, Failure> {
        let mut line = self.open(&asking.uri).await.map_err(|cause| match was_sent {
            // Nobody knows what became of the first attempt.
            true => Failure::Lost(cause),
            false => Failure::Connect(cause),
        })?;
        let authority = asking.uri.authority();
        let authority =
            authority.ok_or_else(|| Failure::Unsendable("no coordinator".to_owned()))?;
        match line.ask(words, body, &asking.method).await {
            Ok(answered) => Ok(self.answer(authority, answered, line)),
            Err(broken) => Err(Failure::Lost(broken.into())),
        }
    }

    async fn open(&self, uri: &Uri) -> Result<Line, Cause> {
        let mut connecting = self.connecting.clone();
        let wire = connecting.ready().await?.call(uri.clone()).await?;
        Ok(Line::new(wire.into_inner()))
    }

    fn answer(
        &self,
        authority: &Authority,
        answered: Answered,
        line: Line,
    ) -> Response<AnswerBody> {
        let home = Home { idle: Arc::downgrade(&self.idle), authority: authority.clone() };
        let (parts, body) = LineBody::of(answered, line, home);
        Response::from_parts(parts, AnswerBody::Line(body))
    }
}

/// The address that an answer came from.
pub(crate) fn peer(answer: &Response<AnswerBody>) -> Option<SocketAddr> {
    match answer.body() {
        AnswerBody::Line(body) => body.peer(),
        AnswerBody::Hyper(_) => answer.extensions().get::<HttpInfo>().map(HttpInfo::remote_addr),
    }
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
            Self::Connect(error) | Self::Lost(error) => NoTls::find(error.as_ref()),
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
            Self::Lost(error) if is_no_http(error) => UpstreamError::Protocol,
            Self::Lost(_) => UpstreamError::Reset,
        }
    }
}

fn chain<'a>(error: &'a Cause) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error.as_ref());
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}

fn io_kind(error: &Cause) -> Option<io::ErrorKind> {
    chain(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

fn is_no_http(error: &Cause) -> bool {
    chain(error).any(|cause| {
        let by_hyper = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        by_hyper || cause.downcast_ref::<line::Broken>().is_some_and(line::Broken::is_no_http)
    })
}

fn chain_says(error: &Cause, words: &str) -> bool {
    chain(error).any(|cause| cause.to_string().contains(words))
}
