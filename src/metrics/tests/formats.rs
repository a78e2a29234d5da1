//! The two formats of the page, and which exemplars get onto it.

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::telemetry::context::{TRACEPARENT, TraceContext};

const OPEN: Format = Format::OpenMetrics { exemplars: true };
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn trace(flags: &str) -> TraceContext {
    let value = format!("00-{TRACE}-b7ad6b7169203331-{flags}");
    let header = HeaderValue::try_from(value).unwrap();
    TraceContext::read(&HeaderMap::from_iter([(TRACEPARENT, header)])).unwrap()
}

#[test]
fn obs_m1_openmetrics_names_counters_without_total_and_ends_with_eof() {
    let metrics = Metrics::new().unwrap();
    metrics.group("etl").request(200, TOOK);
    let page = metrics.page(&fleet(), OPEN);
    for line in [
        "# TYPE gateway_requests counter",
        "# TYPE gateway_503 counter",
        "# TYPE process_cpu_seconds counter",
        "# TYPE gateway_request_duration_seconds histogram",
        r#"gateway_requests_total{routing_group="etl",status_code="200"} 1"#,
        r#"gateway_request_duration_seconds_bucket{routing_group="etl",le="0.025"} 0"#,
        r#"gateway_request_duration_seconds_bucket{routing_group="etl",le="10.0"} 1"#,
        r#"gateway_request_duration_seconds_bucket{routing_group="etl",le="+Inf"} 1"#,
        r#"gateway_request_duration_seconds_sum{routing_group="etl"} 0.03"#,
        r#"gateway_request_duration_seconds_count{routing_group="etl"} 1"#,
    ] {
        assert!(page.lines().any(|each| each == line), "{line}");
    }
    assert!(page.ends_with("# EOF\n"));
    assert_eq!(page.matches("# EOF").count(), 1);
    for line in page.lines().filter(|line| line.starts_with("# TYPE ")) {
        let is_counter = line.ends_with(" counter");
        assert!(!(is_counter && line.contains("_total ")), "{line}");
    }
    for declared in Metrics::declared().filter(|declared| declared.kind == "counter") {
        assert!(declared.name.ends_with("_total"), "{}", declared.name);
    }
}

#[test]
fn text_keeps_the_names_and_bounds_of_old_and_has_no_exemplar() {
    let metrics = Metrics::new().unwrap();
    let group = metrics.group("etl");
    group.request(200, TOOK);
    group.request_exemplar(TOOK, &trace("01"));
    let page = metrics.encode(&fleet());
    for line in [
        "# TYPE gateway_requests_total counter",
        r#"gateway_request_duration_seconds_bucket{routing_group="etl",le="10"} 1"#,
        r#"gateway_overhead_seconds_bucket{operation="other",le="0.00005"} 0"#,
    ] {
        assert!(page.lines().any(|each| each == line), "{line}");
    }
    assert!(!page.contains("# EOF") && !page.contains(" # {"), "an exemplar breaks a whole scrape");
}

#[test]
fn a_family_without_series_says_what_it_is_and_when_it_has_some() {
    let metrics = Metrics::new().unwrap();
    for page in [metrics.encode(&fleet()), metrics.page(&fleet(), OPEN)] {
        for name in ["gateway_query_rows_returned", "gateway_workers"] {
            let help = page.lines().find(|line| line.starts_with(&format!("# HELP {name}")));
            assert!(help.unwrap().contains("Absent unless "), "{name}");
            assert!(!page.lines().any(|line| line.starts_with(name)), "{name}");
        }
    }
}

#[test]
fn obs_t7_a_sampled_trace_stands_on_the_bucket_that_it_fell_into() {
    let metrics = Metrics::new().unwrap();
    let group = metrics.group("etl");
    group.request(200, TOOK);
    group.request_exemplar(TOOK, &trace("01"));
    group.query_ended(QueryStatus::Ok, StatementKind::Query, Duration::from_secs(5000));
    group.query_exemplar(StatementKind::Query, Duration::from_secs(5000), &trace("03"));
    let page = metrics.page(&fleet(), OPEN);
    let with: Vec<&str> = page.lines().filter(|line| line.contains(" # {")).collect();
    let request = r#"gateway_request_duration_seconds_bucket{routing_group="etl",le="0.05"} 1 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.03 "#;
    let query = r#"gateway_query_duration_seconds_bucket{routing_group="etl",statement_type="query",le="+Inf"} 1 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 5000 "#;
    assert_eq!(with.len(), 2, "{with:?}");
    for wanted in [request, query] {
        let line = with.iter().find(|line| line.starts_with(wanted));
        let at: f64 =
            line.unwrap_or_else(|| panic!("{wanted}")).rsplit(' ').next().unwrap().parse().unwrap();
        assert!((at - super::gateway::unix_seconds()).abs() < 60.0, "{at}");
    }
    assert!(!metrics.page(&fleet(), Format::OpenMetrics { exemplars: false }).contains(" # {"));
}

#[test]
fn a_trace_that_nobody_keeps_is_no_exemplar_and_the_last_one_stays() {
    let metrics = Metrics::new().unwrap();
    let group = metrics.group("etl");
    group.request_exemplar(TOOK, &trace("00"));
    assert!(!metrics.page(&fleet(), OPEN).contains(" # {"));
    group.request_exemplar(TOOK, &trace("01"));
    group.request_exemplar(Duration::from_millis(31), &trace("01"));
    let page = metrics.page(&fleet(), OPEN);
    assert_eq!(page.matches(" # {").count(), 1);
    assert!(page.contains("} 0.031 "));
    metrics.forget_group("etl");
    assert_eq!(metrics.group("etl").name(), "etl");
    assert!(!metrics.page(&fleet(), OPEN).contains(" # {"), "the series is a new one");
}

