//! `docs/METRICS.md` is written from the table; this test writes it (`SLUICE_BLESS=1`) and says when it is old.

use std::fmt::Write as _;

use super::*;

const TOP: &str = "\
# Metrics

<!-- Written by `SLUICE_BLESS=1 cargo test --lib metrics::tests::document`; change `src/metrics/table.rs` instead. -->

What `GET /metrics` on the metrics port (`metrics.bind`, 9090) says, from the same table that registers it. With
`metrics.onDataPort: true` the data port answers it too. Names, labels, buckets and values are a contract: changing one
breaks somebody's dashboard, so it needs a changed test and a line in the changelog.

- **Formats.** Text 0.0.4, or OpenMetrics 1.0 where `Accept` asks for `application/openmetrics-text`; gzip where
  `Accept-Encoding` asks for it. In OpenMetrics a counter is declared without `_total`, and bounds are doubles (`le=\"10.0\"`).
- **Exemplars** stand on the buckets of `gateway_request_duration_seconds` and `gateway_query_duration_seconds`: the
  last sampled trace that fell into each (`trace_id`), only in OpenMetrics, and not with `metrics.exemplars: false`. Prometheus
  keeps them with `--enable-feature=exemplar-storage`.
- **Everything is there at 0** for every configured group from the first scrape and after every reload; what a group or a
  backend had goes with it. The two families that may be without series say so in their help.
- **Labels** hold configured names and closed lists only. `routing_group` is `unknown` for requests that belong to no group.
- **One replica owns a query** and only it exports it: `sum` over replicas is exact.
- Requests for `/metrics` and the health port are not counted.

## What always holds

```text
sum(gateway_requests_total{status_code=\"503\"}) == sum(gateway_503_total) == sum(gateway_unavailable_total)
sum(gateway_request_duration_seconds_count)    == sum(gateway_requests_total)
sum(xtrinode_gateway_inflight_queries)         == 0 once every query has ended, however it ended
```

`gateway_overhead_seconds` is a request's time to the head of its answer, without the time that backends took and without the time
in which its statement waited for its turn: it answers \"is it us?\". `gateway_upstream_request_duration_seconds` answers \"is it Trino?\"
and `gateway_resume_wait_seconds` \"is it the wake-up?\".

## What it costs

The column *series* counts the lines that a family puts on the page with one group of one backend, and its buckets with it.
";

/// Measured with the fleet of `cost`.
const COST: &str = "
100 groups of 4 backends each are 80,711 series: 8.4 MB, or 0.36 MB as gzip, made in 50 ms of CPU and packed in 5 ms more (release build,
one core of a small virtual machine), on a thread of the control plane. Many scrapers at once share a page; no data thread takes part.
";

const BOTTOM: &str = "
## The process

| name | type | meaning |
| --- | --- | --- |
| `process_cpu_seconds_total` | counter | CPU time of all threads |
| `process_resident_memory_bytes`, `process_virtual_memory_bytes` | gauge | memory |
| `process_open_fds`, `process_max_fds` | gauge | file descriptors |
| `process_threads` | gauge | threads |
| `process_start_time_seconds` | gauge | when the process began, in Unix time |

## Add a metric

1. Declare it in `src/metrics/table.rs`: field, kind, name, labels, buckets, help. `Kept` is counted as things happen;
   `Scraped` is computed from what lives when somebody asks. Prefer the second: it can neither leak nor drift.
2. Its labels are configured names or a closed list in `src/metrics/labels.rs`. Nothing that a client sends becomes one.
3. Resolve its handles where the others of its owner are resolved (`group`, `backend`, `gateway`), which makes its series at 0,
   and give the owner a method in the words of what happens. A request touches handles only: no look-up, no lock.
4. Count it in one place, best where a guard ends. Then write the test that sees it move by what happened, and break the
   place once to see the test fail.
5. `SLUICE_BLESS=1 cargo test --lib metrics::tests` writes `tests/golden/metrics.txt` and this page. A panel or an alert
   should show it: what nobody looks at need not be counted.
";

