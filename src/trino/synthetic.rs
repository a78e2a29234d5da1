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

impl<'a> Synthetic<'a> {
    /// The page of a query that waits; `slug` and `token` make the URI of the next one.
    pub fn queued(&self, slug: &str, token: u64) -> Bytes {
        let next = format!("{}{}", self.base, next_path(self.id, slug, token));
        self.write(|page| page.next_uri = Some(&next), State::Queued)
    }

    /// The last page of a query that ended in an error; `message` is for its user's eyes.
    pub fn failed(&self, failure: Failure, message: &str) -> Bytes {
        self.write(|page| page.error = Some(Error::of(failure, message)), State::Failed)
    }

    /// The last page of a `CALL` that did what it should.
    pub fn called(&self) -> Bytes {
        let end = |page: &mut Page<'_>| {
            page.columns = Some([]);
            page.update_type = Some("CALL");
        };
        self.write(end, State::Finished)
    }

    fn write<'p>(&self, fill: impl FnOnce(&mut Page<'p>), state: State) -> Bytes
    where
        'a: 'p,
    {
        let info_uri = format!("{}{}", self.base, info_path(self.id));
        let mut page = Page::new(self.id.as_str(), &info_uri, Stats::of(state, self.waited));
        fill(&mut page);
        page.to_json()
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
