//! The polls of the statement protocol: which token is answered, with which page, after which wait.
//!
//! | token | queued | executing |
//! | --- | --- | --- |
//! | the last one again | a page, made anew | the same page again, its URIs included |
//! | the next one | long poll | long poll |
//! | an older one | 410 | 410 |
//! | any other | 404 (its slug cannot be known) | 404 |

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};

use super::base::Base;
use super::coordinator::Coordinator;
use super::failure::Failure;
use super::page::{Draft, Page};
use super::plan::Action;
use super::query::{End, Life, Query, Step};
use super::rows::Rows;
use super::script::{Fault, Moment};
use super::slug::Context;
use super::spooling;

/// Trino's `MAX_WAIT_TIME` of both GETs.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// What a poll is answered with.
#[derive(Debug)]
pub(super) enum Reply {
    Page(Arc<Page>),
    /// The fault, and the page that it spoils where it needs one.
    Fault(Fault, Arc<Page>),
    Gone(&'static str),
    NotFound,
}

impl Coordinator {
    /// The first page, whatever the statement: QUEUED with a nextUri.
    pub(super) fn posted(&self, query: &Query, base: &Base) -> Page {
        let life = query.life();
        self.queued_page(query, &life, base, 1)
    }

    /// A GET of `queued/{id}/{slug}/{token}`.
    pub(super) async fn queued(&self, query: &Query, token: u64, base: &Base) -> Reply {
        let patience = Instant::now() + MAX_WAIT;
        loop {
            let (changed, freed) = (query.changed.notified(), self.freed.notified());
            let until = match self.queued_now(query, token, base, patience) {
                Ok(reply) => return reply,
                Err(until) => until,
            };
            let woken = async {
                tokio::select! { () = changed => {}, () = freed => {} }
            };
            let _ = timeout_at(until.min(patience), woken).await;
        }
    }

    fn queued_now(
        &self,
        query: &Query,
        token: u64,
        base: &Base,
        patience: Instant,
    ) -> Result<Reply, Instant> {
        let now = Instant::now();
        let mut life = query.life();
        if token != life.queued_token && token != life.queued_token + 1 {
            return Ok(Reply::Gone("Invalid token"));
        }
        life.last_sign = now;
        if life.submitted.is_none() && life.end.is_none() {
            life.submit(now);
            self.submit(query, &mut life);
        }
        let is_repeated = token == life.queued_token;
        let page = |life: &Life| Reply::Page(self.queued_page(query, life, base, token + 1).into());
        if life.end.is_some() || life.dispatched.is_some() || is_repeated {
            life.queued_token = token;
            return Ok(page(&life));
        }
        match life.queued_step(&query.plan, now) {
            Step::Fault(fault) => {
                let page = self.queued_page(query, &life, base, token + 1);
                return Ok(Reply::Fault(fault, page.into()));
            }
            Step::Wait(until) if now < patience => return Err(until),
            Step::Wait(_) | Step::Still(_) | Step::Data(_) => {}
            Step::Over => {
                drop(life);
                let is_dispatched = self.dispatch(query, now);
                life = query.life();
                if !is_dispatched && now < patience {
                    return Err(patience);
                }
            }
        }
        life.queued_token = token;
        Ok(page(&life))
    }

    /// What a query fails of before it is queued.
    fn submit(&self, query: &Query, life: &mut Life) {
        let unknown = query.transaction.as_ref().filter(|id| !self.has_transaction(id));
        life.place = Arc::clone(&self.waiting).try_acquire_owned().ok();
        let failure = if self.is_starting() {
            Failure::new("SERVER_STARTING_UP", "Trino server is still initializing")
        } else if let Some(id) = unknown {
            unknown_transaction(id)
        } else if let Some(refused) = query.plan.refused.clone() {
            refused
        } else if let Some(scripted) = query.plan.scripted_failure(Moment::Queued) {
            scripted
        } else if self.running.available_permits() == 0 && life.place.is_none() {
            Failure::new("QUERY_QUEUE_FULL", "Too many queued queries for \"global\"")
        } else {
            return;
        };
        life.finish(End::Failed(failure));
    }

    /// Lets a query run if there is room; its action happens now. The query's lock is not held while it acts on others.
    fn dispatch(&self, query: &Query, now: Instant) -> bool {
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else { return false };
        let acted = self.act(query);
        let mut life = query.life();
        life.dispatch(permit, now);
        match acted {
            Ok(header) => life.headers.extend(header),
            Err(failure) => life.finish(End::Failed(failure)),
        }
        true
    }

