//! The bodies and headers of a 503, as text, as JSON and as XTrinode's gateway writes them.

use std::{fmt, time::Duration};

use axum::{body::Body, response::Response};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use super::USUAL_SECONDS;
use crate::{config::model::Contract, metrics::Unavailable};

const REASON: HeaderName = HeaderName::from_static("x-gateway-reason");
const GATED: HeaderName = HeaderName::from_static("x-gateway-resume-gated");

/// XTrinode's clients are never told to come back sooner.
const LEAST_OF_XTRINODE: u32 = 5;

/// Why a request is turned away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal<'a> {
    /// The group, or what stands in its place.
    pub(crate) group: &'a str,
    /// Why, as programs read it.
    pub(crate) reason: Unavailable,
    /// Why, as people do.
    pub(crate) why: &'a str,
    /// In seconds.
    pub(crate) retry_after: u32,
    /// For how long a backend has been waking.
    pub(crate) resuming: Option<Duration>,
    /// Whether one is.
    pub(crate) resume: Resume,
    /// For who looks into the logs.
    pub(crate) trace_id: &'a str,
}

/// What a refused statement did for the backend that it needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resume {
    /// It set off a resume: `triggered`.
    Triggered,
    /// A resume was under way, and it waits for that one: `gated`, in XTrinode's word.
    Joined,
    /// Nothing wakes.
    None,
}

/// Keys of `observability.md` 1.1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    error: String,
    reason: &'static str,
    routing_group: &'a str,
    retry_after: u32,
    trace_id: &'a str,
    triggered: bool,
    gated: bool,
}

/// XTrinode's keys, in its order. Where no resume was tried, the last two are false.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct XtrinodeJson {
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gated: Option<bool>,
    retry_after: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    triggered: Option<bool>,
}

impl Refusal<'_> {
    /// The 503, in the words of that contract.
    pub(crate) fn answer(&self, contract: Contract, wants_json: bool) -> Response {
        match contract {
            Contract::Xtrinode => self.as_xtrinode(),
            Contract::Sluice if wants_json => self.dressed(&JSON, self.retry_after, self.json()),
            Contract::Sluice => self.dressed(&TEXT, self.retry_after, self.text()),
        }
    }

    fn text(&self) -> String {
        format!("{self}; retry in {} s [trace {}]", self.retry_after, self.trace_id)
    }

    fn json(&self) -> String {
        written(&Json {
            error: self.to_string(),
            reason: self.reason.as_str(),
            routing_group: self.group,
            retry_after: self.retry_after,
            trace_id: self.trace_id,
            triggered: self.resume == Resume::Triggered,
            gated: self.resume == Resume::Joined,
        })
    }

    /// Always JSON. Its words say less than ours: the reason is in the header.
    fn as_xtrinode(&self) -> Response {
        let (triggered, gated) = (self.resume == Resume::Triggered, self.resume == Resume::Joined);
        let coming = self.retry_after.max(LEAST_OF_XTRINODE);
        let (error, retry_after, is_of_resume) = match self.reason {
            Unavailable::ResumeFailed | Unavailable::ResumeTimeout => {
                ("Failed to trigger resume", USUAL_SECONDS, false)
            }
            Unavailable::CircuitOpen => ("Service temporarily unavailable", USUAL_SECONDS, true),
            _ if triggered || gated => ("XTrinode runtime is resuming, please retry", coming, true),
            _ => ("No backend available", coming, true),
        };
        let body = XtrinodeJson {
            error,
            gated: is_of_resume.then_some(gated),
            retry_after,
            triggered: is_of_resume.then_some(triggered),
        };
        let mut answer = self.dressed(&JSON, retry_after, written(&body));
        if gated && is_of_resume {
            answer.headers_mut().insert(GATED, HeaderValue::from_static("true"));
        }
        answer
    }

    fn dressed(&self, kind: &HeaderValue, retry_after: u32, body: String) -> Response {
        let mut answer = Response::new(Body::from(body));
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, kind.clone());
        headers.insert(RETRY_AFTER, HeaderValue::from(retry_after));
        headers.insert(REASON, HeaderValue::from_static(self.reason.as_str()));
        answer
    }
}

const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Text and numbers always have a JSON form.
fn written(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// The sentence without the advice.
impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.group, self.why)?;
        match self.resuming {
            Some(since) => write!(f, " (resuming for {} s)", since.as_secs()),
            None => Ok(()),
        }
    }
}
