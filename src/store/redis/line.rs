//! The connection in use, and the one task that opens another when it is no longer good.
//!
//! Calls share the connection, which answers in the order in which it is asked. It is left as soon as it breaks, or a
//! call on it runs out of time while no other is answered: a half-open connection looks like that, a slow server does not.
//! Calls wait for a connection within their own deadline.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, FromRedisValue, RedisError};
use tokio::{sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    fault,
    way::{CONNECT, Connection, Way, words},
};
use crate::{metrics::Metrics, store::Fault};

/// Between two attempts to connect, ± half of it, so that replicas do not knock together.
const PAUSE: Duration = Duration::from_millis(100);

/// The way to ask.
#[derive(Debug)]
pub(super) struct Line {
    used: watch::Receiver<Option<Used>>,
    /// The number of the last connection that is to be left.
    left: Arc<watch::Sender<u64>>,
}

/// A connection, as its callers have it.
#[derive(Clone)]
struct Used {
    number: u64,
    connection: Connection,
    /// Answers on it so far.
    answers: Arc<AtomicU64>,
}

impl std::fmt::Debug for Used {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Used({})", self.number)
    }
}

impl Line {
    pub(super) fn start(
        way: Way,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (use_it, used) = watch::channel(None);
        let left = Arc::new(watch::Sender::new(0));
        let told = left.subscribe();
        tasks.spawn(async move {
            let opening = keep_open(&way, &metrics, use_it, told);
            stop.run_until_cancelled(opening).await;
        });
        Self { used, left }
    }

    /// Asks, as soon as there is a connection; the caller sets the deadline by letting go.
    pub(super) async fn ask<T: FromRedisValue>(&self, asked: &Cmd) -> Result<T, Fault> {
        let used = self.used.clone().wait_for(Option::is_some).await.map(|used| used.clone());
        let Ok(Some(mut used)) = used else { return Err(Fault::Unavailable) };
        let before = used.answers.load(Ordering::Relaxed);
        let (number, answers) = (used.number, Arc::clone(&used.answers));
        let _doubt = Doubt { line: self, number, answers: Arc::clone(&answers), before };
        let answer = used.connection.ask(asked).await;
        let answer = answer.and_then(|value| Ok(T::from_redis_value(value)?));
        let answer = answer.map_err(|error| fault::meaning(&error));
        if matches!(answer, Err(Fault::Unavailable)) {
            // Broken, or no longer the server to ask.
            self.leave(number);
        } else {
            answers.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    fn leave(&self, number: u64) {
        self.left.send_if_modified(|left| {
            let is_news = *left < number;
            *left = number.max(*left);
            is_news
        });
    }
}

/// Dropped with no answer on its connection since it was made, it leaves that connection.
struct Doubt<'a> {
    line: &'a Line,
    number: u64,
    answers: Arc<AtomicU64>,
    before: u64,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.answers.load(Ordering::Relaxed) == self.before {
            self.line.leave(self.number);
        }
    }
}

/// Has a connection open as often as it can, one at a time.
async fn keep_open(
    way: &Way,
    metrics: &Metrics,
    use_it: watch::Sender<Option<Used>>,
    mut left: watch::Receiver<u64>,
) {
    let mut number = 0;
    let mut told: Option<String> = None;
    loop {
        match timeout(CONNECT, way.open()).await {
            Ok(Ok(connection)) => {
                number += 1;
                told = None;
                let _open = metrics.store_connection();
                use_it.send_replace(Some(Used { number, connection, answers: Arc::default() }));
                let _ = left.wait_for(|left| *left >= number).await;
                use_it.send_replace(None);
            }
            failed => tell(failed.ok().and_then(Result::err), &mut told),
        }
        tokio::time::sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
    }
}

/// Once for each reason in a row: a wrong password must be found in the log, and not fill it.
fn tell(error: Option<RedisError>, told: &mut Option<String>) {
    let problem = error.map_or_else(|| "no connection in time".to_owned(), |error| words(&error));
    if told.as_ref() != Some(&problem) {
        tracing::error!(event = "store_error", problem, "cannot connect to the store");
        *told = Some(problem);
    }
}
