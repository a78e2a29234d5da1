//! A page on its way to the client: read in passing, patched where its URIs must change, never held.
//!
//! Each chunk is looked at before it goes on, so that a query id is known before its client can use it. A broken
//! answer stays broken: the error passes to the client's connection, which then ends without the last chunk.
//! What the pages mean for the query is `watch`'s business.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_ENCODING};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::{
    proxy::{
        exchange::Exchange,
        pipe::Pipe,
        upstream::{AnswerBody, Broken},
        watch::Watch,
    },
    queries::Chronicle,
    trino::{
        head::Head,
        page::{Reader, RowCounter},
        patch::{Patch, Patcher},
    },
};

/// How a page is looked at.
#[derive(Debug)]
pub(crate) enum Lens {
    /// Passing bytes untouched.
    Read(Reader),
    /// Changing URIs.
    Patch(Patcher),
}

impl Lens {
    /// Chooses by the plan and by what the answer's head says.
    pub(crate) fn new(patch: Option<&Arc<Patch>>, headers: &HeaderMap) -> Self {
        let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let plain = encoding.is_none_or(|coding| coding.eq_ignore_ascii_case("identity"));
        match patch {
            Some(patch) if plain => Self::Patch(Patcher::new(Arc::clone(patch))),
            _ => Self::Read(Reader::new(encoding)),
        }
    }

    /// Whether the answer's length may differ from what the backend announced.
    pub(crate) fn changes_length(&self) -> bool {
        matches!(self, Self::Patch(_))
    }

    fn pass(&mut self, chunk: Bytes, out: &mut VecDeque<Bytes>) {
        match self {
            Self::Read(reader) => {
                if !reader.done() {
                    reader.feed(&chunk);
                }
                out.push_back(chunk);
            }
            Self::Patch(patcher) => out.extend(patcher.feed(chunk)),
        }
    }

    fn finish(&mut self, out: &mut VecDeque<Bytes>) {
        match self {
            Self::Read(reader) => reader.finish(),
            Self::Patch(patcher) => out.extend(patcher.finish()),
        }
    }

    fn head(&self) -> &Head {
        match self {
            Self::Read(reader) => reader.head(),
            Self::Patch(patcher) => patcher.scanner().head(),
        }
    }

    /// Whether all that follows passes untouched, and nobody looks at it.
    fn is_done(&self) -> bool {
        match self {
            Self::Read(reader) => reader.done(),
            Self::Patch(patcher) => patcher.done(),
        }
    }

    fn past_next_uri(&self) -> bool {
        match self {
            Self::Read(reader) => reader.past_next_uri(),
            Self::Patch(patcher) => patcher.scanner().past_next_uri(),
        }
    }
}

/// Rows and bytes of a page, for its query.
#[derive(Debug)]
pub(crate) struct Counts(RowCounter);

impl Counts {
    /// Of a page with these headers; `None` where nobody wants to know.
    pub(crate) fn of(
        exchange: &Exchange,
        chronicle: &Chronicle,
        headers: &HeaderMap,
    ) -> Option<Box<Self>> {
        let encoding = || headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let is_wanted = chronicle.audits() || exchange.snapshot.config.queries.count_rows;
        is_wanted.then(|| Box::new(Self(RowCounter::new(encoding()))))
    }

    fn take(&mut self, chunk: &Bytes, watch: &mut Watch) {
        let rows = self.0.feed(chunk);
        watch.counted(chunk.len(), rows, self.0.is_lost());
    }
}

/// So much of a page is gathered before it is passed on. What the coordinator sends comes chunk by chunk through
/// another task; written one by one, each would cost a system call and a packet of its own.
const ENOUGH: usize = 64 * 1024;

/// Behind so much, what was not read yet waits until this has left: it would be held for a client that may be slow.
const PLENTY: usize = 48 * 1024;

/// Pieces of so little in all are copied into one: that is cheaper than the framing of each.
const SMALL: usize = 4 * 1024;

/// The body of a page.
#[derive(Debug)]
pub(crate) struct PageBody {
    inner: AnswerBody,
    lens: Lens,
    watch: Watch,
    ready: VecDeque<Bytes>,
    /// What is counted of the page, where that is wanted.
    counts: Option<Box<Counts>>,
    /// Bytes in `ready`.
    held: usize,
    /// Whether what is in `ready` is being passed on; nothing is added to it then.
    leaving: bool,
    /// Whether others have had a turn since `ready` was last empty.
    waited: bool,
    over: bool,
    /// Bytes that came from the backend, and that went to the client.
    came: u64,
    went: u64,
    rewriting: Duration,
    broken: Option<Broken>,
    /// Whether its client's socket takes what a pipe holds.
    is_bare: bool,
    /// Whether its client takes it more slowly than it comes.
    is_slow: bool,
}

impl PageBody {
    /// A page of which `held` has already been taken from the backend.
    pub(crate) fn new(
        inner: AnswerBody,
        lens: Lens,
        watch: Watch,
        held: Vec<Bytes>,
        counts: Option<Box<Counts>>,
    ) -> Self {
        let mut body = Self {
            counts,
            inner,
            lens,
            watch,
            ready: VecDeque::new(),
            held: 0,
            leaving: false,
            waited: false,
            over: false,
            came: 0,
            went: 0,
            rewriting: Duration::ZERO,
            broken: None,
            is_bare: false,
            is_slow: false,
        };
        for chunk in held {
            body.take(chunk);
        }
        if body.inner.is_end_stream() {
            body.end();
        }
        body
    }

