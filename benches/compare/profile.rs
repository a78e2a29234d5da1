//! Where the gateway's time goes: a CPU profile and a flame graph of it under each load, taken by itself.

use std::{fs, path::Path, time::Duration};

use crate::{
    Pace, load,
    load::Load,
    peers::{self, Coordinators},
};

/// A few thousand samples: enough for what takes a hundredth of the time.
const SECONDS: u64 = 5;

/// Writes `LOAD.pb.gz` and `LOAD.svg` into a folder.
pub(crate) async fn take(binary: &Path, to: Coordinators, loads: &[Load], folder: &Path) {
    let port = peers::free();
    let peer = peers::profiled(binary, to, port).await;
    fs::create_dir_all(folder).expect("a folder");
    // Longer than the profile, so that it sees nothing but the load.
    let window = Duration::from_secs(SECONDS + 2);
    let pace = Pace { rounds: 1, warm: Duration::ZERO, window };
    for load in loads {
        for (kind, ending) in [("profile", "pb.gz"), ("flamegraph", "svg")] {
            let url = format!("http://{port}/debug/pprof/{kind}?seconds={SECONDS}");
            let working = load::run(&peer, load, load.clients, pace);
            let (profile, _) = tokio::join!(fetch(&url), working);
            let file = folder.join(format!("{}.{ending}", load.name));
            fs::write(&file, profile).expect("a file");
            println!("{}", file.display());
        }
    }
}

async fn fetch(url: &str) -> Vec<u8> {
    let answer = reqwest::get(url).await.and_then(reqwest::Response::error_for_status);
    answer.expect("a profile").bytes().await.expect("a whole profile").to_vec()
}
