//! What a page costs with many groups: its size here, its time in `docs/METRICS.md`.

use std::io::Write as _;

use super::*;

/// 100 groups of 4 backends, as they stand after some work.
pub(super) fn large() -> (Arc<Metrics>, Fleet) {
    let metrics = Metrics::new().unwrap();
    let mut fleet = Fleet { queries: Vec::new(), backends: Vec::new() };
    for group in 0..100 {
        let name = format!("team-{group:02}--analytics");
        let counts = metrics.group(&name);
        for millis in [1_u64, 7, 30, 70, 130, 1700, 4100, 9300] {
            let took = Duration::from_micros(millis * 1013 + group);
            counts.request(200, took);
            counts.query_ended(QueryStatus::Ok, StatementKind::Query, took);
            counts.result_bytes(Direction::Out, Encoding::Json, millis * 6007);
        }
        let state = |state: &&'static str| InFlight {
            group: name.as_str().into(),
            namespace: format!("team-{group:02}").into(),
            xtrinode: "analytics".into(),
            state,
            count: group,
        };
        let states = [
            "RESUMING",
            "QUEUED",
            "WAITING_FOR_RESOURCES",
            "DISPATCHING",
            "PLANNING",
            "STARTING",
            "RUNNING",
            "FINISHING",
            "UNKNOWN",
        ];
        fleet.queries.extend(states.iter().map(state));
        for backend in 0..4 {
            let backend = format!("analytics-{backend}");
            let counts = metrics.backend(&name, &backend);
            counts.attempt(200, Duration::from_micros(group * 977 + 13));
            counts.probed(Probe::Success, Duration::from_micros(group * 131 + 7));
            fleet.backends.push(BackendGauge {
                group: name.as_str().into(),
                backend: backend.into(),
                state: "healthy",
                circuit: 0,
                in_flight: group,
            });
        }
    }
    (metrics, fleet)
}

#[test]
fn a_page_of_100_groups_with_4_backends_each_stays_within_its_size() {
    let (metrics, fleet) = large();
    let page = metrics.page(&fleet, Format::OpenMetrics { exemplars: true });
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(page.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap().len();
    assert!((60_000..100_000).contains(&series), "{series} series");
    assert!(page.len() <= 10_000_000, "{} bytes", page.len());
    assert!(packed <= 1_000_000, "{packed} bytes as gzip");
}
