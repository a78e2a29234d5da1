//! The page of metrics from outside: what section 2 of the specification says, moved by what really happens.
//!
//! Each test compares a number before and after. Ids are those of section 12.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{gateway::Gateway, wait};

mod contract;
mod counts;
mod formats;
mod waking;

/// A query that runs until somebody ends it.
const ENDLESS: &str = "SELECT 1 /* sim: queued=0 running=0 ending=hang */";

/// Series with their values, as the page has them.
#[derive(Debug)]
struct Page(BTreeMap<String, f64>);

impl Page {
    async fn of(gateway: &Gateway) -> Self {
        Self::read(&gateway.metrics().await)
    }

    fn read(page: &str) -> Self {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        Self(series.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect())
    }

    /// The series of one name, by their labels.
    fn family<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.iter().filter_map(move |(series, value)| {
            let (own, labels) = series.split_once('{').unwrap_or((series, ""));
            (own == name).then(|| (labels.trim_end_matches('}'), *value))
        })
    }

    /// The sum of all series of a name that bear these labels.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let bears = |series: &str| labels.iter().all(|label| series.contains(label));
        self.family(name).filter(|(series, _)| bears(series)).map(|(_, value)| value).sum()
    }

    fn series(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The invariants of section A.
    fn assert_adds_up(&self) {
        let sent = self.sum("gateway_requests_total", &["status_code=\"503\""]);
        assert_eq!(sent, self.sum("gateway_503_total", &[]));
        assert_eq!(sent, self.sum("gateway_unavailable_total", &[]));
        let all = self.sum("gateway_requests_total", &[]);
        assert_eq!(all, self.sum("gateway_request_duration_seconds_count", &[]));
        assert_eq!(all, self.sum("gateway_http_requests_total", &[]));
    }
}

/// How a number moves.
struct Delta<'a> {
    gateway: &'a Gateway,
    before: Page,
}

impl<'a> Delta<'a> {
    async fn from(gateway: &'a Gateway) -> Self {
        Self { gateway, before: Page::of(gateway).await }
    }

    async fn of(&self, name: &str, labels: &[&str]) -> f64 {
        Page::of(self.gateway).await.sum(name, labels) - self.before.sum(name, labels)
    }

    /// Waits until it has moved so far; an account is closed a moment after its client has the last byte.
    async fn is(&self, name: &str, labels: &[&str], wanted: f64) {
        let mut found = f64::NAN;
        let moved = async || {
            found = self.of(name, labels).await;
            (found - wanted).abs() < 1e-9
        };
        let waiting = tokio::time::timeout(wait::PATIENCE / 2, wait::until_async(name, moved));
        assert!(waiting.await.is_ok(), "{name} {labels:?} moved by {found}, not by {wanted}");
    }
}

/// The value of a label.
fn label(name: &str, value: &str) -> String {
    format!("{name}=\"{value}\"")
}
