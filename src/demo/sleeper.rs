//! The backend that sleeps: an address where nothing listens until the gateway's driver starts a process there.
//!
//! That process is this very program, as `sluice simulator --detach`. The demo itself never starts it: the gateway does,
//! when a statement wants it. The demo only sees to it that it is gone in the end.

use std::{
    env,
    ffi::OsString,
    io,
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use socket2::{Domain, Socket, Type};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::simulator::detached;

/// How long it says `starting: true` after its start.
const STARTING_FOR: &str = "2s";
/// The gateway's probes keep it awake; when nobody is left to ask, it ends by itself.
const UNUSED_FOR: &str = "30s";
/// A resume that was under way when the gateway ended may still start it: so long it must have been gone.
const GONE_FOR: Duration = Duration::from_millis(250);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The address, and how the process there is started and stopped.
#[derive(Debug)]
pub(super) struct Sleeper {
    pub(super) address: SocketAddr,
    program: String,
    /// Bound and never listening, where the system lets the process listen all the same: nobody else gets the port.
    _reserved: Option<Socket>,
    has_left: bool,
}

impl Sleeper {
    /// Chooses an address; starts nothing.
    pub(super) fn new() -> anyhow::Result<Self> {
        let (reserved, address) = reserve().context("cannot reserve a port")?;
        let program = env::current_exe().map(OsString::from).context("where is this program?")?;
        let program =
            program.into_string().ok().context("the path of this program is no Unicode text")?;
        let reserved = cfg!(target_os = "linux").then_some(reserved);
        Ok(Self { address, program, _reserved: reserved, has_left: false })
    }

    /// Its base URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the driver runs to wake it.
    pub(super) fn resume(&self) -> Vec<String> {
        let bind = self.address.to_string();
        let rest = ["--starting-for", STARTING_FOR, "--unused-for", UNUSED_FOR, "--detach"];
        self.words(&[&["--bind", bind.as_str()], rest.as_slice()].concat())
    }

    /// What the driver runs to put it to sleep.
    pub(super) fn suspend(&self) -> Vec<String> {
        self.words(&["--stop", &self.url()])
    }

    fn words(&self, arguments: &[&str]) -> Vec<String> {
        let head = [self.program.as_str(), "simulator"];
        head.into_iter().chain(arguments.iter().copied()).map(str::to_owned).collect()
    }

    /// Whether its process is there.
    pub(super) async fn lives(&self) -> bool {
        TcpStream::connect(self.address).await.is_ok()
    }

    /// Sees to it that its process is gone; the gateway must have ended, or would wake it again.
    pub(super) async fn leave(mut self) {
        self.has_left = true;
        let mut since = Instant::now();
        while since.elapsed() < GONE_FOR {
            if self.lives().await {
                // What cannot be stopped ends by itself after a while.
                if detached::stop(&self.url()).await.is_err() {
                    return;
                }
                since = Instant::now();
            }
            sleep(LOOK).await;
        }
    }
}

impl Drop for Sleeper {
    /// For an end that nobody meant, such as a panic.
    fn drop(&mut self) {
        if self.has_left {
            return;
        }
        if let Some((program, arguments)) = self.suspend().split_first() {
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
            let _ = command.stderr(Stdio::null()).status();
        }
    }
}

/// An address at which connections are refused as long as nobody listens there.
fn reserve() -> io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Two that say so may be bound to one address while only one of them listens.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    let address = socket.local_addr()?.as_socket();
    address.map(|address| (socket, address)).ok_or_else(|| io::Error::other("no IPv4 address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reserved_port_refuses_connections_and_lets_a_simulator_listen() {
        let (reserved, address) = reserve().unwrap();
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        if cfg!(not(target_os = "linux")) {
            drop(reserved);
        }
        let options = crate::simulator::Options { bind: address, ..Default::default() };
        crate::simulator::Simulator::start(options).await.unwrap();
    }
}
