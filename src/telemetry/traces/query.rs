//! The span of a query: open from its acceptance to its end, whoever brings that about.
//!
//! It is told once. One that is dropped while open belongs to a statement that never became a query: that is told too.

use std::sync::{Mutex, PoisonError};

use opentelemetry::Value;
use tokio::time::Instant;

use super::{Captures, Cause, Kind, Span, Traces};
use crate::telemetry::context::TraceContext;

/// A query's span, shared by all who know something of the query.
#[derive(Debug)]
pub struct QuerySpan {
    traces: Traces,
    context: TraceContext,
    open: Mutex<Option<Box<Open>>>,
}

#[derive(Debug)]
struct Open {
    span: Span,
    /// Each of them happens once.
    noted: Vec<&'static str>,
}

impl QuerySpan {
    /// Opens it below the span of the POST.
    pub fn open(traces: &Traces, post: TraceContext, accepted: Instant) -> Self {
        let context = post.child();
        let span = Span::new("gateway.query", Kind::Internal, context, accepted).below(post);
        let query = Self {
            traces: traces.clone(),
            context,
            open: Mutex::new(Some(Box::new(Open { span, noted: Vec::new() }))),
        };
        query.note("submitted");
        query
    }

    /// Its ids, also when it has ended.
    pub fn context(&self) -> TraceContext {
        self.context
    }

    /// What may stand in it.
    pub fn captures(&self) -> Captures {
        self.traces.captures()
    }

    /// For whoever acts on its behalf.
    pub fn cause(&self) -> Cause {
        Cause { context: self.context, traces: self.traces.clone() }
    }

    /// Something happened to the query just now; only the first time counts.
    pub fn note(&self, event: &'static str) {
        self.with(|open| {
            if !open.noted.contains(&event) {
                open.noted.push(event);
                open.span.note(event);
            }
        });
    }

    /// The same, if that other thing happened before.
    pub fn note_after(&self, before: &'static str, event: &'static str) {
        if self.lock().as_ref().is_some_and(|open| open.noted.contains(&before)) {
            self.note(event);
        }
    }

    /// Says something of the query.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        self.with(|open| open.span.set(key, value));
    }

    /// The query has ended in that state; `failure`: because of an error of that name.
    pub fn end(&self, state: &'static str, failure: Option<&str>) {
        let Some(open) = self.lock().take() else { return };
        let mut span = open.span;
        span.note("finished");
        span.set("trino.state", state);
        if let Some(name) = failure {
            span.set("db.response.status_code", name.to_owned());
            span.fail(name.to_owned());
        }
        self.traces.tell(span);
    }

    fn with(&self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = self.lock().as_mut() {
            change(open);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Box<Open>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QuerySpan {
    fn drop(&mut self) {
        self.end("REJECTED", Some("REJECTED"));
    }
}
