//! One question to one coordinator, with its own deadline: `/v1/info`, or `/` for the URIs that it builds.
//!
//! Each question opens a connection of its own: whether one can be opened is half of the answer, and a kept
//! connection to a dead host would hang. Redirects are not followed and no proxy of the environment is used. The
//! trace context is unsampled, so that probes fill nobody's tracing store.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Client, RequestBuilder, Response};

use crate::{
    backends::outgoing,
    config::trust::{NoTls, Trust},
    snapshot::BackendUrl,
    telemetry::context::{TRACEPARENT, TraceContext},
    trino::info::ServerInfo,
};

/// `/v1/info` is some hundred bytes; whatever sends more is no coordinator.
const MAX_BODY: usize = 64 * 1024;

/// What came back.
#[derive(Debug)]
pub(crate) enum Answer {
    /// 200 with what a coordinator says of itself.
    Info(Box<ServerInfo>),
    /// Another status, or a body that is none of Trino's.
    Status(StatusCode),
    /// No connection came about.
    Refused,
    /// Something listens, and no TLS connection came about; why.
    NoTls(Arc<str>),
    /// The connection broke.
    Broken,
    /// Nothing in time.
    Timeout,
}

/// A coordinator that can be asked.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    http: Client,
    base: String,
}

/// A client for one coordinator: the shared one, or where TLS is spoken one that trusts as that backend's settings say.
pub(crate) fn client_of(trust: Option<&Trust>, plain: &Client) -> Client {
    let Some(trust) = trust else { return plain.clone() };
    let made =
        outgoing::builder().tls_backend_preconfigured(trust.client().as_ref().clone()).build();
    made.unwrap_or_else(|error| {
        tracing::error!(%error, "no client for probes over TLS; they will fail");
        plain.clone()
    })
}

impl Target {
    /// The coordinator at that address.
    pub(crate) fn new(http: Client, url: &BackendUrl) -> Self {
        Self { http, base: url.to_string() }
    }

    /// `GET /v1/info`.
    pub(crate) async fn info(&self, timeout: Duration) -> Answer {
        let asked = async {
            let mut answer = self.get("/v1/info").send().await?;
            let status = answer.status();
            let info = match status {
                StatusCode::OK => read(&mut answer).await?,
                _ => None,
            };
            Ok(info.map_or(Answer::Status(status), Answer::Info))
        };
        match tokio::time::timeout(timeout, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => broken(&error),
            Err(_) => Answer::Timeout,
        }
    }

    /// `GET /` with these headers: the status and the `Location`, or `None` without an answer.
    pub(crate) async fn root(
        &self,
        headers: HeaderMap,
        timeout: Duration,
    ) -> Option<(StatusCode, Option<String>)> {
        let asked = self.get("/").headers(headers).send();
        let answer = tokio::time::timeout(timeout, asked).await.ok()?.ok()?;
        let location = answer.headers().get(header::LOCATION);
        Some((answer.status(), location.and_then(|text| text.to_str().ok()).map(str::to_owned)))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        let asked = self
            .http
            .get(format!("{}{path}", self.base))
            .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        match TraceContext::generate().header() {
            Some(unsampled) => asked.header(TRACEPARENT, unsampled),
            None => asked,
        }
    }
}

async fn read(answer: &mut Response) -> reqwest::Result<Option<Box<ServerInfo>>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return Ok(None);
        }
    }
    Ok(ServerInfo::read(&body).map(Box::new))
}

fn broken(error: &reqwest::Error) -> Answer {
    if let Some(no_tls) = NoTls::find(error) {
        return Answer::NoTls(no_tls.words.into());
    }
    match () {
        () if error.is_timeout() => Answer::Timeout,
        () if error.is_connect() => Answer::Refused,
        () => Answer::Broken,
    }
}
