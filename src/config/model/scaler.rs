//! The gateway as KEDA's external scaler.

use std::{net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scaler's listener.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scaler {
    /// Whether it is opened.
    pub enabled: bool,
    /// Address of the gRPC service.
    #[schemars(with = "String", extend("format" = "socket-address"))]
    pub bind: SocketAddr,
    /// Unset: without TLS.
    pub tls: Option<ScalerTls>,
}

impl Default for Scaler {
    fn default() -> Self {
        Self { enabled: false, bind: SocketAddr::from(([0, 0, 0, 0], 9092)), tls: None }
    }
}

/// TLS of the scaler's listener.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScalerTls {
    /// A PEM file: the certificate, then those that lead to its root.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
    /// A PEM file with the certificates that may have signed KEDA's; unset: it need not show any.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}
