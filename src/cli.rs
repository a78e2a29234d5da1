//! The commands of `sluice`: what they take, and which room carries them out.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::{
    admin::client::{self, Command as Mark, Steer},
    app,
    config::{self, command, model::LogFormat},
    demo,
    lifecycle::Signals,
    scaling::scaled_object,
    simulator,
    telemetry::logs::{self, Format},
};

/// Threads of the control runtime: probes, scrapes and commands are light, but none should wait for another.
const CONTROL_THREADS: usize = 2;

/// A Trino-compatible routing gateway.
#[derive(Debug, Parser)]
#[command(name = "sluice", version = version(), about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(File),
    /// Show the main job: simulated coordinators, one of them asleep, and what to try.
    Demo(demo::Args),
    /// Check a configuration: every problem with its line; exit 1 if there is one.
    Check(File),
    /// Print the JSON Schema of the configuration.
    Schema {
        /// As a page for people: `docs/CONFIG.md`.
        #[arg(long)]
        markdown: bool,
    },
    /// Let a backend take no new statements; it becomes inactive when its last query has ended.
    Drain(Backend),
    /// Let a backend take statements again.
    Activate(Backend),
    /// Take a backend out at once; queries that it has go on.
    Deactivate(Backend),
    /// Wake a routing group, also one that was suspended by hand.
    Resume(Group),
    /// Put a routing group to sleep when its last query has ended; it stays so until it is resumed.
    Suspend(Group),
    /// Print a ScaledObject by which KEDA scales the workers of a routing group.
    Keda(scaled_object::Args),
    /// Ask a health URL; exit 0 if it answers 200.
    Healthcheck {
        /// For example http://127.0.0.1:9091/readyz
        #[arg(long)]
        url: String,
    },
    /// Run a coordinator that speaks Trino's protocol without being one, until Ctrl-C or in the background.
    Simulator(simulator::Args),
}

#[derive(Args, Debug)]
struct File {
    /// The configuration.
    #[arg(long, default_value = "sluice.yaml", env = "SLUICE_CONFIG")]
    config: PathBuf,
}

#[derive(Args, Debug)]
struct Backend {
    /// The backend's name.
    backend: String,
    #[command(flatten)]
    to: Admin,
}

#[derive(Args, Debug)]
struct Group {
    /// The routing group's name.
    group: String,
    #[command(flatten)]
    to: Admin,
}

#[derive(Args, Debug)]
struct Admin {
    /// Where the gateway takes commands.
    #[arg(long, default_value = "http://127.0.0.1:8081", env = "SLUICE_ADMIN_URL")]
    admin: String,
    /// The bearer token of the admin API.
    #[arg(long, env = "SLUICE_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// `0.1.0 (revision, compiler)`; the same as in the metric `gateway_build_info`.
const fn version() -> &'static str {
    concat!(
        env!("CARGO_PKG_VERSION"),
        " (",
        env!("SLUICE_REVISION"),
        ", ",
        env!("SLUICE_RUSTC"),
        ")"
    )
}

/// Carries out the command line.
pub fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Serve(file) => serve(&file.config),
        Command::Demo(args) => control()?.block_on(demo::run(args)),
        Command::Check(file) => {
            let good = command::check_command(&file.config, &mut io::stdout())?;
            Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Schema { markdown } => {
            command::schema_command(markdown, &mut io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Drain(backend) => mark(&backend, Mark::Drain),
        Command::Activate(backend) => mark(&backend, Mark::Activate),
        Command::Deactivate(backend) => mark(&backend, Mark::Deactivate),
        Command::Resume(group) => steer(&group, Steer::Resume),
        Command::Suspend(group) => steer(&group, Steer::Suspend),
        Command::Keda(args) => {
            let good = scaled_object::command(&args, &mut io::stdout(), &mut io::stderr())?;
            Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Healthcheck { url } => {
            Ok(client::tell(control()?.block_on(client::healthcheck(&url))))
        }
        Command::Simulator(args) => {
            let tell = |url: &str| {
                let _ = writeln!(io::stdout(), "a simulated coordinator at {url}");
            };
            control()?.block_on(simulator::run(args, tell))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn mark(backend: &Backend, mark: Mark) -> anyhow::Result<ExitCode> {
    let Admin { admin, token } = &backend.to;
    let asked = client::mark(admin, token.as_deref(), &backend.backend, mark);
    Ok(client::tell(control()?.block_on(asked)))
}

fn steer(group: &Group, steer: Steer) -> anyhow::Result<ExitCode> {
    let Admin { admin, token } = &group.to;
    let asked = client::steer(admin, token.as_deref(), &group.group, steer);
    Ok(client::tell(control()?.block_on(asked)))
}

fn control() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
}

fn serve(path: &Path) -> anyhow::Result<ExitCode> {
    let loaded = match config::load(path) {
        Ok(loaded) => loaded,
        Err(problems) => {
            writeln!(io::stderr(), "{problems}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let format = match loaded.config.log.format {
        Some(LogFormat::Json) => Format::Json,
        Some(LogFormat::Text) => Format::Text,
        None => Format::of_the_terminal(),
    };
    let logs = logs::init(format, &loaded.config.log.level, &loaded.config.info.environment)?;
    control()?.block_on(async {
        let signals = Signals::of_the_process().context("cannot listen for signals")?;
        let app = app::start(loaded, Some(path.to_owned()), logs).await?;
        app.run(signals).await;
        Ok(ExitCode::SUCCESS)
    })
}
