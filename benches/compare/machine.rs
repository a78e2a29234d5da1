//! Who runs where, and what the system says of it.

use std::{
    fs,
    process::{Child, Command},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::peers::Peer;

/// The proxies' core.
const PROXY_CORE: &str = "0";
/// The core of load and coordinators.
const LOAD_CORE: &str = "1";

/// Whether the proxies share the core of load and coordinators.
static ONE_CORE: AtomicBool = AtomicBool::new(false);

/// Puts proxies that start from now on beside load and coordinators: then nobody is woken on another core.
pub(crate) fn share_a_core() {
    ONE_CORE.store(true, Ordering::Relaxed);
}

/// How many cores this process was given; asked for the first time before it is pinned to one of them.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, usize::from))
}

/// Moves this process to its core; must come before any thread starts.
pub(crate) fn pin_self() {
    let pid = std::process::id().to_string();
    if cores() < 2 {
        return println!("One core only: load and proxies share it, latency means little.\n");
    }
    let pinned = Command::new("taskset").args(["-a", "-c", "-p", LOAD_CORE, &pid]).output();
    if !pinned.is_ok_and(|done| done.status.success()) {
        println!("taskset is missing: nothing is pinned to a core, ratios are less sure.\n");
    }
}

/// A proxy that is about to start on its core.
pub(crate) fn command(program: &str) -> Command {
    if cores() < 2 || Command::new("taskset").arg("--version").output().is_err() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    let core = if ONE_CORE.load(Ordering::Relaxed) { LOAD_CORE } else { PROXY_CORE };
    command.args(["-c", core, program]);
    command
}

/// What runs where nothing else does, and gives way to all else; it ends with this.
#[derive(Debug)]
pub(crate) struct Awake(Vec<Child>);

/// Keeps both cores from sleeping.
pub(crate) fn awake() -> Awake {
    let spin = |core: &str| {
        let idle = ["-i", "0", "taskset", "-c", core, "sh", "-c", "while :; do :; done"];
        Command::new("chrt").args(idle).spawn().expect("chrt and taskset (Debian: util-linux)")
    };
    Awake([PROXY_CORE, LOAD_CORE].map(spin).into())
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// CPU time of all living threads of a process, in µs.
pub(crate) fn cpu_micros(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanos = |thread: fs::DirEntry| -> Option<u64> {
        // The first number is what the scheduler accounts, without the rounding to ticks of /proc/PID/stat.
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    let sum: u64 = threads.filter_map(nanos).sum();
    sum as f64 / 1e3
}

/// Memory of a process that is in RAM now, in MB.
pub(crate) fn resident_mb(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kib * 1024.0 / 1e6
}

/// Machine and versions, a line each.
pub(crate) fn describe(peers: &[Peer]) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // Pacing, as of bbr, costs a proxy on a loopback as much as its own work (`benches/loopback.py`).
    let control =
        fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut lines = vec![
        format!(
            "- {} × {}, Linux {}, TCP {}",
            cores(),
            model.trim_matches([' ', ':', '\t']),
            kernel.trim(),
            control.trim()
        ),
        format!("- load before the run: {}", load.split(' ').next().unwrap_or_default()),
    ];
    lines.extend(
        peers
            .iter()
            .filter_map(|peer| Some(format!("- {}: {}", peer.name, peer.version.as_ref()?))),
    );
    lines.join("\n")
}
