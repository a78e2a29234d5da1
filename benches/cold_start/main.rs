//! What a cold start costs: from the first statement to the driver's call, from readiness to the hand-over, and
//! what thousands of waiting statements take of memory and processor.
//!
//! The gateway is a process of its own; this one is its clients, its sleeping coordinators and the webhook that
//! wakes them. It judges nothing: a person reads the table, and `benches/README.md` says what is aimed at.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot go on says so and ends"
)]

mod crowd;
mod gateway;
mod sleeper;

use std::time::Duration;

use clap::Parser;
use gateway::Gateway;
use sleeper::{Hook, Sleeper};
use tokio::{task::JoinSet, time::Instant};

/// Groups that are each woken once by a first statement.
const CALLED: usize = 200;
/// Groups whose coordinator becomes ready while a statement is held.
const WOKEN: usize = 25;
/// Statements that come at once for one sleeping group.
const AT_ONCE: usize = 1000;

/// Measures cold starts.
#[derive(Debug, Parser)]
struct Options {
    /// A look whether everything works: few statements wait, for a short time
    #[arg(long)]
    quick: bool,
    /// What `cargo bench` passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&options));
}

async fn measure(options: &Options) {
    let hook = Hook::start().await;
    let sleepers = sleeper::all(WOKEN).await;
    let gateway = Gateway::start(&hook, CALLED, &sleepers).await;
    println!("| what | p50 | p99 | max |\n| --- | --- | --- | --- |");
    row("first statement to the driver's call, ms", calls(&gateway, &hook).await);
    let (ready, seen) = hand_overs(&gateway, &sleepers).await;
    row("coordinator ready to the held statement's arrival, ms", ready);
    row("readiness told to a probe to the held statement's arrival, ms", seen);
    println!("\n{AT_ONCE} first statements at once: {} call(s)", at_once(&gateway, &hook).await);
    drop(gateway);
    // Alone: hundreds of backends that are woken in vain are probed a thousand times a second.
    let gateway = Gateway::start(&hook, 0, &[]).await;
    crowd::measure(&gateway, options.quick).await;
}

/// How long it takes until the webhook hears of a group's first statement.
async fn calls(gateway: &Gateway, hook: &Hook) -> Vec<Duration> {
    let mut took = Vec::new();
    for number in 0..CALLED {
        let group = format!("called-{number}");
        let from = Instant::now();
        gateway.post(&group).await;
        took.push(hook.called(&group).await.saturating_duration_since(from));
    }
    took
}

/// How long a held statement waits after its coordinator is ready, and after a probe has heard so.
async fn hand_overs(gateway: &Gateway, sleepers: &[Sleeper]) -> (Vec<Duration>, Vec<Duration>) {
    let (mut ready, mut seen) = (Vec::new(), Vec::new());
    for (number, sleeper) in sleepers.iter().enumerate() {
        let held = gateway.hold(&format!("woken-{number}"));
        sleeper.probed_twice().await;
        let from = sleeper.wake();
        let arrived = sleeper.arrived().await;
        held.await.unwrap();
        ready.push(arrived.saturating_duration_since(from));
        seen.push(arrived.saturating_duration_since(sleeper.told()));
    }
    (ready, seen)
}

/// How many calls come of many first statements.
async fn at_once(gateway: &Gateway, hook: &Hook) -> usize {
    let mut posts: JoinSet<_> = (0..AT_ONCE).map(|_| gateway.hold("crowd")).collect();
    while posts.join_next().await.is_some() {}
    hook.calls("crowd")
}

fn row(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at =
        |share: f64| took[((took.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    println!("| {what} | {:.1} | {:.1} | {:.1} |", at(0.5), at(0.99), at(1.0));
}
