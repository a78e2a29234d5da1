//! The loads: polls of one page by many clients, and whole queries.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{sync::mpsc::unbounded_channel, task::spawn_local, time::Instant};

use crate::{Pace, machine, paced, peers::Peer, wire::Wire};

/// What clients do.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) name: String,
    pub(crate) clients: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The page of so many bytes on the wire, again and again, in that coding.
    Page(usize, Option<&'static str>),
    /// The same page whenever it is due.
    Paced(usize),
    /// POST, polls, the end.
    Query,
}

/// A small query with all its phases: queued, running, two pages, the last one.
const QUERY: &str = "SELECT 1 /* sim: pages=2 rows=10 queued=1 running=1 */";

/// The headers that Trino's own clients send.
const HEADERS: &str = "User-Agent: trino-jdbc/483\r\nX-Trino-User: bench\r\nX-Trino-Catalog: tpch\r\nX-Trino-Schema: tiny\r\nX-Trino-Time-Zone: Europe/Paris\r\nX-Trino-Language: en-US\r\nX-Trino-Client-Capabilities: PARAMETRIC_DATETIME\r\n";

impl Load {
    /// All of them: 32 clients where an answer is small, 64 that keep to their times, 8 above.
    pub(crate) fn all() -> Vec<Self> {
        let page = |name: &str, clients, size| Self {
            name: name.to_owned(),
            clients,
            what: What::Page(size, None),
        };
        let coded = |name: &str, coding| Self {
            name: name.to_owned(),
            clients: 8,
            what: What::Page(64 << 10, Some(coding)),
        };
        vec![
            page("1KB", 32, 1 << 10),
            Self { name: "1KB paced".to_owned(), clients: 64, what: What::Paced(1 << 10) },
            page("64KB", 8, 64 << 10),
            coded("64KB gzip", "gzip"),
            coded("64KB zstd", "zstd"),
            page("1MB", 8, 1 << 20),
            page("16MB", 8, 16 << 20),
            Self { name: "queries".to_owned(), clients: 32, what: What::Query },
        ]
    }
}

/// One measurement.
#[derive(Debug)]
pub(crate) struct Sample {
    /// CPU µs of the proxy for each page or query.
    pub(crate) cpu: f64,
    /// Pages or queries per second.
    pub(crate) rate: f64,
    /// Half were faster, in µs.
    pub(crate) p50: f64,
    /// One of a hundred was slower, in µs.
    pub(crate) p99: f64,
}

/// Lets `clients` work on a peer for one window after the warm-up.
pub(crate) async fn run(peer: &Peer, load: &Load, clients: usize, pace: Pace) -> Sample {
    let from = Instant::now() + pace.warm;
    let until = from + pace.window;
    let (mut tasks, mut paced) = (Vec::new(), Vec::new());
    for _ in 0..clients {
        let (peer, what) = (peer.clone(), load.what);
        let (tick, ticks) = unbounded_channel();
        if matches!(what, What::Paced(_)) {
            paced.push(tick);
        }
        tasks.push(spawn_local(async move {
            match what {
                What::Page(size, coding) => poll(&peer, (size, coding), from, until).await,
                What::Paced(size) => paced::poll(&peer, size, ticks, from).await,
                What::Query => follow(&peer, from, until).await,
            }
        }));
    }
    if !paced.is_empty() {
        // All have connected by then.
        tasks.push(spawn_local(async move {
            paced::tell(paced, from - pace.warm / 2, until).await;
            Ok(Vec::new())
        }));
    }
    tokio::time::sleep_until(from).await;
    let before = peer.pid.map_or(0.0, machine::cpu_micros);
    let started = Instant::now();
    tokio::time::sleep_until(until).await;
    let took = started.elapsed();
    let cpu = peer.pid.map_or(0.0, machine::cpu_micros) - before;
    let mut latencies = Vec::new();
    for task in tasks {
        let outcome = task.await.expect("a client");
        latencies.extend(outcome.unwrap_or_else(|error| panic!("{}: {error}", peer.name)));
    }
    Sample::of(latencies, cpu, took)
}

