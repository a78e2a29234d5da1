//! A simulator as a process that can sleep: begun in the background, ended by a request, ended by itself when forgotten.
//!
//! `--detach` starts this very program again with `--detached` in its place, in a process group of its own, so that
//! neither Ctrl-C nor the starter's end reaches it. The child's standard output is a pipe to the starter, which ends with
//! it: the line that every simulator prints says that it listens. `--stop` sends `DELETE /sim/process`, a path that only
//! a detached simulator has: no signals, no file with a process id, nothing that could meet a stranger's process.
//!
//! Both may be repeated at any time: what runs is not started again, and what does not run is stopped already. It
//! deliberately writes no log and restarts nothing.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::Simulator;

/// What the starter is told by its user, and what it tells its child.
const DETACH: &str = "--detach";
const DETACHED: &str = "--detached";
/// Where a detached simulator takes the request to end.
const PATH: &str = "/sim/process";
/// For one request on the way to a simulator.
const DEADLINE: Duration = Duration::from_secs(5);
/// From the start of the child to its first line, and from the request to end to a port that nobody listens on.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// For the answer to the request to end: everything is cut after it.
const LAST_WORD: Duration = Duration::from_millis(50);

/// Why a simulator was not started, or not stopped.
#[derive(Debug, thiserror::Error)]
pub enum DetachError {
    /// The process could not be started at all.
    #[error("cannot start a simulator in the background: {0}")]
    Start(#[from] io::Error),
    /// Nothing can be asked.
    #[error("cannot make an HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// It ended before it listened.
    #[error("the simulator in the background has ended: {0}")]
    Ended(String),
    /// It said nothing for too long.
    #[error("the simulator in the background did not listen within {} s", PATIENCE.as_secs())]
    Silent,
    /// That text is no address.
    #[error("{0} is no address of a simulator such as http://127.0.0.1:8090")]
    Address(String),
    /// Somebody answers there, but does not take this request.
    #[error(
        "what answers at {url} is no simulator that was started with --detach (it said {status})"
    )]
    NotDetached {
        /// Where it was asked.
        url: String,
        /// What it said.
        status: StatusCode,
    },
    /// It is still there, or cannot be reached.
    #[error("cannot tell that the simulator at {0} has ended")]
    Stays(String),
}

/// Starts one in the background and waits until it listens; where one listens already, there is nothing to do. Its
/// base URL.
pub(super) async fn begin(bind: SocketAddr) -> Result<String, DetachError> {
    let url = format!("http://{}", reachable(bind));
    if bind.port() != 0 && is_simulator(&url).await {
        return Ok(url);
    }
    match listening(child()?).await {
        // Another start was quicker: the address is taken by what we wanted there.
        Err(DetachError::Ended(_)) if bind.port() != 0 && is_simulator(&url).await => Ok(url),
        begun => begun,
    }
}

/// Ends the one at `url` and waits until nobody listens there; where nobody does, there is nothing to do.
pub async fn stop(url: &str) -> Result<(), DetachError> {
    let address = || DetachError::Address(url.to_owned());
    let base: Url = url.parse().map_err(|_| address())?;
    let target = base.join(PATH).map_err(|_| address())?;
    let client = client()?;
    let ending = async {
        loop {
            match client.delete(target.clone()).send().await {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => {
                    let (url, status) = (url.to_owned(), answer.status());
                    return Err(DetachError::NotDetached { url, status });
                }
                Err(error) if error.is_builder() => return Err(address()),
                Err(error) if is_refused(&error) => return Ok(()),
                // It ended before its answer had left, or cannot be reached at present.
                Err(_) => {}
            }
            sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, ending).await.unwrap_or_else(|_| Err(DetachError::Stays(url.to_owned())))
}

/// Waits until nobody has asked this simulator for anything for so long.
pub(super) async fn unused(simulator: &Simulator, limit: Duration) {
    loop {
        let before = simulator.counts().requests;
        sleep(limit).await;
        if simulator.counts().requests == before {
            return;
        }
    }
}

/// Lets the answer leave that told of the end.
pub(super) async fn last_word() {
    sleep(LAST_WORD).await;
}

/// This program, started again to stay.
fn child() -> io::Result<Child> {
    let words = env::args_os().skip(1);
    let staying = |word: OsString| if word == DETACH { DETACHED.into() } else { word };
    Command::new(env::current_exe()?)
        .args(words.map(staying))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Its base URL, once it has said it.
async fn listening(mut child: Child) -> Result<String, DetachError> {
    let mut line = String::new();
    let Some(said) = child.stdout.take() else { return Err(DetachError::Silent) };
    let Ok(read) = timeout(PATIENCE, BufReader::new(said).read_line(&mut line)).await else {
        let _ = child.start_kill();
        return Err(DetachError::Silent);
    };
    if read? == 0 {
        return Err(DetachError::Ended(last_words(child).await));
    }
    Ok(line.split_whitespace().next_back().unwrap_or_default().to_owned())
}

async fn last_words(mut child: Child) -> String {
    let mut words = String::new();
    if let Some(mut said) = child.stderr.take() {
        let _ = timeout(DEADLINE, said.read_to_string(&mut words)).await;
    }
    words.trim().to_owned()
}

/// Whether a simulator, detached or not, answers there.
async fn is_simulator(url: &str) -> bool {
    let Ok(client) = client() else { return false };
    let Ok(answer) = client.get(format!("{url}/v1/info")).send().await else { return false };
    let text = answer.text().await.unwrap_or_default();
    text.contains(r#""environment":"simulated""#)
}

/// Whether the host is there and nobody listens.
fn is_refused(error: &reqwest::Error) -> bool {
    let first: Option<&(dyn Error + 'static)> = Some(error);
    let mut causes =
        std::iter::successors(first, |cause: &&(dyn Error + 'static)| (*cause).source());
    causes.any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
    })
}

/// It trusts no authority, since a simulator speaks no TLS: so there need be none on the machine.
fn client() -> reqwest::Result<Client> {
    Client::builder().no_proxy().timeout(DEADLINE).tls_certs_only([]).build()
}

/// Where to find what is bound to `bind`: the address of all interfaces is none to connect to.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bind.port())
}
