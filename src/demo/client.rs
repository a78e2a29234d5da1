//! A small Trino client: it follows every `nextUri` exactly as given and keeps what it saw.
//!
//! It knows no session, no spooling and no retry. A page that points past the gateway is an error: a client that
//! follows it would leave the gateway without anyone noticing.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use reqwest::{Client as Http, Method, StatusCode, redirect::Policy};
use serde_json::Value;

use crate::backends::outgoing;

/// Longer than any long poll of the protocol.
const DEADLINE: Duration = Duration::from_secs(30);

/// A client of one coordinator or gateway.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: Http,
    base: String,
    source: &'static str,
}

/// One answer as text.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// In seconds.
    pub(super) retry_after: Option<u64>,
    pub(super) text: String,
}

/// A query on its way.
#[derive(Debug)]
pub(super) struct Query {
    client: Client,
    /// As the last page has it: a query that waited has another once it runs.
    pub(super) id: String,
    /// The last page's word for where it stands.
    pub(super) state: String,
    /// The page that tells people about it.
    pub(super) info: String,
    pub(super) next: Option<String>,
    pub(super) rows: Vec<Value>,
    /// Answers that carried rows.
    pub(super) pages: usize,
    /// Trino's name of what went wrong.
    pub(super) error: Option<String>,
}

impl Client {
    /// A client for a base such as `http://127.0.0.1:8080`.
    pub(super) fn new(base: String) -> anyhow::Result<Self> {
        let http = outgoing::client(|| {
            Http::builder().no_proxy().redirect(Policy::none()).timeout(DEADLINE)
        })?;
        Ok(Self { http, base, source: "sluice-demo" })
    }

    /// The same with another `X-Trino-Source`.
    pub(super) fn named(&self, source: &'static str) -> Self {
        Self { source, ..self.clone() }
    }

    /// One exchange; a path is taken under the base, a whole URL as it is.
    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        body: &str,
    ) -> anyhow::Result<Answer> {
        let url =
            if target.starts_with('/') { format!("{}{target}", self.base) } else { target.into() };
        let answer = self
            .http
            .request(method, url)
            .header("X-Trino-User", "demo")
            .header("X-Trino-Source", self.source)
            .body(body.to_owned())
            .send()
            .await
            .map_err(reqwest::Error::without_url)?;
        let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = after.and_then(|seconds| seconds.parse().ok());
        Ok(Answer { status: answer.status(), retry_after, text: answer.text().await? })
    }

    /// The answer to `POST /v1/statement`, whatever it is.
    pub(super) async fn post(&self, sql: &str) -> anyhow::Result<Answer> {
        self.send(Method::POST, "/v1/statement", sql).await
    }

    /// The answer to a GET.
    pub(super) async fn get(&self, target: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, target, "").await
    }

    /// Posts a statement that must be accepted.
    pub(super) async fn start(&self, sql: &str) -> anyhow::Result<Query> {
        let page = self.post(sql).await?.page()?;
        let mut query = Query {
            client: self.clone(),
            id: String::new(),
            state: String::new(),
            info: String::new(),
            next: None,
            rows: Vec::new(),
            pages: 0,
            error: None,
        };
        query.take(&page)?;
        Ok(query)
    }

    /// Runs a statement to its end; a failed query is an `Ok` with an error in it.
    pub(super) async fn run(&self, sql: &str) -> anyhow::Result<Query> {
        self.start(sql).await?.finish().await
    }
}

impl Answer {
    fn page(self) -> anyhow::Result<Value> {
        ensure!(self.status == StatusCode::OK, "{}: {}", self.status, self.text);
        serde_json::from_str(&self.text).map_err(|_| anyhow!("an answer was no page"))
    }
}

impl Query {
    /// Gets the next page; `false` if there was none.
    pub(super) async fn advance(&mut self) -> anyhow::Result<bool> {
        let Some(next) = self.next.take() else { return Ok(false) };
        let page = self.client.get(&next).await?.page()?;
        self.take(&page)?;
        Ok(true)
    }

    /// Follows it to its end.
    pub(super) async fn finish(mut self) -> anyhow::Result<Self> {
        while self.advance().await? {}
        Ok(self)
    }

    /// Leaves it, as Ctrl-C in a client does.
    pub(super) async fn cancel(&mut self) -> anyhow::Result<StatusCode> {
        let next = self.next.take().context("the query has ended")?;
        Ok(self.client.send(Method::DELETE, &next, "").await?.status)
    }

    fn take(&mut self, page: &Value) -> anyhow::Result<()> {
        let text = |at: &str| page.pointer(at).and_then(Value::as_str).map(str::to_owned);
        self.id = text("/id").context("a page has no id")?;
        self.state = text("/stats/state").context("a page has no state")?;
        self.info = text("/infoUri").context("a page has no infoUri")?;
        if let Some(rows) = page.get("data").and_then(Value::as_array) {
            self.rows.extend_from_slice(rows);
            self.pages += 1;
        }
        self.error = text("/error/errorName");
        self.next = text("/nextUri");
        let here = format!("{}/", self.client.base);
        let strays = self.next.as_ref().is_some_and(|next| !next.starts_with(&here));
        // Not the URI itself: its slug is as good as a password.
        ensure!(!strays, "a page of {} points past {here}", self.id);
        Ok(())
    }
}
