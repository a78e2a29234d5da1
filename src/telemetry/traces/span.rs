//! One span as it is told, and its way into the SDK's form.
//!
//! Times are those of the monotonic clock; they become times of day when the span is told, so that a request that is
//! not sampled never asks for the time of day.

use std::{borrow::Cow, time::SystemTime};

use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId, Value,
    trace::{Event, Link, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::time::Instant;

use crate::telemetry::context::TraceContext;

/// What a span tells of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A request that came to us.
    Server,
    /// A request that we sent.
    Client,
    /// A part of our own work.
    Internal,
}

/// A span, told when it has ended.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its own ids and flags.
    pub context: TraceContext,
    name: Cow<'static, str>,
    kind: Kind,
    parent: Option<TraceContext>,
    parent_is_remote: bool,
    started: Instant,
    ended: Option<Instant>,
    attributes: Vec<KeyValue>,
    events: Vec<(&'static str, Instant)>,
    links: Vec<TraceContext>,
    error: Option<Cow<'static, str>>,
}

impl Span {
    /// Of that name; it ends when it is told.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        kind: Kind,
        context: TraceContext,
        started: Instant,
    ) -> Self {
        Self {
            context,
            name: name.into(),
            kind,
            parent: None,
            parent_is_remote: false,
            started,
            ended: None,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            error: None,
        }
    }

    /// Below another one of this process.
    #[must_use]
    pub fn below(mut self, parent: TraceContext) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Below one of another process.
    #[must_use]
    pub fn continuing(mut self, parent: Option<TraceContext>) -> Self {
        (self.parent, self.parent_is_remote) = (parent, parent.is_some());
        self
    }

    /// It ended then.
    #[must_use]
    pub fn until(mut self, ended: Instant) -> Self {
        self.ended = Some(ended);
        self
    }

    /// Points to a span that is not its parent.
    pub fn link(&mut self, to: TraceContext) {
        self.links.push(to);
    }

    /// Says something of it.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.attributes.push(KeyValue::new(key, value));
    }

    /// The same where it is known.
    pub fn set_known(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// Something happened in it just now.
    pub fn note(&mut self, event: &'static str) {
        self.events.push((event, Instant::now()));
    }

    /// It failed; the words hold no secret and no text of a statement.
    pub fn fail(&mut self, why: impl Into<Cow<'static, str>>) {
        self.error = Some(why.into());
    }

    /// The same for the SDK.
    pub(super) fn into_data(self, scope: InstrumentationScope) -> SpanData {
        let (now, today) = (Instant::now(), SystemTime::now());
        let at =
            |then: Instant| today.checked_sub(now.saturating_duration_since(then)).unwrap_or(today);
        let mut events = SpanEvents::default();
        let told = self.events.iter().map(|(name, then)| Event::new(*name, at(*then), vec![], 0));
        events.events.extend(told);
        let mut links = SpanLinks::default();
        links.links.extend(self.links.iter().map(|to| Link::new(context(to), vec![], 0)));
        SpanData {
            span_context: context(&self.context),
            parent_span_id: self
                .parent
                .map_or(SpanId::INVALID, |parent| parent.span_number().into()),
            parent_span_is_remote: self.parent_is_remote,
            span_kind: match self.kind {
                Kind::Server => SpanKind::Server,
                Kind::Client => SpanKind::Client,
                Kind::Internal => SpanKind::Internal,
            },
            name: self.name,
            start_time: at(self.started),
            end_time: at(self.ended.unwrap_or(now)),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events,
            links,
            status: self.error.map_or(Status::Unset, |why| Status::Error { description: why }),
            instrumentation_scope: scope,
        }
    }
}

fn context(of: &TraceContext) -> SpanContext {
    SpanContext::new(
        TraceId::from(of.trace_number()),
        SpanId::from(of.span_number()),
        TraceFlags::new(of.flags()),
        false,
        TraceState::default(),
    )
}
