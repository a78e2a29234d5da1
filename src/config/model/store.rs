//! Where state lives.

use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::Span;

/// Where state lives; memory unless another one is named.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Store {
    /// One replica, nothing to install.
    pub memory: Option<Memory>,
    /// Several replicas that act as one: Redis or Valkey, 6.2 or newer.
    pub redis: Option<Redis>,
}

/// The memory store has no settings.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Memory {}

/// A store that replicas share: exactly one of `url`, `sentinel` and `cluster`.
#[derive(Clone, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redis {
    /// One server: `redis://host:6379`, `rediss://` with TLS, `/1` behind it for a database.
    #[serde(default, skip_serializing)]
    pub url: Option<String>,
    /// The server that Sentinels name, whichever it is now.
    #[serde(default)]
    pub sentinel: Option<Sentinel>,
    /// Some nodes of a cluster, which name the others.
    #[serde(default, skip_serializing)]
    pub cluster: Vec<String>,
    /// The user of the server; wins over one in a URL.
    #[serde(default)]
    pub username: Option<String>,
    /// Its password; best as `${ENV:NAME}`.
    #[serde(default, skip_serializing)]
    pub password: Option<String>,
    /// What every key begins with; replicas with the same one are one fleet.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// A file with the keys that seal waiting statements, since those carry credentials: 32 bytes a line, in hex or base64.
    /// The first one seals, all of them open.
    pub secret_file: PathBuf,
    /// For each call; who waits for it goes on without the store then.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

fn prefix() -> String {
    "sluice".to_owned()
}

fn timeout() -> Span {
    Span::millis(250)
}

/// Who is asked for the server.
#[derive(Clone, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sentinel {
    /// The Sentinels; user and password in these URLs are theirs, not the server's.
    #[serde(skip_serializing)]
    pub urls: Vec<String>,
    /// The name that they have for the server.
    pub master: String,
}

/// Neither URLs nor the password, which may both hold secrets.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sentinel, prefix, secret_file, timeout, .. } = self;
        f.debug_struct("Redis")
            .field("sentinel", sentinel)
            .field("prefix", prefix)
            .field("secret_file", secret_file)
            .field("timeout", timeout)
            .finish_non_exhaustive()
    }
}

/// As for the server: no URL.
impl fmt::Debug for Sentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentinel").field("master", &self.master).finish_non_exhaustive()
    }
}
