//! What a statement's headers and text say: the facts that rules read, and what makes it more than a statement.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use sluice_routing::{Facts, Headers, QueryId, StatementKind, kill_message, kill_query, kind_of};

use crate::{
    proxy::{core::Core, exchange::Exchange},
    queries::story::{Came, Origin, Said},
    snapshot::Group,
    trino::headers::{
        X_PRESTO_CATALOG, X_PRESTO_CLIENT_TAGS, X_PRESTO_ORIGINAL_USER,
        X_PRESTO_PREPARED_STATEMENT, X_PRESTO_SCHEMA, X_PRESTO_SOURCE, X_PRESTO_TRACE_TOKEN,
        X_PRESTO_TRANSACTION_ID, X_PRESTO_USER, X_TRINO_CATALOG, X_TRINO_CLIENT_TAGS,
        X_TRINO_ORIGINAL_USER, X_TRINO_PREPARED_STATEMENT, X_TRINO_SCHEMA, X_TRINO_SOURCE,
        X_TRINO_TRACE_TOKEN, X_TRINO_TRANSACTION_ID, X_TRINO_USER,
    },
};

/// Names a client's session, of whatever kind.
const X_SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");

/// The text is looked at only so far: kinds and calls stand at the beginning.
const LOOKED_AT: usize = 64 * 1024;

/// A statement as it came, taken apart.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Who asks, if anybody is named.
    pub(crate) user: Option<String>,
    /// What the statement does.
    pub(crate) kind: StatementKind,
    /// The query that it wants to kill.
    pub(crate) kills: Option<QueryId>,
    /// What it says to whoever waits for that query.
    pub(crate) kill_message: Option<String>,
    /// The transaction it belongs to.
    pub(crate) transaction: Option<String>,
    /// What will be told of it.
    pub(crate) origin: Arc<Origin>,
    host: Option<String>,
    has_text: bool,
    names_somebody: bool,
}

/// What the client calls itself.
pub(crate) fn source(headers: &HeaderMap) -> Option<&str> {
    first(headers, [X_TRINO_SOURCE, X_PRESTO_SOURCE])
}

impl Asked {
    /// Reads headers and text.
    pub(crate) fn read(
        core: &Core,
        exchange: &Exchange,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Self {
        let text = beginning(body);
        let catalog = first(headers, [X_TRINO_CATALOG, X_PRESTO_CATALOG]);
        let schema = first(headers, [X_TRINO_SCHEMA, X_PRESTO_SCHEMA]);
        let kills = kill_query(text, catalog, schema);
        let user = user(headers);
        let said = Said {
            user: user.as_deref(),
            session: headers.get(X_SESSION_ID).and_then(|id| id.to_str().ok()),
            source: first(headers, [X_TRINO_SOURCE, X_PRESTO_SOURCE]),
            catalog,
            schema,
            trace_token: first(headers, [X_TRINO_TRACE_TOKEN, X_PRESTO_TRACE_TOKEN]),
        };
        let came = Came {
            trace: exchange.trace,
            request_id: exchange.request_id.clone(),
            client: exchange.client,
            count_rows: exchange.snapshot.config.queries.count_rows,
        };
        let chronicle = Arc::clone(&core.shared.chronicle);
        let origin = Arc::new(Origin::new(chronicle, came, &said, body));
        exchange.learned.statement(&origin);
        Self {
            origin,
            kill_message: kills.and_then(|_| kill_message(text, catalog, schema)),
            kind: kind_of(text, |name| prepared(headers, name)),
            kills,
            transaction: first(headers, [X_TRINO_TRANSACTION_ID, X_PRESTO_TRANSACTION_ID])
                .filter(|id| !id.is_empty() && !id.eq_ignore_ascii_case("NONE"))
                .map(str::to_owned),
            host: Some(host_of(&exchange.base.authority)),
            has_text: body.iter().any(|byte| !byte.is_ascii_whitespace()),
            names_somebody: user.is_some() || headers.contains_key(AUTHORIZATION),
            user,
        }
    }

    /// Whether it counts as a query: it has a text and says on whose behalf (promise 5), and kills nothing.
    pub(crate) fn is_demand(&self) -> bool {
        self.has_text && self.names_somebody && self.kills.is_none()
    }

    /// Whether it has a text at all.
    pub(crate) fn has_text(&self) -> bool {
        self.has_text
    }

    /// Whether it wakes a backend of that group and waits for it: it is demand, or its client can name itself only
    /// when a backend has asked it to (promise 5). A statement of a transaction has one coordinator, awake or gone.
    pub(crate) fn may_wait_for(&self, group: &Group) -> bool {
        let by_browser = || group.members.iter().any(|member| member.asks_by_browser());
        let somebody = self.names_somebody || by_browser();
        self.has_text && somebody && self.kills.is_none() && self.transaction.is_none()
    }

    /// What rules may read.
    pub(crate) fn facts<'a>(
        &'a self,
        headers: &'a HeaderMap,
        lines: &'a Lines<'a>,
        group_header: &str,
    ) -> Facts<'a> {
        Facts {
            user: self.user.as_deref(),
            source: source(headers),
            host: self.host.as_deref(),
            client_tags: first(headers, [X_TRINO_CLIENT_TAGS, X_PRESTO_CLIENT_TAGS])
                .map(|tags| tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect())
                .unwrap_or_default(),
            catalog: first(headers, [X_TRINO_CATALOG, X_PRESTO_CATALOG]),
            schema: first(headers, [X_TRINO_SCHEMA, X_PRESTO_SCHEMA]),
            asked_group: headers
                .get(group_header)
                .and_then(|value| value.to_str().ok())
                .map(str::trim),
            headers: lines,
        }
    }
}

