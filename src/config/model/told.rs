//! What the gateway tells of itself: its log, `/v1/info`, traces, audit, profiles.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::telemetry::traces::settings::Protocol;

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
    /// Whether `/v1/info` names the gateway's own version too.
    pub expose_version: bool,
}

impl Default for Info {
    fn default() -> Self {
        Self {
            environment: "production".to_owned(),
            node_version: "auto".to_owned(),
            expose_version: false,
        }
    }
}

/// Traces, and the context that joins them with those of clients and coordinators.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Telemetry {
    /// `service.name` of what is exported; `OTEL_SERVICE_NAME` wins.
    pub service_name: String,
    /// Where spans are sent, for example `http://collector:4317`; unset: no connection is opened.
    pub otlp_endpoint: Option<String>,
    /// The same for traces alone; wins over `otlpEndpoint`.
    pub traces_otlp_endpoint: Option<String>,
    /// How they are sent.
    pub otlp_protocol: OtlpProtocol,
    /// The share of traces that is exported, where the client has not decided: 0 none, 1 all.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
    /// Whether a request without `traceparent` gets one, so that logs and coordinators join.
    pub generate_when_absent: bool,
    /// Whether spans carry the statement, its literals masked.
    pub capture_query_text: bool,
    /// Whether spans carry the user's name.
    pub capture_user: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            service_name: "sluice".to_owned(),
            otlp_endpoint: None,
            traces_otlp_endpoint: None,
            otlp_protocol: OtlpProtocol::Grpc,
            sample_ratio: 0.1,
            generate_when_absent: true,
            capture_query_text: false,
            capture_user: true,
        }
    }
}

/// How spans reach the collector.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OtlpProtocol {
    /// OTLP over gRPC.
    #[default]
    #[serde(rename = "grpc")]
    Grpc,
    /// OTLP over HTTP, protobuf bodies.
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}

impl From<OtlpProtocol> for Protocol {
    fn from(said: OtlpProtocol) -> Self {
        match said {
            OtlpProtocol::Grpc => Self::Grpc,
            OtlpProtocol::HttpProtobuf => Self::HttpProtobuf,
        }
    }
}

/// The record of who asked what: one line for each query that ended and each statement that was refused.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Audit {
    /// The file; unset: no audit.
    pub path: Option<std::path::PathBuf>,
    /// What of the statement's text is written.
    pub query_text: QueryText,
    /// Records that may wait for the disk.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub queue: usize,
    /// What happens to a record that finds the queue full.
    pub on_full: OnFull,
    /// Whether each batch is forced to the disk.
    pub fsync: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            path: None,
            query_text: QueryText::Redacted,
            queue: 10_000,
            on_full: OnFull::Drop,
            fsync: false,
        }
    }
}

/// What of a statement's text the audit record carries.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum QueryText {
    /// Literals and secrets masked.
    #[default]
    Redacted,
    /// As the client sent it, its first 64 KiB.
    Full,
    /// Nothing.
    None,
}

/// What happens to an audit record that finds the queue full.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OnFull {
    /// It is dropped and counted.
    #[default]
    Drop,
    /// The query's end waits for room, and with it whatever its thread serves: at most a second, then it is dropped.
    Block,
}

/// CPU profiles on a port of their own.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Profiling {
    /// Whether the port is opened; `SLUICE_PPROF=1` does it too.
    pub enabled: bool,
    /// Its address; `SLUICE_PPROF_ADDR` wins.
    #[schemars(with = "String", extend("format" = "socket-address"))]
    pub bind: std::net::SocketAddr,
}

impl Default for Profiling {
    fn default() -> Self {
        Self { enabled: false, bind: std::net::SocketAddr::from(([127, 0, 0, 1], 6060)) }
    }
}
