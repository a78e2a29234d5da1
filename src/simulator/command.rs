//! `sluice simulator`: a coordinator in a process of its own, until Ctrl-C, or in the background until it is stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::detached::{self, DetachError};
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
    /// Run in the background: return as soon as it listens, or at once if a simulator is there already
    #[arg(long)]
    pub detach: bool,
    /// In the background, end when nobody has asked for anything for so long
    #[arg(long, default_value = "30m", value_parser = parse_duration)]
    pub unused_for: Duration,
    /// Stop the one in the background at this address, such as http://127.0.0.1:8090; nothing there is fine too
    #[arg(long, value_name = "URL", conflicts_with_all = ["detach", "bind"])]
    pub stop: Option<String>,
    /// What `--detach` tells the process that it starts.
    #[arg(long, hide = true)]
    pub detached: bool,
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
            quit: args.detached.then(CancellationToken::new),
            ..Self::default()
        }
    }
}

/// Why `sluice simulator` failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] std::io::Error),
    /// The one in the background.
    #[error(transparent)]
    Background(#[from] DetachError),
}

/// Carries out `sluice simulator`; where one listens, its address is told by `tell`.
pub async fn run(args: Args, tell: impl FnOnce(&str)) -> Result<(), CommandError> {
    if let Some(url) = &args.stop {
        return Ok(detached::stop(url).await?);
    }
    if args.detach {
        tell(&detached::begin(args.bind).await?);
        return Ok(());
    }
    Ok(serve(args, tell).await?)
}

/// Runs a simulator until Ctrl-C, or in the background until it is told to end or forgotten.
async fn serve(args: Args, tell: impl FnOnce(&str)) -> std::io::Result<()> {
    let unused_for = args.unused_for;
    let options: Options = args.into();
    let quit = options.quit.clone();
    let simulator = Arc::new(Simulator::start(options).await?);
    tell(&simulator.url());
    match quit {
        None => tokio::signal::ctrl_c().await?,
        Some(quit) => tokio::select! {
            () = quit.cancelled() => detached::last_word().await,
            () = detached::unused(&simulator, unused_for) => {}
        },
    }
    simulator.stop().await;
    Ok(())
}