/// The sections, each with the beginnings of its names; the first that fits has a metric.
const SECTIONS: [(&str, &[&str]); 8] = [
    (
        "The names of XTrinode",
        &[
            "xtrinode_gateway_inflight_queries",
            "gateway_requests_total",
            "gateway_503_total",
            "gateway_auto_resume_total",
            "gateway_request_duration_seconds",
        ],
    ),
    ("Capacity and wake-ups", &["gateway_unavailable", "gateway_resume_", "gateway_workers"]),
    (
        "Scaling",
        &[
            "gateway_demand",
            "gateway_inflight_peak",
            "gateway_cold_start",
            "gateway_held_",
            "gateway_scaler_",
        ],
    ),
    (
        "Queries",
        &[
            "gateway_quer",
            "gateway_time_to",
            "gateway_result_",
            "gateway_active_s",
            "gateway_tracked_",
        ],
    ),
    ("Protocol", &["gateway_http_", "gateway_client_", "gateway_errors_"]),
    ("Routing", &["gateway_routing_", "gateway_step_", "gateway_route_"]),
    (
        "Backends",
        &[
            "gateway_backend",
            "gateway_upstream_",
            "gateway_health_",
            "gateway_circuit_",
            "gateway_overhead_",
        ],
    ),
    ("The gateway itself", &["gateway_"]),
];

#[test]
fn obs_d2_the_document_is_what_the_table_says() {
    let now = document();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/METRICS.md");
    if std::env::var_os("SLUICE_BLESS").is_some() {
        fs::write(&path, &now).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(now == written, "docs/METRICS.md is old; run the test with SLUICE_BLESS=1");
}

fn document() -> String {
    let page = full_page();
    let mut text = TOP.to_owned();
    text += COST;
    let section = |name: &str| {
        SECTIONS.iter().position(|(_, begin)| begin.iter().any(|begin| name.starts_with(begin)))
    };
    for (at, (title, _)) in SECTIONS.iter().enumerate() {
        let _ = write!(
            text,
            "\n## {title}\n\n| name | type | labels | meaning | series |\n| --- | --- | --- | --- | --- |\n"
        );
        for declared in Metrics::declared().filter(|each| section(each.name) == Some(at)) {
            text += &row(declared, &page);
        }
        let buckets = Metrics::declared()
            .filter(|each| section(each.name) == Some(at) && !each.buckets.is_empty());
        for declared in buckets {
            let bounds: Vec<String> = declared.buckets.iter().map(f64::to_string).collect();
            let _ = write!(text, "\n`{}`: le {}\n", declared.name, bounds.join(" "));
        }
    }
    text + BOTTOM
}

fn row(declared: &Declared, page: &str) -> String {
    let Declared { name, kind, help, .. } = declared;
    let labels: Vec<String> =
        declared.labels.iter().map(|label| told(declared, label, page)).collect();
    let labels = if labels.is_empty() { "–".to_owned() } else { labels.join("; ") };
    let bare = |line: &&str| {
        let series = line.split(['{', ' ']).next().unwrap_or_default();
        series
            .strip_prefix(name)
            .is_some_and(|rest| matches!(rest, "" | "_bucket" | "_sum" | "_count"))
    };
    let group = r#"routing_group="unknown""#;
    let series = page.lines().filter(bare).filter(|line| !line.contains(group)).count();
    let help = help.replace('|', "\\|");
    format!("| `{name}` | {kind} | {labels} | {help} | {series} |\n")
}

/// A label with its values where these are a closed list.
fn told(declared: &Declared, label: &str, page: &str) -> String {
    let open = [
        "routing_group",
        "namespace",
        "xtrinode",
        "backend",
        "rule",
        "version",
        "revision",
        "rustc",
    ];
    if open.contains(&label) {
        return format!("`{label}`");
    }
    let mut values: Vec<&str> = page
        .lines()
        .filter(|line| {
            line.starts_with(&format!("{}{{", declared.name))
                || line.starts_with(&format!("{}_count{{", declared.name))
        })
        .filter_map(|line| line.split_once(&format!("{label}=\""))?.1.split('"').next())
        .collect();
    values.sort_unstable();
    values.dedup();
    match (label, values.as_slice()) {
        ("status_code", _) => "`status_code`: three digits".to_owned(),
        ("kind", []) => "`kind`: current, desired".to_owned(),
        _ => format!("`{label}`: {}", values.join(", ")),
    }
}
