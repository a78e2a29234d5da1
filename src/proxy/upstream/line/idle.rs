//! Lines between two requests, by coordinator; those that nobody needed for a while are closed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use ahash::AHashMap;
use http::uri::Authority;
use tokio::{task::AbortHandle, time::Instant};

use super::Line;
use crate::moment;

/// The lines of one data thread that were opened in one way. Only that thread takes the lock, and never over an
/// `.await`.
#[derive(Debug)]
pub(in super::super) struct Idle {
    inside: Mutex<Inside>,
    /// A line that was not needed for so long is closed.
    patience: Duration,
}

#[derive(Debug, Default)]
struct Inside {
    /// By the authority as the file spells it: its own way to compare and to hash is to look at each letter, small or not.
    lines: AHashMap<Box<str>, Vec<(Line, Instant)>>,
    sweeper: Option<AbortHandle>,
}

/// Where a line goes back to.
#[derive(Debug)]
pub(in super::super) struct Home {
    pub(in super::super) idle: Weak<Idle>,
    pub(in super::super) authority: Authority,
}

impl Home {
    /// The line has brought its answer whole.
    pub(super) fn take_back(self, line: Line) {
        if let Some(idle) = self.idle.upgrade() {
            idle.put(&self.authority, line);
        }
    }
}

impl Idle {
    pub(in super::super) fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self { inside: Mutex::default(), patience })
    }

    /// The line to that coordinator that was used last, if it is still good.
    pub(in super::super) fn take(&self, authority: &Authority) -> Option<Line> {
        let mut inside = self.inside();
        let lines = inside.lines.get_mut(authority.as_str())?;
        while let Some((line, since)) = lines.pop() {
            if moment::since(since) < self.patience && line.is_quiet() {
                return Some(line);
            }
        }
        None
    }

    fn put(self: Arc<Self>, authority: &Authority, mut line: Line) {
        line.rest();
        let mut inside = self.inside();
        let waiting = (line, moment::recent());
        match inside.lines.get_mut(authority.as_str()) {
            Some(lines) => lines.push(waiting),
            None => drop(inside.lines.insert(authority.as_str().into(), vec![waiting])),
        }
        if inside.sweeper.is_none() {
            let sweeping = sweep(Arc::downgrade(&self), self.patience);
            inside.sweeper = Some(tokio::spawn(sweeping).abort_handle());
        }
    }

    /// Closes what waited too long; says whether any line is left.
    fn close_old(&self) -> bool {
        let mut inside = self.inside();
        for lines in inside.lines.values_mut() {
            lines.retain(|(line, since)| since.elapsed() < self.patience && line.is_quiet());
        }
        inside.lines.retain(|_, lines| !lines.is_empty());
        let is_empty = inside.lines.is_empty();
        if is_empty {
            inside.sweeper = None;
        }
        !is_empty
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as there are lines.
async fn sweep(idle: Weak<Idle>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        if !idle.upgrade().is_some_and(|idle| idle.close_old()) {
            return;
        }
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(sweeper) = self.inside().sweeper.take() {
            sweeper.abort();
        }
    }
}
