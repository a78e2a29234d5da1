//! `sluice simulator`: a coordinator in a process of its own, until Ctrl-C.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::options::{Forwarded, Login, Options, Version};
use super::{Simulator, script};

/// Options of `sluice simulator`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub bind: SocketAddr,
    /// The Trino that is played
    #[arg(long, value_enum, default_value_t)]
    pub version: Version,
    /// What X-Forwarded-* headers do: Trino's http-server.process-forwarded
    #[arg(long, value_enum, default_value_t)]
    pub process_forwarded: Forwarded,
    /// How long it says `starting: true`, such as 5s
    #[arg(long, default_value = "0s", value_parser = parse_duration)]
    pub starting_for: Duration,
    /// Offer the spooling protocol
    #[arg(long)]
    pub spooling: bool,
    /// How many queries run at once; the others stay QUEUED
    #[arg(long, default_value_t = 10_000)]
    pub max_running: usize,
    /// Require this password (Basic, over https or X-Forwarded-Proto: https)
    #[arg(long, env = "SLUICE_SIMULATOR_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Log in by browser, as with Trino's OAuth2
    #[arg(long, conflicts_with = "password")]
    pub oauth2: bool,
    /// Largest size of a request's headers in bytes; above it 431
    #[arg(long, default_value_t = 8192)]
    pub max_header_bytes: usize,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    script::duration(text).ok_or_else(|| format!("{text} is no duration such as 250ms, 5s or 2m"))
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        let login = match (args.password, args.oauth2) {
            (Some(password), _) => Login::Password(password),
            (None, true) => Login::OAuth2,
            (None, false) => Login::Nobody,
        };
        Self {
            bind: args.bind,
            version: args.version,
            forwarded: args.process_forwarded,
            starting_for: args.starting_for,
            spooling: args.spooling,
            max_running: args.max_running,
            login,
            max_header_bytes: args.max_header_bytes,
            // Nobody can ask a process what it saw.
            remember: 0,
            ..Self::default()
        }
    }
}

/// Runs a simulator until Ctrl-C, after telling its address by `tell`.
pub async fn serve(args: Args, tell: impl FnOnce(&str)) -> std::io::Result<()> {
    let simulator = Arc::new(Simulator::start(args.into()).await?);
    tell(&simulator.url());
    tokio::signal::ctrl_c().await?;
    simulator.stop().await;
    Ok(())
}
