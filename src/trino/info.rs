//! `/v1/info` and its kin, both ways: what a backend says of itself, and what we say of ourselves.
//!
//! Ours needs no backend alive: drivers ask it before their first statement, and health checks ask it for ever.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::Full;
use serde::{Deserialize, Serialize};

use crate::trino::duration;

/// A backend's `/v1/info`. Everything is optional: old versions leave much away, and an answer that lacks what is
/// needed proves no readiness.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerInfo {
    /// Set in Trino's own configuration or drawn at each start.
    pub node_id: Option<String>,
    /// `ACTIVE`, even while starting.
    pub state: Option<String>,
    /// The release.
    pub node_version: Option<NodeVersion>,
    /// `node.environment`.
    pub environment: Option<String>,
    /// Whether it takes statements.
    pub coordinator: Option<bool>,
    /// The suffix of all its query ids, since Trino 477; new at each start.
    pub coordinator_id: Option<String>,
    /// Readiness is `false` here, and nothing else.
    pub starting: Option<bool>,
    /// In airlift's words: see [`ServerInfo::up`].
    pub uptime: Option<String>,
}

/// The `nodeVersion` of `/v1/info`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct NodeVersion {
    /// Such as `483`.
    pub version: Option<String>,
}

impl ServerInfo {
    /// Reads a body; `None` when it is no JSON object of that shape.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Whether statements may be sent: a coordinator that has started.
    pub fn ready(&self) -> bool {
        self.coordinator != Some(false) && self.starting == Some(false)
    }

    /// The release, such as `483`.
    pub fn version(&self) -> Option<&str> {
        self.node_version.as_ref()?.version.as_deref()
    }

    /// For how long it has been up.
    pub fn up(&self) -> Option<Duration> {
        duration::parse(self.uptime.as_deref()?)
    }
}

/// The state that we claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OurState {
    /// Before we were ready for the first time.
    Starting,
    /// In service.
    Active,
    /// Draining.
    ShuttingDown,
}

impl OurState {
    /// Trino's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Active => "ACTIVE",
            Self::ShuttingDown => "SHUTTING_DOWN",
        }
    }
}

/// What we say of ourselves, as a coordinator of Trino 477 or later would.
#[derive(Clone, Copy, Debug)]
pub struct OurInfo<'a> {
    /// Of this process.
    pub node_id: &'a str,
    /// Also in `/v1/info/state`.
    pub state: OurState,
    /// `nodeVersion.version`: drivers choose their ways by it.
    pub version: &'a str,
    /// `environment`.
    pub environment: &'a str,
    /// `gatewayVersion`: the gateway's own, where the operator shows it.
    pub gateway_version: Option<&'a str>,
    /// Since this process started.
    pub uptime: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    node_id: &'a str,
    state: &'a str,
    node_version: WrittenVersion<'a>,
    environment: &'a str,
    coordinator: bool,
    starting: bool,
    uptime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_version: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenVersion<'a> {
    version: &'a str,
}

/// The answer to `GET /v1/info`: always 200 and JSON, since JDBC polls anything else without a pause.
pub fn info(ours: &OurInfo<'_>) -> Response<Full<Bytes>> {
    let written = Written {
        node_id: ours.node_id,
        state: ours.state.as_str(),
        node_version: WrittenVersion { version: ours.version },
        environment: ours.environment,
        coordinator: true,
        starting: ours.state == OurState::Starting,
        uptime: duration::format(ours.uptime),
        gateway_version: ours.gateway_version,
    };
    // Text always has a JSON form.
    answer("application/json", serde_json::to_vec(&written).unwrap_or_default())
}

/// The answer to `GET /v1/info/state`: the word in quotes, or bare for who asks for `text/plain`.
pub fn state(state: OurState, request: &HeaderMap) -> Response<Full<Bytes>> {
    let word = state.as_str();
    if asks_for_text(request) {
        return answer("text/plain", word.as_bytes().to_vec());
    }
    answer("application/json", format!("\"{word}\"").into_bytes())
}

/// The answer to `GET /v1/info/coordinator`, `HEAD /v1/info` and `HEAD /v1/statement`: 200, empty.
pub fn empty() -> Response<Full<Bytes>> {
    Response::new(Full::default())
}

fn asks_for_text(request: &HeaderMap) -> bool {
    let mut kinds = request
        .get_all(ACCEPT)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    // The first that we have wins: a browser's list begins with neither, and then JSON it is.
    kinds.find_map(|kind| match kind.split(';').next().unwrap_or_default().trim() {
        "text/plain" | "text/*" => Some(true),
        "application/json" | "application/*" | "*/*" => Some(false),
        _ => None,
    }) == Some(true)
}

fn answer(kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests;
