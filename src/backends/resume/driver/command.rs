//! A program of this machine: an argument list, no shell; exit status 0 means accepted.
//!
//! It runs in a process group of its own, which is killed when the call is dropped before the program has ended (its
//! deadline). What it leaves running when it ends by itself stays: that may be the coordinator. Its standard error
//! is read until nobody holds it any more, so that such a process never writes into a closed pipe; the last of it
//! goes into the error.

use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command as Process},
};

use super::{Accepted, Action, Call, CallError, Calling, Driver, How, words};
use crate::{config::model, metrics::Provider};

/// How much of the end of standard error is kept.
const TAIL: usize = 2048;

/// How long the end of standard error is waited for once the program has failed.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The driver `command`.
#[derive(Debug)]
pub(super) struct Command {
    resume: Vec<String>,
    suspend: Option<Vec<String>>,
}

impl Command {
    pub(super) fn new(command: &model::Command) -> Result<Self, String> {
        let lists = command.suspend.iter().chain([&command.resume]);
        if lists.into_iter().any(|words| words.first().is_none_or(String::is_empty)) {
            return Err("`command` names no program".to_owned());
        }
        Ok(Self { resume: command.resume.clone(), suspend: command.suspend.clone() })
    }

    async fn run(&self, call: &Call) -> Result<Accepted, CallError> {
        let words = match call.action {
            Action::Resume => Some(&self.resume),
            Action::Suspend => self.suspend.as_ref(),
        };
        let Some((program, arguments)) = words.and_then(|words| words.split_first()) else {
            return Err(CallError::Permanent("command has no `suspend`".to_owned()));
        };
        let mut running = Running::start(program, arguments, call)?;
        let tail = running.child.stderr.take().map(Tail::of);
        let status = running.child.wait().await.map_err(|error| {
            CallError::transient(format!("`{program}` cannot be waited for: {error}"))
        })?;
        running.ended = true;
        if status.success() {
            return Ok(How::Triggered.into());
        }
        let said = match tail {
            Some(tail) => tail.last_words().await,
            None => String::new(),
        };
        Err(CallError::transient(failure(program, status, &said)))
    }
}

fn failure(program: &str, status: ExitStatus, said: &str) -> String {
    if said.is_empty() {
        return format!("`{program}` ended with {status}");
    }
    format!("`{program}` ended with {status}: {said}")
}

/// A program under way; dropped before its end, it is killed with all that it started.
struct Running {
    child: Child,
    ended: bool,
}

impl Running {
    fn start(program: &str, arguments: &[String], call: &Call) -> Result<Self, CallError> {
        let started = Process::new(program)
            .args(arguments)
            .env("SLUICE_ACTION", call.action.as_str())
            .env("SLUICE_GROUP", call.group.as_str())
            .env("SLUICE_BACKEND", call.backend.as_str())
            .env("SLUICE_REASON", call.reason)
            .env("SLUICE_WAKE_ID", &call.wake_id)
            .envs(call.traceparent.iter().map(|context| ("TRACEPARENT", context)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let child = started.map_err(|error| {
            CallError::Permanent(format!("`{program}` cannot be started: {error}"))
        })?;
        Ok(Self { child, ended: false })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let Some(group) = self.child.id() else { return };
        // A signal to a group needs a system call that only unsafe code could make here; every shell can make it.
        let killing = Process::new("/bin/sh")
            .args(["-c", "kill -s KILL -- \"-$1\"", "sh", &group.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if let Err(error) = killing {
            tracing::warn!(%error, "what a resume command started may still run: no shell to end it with");
        }
    }
}

/// The end of a stream that is read by a task of its own.
struct Tail {
    kept: Arc<Mutex<Vec<u8>>>,
    reading: tokio::task::JoinHandle<()>,
}

impl Tail {
    fn of(stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let kept = Arc::default();
        let reading = tokio::spawn(read_on(stream, Arc::clone(&kept)));
        Self { kept, reading }
    }

    /// What was read; waits a moment for what is still to come.
    async fn last_words(self) -> String {
        // Who holds the stream longer is a process that the program left behind.
        let _ = tokio::time::timeout(LAST_WORDS, self.reading).await;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        words::end(&String::from_utf8_lossy(&kept))
    }
}

async fn read_on(mut stream: impl AsyncRead + Unpin, kept: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let surplus = kept.len().saturating_sub(TAIL);
        kept.drain(..surplus);
    }
}

impl Driver for Command {
    fn provider(&self) -> Provider {
        Provider::Command
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async move { self.run(&call).await })
    }
}
