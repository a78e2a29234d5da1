//! What the operating system, or a test, tells the process.

use std::io;

use tokio::{
    signal::unix::{self, SignalKind},
    sync::mpsc,
};

/// What is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// SIGTERM or SIGINT: drain; a second one ends at once.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// Where signals come from.
#[derive(Debug)]
pub struct Signals(Source);

#[derive(Debug)]
enum Source {
    System { term: unix::Signal, int: unix::Signal, hup: unix::Signal },
    Channel(mpsc::UnboundedReceiver<Signal>),
}

impl Signals {
    /// Those of the process. Needs a runtime with I/O.
    pub fn of_the_process() -> io::Result<Self> {
        Ok(Self(Source::System {
            term: unix::signal(SignalKind::terminate())?,
            int: unix::signal(SignalKind::interrupt())?,
            hup: unix::signal(SignalKind::hangup())?,
        }))
    }

    /// Those that another part of the program sends, as `demo` and tests do.
    pub fn channel() -> (mpsc::UnboundedSender<Signal>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Source::Channel(receiver)))
    }

    /// The next one; for ever silent once the sender of a channel has gone.
    pub async fn next(&mut self) -> Signal {
        match &mut self.0 {
            Source::System { term, int, hup } => tokio::select! {
                _ = term.recv() => Signal::Stop,
                _ = int.recv() => Signal::Stop,
                _ = hup.recv() => Signal::Reload,
            },
            Source::Channel(receiver) => match receiver.recv().await {
                Some(signal) => signal,
                None => std::future::pending().await,
            },
        }
    }
}
