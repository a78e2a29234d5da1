//! CPU profiles of this process: who takes one, and in which forms it is told.
//!
//! A profile interrupts whatever runs 99 times for each second of CPU time and notes where it was. One is taken at a
//! time, for a bounded time, and is given up when nobody waits for it any more; names are found afterwards, on a
//! thread that may block. `encoding` writes pprof's protobuf, `flame` a picture. There is no listener here (`admin` has
//! it), and none of it runs unless an operator enabled it.

mod encoding;
mod flame;
mod stacks;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pprof::{ProfilerGuard, ProfilerGuardBuilder};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

pub use self::stacks::{Frame, Profile, Stack};

/// Interrupts for each second of CPU time; a prime's neighbour, so that it keeps no step with timers.
const HERTZ: i32 = 99;

/// Frames of these libraries are not walked: to unwind out of them within a signal may wait for a lock that the
/// interrupted thread holds.
const NOT_WALKED: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

/// Turns profiling on (`1`) or off (`0`), whatever the file says.
const SWITCH: &str = "SLUICE_PPROF";

/// Where it listens, whatever the file says.
const ADDRESS: &str = "SLUICE_PPROF_ADDR";

/// Why there is no profile.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotTaken {
    /// Another one is under way.
    #[error("another profile is being taken; one at a time")]
    Busy,
    /// The system would not.
    #[error("cannot take a profile: {0} (it needs a writable directory for temporary files)")]
    Failed(String),
}

/// A variable of the environment that says nothing sensible.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{name}: `{value}` is not taken; write {allowed}")]
pub struct WrongVariable {
    name: &'static str,
    value: String,
    allowed: &'static str,
}

/// Where profiles are asked for, if anywhere: the file's word, overruled by the environment's.
pub fn address(
    enabled: bool,
    bind: SocketAddr,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<SocketAddr>, WrongVariable> {
    let said = |name| environment(name).filter(|value| !value.is_empty());
    let wrong = |name, value, allowed| Err(WrongVariable { name, value, allowed });
    let enabled = match said(SWITCH) {
        None => enabled,
        Some(value) => match value.as_str() {
            "1" | "true" => true,
            "0" | "false" => false,
            _ => return wrong(SWITCH, value, "1 or 0"),
        },
    };
    let bind = match said(ADDRESS) {
        None => bind,
        Some(value) => match value.parse() {
            Ok(bind) => bind,
            Err(_) => return wrong(ADDRESS, value, "an address such as 127.0.0.1:6060"),
        },
    };
    Ok(enabled.then_some(bind))
}

/// Takes profiles; clones share the one place.
#[derive(Clone, Debug)]
pub struct Profiler(Arc<Semaphore>);

impl Default for Profiler {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Profiler {
    /// Watches the process for that long.
    pub async fn take(&self, time: Duration) -> Result<Profile, NotTaken> {
        let place = Arc::clone(&self.0).try_acquire_owned().map_err(|_| NotTaken::Busy)?;
        // To begin reads the program's own symbols, which takes a while the first time.
        let guard = blocking(begin).await??;
        tokio::time::sleep(time).await;
        blocking(move || end(guard, place)).await?
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotTaken> {
    spawn_blocking(work).await.map_err(|error| NotTaken::Failed(error.to_string()))
}

fn begin() -> Result<ProfilerGuard<'static>, NotTaken> {
    let builder = ProfilerGuardBuilder::default().frequency(HERTZ).blocklist(&NOT_WALKED);
    builder.build().map_err(|error| NotTaken::Failed(error.to_string()))
}

/// Ends the interrupts first and finds the names then, so that finding them is no part of the profile.
fn end(guard: ProfilerGuard<'static>, place: OwnedSemaphorePermit) -> Result<Profile, NotTaken> {
    let report = guard.report().build_unresolved();
    drop(guard);
    let profile = report.map(Profile::of).map_err(|error| NotTaken::Failed(error.to_string()));
    drop(place);
    profile
}
