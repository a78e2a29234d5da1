//! Certificates and keys: those that the gateway shows, and those that it trusts.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS of a listener.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// A PEM file: the certificate, then those that lead to its root.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
    /// More certificates, chosen by the name that the client asks for (SNI); the first answers all other names.
    #[serde(default)]
    pub others: Vec<Pair>,
}

/// A certificate and its key.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pair {
    /// A PEM file: the certificate, then those that lead to its root.
    pub certificate: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

/// TLS towards a coordinator.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// A PEM file with the certificates that may have signed the coordinator's; unset: the system's roots.
    pub ca: Option<PathBuf>,
    /// A PEM file with the gateway's own certificate, for coordinators that ask for one.
    pub certificate: Option<PathBuf>,
    /// A PEM file with its private key.
    pub key: Option<PathBuf>,
    /// Whether any certificate is taken: for trying only, since whoever stands between reads all passwords.
    pub insecure_skip_verify: bool,
}
