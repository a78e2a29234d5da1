//! The data listener and the deadlines behind it.

use std::net::SocketAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tls;
use crate::config::units::{self, Bytes, Span};

/// The data listener.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Data {
    /// Address and port; port 0 takes a free one.
    #[schemars(with = "String", extend("format" = "socket-address"))]
    pub bind: SocketAddr,
    /// Unset: plain HTTP.
    pub tls: Option<Tls>,
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed; from all others they are replaced.
    #[schemars(with = "Vec<units::Network>")]
    pub trusted_proxies: Vec<IpNet>,
    /// The base URL that every client uses; wins over `Host` and `X-Forwarded-*`.
    pub external_url: Option<String>,
    /// Whether each connection begins with a PROXY protocol header (version 1 or 2).
    pub proxy_protocol: bool,
    /// Connections accepted at the same time; above it new ones wait in the kernel's queue.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_connections: usize,
    /// The largest statement that is kept for sending elsewhere; larger ones get 413.
    pub max_statement_bytes: Bytes,
    /// From the first byte of a request to the end of its head.
    pub header_timeout: Span,
    /// Without a byte of a next request.
    pub idle_timeout: Span,
    /// Without a byte taken by the client.
    pub write_timeout: Span,
    /// Whether another process may share the port (`SO_REUSEPORT`).
    pub share_port: bool,
    /// Data threads; unset: one a core.
    #[schemars(range(min = 1, max = 1_024))]
    pub workers: Option<usize>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], 8080)),
            tls: None,
            trusted_proxies: Vec::new(),
            external_url: None,
            proxy_protocol: false,
            max_connections: 20_000,
            max_statement_bytes: Bytes::mib(16),
            header_timeout: Span::secs(30),
            // Clients' pools keep connections for 5 minutes (OkHttp); closing earlier races with a POST.
            idle_timeout: Span::secs(360),
            write_timeout: Span::secs(300),
            share_port: false,
            workers: None,
        }
    }
}

/// Deadlines towards the coordinators.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Upstream {
    /// For a TCP connection.
    pub connect_timeout: Span,
    /// For the head of a POST's answer; then elsewhere, or 504.
    pub statement_timeout: Span,
    /// For the head of every other answer; between bytes there is no limit.
    pub first_byte_timeout: Span,
    /// How long an idle connection is kept; below Trino's 200 s.
    pub pool_idle_timeout: Span,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            connect_timeout: Span::secs(3),
            statement_timeout: Span::secs(8),
            first_byte_timeout: Span::secs(60),
            pool_idle_timeout: Span::secs(60),
        }
    }
}
