//! HTTP/2: many requests at once on a connection, each a stream with its own task and its own deadlines.
//!
//! hyper keeps the protocol; here is what it leaves open: who owns a stream's task, a client that takes nothing of one
//! stream while it lives by others, a connection that nobody uses, and a goodbye (GOAWAY) that fails no request.

use std::{convert::Infallible, future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{LAST_WORDS, LONGEST_HEAD, Service, answer::answer, as_one_by_one::as_one_by_one};
use crate::{
    lifecycle::{Lifecycle, Phase},
    proxy::{
        core::Stops,
        deadlines::{Alarm, Framed, Limits, Stage},
    },
};

/// Requests at the same time on a connection. OkHttp (JDBC, the CLI) and Go's client open another connection when they
/// need more; a statement that is held takes one of them.
const MOST_STREAMS: u32 = 200;

/// Of a body that is not read yet, so much may come: a statement of usual size needs no second round trip.
const STREAM_WINDOW: u32 = 1 << 20;

/// The same for all streams together, so that a few large statements do not wait for each other.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Of an answer, so much is held for a client beside the piece that is being written. It is of each stream: those of a
/// slow client hold [`MOST_STREAMS`] times as much together.
const SEND_BUFFER: usize = 64 << 10;

/// When the port has closed, so long a connection without a request is waited for: a client that lives has said goodbye
/// by then.
const LAST_SILENCE: Duration = Duration::from_secs(2);

tokio::task_local! {
    /// The stage of the stream whose task runs: hyper makes the task, and its service must find it.
    static STAGE: Arc<Stage>;
}

/// Serves a connection until it ends.
pub(super) async fn serve<S>(
    socket: S,
    service: Service,
    limits: Limits,
    stops: Stops,
    tasks: TaskTracker,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let lifecycle = service.core.shared.lifecycle.clone();
    let streams = Streams::new(tasks, limits.write);
    let _end = streams.cut.clone().drop_guard();
    let service = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(served(service, request).await) }
    });
    let connection = http2::Builder::new(streams.clone())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(LONGEST_HEAD)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .serve_connection(TokioIo::new(Framed::new(socket, limits.head)), service);
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        () = stops.cut.cancelled() => return Ok(()),
        outcome = connection.as_mut() => return outcome,
        () = leaves(&stops, &lifecycle, &streams) => {}
        () = streams.silent_for(limits.idle) => {}
    }
    // GOAWAY: what is on its way is still served, and nothing new comes.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        () = stops.cut.cancelled() => Ok(()),
        outcome = connection.as_mut() => outcome,
        // A client that does not say goodbye, or takes nothing of what its streams left behind.
        () = streams.silent_for(limits.write) => Ok(()),
        () = forsaken(&stops, &streams) => Ok(()),
    }
}

/// The gateway leaves: a client that has asked for something since is told so at once, any other when the port closes.
async fn leaves(stops: &Stops, lifecycle: &Lifecycle, streams: &Streams) {
    let asked = async {
        lifecycle.reached(Phase::Draining).await;
        streams.used().await;
    };
    let closed = async {
        stops.finish.cancelled().await;
        sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = asked => {}
        () = closed => {}
    }
}

/// The gateway has left, and nothing is asked on the connection any more.
async fn forsaken(stops: &Stops, streams: &Streams) {
    stops.finish.cancelled().await;
    streams.silent_for(LAST_SILENCE).await;
}

async fn served(service: Service, request: Request<Incoming>) -> Response<Body> {
    let stage = STAGE.try_with(Arc::clone).unwrap_or_default();
    match as_one_by_one(request) {
        Ok(request) => {
            let mut request = request.map(Body::new);
            answer(&service, &stage, &mut request).await.map(Body::new)
        }
        Err(refusal) => *refusal,
    }
}

/// The streams of one connection; clones are the same ones.
#[derive(Clone, Debug)]
struct Streams {
    seen: watch::Sender<Seen>,
    tasks: TaskTracker,
    /// The connection is gone.
    cut: CancellationToken,
    /// How long a client may take nothing of a stream that has something for it.
    patience: Duration,
}

/// How many streams there are now, and have been.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    open: usize,
    ever: u64,
}

impl Streams {
    fn new(tasks: TaskTracker, patience: Duration) -> Self {
        let (seen, _) = watch::channel(Seen::default());
        Self { seen, tasks, cut: CancellationToken::new(), patience }
    }

    fn open(&self) -> Opened {
        self.seen.send_modify(|seen| {
            seen.open += 1;
            seen.ever += 1;
        });
        Opened(self.seen.clone())
    }

    /// Waits until there has been a stream.
    async fn used(&self) {
        let _ = self.seen.subscribe().wait_for(|seen| seen.ever > 0).await;
    }

    /// Waits until there was no stream for so long.
    async fn silent_for(&self, limit: Duration) {
        let mut seen = self.seen.subscribe();
        loop {
            let silent = seen.wait_for(|seen| seen.open == 0).await.map(|seen| seen.ever);
            // The sender lives as long as `self`.
            let Ok(ever) = silent else { return };
            let next = seen.wait_for(|seen| seen.ever > ever);
            if timeout(limit, next).await.is_err() {
                return;
            }
        }
    }
}

/// Counts among its connection's streams.
struct Opened(watch::Sender<Seen>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.send_modify(|seen| seen.open = seen.open.saturating_sub(1));
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let (opened, patience) = (self.open(), self.patience);
        let task = self.cut.clone().run_until_cancelled_owned(async move {
            let _opened = opened;
            taken(stream, patience).await;
        });
        drop(self.tasks.spawn(task));
    }
}

/// Carries a stream out, until its client takes nothing of it for too long; dropped before its end, it is reset.
async fn taken(stream: impl Future<Output = ()>, patience: Duration) {
    let stage = Arc::<Stage>::default();
    let mut stream = pin!(STAGE.scope(Arc::clone(&stage), stream));
    let (mut alarm, mut given) = (Alarm::default(), None);
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let now = stage.held_up();
        if now != given {
            alarm.clear();
            given = now;
        }
        match now {
            Some(_) => alarm.poll(cx, patience),
            None => Poll::Pending,
        }
    })
    .await;
}