impl Sample {
    fn of(mut latencies: Vec<Duration>, cpu: f64, took: Duration) -> Self {
        latencies.sort_unstable();
        let count = latencies.len();
        let at = |share: f64| {
            let index = (count as f64 * share) as usize;
            latencies.get(index.min(count.saturating_sub(1))).map_or(f64::NAN, micros)
        };
        let done = count as f64;
        Self { cpu: cpu / done, rate: done / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) }
    }
}

fn micros(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A statement, ready to be sent.
pub(crate) fn post(to: SocketAddr, source: &str, sql: &str) -> Vec<u8> {
    let length = sql.len();
    format!("POST /v1/statement HTTP/1.1\r\nHost: {to}\r\nX-Trino-Source: {source}\r\n{HEADERS}Content-Length: {length}\r\n\r\n{sql}").into_bytes()
}

fn get(to: SocketAddr, path: &str, coding: Option<&str>) -> Vec<u8> {
    let wants = coding.map(|coding| format!("Accept-Encoding: {coding}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n{HEADERS}{wants}\r\n").into_bytes()
}

/// Sends a request; the path of the answer's `nextUri`, if there is one.
async fn step(wire: &mut Wire, request: &[u8]) -> io::Result<Option<String>> {
    let mut body = Vec::new();
    let status = wire.ask(request, |piece| body.extend_from_slice(piece)).await?;
    let text = String::from_utf8_lossy(&body);
    if status != 200 {
        return Err(io::Error::other(format!("status {status}: {text}")));
    }
    let uri = text.split_once(r#""nextUri":""#).and_then(|(_, rest)| rest.split('"').next());
    Ok(uri.and_then(|uri| uri.splitn(4, '/').nth(3)).map(|path| format!("/{path}")))
}

/// The GET of a page of that size.
pub(crate) async fn first_page(
    wire: &mut Wire,
    peer: &Peer,
    size: usize,
    coding: Option<&str>,
) -> io::Result<Vec<u8>> {
    let path = step(wire, &post(peer.pages, "pages", &size.to_string())).await?;
    let path = path.ok_or_else(|| io::Error::other("a statement without a page"))?;
    Ok(get(peer.pages, &path, coding))
}

async fn poll(
    peer: &Peer,
    (size, coding): (usize, Option<&str>),
    from: Instant,
    until: Instant,
) -> io::Result<Vec<Duration>> {
    let mut wire = Wire::connect(peer.pages, peer.tls.as_ref()).await?;
    let request = first_page(&mut wire, peer, size, coding).await?;
    let mut first = None;
    repeat(from, until, async || {
        let mut length = 0;
        let status = wire.ask(&request, |piece| length += piece.len()).await?;
        // A row more or less; how long a compressed page is, the first one says.
        let is_whole =
            length == *first.get_or_insert(length) && (coding.is_some() || length + 200 > size);
        (status == 200 && is_whole)
            .then_some(())
            .ok_or_else(|| io::Error::other(format!("status {status}, {length} bytes")))
    })
    .await
}

async fn follow(peer: &Peer, from: Instant, until: Instant) -> io::Result<Vec<Duration>> {
    let to = peer.queries;
    let mut wire = Wire::connect(to, peer.tls.as_ref()).await?;
    let statement = post(to, "queries", QUERY);
    repeat(from, until, async || {
        let mut next = step(&mut wire, &statement).await?;
        while let Some(path) = next {
            next = step(&mut wire, &get(to, &path, None)).await?;
        }
        Ok(())
    })
    .await
}

/// How long each call took that ended in the window.
async fn repeat(
    from: Instant,
    until: Instant,
    mut call: impl AsyncFnMut() -> io::Result<()>,
) -> io::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    loop {
        let begun = Instant::now();
        if begun >= until {
            return Ok(latencies);
        }
        call().await?;
        let ended = Instant::now();
        if ended >= from && ended <= until {
            latencies.push(ended - begun);
        }
    }
}