    fn act(&self, query: &Query) -> Result<Option<(HeaderName, HeaderValue)>, Failure> {
        let tell = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).ok()?;
            Some((HeaderName::from_static(name), value))
        };
        match &query.plan.action {
            Action::None => Ok(None),
            Action::Begin if !query.knows_transactions => {
                Err(Failure::new("INCOMPATIBLE_CLIENT", "Client does not support transactions"))
            }
            Action::Begin if query.transaction.is_some() => {
                Err(Failure::new("NOT_SUPPORTED", "Nested transactions not supported"))
            }
            Action::Begin => Ok(tell("x-trino-started-transaction-id", &self.begin())),
            Action::Commit | Action::Rollback => {
                let closed = query.transaction.as_ref().is_some_and(|id| self.close(id));
                if !closed {
                    return Err(Failure::new("NOT_IN_TRANSACTION", "No transaction in progress"));
                }
                Ok(tell("x-trino-clear-transaction-id", "true"))
            }
            Action::Kill(id, message) => self.kill(id, message.as_deref()).map(|()| None),
        }
    }

    fn kill(&self, id: &str, message: Option<&str>) -> Result<(), Failure> {
        let Some(target) = self.submitted(id) else {
            return Err(Failure::new("NOT_FOUND", format!("Target query not found: {id}")));
        };
        if self.fail(&target, Failure::killed(message)) {
            return Ok(());
        }
        let words = format!("Target query is not running: {id}");
        Err(Failure::new("NOT_SUPPORTED", words))
    }

    /// A GET of `executing/{id}/{slug}/{token}`.
    pub(super) async fn executing(&self, query: &Query, token: u64, base: &Base) -> Reply {
        let patience = Instant::now() + MAX_WAIT;
        loop {
            let changed = query.changed.notified();
            match self.executing_now(query, token, base, patience) {
                Ok(reply) => return reply,
                Err(until) => {
                    let _ = timeout_at(until.min(patience), changed).await;
                }
            }
        }
    }

    fn executing_now(
        &self,
        query: &Query,
        token: u64,
        base: &Base,
        patience: Instant,
    ) -> Result<Reply, Instant> {
        let now = Instant::now();
        let mut life = query.life();
        life.last_sign = now;
        if let Some((last, page)) = &life.executing {
            if token == *last {
                return Ok(Reply::Page(Arc::clone(page)));
            }
            if token < *last {
                return Ok(Reply::Gone("HTTP 410 Gone"));
            }
        }
        if life.next != Some(token) {
            return Ok(Reply::NotFound);
        }
        let (state, rows) = match life.executing_step(&query.plan, now) {
            Step::Fault(fault) => return Ok(self.spoiled(query, &mut life, base, token, fault)),
            Step::Wait(until) if now < patience => return Err(until),
            Step::Wait(_) | Step::Over => (life.state(), Rows::None),
            Step::Still(state) => (state, Rows::None),
            Step::Data(number) => (life.state(), query.plan.rows(number)),
        };
        life.rows += rows.count();
        let page = Arc::new(self.executing_page(query, &life, base, token, (state, rows)));
        life.next = life.end.is_none().then_some(token + 1);
        life.executing = Some((token, Arc::clone(&page)));
        if life.end.is_some() {
            self.freed.notify_waiters();
        }
        Ok(Reply::Page(page))
    }

    /// A page that is broken off on the way, with rows enough to break in.
    fn spoiled(
        &self,
        query: &Query,
        life: &mut Life,
        base: &Base,
        token: u64,
        fault: Fault,
    ) -> Reply {
        let rows = match query.plan.rows(life.sent()) {
            Rows::None => Rows::Numbered { from: 0, count: 1000 },
            rows => rows,
        };
        let page = self.executing_page(query, life, base, token, (life.state(), rows));
        Reply::Fault(fault, page.into())
    }

    fn queued_page(&self, query: &Query, life: &Life, base: &Base, next: u64) -> Page {
        let failure = match &life.end {
            Some(End::Failed(failure)) => Some(failure),
            _ => None,
        };
        let next = match (failure, life.dispatched) {
            (Some(_), _) => None,
            (None, Some(_)) => Some(path(query, Context::Executing, 0)),
            (None, None) => Some(path(query, Context::Queued, next)),
        };
        // Whatever the query does, a queued page says QUEUED or FAILED.
        let state = if failure.is_some() { "FAILED" } else { "QUEUED" };
        let mut stats = query.stats(life, state, Instant::now());
        // A queued page knows nothing of the splits yet.
        stats.progress = None;
        // Every page says how the result will come, from the POST's answer on.
        let mut headers = query.plan.script.headers.clone();
        headers.extend(query.spooled_as.map(spooling::header));
        Draft {
            id: &query.id,
            base,
            version: self.options.version,
            next,
            partial_cancel: None,
            columns: None,
            rows: Rows::None,
            stats,
            failure,
            update: None,
            headers,
        }
        .finish()
    }

    fn executing_page(
        &self,
        query: &Query,
        life: &Life,
        base: &Base,
        token: u64,
        (state, rows): (&'static str, Rows),
    ) -> Page {
        let next = token + 1;
        let failure = match &life.end {
            Some(End::Failed(failure)) => Some(failure),
            _ => None,
        };
        let is_reading = life.end.is_none() && state != "FINISHED" && query.plan.pages() > 0;
        let mut headers = query.plan.headers.clone();
        headers.extend(life.headers.iter().cloned());
        let encoding = query.spooled_as.filter(|_| query.plan.pages() > 0);
        headers.extend(encoding.map(spooling::header));
        let rows = match encoding {
            Some(encoding) if rows.is_some() => {
                let inline = query.plan.script.inline;
                self.segments.spool(&rows, encoding, life.rows, base, inline)
            }
            _ => rows,
        };
        Draft {
            id: &query.id,
            base,
            version: self.options.version,
            next: life.end.is_none().then(|| path(query, Context::Executing, next)),
            partial_cancel: is_reading.then(|| partial_cancel_path(query, next)),
            columns: Some(&query.plan.columns),
            rows,
            stats: query.stats(life, state, Instant::now()),
            failure,
            update: query.plan.update,
            headers,
        }
        .finish()
    }
}

fn path(query: &Query, context: Context, token: u64) -> String {
    let word = match context {
        Context::Queued => "queued",
        Context::Executing => "executing",
    };
    let slug = query.slugs.slug(context, token);
    format!("/v1/statement/{word}/{}/{slug}/{token}", query.id)
}

fn partial_cancel_path(query: &Query, token: u64) -> String {
    let slug = query.slugs.slug(Context::Executing, token);
    format!("/v1/statement/executing/partialCancel/{}/1/{slug}/{token}", query.id)
}

fn unknown_transaction(id: &str) -> Failure {
    let words = format!(
        "Unknown transaction ID: {id}. Possibly expired? Commands ignored until end of transaction block"
    );
    Failure::new("UNKNOWN_TRANSACTION", words)
}
