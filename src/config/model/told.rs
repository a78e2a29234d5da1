//! What the gateway tells of itself: its log, `/v1/info`, trace context.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Standard output.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Log {
    /// Unset: text on a terminal, else JSON.
    pub format: Option<LogFormat>,
    /// As in `RUST_LOG`, which wins.
    pub level: String,
    /// Which requests get a line of their own.
    pub access: AccessLog,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: None, level: "info".to_owned(), access: AccessLog::Statements }
    }
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// One flat JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Which requests are logged at `info`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessLog {
    /// All.
    All,
    /// All but polls that succeeded.
    Statements,
    /// None.
    Off,
}

/// What `/v1/info` says of the gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Info {
    /// `environment`.
    pub environment: String,
    /// `nodeVersion.version`; `auto`: the last one learned of the default group, else 483.
    pub node_version: String,
}

impl Default for Info {
    fn default() -> Self {
        Self { environment: "production".to_owned(), node_version: "auto".to_owned() }
    }
}

/// Trace context.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Telemetry {
    /// Whether a request without `traceparent` gets one, so that logs and coordinators join.
    pub generate_when_absent: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { generate_when_absent: true }
    }
}
