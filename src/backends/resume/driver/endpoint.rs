//! HTTP calls to endpoints that are no Kubernetes API: XTrinode's API server, webhooks.
//!
//! Each call opens a connection of its own, follows no redirect (a POST would lose its body, a token would go
//! elsewhere) and uses no proxy of the environment. Errors name the endpoint by scheme, host and port only, since
//! the rest of a URL may hold a secret.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Client, Response};
use url::Url;

use super::{CallError, words};
use crate::{backends::outgoing, telemetry::context::TRACEPARENT};

/// Answers are some hundred bytes.
const MAX_BODY: usize = 64 * 1024;

/// The clients that all endpoints share: one for `http`, and from the first endpoint on that wants it one for `https`, which
/// reads the authorities of this machine.
#[derive(Clone, Debug)]
pub(super) struct Poster {
    plain: Client,
    secure: Arc<OnceLock<Client>>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// A URL that is called, with the token that it wants.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    http: Client,
    url: Url,
    token_file: Option<PathBuf>,
}

impl Poster {
    pub(super) fn new() -> Result<Self, String> {
        let plain = outgoing::plain().map_err(words::causes)?;
        Ok(Self { plain, secure: Arc::default() })
    }

    fn client(&self, url: &Url) -> Result<Client, String> {
        if url.scheme() != "https" {
            return Ok(self.plain.clone());
        }
        if let Some(secure) = self.secure.get() {
            return Ok(secure.clone());
        }
        let made = outgoing::client(outgoing::builder).map_err(words::causes)?;
        Ok(self.secure.get_or_init(|| made).clone())
    }
}

impl Endpoint {
    /// An endpoint; fails without quoting the URL.
    pub(super) fn new(
        poster: &Poster,
        url: &str,
        token_file: Option<&str>,
    ) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("this is no URL to call: {error}"))?;
        Ok(Self { http: poster.client(&url)?, url, token_file: token_file.map(PathBuf::from) })
    }

    /// Posts a JSON body; after a 401 once more if the token was replaced meanwhile.
    pub(super) async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answer, CallError> {
        let token = self.token().await?;
        let answer = self.post_as(token.clone(), headers.clone(), body.clone()).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let newer = self.token().await?;
        if newer == token { Ok(answer) } else { self.post_as(newer, headers, body).await }
    }

    async fn post_as(
        &self,
        token: Option<HeaderValue>,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, CallError> {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(token.map(|token| (header::AUTHORIZATION, token)));
        let unreached = |error| {
            CallError::transient(format!(
                "{} cannot be reached: {}",
                self.shown(),
                words::causes(error)
            ))
        };
        let asked = self.http.post(self.url.clone()).headers(headers).body(body);
        let mut answer = asked.send().await.map_err(unreached)?;
        let (status, retry_after) = (answer.status(), retry_after(answer.headers()));
        let body = self::body(&mut answer, MAX_BODY).await.map_err(unreached)?;
        Ok(Answer { status, retry_after, body })
    }

    async fn token(&self) -> Result<Option<HeaderValue>, CallError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let token = secret(path).await?;
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(|_| {
            CallError::Permanent(format!("{} holds what no token may hold", path.display()))
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// A status that is no success; `said` is what the endpoint gives as its reason.
    pub(super) fn refusal(&self, answer: &Answer, said: &str) -> CallError {
        let (status, at) = (answer.status, self.shown());
        let said =
            if said.is_empty() { String::new() } else { format!(": {}", words::beginning(said)) };
        let why = match status {
            StatusCode::UNAUTHORIZED => format!("{at} does not accept our token (401){said}"),
            status if status.is_redirection() => {
                format!(
                    "{at} sends us elsewhere ({status}), and a call follows nobody: configure the final URL"
                )
            }
            status => format!("{at} answered {status}{said}"),
        };
        let passes = status.is_server_error()
            || matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY
            );
        let retry_after = answer.retry_after;
        if passes { CallError::Transient { why, retry_after } } else { CallError::Permanent(why) }
    }

    fn shown(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// The secret that a file holds, without the line end that editors add.
pub(super) async fn secret(path: &PathBuf) -> Result<String, CallError> {
    let read = tokio::fs::read_to_string(path).await;
    let text = read.map_err(|error| {
        CallError::Permanent(format!("{} cannot be read: {error}", path.display()))
    })?;
    match text.trim() {
        "" => Err(CallError::Permanent(format!("{} is empty", path.display()))),
        secret => Ok(secret.to_owned()),
    }
}

/// The trace that a call belongs to, as a header.
pub(super) fn traced(traceparent: Option<&str>) -> HeaderMap {
    let value = traceparent.and_then(|text| HeaderValue::from_str(text).ok());
    value.map(|value| (TRACEPARENT, value)).into_iter().collect()
}

/// `Retry-After` in seconds; nobody we call sends a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// A body, or its first bytes where it is longer than it may be.
pub(super) async fn body(answer: &mut Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            body.truncate(most);
            break;
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn the_authorities_of_the_machine_are_read_once_and_for_https_only() {
        let poster = Poster::new().unwrap();
        Endpoint::new(&poster, "http://waker:8080/wake", None).unwrap();
        assert!(poster.secure.get().is_none());
        Endpoint::new(&poster, "https://waker/wake", None).unwrap();
        assert!(poster.secure.get().is_some());
        Endpoint::new(&poster.clone(), "HTTPS://other/wake", None).unwrap();
        assert_eq!(
            Arc::strong_count(&poster.secure),
            1,
            "an endpoint keeps a client, not the choice"
        );
    }
}
