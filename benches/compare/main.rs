//! Sluice beside HAProxy, nginx and a direct connection: CPU for each request and latency added, in one table.
//!
//! One process is both ends, the load and the coordinators, and stays on one core; the proxies are processes of
//! their own on another. Every figure is the median of interleaved rounds, so that a busy machine is busy for all.
//! `benches/README.md` says what each column means and what is aimed at. It judges nothing: a person reads the table.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on says so and ends"
)]

mod collector;
mod load;
mod machine;
mod memory;
mod paced;
mod peers;
mod profile;
mod results;
mod secret;
mod table;
mod upstream;
mod wire;

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use sluice::simulator::{Options as Trino, Simulator};

use load::{Load, Sample};
use peers::{Coordinators, Peer};

/// Measures Sluice beside HAProxy, nginx and a direct connection.
#[derive(Debug, Parser)]
struct Options {
    /// A look whether everything works: short windows, one round
    #[arg(long)]
    quick: bool,
    /// How often each measurement is repeated
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each one takes, in seconds
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only the workloads of these names, such as `1KB,queries`
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Another build of Sluice to measure in its place; several are measured beside one another
    #[arg(long, default_value = env!("CARGO_BIN_EXE_sluice"))]
    sluice: Vec<PathBuf>,
    /// What each way of telling costs: Sluice with everything off, as it comes, and with more switched on
    #[arg(long)]
    cost: bool,
    /// Both cores are kept from sleeping: what a wake-up costs a virtual machine is no proxy's doing
    #[arg(long)]
    awake: bool,
    /// Proxies, load and coordinators share one core: what one client waits for is work, not a core's waking
    #[arg(long, conflicts_with_all = ["awake", "cost"])]
    one_core: bool,
    /// A CPU profile and a flame graph of Sluice under each load go into this folder; nothing else is measured
    #[arg(long, value_name = "FOLDER")]
    profile: Option<PathBuf>,
    /// Where the tables are written to, too, each in a section of its own that is written anew
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// What `cargo bench` passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The windows of one run.
#[derive(Clone, Copy, Debug)]
struct Pace {
    rounds: usize,
    warm: Duration,
    window: Duration,
}

impl Options {
    fn pace(&self) -> Pace {
        if self.quick {
            let short = Duration::from_millis(150);
            return Pace { rounds: 1, warm: short, window: short };
        }
        let window = Duration::from_secs_f64(self.seconds);
        Pace { rounds: self.rounds.max(1), warm: window / 5, window }
    }

    fn loads(&self) -> Vec<Load> {
        let wanted = |load: &Load| self.only.is_empty() || self.only.contains(&load.name);
        Load::all().into_iter().filter(wanted).collect()
    }
}

fn main() {
    let options = Options::parse();
    machine::pin_self();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // One thread: load and coordinators never wait for each other's core.
    tokio::task::LocalSet::new().block_on(&runtime, compare(&options));
}

async fn compare(options: &Options) {
    let pages = upstream::start().await;
    let trino = Trino { remember: 0, ..Trino::default() };
    let queries = Simulator::start(trino).await.expect("a simulator");
    let to = Coordinators { pages, queries: queries.addr() };
    if let Some(folder) = &options.profile {
        let binary = options.sluice.first().expect("a build");
        return profile::take(binary, to, &options.loads(), folder).await;
    }
    if options.one_core {
        machine::share_a_core();
    }
    let _awake = options.awake.then(machine::awake);
    if options.cost {
        return cost(options, to).await;
    }
    let peers = peers::start(&options.sluice, to).await;
    let machine = machine::describe(&peers);
    let results = rounds(&peers, &options.loads(), options.pace()).await;
    let table = table::of(&results, "HAProxy");
    if options.awake {
        return results::tell(options, "Beside other proxies, no core asleep", &[&machine, &table]);
    }
    if options.one_core {
        return results::tell(
            options,
            "Beside other proxies, all on one core",
            &[&machine, &table],
        );
    }
    let memory = memory::measure(&peers, options.quick).await;
    results::tell(options, "Beside other proxies", &[&machine, &table, &memory]);
}

/// What each way of telling costs, beside a gateway that tells nothing.
async fn cost(options: &Options, to: Coordinators) {
    let collector = collector::start().await;
    let binary = options.sluice.first().expect("a build");
    let folder = tempfile::tempdir().expect("a folder");
    let secret = secret::Secret::new();
    let peers = peers::telling(binary, to, collector, folder.path(), &secret).await;
    let machine = machine::describe(&peers);
    let results = rounds(&peers, &options.loads(), options.pace()).await;
    let table = table::of(&results, peers::SILENT);
    results::tell(options, "What telling costs", &[&machine, &table]);
}

/// What was measured of one peer under one load, round by round.
#[derive(Debug)]
struct Result {
    load: Load,
    peer: String,
    /// With all clients of the load.
    busy: Vec<Sample>,
    /// With one client.
    alone: Vec<Sample>,
}

/// A B C D, A B C D, …: whatever else the machine does hits all of them.
async fn rounds(peers: &[Peer], loads: &[Load], pace: Pace) -> Vec<Result> {
    let mut results: Vec<Result> = Vec::new();
    for load in loads {
        let first = results.len();
        results.extend(peers.iter().map(|peer| Result {
            load: load.clone(),
            peer: peer.name.clone(),
            busy: Vec::new(),
            alone: Vec::new(),
        }));
        for round in 0..pace.rounds {
            for (at, peer) in peers.iter().enumerate() {
                let result = &mut results[first + at];
                result.busy.push(load::run(peer, load, load.clients, pace).await);
                result.alone.push(load::run(peer, load, 1, pace).await);
            }
            eprintln!("{}: round {} of {}", load.name, round + 1, pace.rounds);
        }
    }
    results
}
