//! Pages that Sluice makes where no coordinator can: a query that waits, one that ended before it had a coordinator,
//! and a `kill_query` that Sluice carried out itself.
//!
//! Every client takes them (trino-protocol.md 4.2) because of three rules: what has no value is absent and never null,
//! numbers are whole, and `warnings` is always empty (the CLI dies of a warning that Trino's later pages do not
//! repeat). Never [`Synthetic::failed`] or [`Synthetic::called`] for the answer to a POST: some clients lose an error there, others throw
//! without a `nextUri`. Pure: ids, slugs, tokens and times are arguments, and who may see a page is decided elsewhere.

mod failure;
mod page;
mod words;

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::Full;
use sluice_routing::QueryId;

use crate::trino::head::State;
use page::{Error, Page, Stats};

pub use failure::Failure;
pub use words::{CANCELED, kill_of_ended, kill_of_unknown, killed};

/// What all pages of one query say.
#[derive(Clone, Copy, Debug)]
pub struct Synthetic<'a> {
    /// The query, by the id that its client knows.
    pub id: QueryId,
    /// The gateway's URL as the client sees it, without a slash at its end.
    pub base: &'a str,
    /// Since the statement was accepted: all of it was spent in the queue.
    pub waited: Duration,
}

impl Synthetic<'_> {
    /// The page of a query that waits; `slug` and `token` make the URI of the next one.
    pub fn queued(&self, slug: &str, token: u64) -> Bytes {
        let next = format!("{}{}", self.base, next_path(self.id, slug, token));
        let info_uri = self.info_uri();
        Page { next_uri: Some(&next), ..self.page(&info_uri, State::Queued) }.to_json()
    }

    /// The last page of a query that ended in an error; `message` is for its user's eyes.
    pub fn failed(&self, failure: Failure, message: &str) -> Bytes {
        let info_uri = self.info_uri();
        let error = Some(Error::of(failure, message));
        Page { error, ..self.page(&info_uri, State::Failed) }.to_json()
    }

    /// The last page of a `CALL` that did what it should.
    pub fn called(&self) -> Bytes {
        let info_uri = self.info_uri();
        let (columns, update_type) = (Some([]), Some("CALL"));
        Page { columns, update_type, ..self.page(&info_uri, State::Finished) }.to_json()
    }

    fn info_uri(&self) -> String {
        format!("{}{}", self.base, info_path(self.id))
    }

    fn page<'p>(&'p self, info_uri: &'p str, state: State) -> Page<'p> {
        Page::new(self.id.as_str(), info_uri, Stats::of(state, self.waited))
    }
}

/// Where the next page of a waiting query is asked for; the token in it is the number of that page.
pub fn next_path(id: QueryId, slug: &str, token: u64) -> String {
    format!("/v1/statement/queued/{id}/{slug}/{token}")
}

/// Where a browser sees how a waiting query fares.
pub fn info_path(id: QueryId) -> String {
    format!("/_gateway/queries/{id}")
}

/// A page as an answer: Java wants the content type, and a page that is kept by someone is a query that hangs.
pub fn answer(page: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(page));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
mod tests;