/// The client's headers as rules see them.
#[derive(Debug)]
pub(crate) struct Lines<'a>(pub(crate) &'a HeaderMap);

impl Headers for Lines<'_> {
    fn any(&self, name: &str, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.0.get_all(name).iter().filter_map(|line| line.to_str().ok()).any(test)
    }
}

/// `X-Trino-User`, else the Basic user (Node sends only that), else `X-Trino-Original-User`.
pub(crate) fn user(headers: &HeaderMap) -> Option<String> {
    let named = |names| {
        first(headers, names).map(str::trim).filter(|user| !user.is_empty()).map(str::to_owned)
    };
    named([X_TRINO_USER, X_PRESTO_USER])
        .or_else(|| basic_user(headers))
        .or_else(|| named([X_TRINO_ORIGINAL_USER, X_PRESTO_ORIGINAL_USER]))
}

/// The first line of a header under Trino's prefix, else under the alternate one.
pub(crate) fn first(headers: &HeaderMap, names: [HeaderName; 2]) -> Option<&str> {
    names.into_iter().find_map(|name| headers.get(name)).and_then(|value| value.to_str().ok())
}

/// The text of a prepared statement: `name=urlencoded`, in lines or joined by commas. Those above 2 KiB may come as
/// `$zstd:` (Trino 482, `ProtocolHeaders`); their kind stays unknown here.
fn prepared(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let lines = [X_TRINO_PREPARED_STATEMENT, X_PRESTO_PREPARED_STATEMENT];
    let lines =
        lines.iter().flat_map(|name| headers.get_all(name)).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).find_map(|entry| {
        let (name, text) = entry.trim().split_once('=')?;
        let encoded = format!("s={text}");
        let (_, decoded) = url::form_urlencoded::parse(encoded.as_bytes()).next()?;
        name.eq_ignore_ascii_case(wanted).then(|| decoded.into_owned())
    })
}

fn basic_user(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (user, _) = decoded.split_once(':')?;
    (!user.is_empty()).then(|| user.to_owned())
}

/// An authority without its port, in lower case.
fn host_of(authority: &str) -> String {
    let port = authority
        .rfind(':')
        .filter(|at| authority.get(at + 1..).is_some_and(|port| !port.contains(']')));
    port.and_then(|at| authority.get(..at)).unwrap_or(authority).to_ascii_lowercase()
}

/// The beginning of the text, cut at a whole character.
fn beginning(body: &Bytes) -> &str {
    let cut = body.get(..LOOKED_AT.min(body.len())).unwrap_or_default();
    match std::str::from_utf8(cut) {
        Ok(text) => text,
        Err(error) => cut
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    }
}