    /// The same for a client without TLS: what need not be looked at may go to it through a pipe.
    pub(crate) fn passing(mut self, is_bare: bool) -> Self {
        self.is_bare = is_bare;
        self
    }

    /// Its client takes it more slowly than it comes: so little as can be is held for it from here on.
    pub(crate) fn held_up(&mut self) {
        self.is_slow = true;
        self.inner.held_up();
    }

    /// Whether what comes next may go through a pipe.
    pub(crate) fn may_pass(&self) -> bool {
        self.ready.is_empty() && self.broken.is_none() && self.rest_may_pass()
    }

    /// The same, behind what is ready.
    fn rest_may_pass(&self) -> bool {
        !self.over && self.inner.may_pass()
    }

    /// Puts what comes next into an empty pipe; what is in it counts even if the page breaks behind it.
    pub(crate) fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<Result<(), Broken>> {
        let outcome = ready!(self.inner.poll_pass(cx, pipe));
        self.came += pipe.holds() as u64;
        self.went += pipe.holds() as u64;
        match outcome {
            Ok(()) if self.inner.is_end_stream() => self.end(),
            Ok(()) => {}
            Err(error) => {
                self.over = true;
                self.watch.broken(self.lens.past_next_uri(), &error);
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what came together with the answer's head, so that a small page leaves in one write. It waits for
    /// nothing that has yet to come.
    pub(crate) async fn gather(&mut self) {
        poll_fn(|cx| match self.poll_gather(cx) {
            Poll::Pending if self.ready.is_empty() => Poll::Ready(()),
            gathered => gathered,
        })
        .await;
        self.watch.written().await;
    }

    /// Ready when what is there should be passed on. It gives the task that reads from the coordinator one turn to
    /// bring more, and no time.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.over && !self.leaving && self.held < ENOUGH {
            if self.held > 0 && (self.rest_may_pass() || self.is_plenty(self.held)) {
                break;
            }
            if self.poll_inner(cx).is_ready() {
                continue;
            }
            if self.ready.is_empty() {
                return Poll::Pending;
            }
            if !self.waited {
                self.waited = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            break;
        }
        if !self.leaving {
            self.leaving = true;
            self.join_small();
        }
        Poll::Ready(())
    }

    /// Whether nothing more is to be read before so much has left.
    fn is_plenty(&self, held: usize) -> bool {
        (self.is_slow || held >= PLENTY) && !self.inner.has_come()
    }

    /// The same of what was taken from here and is not written yet.
    pub(crate) fn is_plenty_behind(&self, held: usize) -> bool {
        self.ready.is_empty() && !self.over && self.is_plenty(held)
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Ok(chunk) = frame.into_data() {
                    self.take(chunk);
                }
                if self.inner.is_end_stream() {
                    self.end();
                }
            }
            Some(Err(error)) => {
                self.over = true;
                self.watch.broken(self.lens.past_next_uri(), &error);
                self.broken = Some(error);
            }
            None => self.end(),
        }
        Poll::Ready(())
    }

    fn take(&mut self, chunk: Bytes) {
        if let Some(counts) = &mut self.counts {
            counts.take(&chunk, &mut self.watch);
        }
        self.came += chunk.len() as u64;
        // A page that passes untouched costs no look at the clock.
        let began = self.lens.changes_length().then(Instant::now);
        self.lens.pass(chunk, &mut self.ready);
        if self.is_bare && self.counts.is_none() && self.lens.is_done() {
            self.inner.want_pipe();
        }
        self.rewriting += began.map_or(Duration::ZERO, |began| began.elapsed());
        self.count();
        self.watch.read(self.lens.head());
    }

    fn end(&mut self) {
        if !self.over {
            self.over = true;
            self.lens.finish(&mut self.ready);
            self.count();
            self.watch.read(self.lens.head());
            self.watch.complete();
        }
    }

    fn count(&mut self) {
        self.ready.retain(|piece| !piece.is_empty());
        self.held = self.ready.iter().map(Bytes::len).sum();
    }

    fn join_small(&mut self) {
        if self.ready.len() > 1 && self.held <= SMALL {
            let mut joined = Vec::with_capacity(self.held);
            self.ready.drain(..).for_each(|piece| joined.extend_from_slice(&piece));
            self.ready.push_back(joined.into());
        }
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        let piece = self.ready.pop_front()?;
        self.held -= piece.len();
        self.went += piece.len() as u64;
        if self.ready.is_empty() {
            self.leaving = false;
            self.waited = false;
        }
        Some(piece)
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        ready!(this.poll_gather(cx));
        if let Some(piece) = this.next_piece() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if this.broken.is_some() && !this.waited {
            // hyper drops what it has not written yet when a body breaks; so it may write first.
            this.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(this.broken.take().map(Err))
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.ready.is_empty() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.lens.changes_length() || self.held > 0 || self.broken.is_some() {
            SizeHint::default()
        } else {
            self.inner.size_hint()
        }
    }
}

impl Drop for PageBody {
    fn drop(&mut self) {
        self.watch.passed(self.came, self.went, self.rewriting);
        if !self.over {
            self.watch.left(self.lens.past_next_uri());
        }
    }
}