#[test]
fn strange_names_are_escaped() {
    let metrics = Metrics::new().unwrap();
    metrics.group("etl").decided("say \"hi\" \\ and\ngo");
    let series =
        r#"gateway_routing_decisions_total{routing_group="etl",rule="say \"hi\" \\ and\ngo"} 1"#;
    for page in [metrics.encode(&fleet()), metrics.page(&fleet(), OPEN)] {
        assert!(page.lines().any(|line| line == series), "{series}");
    }
}

/// What Prometheus 2 and 3, the Python client, curl and a browser send.
#[tokio::test]
async fn the_format_is_what_is_asked_for() {
    let metrics = Metrics::new().unwrap();
    let scrape = Scrape::new(metrics, Arc::new(fleet()), tokio::runtime::Handle::current());
    let open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = "text/plain; version=0.0.4; charset=utf-8";
    for (accept, wanted) in [
        ("", text),
        ("*/*", text),
        ("text/html,application/xhtml+xml,*/*;q=0.8", text),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            open,
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            open,
        ),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", open),
        ("Application/OpenMetrics-Text, */*", open),
        ("text/plain, application/openmetrics-text;q=0.5", text),
        ("application/openmetrics-text;q=0", text),
        ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", text),
    ] {
        let header = HeaderValue::from_static(accept);
        let headers = HeaderMap::from_iter([(http::header::ACCEPT, header)]);
        let answer = scrape.answer(&headers, true).await;
        assert_eq!(answer.headers()["content-type"], wanted, "{accept}");
        assert!(!answer.headers().contains_key("content-encoding"), "{accept}");
        assert_eq!(answer.body().ends_with(b"# EOF\n"), wanted == open, "{accept}");
    }
}

#[tokio::test]
async fn gzip_comes_when_it_is_asked_for_and_says_the_same() {
    use std::io::Read as _;
    let metrics = Metrics::new().unwrap();
    metrics.group("etl").request(200, TOOK);
    let scrape = Scrape::new(metrics, Arc::new(fleet()), tokio::runtime::Handle::current());
    for (coding, wanted) in
        [("gzip", true), ("deflate, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false)]
    {
        let header = HeaderValue::from_static(coding);
        let headers = HeaderMap::from_iter([(http::header::ACCEPT_ENCODING, header)]);
        let answer = scrape.answer(&headers, true).await;
        assert_eq!(answer.headers().contains_key("content-encoding"), wanted, "{coding}");
        let mut page = String::new();
        if wanted {
            flate2::read::GzDecoder::new(answer.body().as_ref()).read_to_string(&mut page).unwrap();
        } else {
            page.push_str(std::str::from_utf8(answer.body()).unwrap());
        }
        assert!(
            page.contains(r#"gateway_requests_total{routing_group="etl",status_code="200"} 1"#)
        );
    }
}

/// Metrics that are gathered when the test says so, and that count how often they were.
struct Slow(std::sync::atomic::AtomicU64, Fleet, Mutex<std::sync::mpsc::Receiver<()>>);

impl Living for Slow {
    fn in_flight(&self) -> Vec<InFlight> {
        self.0.fetch_add(1, Ordering::SeqCst);
        // Until the test lets go of its end.
        let _ = self.2.lock().unwrap().recv();
        self.1.in_flight()
    }

    fn backends(&self) -> Vec<BackendGauge> {
        self.1.backends()
    }

    fn groups(&self) -> Vec<GroupGauge> {
        self.1.groups()
    }

    fn demand(&self, _: &str) -> Option<Wanted> {
        None
    }

    fn tracked_queries(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn active_sessions(&self) -> u64 {
        0
    }

    fn runtimes(&self) -> Runtimes {
        Runtimes::default()
    }

    fn ready(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn two_hundred_scrapers_cost_what_two_do_and_none_gets_an_old_page() {
    let (go, wait) = std::sync::mpsc::channel();
    let slow = Arc::new(Slow(Default::default(), fleet(), Mutex::new(wait)));
    let living: Arc<dyn Living> = Arc::clone(&slow) as Arc<dyn Living>;
    let scrape = Scrape::new(Metrics::new().unwrap(), living, tokio::runtime::Handle::current());
    let mut scrapers = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let scrape = scrape.clone();
        scrapers.spawn(async move { scrape.answer(&HeaderMap::new(), true).await });
    }
    // Each gets as far as it can.
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    drop(go);
    let pages = scrapers.join_all().await;
    assert!(pages.iter().all(|page| page.status() == 200 && !page.body().is_empty()));
    let made = slow.0.load(Ordering::SeqCst);
    assert!((1..=2).contains(&made), "{made} pages for 200 scrapers");
    drop(pages);
    let page = scrape.answer(&HeaderMap::new(), true).await;
    assert_eq!(slow.0.load(Ordering::SeqCst), made + 1, "who asks later gets a page of its own");
    let text = std::str::from_utf8(page.body()).unwrap();
    assert_eq!(value(text, "gateway_tracked_queries"), made as f64, "of the pages before it");
}

#[tokio::test]
async fn pages_that_are_still_read_are_few() {
    let metrics = Metrics::new().unwrap();
    let scrape = Scrape::new(metrics, Arc::new(fleet()), tokio::runtime::Handle::current());
    let mut held = Vec::new();
    for _ in 0..scrape::PAGES {
        held.push(scrape.answer(&HeaderMap::new(), true).await);
    }
    let headers = HeaderMap::new();
    let next = scrape.answer(&headers, true);
    let mut next = std::pin::pin!(next);
    let waits = tokio::time::timeout(Duration::from_millis(50), next.as_mut()).await;
    assert!(waits.is_err(), "one page more than may be held");
    drop(held.pop());
    assert_eq!(next.await.status(), 200);
}
