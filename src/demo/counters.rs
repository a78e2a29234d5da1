//! What the gateway tells Prometheus, read as Prometheus does: from the page of metrics.
//!
//! This is no general parser: names of the demo's groups and backends need no escapes.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, StatusCode};

use crate::backends::outgoing;

/// A scrape that takes longer would be a fault of its own.
const DEADLINE: Duration = Duration::from_secs(5);

/// One scrape.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(String);

impl Counters {
    /// Scrapes `http://…/metrics`.
    pub(super) async fn read(url: &str) -> anyhow::Result<Self> {
        let http = outgoing::client(|| Client::builder().no_proxy().timeout(DEADLINE))?;
        let answer = http.get(url).send().await.context("cannot scrape the metrics")?;
        let status = answer.status();
        anyhow::ensure!(status == StatusCode::OK, "the page of metrics answered {status}");
        Ok(Self(answer.text().await?))
    }

    /// The sum of a family's samples that bear this label and value.
    pub(super) fn sum(&self, family: &str, label: &str, value: &str) -> u64 {
        self.sum_of(family, &[(label, value)])
    }

    /// The same for several labels.
    pub(super) fn sum_of(&self, family: &str, labels: &[(&str, &str)]) -> u64 {
        self.samples(family, labels).map(whole).sum()
    }

    /// Queries of a group that have not ended.
    pub(super) fn in_flight(&self, group: &str) -> u64 {
        self.sum("xtrinode_gateway_inflight_queries", "routing_group", group)
    }

    /// Those of them in one state.
    pub(super) fn in_flight_in(&self, group: &str, state: &str) -> u64 {
        let labels = [("routing_group", group), ("state", state)];
        self.sum_of("xtrinode_gateway_inflight_queries", &labels)
    }

    /// How often the gateway has woken a group.
    pub(super) fn resumes(&self, group: &str) -> u64 {
        self.sum("gateway_auto_resume_total", "routing_group", group)
    }

    /// Whether a group's one backend is in that state.
    pub(super) fn is(&self, group: &str, state: &str) -> bool {
        self.sum_of("gateway_backends", &[("routing_group", group), ("state", state)]) > 0
    }

    fn samples<'a>(
        &'a self,
        family: &'a str,
        labels: &[(&str, &str)],
    ) -> impl Iterator<Item = f64> + 'a {
        let wanted: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        self.0.lines().filter_map(move |line| {
            let (labels, sample) =
                line.strip_prefix(family)?.strip_prefix('{')?.split_once("} ")?;
            let bears = wanted.iter().all(|label| labels.split(',').any(|each| each == label));
            bears.then(|| sample.trim().parse().ok()).flatten()
        })
    }
}

/// Counts come as doubles; a demo's stay far below 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
fn whole(sample: f64) -> u64 {
    sample as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_label_are_added() {
        let page = "# TYPE a gauge\na{g=\"x\",s=\"1\"} 2\na{g=\"x\",s=\"2\"} 3\na{g=\"xy\"} 9\nab{g=\"x\"} 9\n";
        let counters = Counters(page.to_owned());
        assert_eq!(counters.sum("a", "g", "x"), 5);
        assert_eq!(counters.sum("a", "g", "z"), 0);
        assert_eq!(counters.sum_of("a", &[("g", "x"), ("s", "2")]), 3);
    }
}
