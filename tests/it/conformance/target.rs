//! What is being checked, and what it was found to be.

use sluice::simulator::{Forwarded, Version};

use crate::harness::client::{Answer, Client};

/// A coordinator.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) base: String,
    pub(super) version: Version,
    pub(super) forwarded: Forwarded,
    pub(super) spools: bool,
}

/// Runs until it is cancelled, with rows to come at its end only.
pub(super) const LONG: &str = "SELECT count(*) FROM tpch.sf100.lineitem a CROSS JOIN tpch.sf1.nation b \
                               /* sim: ending=hang at=0 */";
/// Several data pages, of 1 MB each in a real Trino.
pub(super) const LARGE: &str =
    "SELECT * FROM tpch.sf1.orders LIMIT 30000 /* sim: pages=3 rows=10000 */";

impl Target {
    /// Finds out what a coordinator is.
    pub(super) async fn explore(base: &str) -> Self {
        let client = Client::new(base);
        let info = client.get("/v1/info").await.expect("a coordinator").json().unwrap();
        let version =
            if info.get("coordinatorId").is_some() { Version::V483 } else { Version::V435 };
        let probe = client.clone().with("x-forwarded-host", "probe.invalid");
        let probed = probe.get("/").await.unwrap();
        let forwarded = match (probed.status.as_u16(), probed.header("location")) {
            (406, _) => Forwarded::Reject,
            (_, location) if location.contains("probe.invalid") => Forwarded::Accept,
            _ => Forwarded::Ignore,
        };
        let spooling = client.with("x-trino-query-data-encoding", "json");
        let done = spooling.query("SELECT 1").await.unwrap();
        let spools = done.header("x-trino-query-data-encoding").is_some();
        Self { base: base.to_owned(), version, forwarded, spools }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&self.base)
    }

    pub(super) fn is_new(&self) -> bool {
        self.version == Version::V483
    }

    /// Checks a plain text error; 435 leaves out the status, and has Jetty's page where a resource has no words.
    pub(super) fn assert_error(&self, answer: &Answer, status: u16, words: &str) {
        assert_eq!(answer.status, status, "{}", answer.text());
        if self.is_new() {
            assert_eq!(answer.header("content-type"), "text/plain;charset=iso-8859-1");
            assert_eq!(answer.header("transfer-encoding"), "chunked");
            let reason = answer.status.canonical_reason().unwrap();
            assert_eq!(answer.text(), format!("Error {status} {reason}: {words}"));
        } else if words.starts_with("HTTP ") || status == 410 {
            let kind = answer.header("content-type");
            assert!(answer.raw.is_empty() || kind == "text/html;charset=iso-8859-1", "{kind}");
        } else {
            assert_eq!(answer.header("content-type"), "text/plain");
            assert_eq!(answer.text(), words);
        }
    }
}
