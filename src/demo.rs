//! `sluice demo`: the main job on one machine, with nothing installed.
//!
//! Two simulated coordinators, one of them asleep, behind a gateway in this process. `demo` stays until Ctrl-C with
//! live counters and things to try; `demo --once` runs a client of its own, checks every answer and tells the story.
//!
//! It is a program around the gateway and no part of it: it starts `app` as `serve` does and then looks at it only
//! from outside, over its ports. Who sleeps really does: there is no process until the gateway's `command` driver starts
//! one, and none after the driver has stopped it. The demo itself starts none, and leaves none behind.

mod board;
mod client;
mod counters;
mod invitation;
mod sleeper;
mod stage;
mod steps;
mod story;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use crate::{
    lifecycle::Signals,
    telemetry::logs::{self, Format, Logs},
};

use self::{board::Board, counters::Counters, stage::Stage};

/// Options of `sluice demo`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Run one client, check each answer, tell the story and end; exit 1 if an answer was wrong
    #[arg(long)]
    pub once: bool,
}

/// Runs the demo on the current runtime; a story with a wrong answer is a failure.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let logs = quiet()?;
    let mut signals = Signals::of_the_process()?;
    let stage = Stage::set(logs).await?;
    let mut out = io::stdout();
    invitation::introduce(&stage, &mut out)?;
    if args.once {
        let told = tokio::select! {
            told = story::tell(&stage, &mut out) => told,
            // The story does not end by itself: what it started must be stopped.
            _ = signals.next() => Err(anyhow::anyhow!("interrupted")),
        };
        stage.leave().await;
        return Ok(if told? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let stayed = stay(&stage, signals, &mut out).await;
    let said = writeln!(out, "\nLeaving: open exchanges may finish.");
    stage.leave().await;
    said?;
    stayed.map(|()| ExitCode::SUCCESS)
}

/// The gateway's own log would drown the story: it is shown only to those who ask for it by `RUST_LOG`.
fn quiet() -> Result<Logs, logs::LogsError> {
    if wants_log() { logs::init(Format::Text, "warn", "demo") } else { Ok(Logs::detached()) }
}

fn wants_log() -> bool {
    std::env::var_os("RUST_LOG").is_some_and(|directives| !directives.is_empty())
}

/// Says what to try and shows live counters until a signal comes.
async fn stay(stage: &Stage, mut signals: Signals, out: &mut impl Write) -> anyhow::Result<()> {
    invitation::invite(stage, out)?;
    let mut board = Board::new(io::stdout().is_terminal() && !wants_log());
    let mut ticks = tokio::time::interval(board.pace());
    loop {
        tokio::select! {
            _ = signals.next() => return Ok(()),
            _ = ticks.tick() => {}
        }
        board.show(&Counters::read(&stage.metrics_url()).await?, out)?;
    }
}
