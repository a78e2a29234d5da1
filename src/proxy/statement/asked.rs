//! What a statement's headers and text say: the facts that rules read, and what makes it more than a statement.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, header::AUTHORIZATION};
use sluice_routing::{Facts, Headers, QueryId, StatementKind, kill_query, kind_of};

use crate::{proxy::exchange::Exchange, trino::headers as names};

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
    /// The transaction it belongs to.
    pub(crate) transaction: Option<String>,
    host: Option<String>,
    has_text: bool,
    names_somebody: bool,
}

impl Asked {
    /// Reads headers and text.
    pub(crate) fn read(exchange: &Exchange, headers: &HeaderMap, body: &Bytes) -> Self {
        let text = beginning(body);
        let catalog = names::trino(headers, "Catalog");
        let schema = names::trino(headers, "Schema");
        Self {
            user: user(headers),
            kind: kind_of(text, |name| names::prepared_statement(headers, name)),
            kills: kill_query(text, catalog, schema),
            transaction: names::trino(headers, "Transaction-Id")
                .filter(|id| !id.is_empty() && !id.eq_ignore_ascii_case("NONE"))
                .map(str::to_owned),
            host: Some(exchange.base.host().to_ascii_lowercase()),
            has_text: body.iter().any(|byte| !byte.is_ascii_whitespace()),
            names_somebody: user(headers).is_some() || headers.contains_key(AUTHORIZATION),
        }
    }

    /// Whether it counts as a query: it has a text and says on whose behalf (promise 5), and kills nothing.
    pub(crate) fn is_demand(&self) -> bool {
        self.has_text && self.names_somebody && self.kills.is_none()
    }

    /// What rules may read.
    pub(crate) fn facts<'a>(&'a self, headers: &'a HeaderMap, lines: &'a Lines<'a>, group_header: &str) -> Facts<'a> {
        Facts {
            user: self.user.as_deref(),
            source: names::trino(headers, "Source"),
            host: self.host.as_deref(),
            client_tags: names::trino(headers, "Client-Tags")
                .map(|tags| tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect())
                .unwrap_or_default(),
            catalog: names::trino(headers, "Catalog"),
            schema: names::trino(headers, "Schema"),
            asked_group: headers.get(group_header).and_then(|value| value.to_str().ok()).map(str::trim),
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
fn user(headers: &HeaderMap) -> Option<String> {
    let named = |name| names::trino(headers, name).map(str::trim).filter(|user| !user.is_empty()).map(str::to_owned);
    named("User").or_else(|| basic_user(headers)).or_else(|| named("Original-User"))
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

/// The beginning of the text, cut at a whole character.
fn beginning(body: &Bytes) -> &str {
    let cut = body.get(..LOOKED_AT.min(body.len())).unwrap_or_default();
    match std::str::from_utf8(cut) {
        Ok(text) => text,
        Err(error) => cut.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default(),
    }
}
