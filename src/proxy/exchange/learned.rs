//! What is learned of a request while it is served, and the line that the access log gets of it.
//!
//! Everything is set once and read at the end; a request of which nothing is learned costs nothing. The line names
//! templates of paths, never a path: slugs, tokens and query strings are secrets.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Duration,
};

use sluice_routing::{BackendName, GroupName, QueryId};

use super::{Account, Exchange, UNANSWERED};
use crate::{
    config::model::AccessLog,
    metrics::Operation,
    queries::{
        Query, Waiting,
        story::{Origin, millis},
    },
};

/// Who a request was about, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    query: OnceLock<Arc<Query>>,
    waiting: OnceLock<Arc<Waiting>>,
    origin: OnceLock<Arc<Origin>>,
    backend: OnceLock<BackendName>,
}

impl Learned {
    /// It is about that query.
    pub(crate) fn query(&self, query: &Arc<Query>) {
        let _ = self.query.set(Arc::clone(query));
    }

    /// It is about that statement, which waits.
    pub(crate) fn waiting(&self, waiting: &Arc<Waiting>) {
        let _ = self.waiting.set(Arc::clone(waiting));
    }

    /// It brought that statement.
    pub(crate) fn statement(&self, origin: &Arc<Origin>) {
        let _ = self.origin.set(Arc::clone(origin));
    }

    /// It was sent to that backend.
    pub(crate) fn backend(&self, backend: &BackendName) {
        let _ = self.backend.set(backend.clone());
    }

    /// What is known of the POST that began it, as long as that has not been told.
    fn origin(&self) -> Option<Arc<Origin>> {
        let about = self.query.get().map(|query| &query.about);
        let about = about.or_else(|| self.waiting.get().map(|waiting| &waiting.about));
        self.origin.get().map(Arc::clone).or_else(|| about?.origin.get())
    }

    fn id(&self) -> Option<QueryId> {
        let waits = || self.waiting.get().filter(|waiting| waiting.has_page());
        self.query.get().map(|query| query.id).or_else(|| waits().map(|waiting| waiting.id))
    }

    fn group(&self) -> Option<&GroupName> {
        let waits = || self.waiting.get().map(|waiting| &waiting.group);
        self.query.get().map(|query| &query.group).or_else(waits)
    }
}

impl Exchange {
    /// The access log (observability.md 4): statements, and whatever went wrong; polls that succeeded on demand.
    pub(super) fn tell(&self, status: u16, took: Duration) {
        let label = self.account.label();
        let is_quiet = match self.snapshot.config.log.access {
            AccessLog::Off => return,
            AccessLog::All => false,
            AccessLog::Statements => status < 400 && label != Operation::StatementSubmit,
        };
        if is_quiet && !tracing::enabled!(target: "sluice::access", tracing::Level::DEBUG) {
            return;
        }
        let Learned { query, waiting, backend, .. } = &self.learned;
        let about = query.get().map(|query| &query.about);
        let about = about.or_else(|| waiting.get().map(|waiting| &waiting.about));
        let origin = self.learned.origin();
        let origin = origin.as_deref();
        let place = origin.and_then(Origin::place);
        let id = self.learned.id();
        let query_id = id.as_ref().map(QueryId::as_str);
        let group = self.learned.group().map(GroupName::as_str);
        let routing_group = group.or_else(|| place.map(|place| &*place.group));
        let backend = query.get().map(|query| &query.backend).or_else(|| backend.get());
        let backend = backend.map(AsRef::<str>::as_ref);
        let user = about.and_then(|about| about.user.as_deref());
        let statement_type = about.map(|about| about.kind.as_str());
        let source = origin.and_then(|origin| origin.source.as_deref());
        let session_id = origin.map(|origin| &*origin.session);
        let (operation, method) = (label.as_str(), self.account.method.as_str());
        let (upstream_ms, overhead_ms) = self.account.shares(took);
        let (duration_ms, bytes_out) = (millis(took), self.account.bytes_out());
        macro_rules! told {
            ($level:ident) => {
                super::line!(
                    $level, self, target: "sluice::access", event = "request_completed", operation, method, path = template(label),
                    status_code = status, duration_ms, upstream_ms, overhead_ms, bytes_out, client_ip = %self.client, query_id,
                    routing_group, backend, user, source, session_id, statement_type, "request completed"
                )
            };
        }
        if is_quiet { told!(debug) } else { told!(info) }
    }
}

impl Account {
    /// Whole milliseconds of the backends, and of the gateway itself.
    fn shares(&self, took: Duration) -> (u64, u64) {
        let upstream = self.upstream();
        let overhead = match self.overhead_micros.load(Ordering::Relaxed) {
            UNANSWERED => took.saturating_sub(upstream).saturating_sub(self.waited_for_resume()),
            overhead => Duration::from_micros(overhead),
        };
        (millis(upstream), millis(overhead))
    }
}

/// The path with its secrets as names.
const fn template(operation: Operation) -> &'static str {
    match operation {
        Operation::StatementSubmit | Operation::StatementHead => "/v1/statement",
        Operation::StatementQueued | Operation::StatementGatewayQueued => {
            "/v1/statement/queued/{queryId}/{slug}/{token}"
        }
        Operation::StatementExecuting | Operation::StatementResults => {
            "/v1/statement/executing/{queryId}/{slug}/{token}"
        }
        Operation::StatementCancel => "/v1/statement/{state}/{queryId}/{slug}/{token}",
        Operation::QueryInfo | Operation::QueryKill => "/v1/query/{queryId}",
        Operation::Info => "/v1/info",
        Operation::InfoState => "/v1/info/state",
        Operation::Node => "/v1/node",
        Operation::Spooled => "/v1/spooled/{segment}",
        Operation::Oauth2 => "/oauth2/{step}",
        Operation::Ui => "/ui",
        Operation::Other => "/",
    }
}
