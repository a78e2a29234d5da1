//! A page on its way to the client: read in passing, patched where its URIs must change, never held.
//!
//! Each chunk is looked at before it goes on, so that a query id is known before its client can use it. A broken
//! answer stays broken: the error passes to the client's connection, which then ends without the last chunk.
//! What the pages mean for the query is `watch`'s business.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, header::CONTENT_ENCODING};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::{
    proxy::watch::Watch,
    trino::{
        head::Head,
        page::Reader,
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

    fn past_next_uri(&self) -> bool {
        match self {
            Self::Read(reader) => reader.past_next_uri(),
            Self::Patch(patcher) => patcher.scanner().past_next_uri(),
        }
    }
}

/// The body of a page.
#[derive(Debug)]
pub(crate) struct PageBody {
    inner: Incoming,
    lens: Lens,
    watch: Watch,
    ready: VecDeque<Bytes>,
    over: bool,
}

impl PageBody {
    /// A page of which `held` has already been taken from the backend.
    pub(crate) fn new(inner: Incoming, lens: Lens, watch: Watch, held: Vec<Bytes>) -> Self {
        let mut body = Self { inner, lens, watch, ready: VecDeque::new(), over: false };
        for chunk in held {
            body.take(chunk);
        }
        if body.inner.is_end_stream() {
            body.end();
        }
        body
    }

    fn take(&mut self, chunk: Bytes) {
        self.lens.pass(chunk, &mut self.ready);
        self.watch.read(self.lens.head());
    }

    fn end(&mut self) {
        if !self.over {
            self.over = true;
            self.lens.finish(&mut self.ready);
            self.watch.read(self.lens.head());
            self.watch.complete();
        }
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        loop {
            while let Some(chunk) = this.ready.pop_front() {
                if !chunk.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
            }
            if this.over {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        this.take(chunk);
                    }
                    if this.inner.is_end_stream() {
                        this.end();
                    }
                }
                Some(Err(error)) => {
                    this.over = true;
                    this.ready.clear();
                    this.watch.broken(this.lens.past_next_uri(), &error);
                    return Poll::Ready(Some(Err(error)));
                }
                None => this.end(),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.lens.changes_length() || !self.ready.is_empty() {
            SizeHint::default()
        } else {
            self.inner.size_hint()
        }
    }
}

impl Drop for PageBody {
    fn drop(&mut self) {
        if !self.over {
            self.watch.left(self.lens.past_next_uri());
        }
    }
}
