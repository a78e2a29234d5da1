//! What a replica shows before it has heard its store, or done anything.

use super::Ground;
use crate::harness::gateway::groups;

/// Of XTrinode, never renamed (observability.md 2, A).
const NAMES: [&str; 5] = [
    "xtrinode_gateway_inflight_queries",
    "gateway_requests_total",
    "gateway_503_total",
    "gateway_auto_resume_total",
    "gateway_request_duration_seconds_count",
];

#[tokio::test]
async fn obs_M6_all_names_of_XTrinode_are_at_0_at_the_first_scrape_in_every_store_mode() {
    scrape(&Ground::memory()).await;
    scrape(&Ground::Server("store: { memory: {} }".to_owned())).await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "0a".repeat(32)).unwrap();
    let file = secret.path().display();
    // Nothing listens there.
    let lost =
        format!("store: {{ redis: {{ url: 'redis://127.0.0.1:1', secretFile: '{file}' }} }}");
    scrape(&Ground::Server(lost)).await;
}

/// The first page of metrics of a gateway on that ground.
pub(super) async fn scrape(ground: &Ground) {
    let gateway = ground.gateway(&groups(&["http://127.0.0.1:1".to_owned()], "")).await;
    let page = gateway.metrics().await;
    for name in NAMES {
        let mine = |line: &&str| {
            let labels = line.strip_prefix(name).and_then(|rest| rest.strip_prefix('{'));
            labels.is_some_and(|labels| labels.contains("routing_group=\"adhoc\""))
        };
        let values: Vec<&str> =
            page.lines().filter(mine).filter_map(|line| line.rsplit(' ').next()).collect();
        assert!(!values.is_empty(), "{name} is absent");
        assert!(values.iter().all(|value| *value == "0"), "{name}: {values:?}");
    }
    gateway.stop().await;
}
