//! The thread that sends spans: it gathers what comes within a moment, sends it, and counts what became of it.
//!
//! It has a runtime of its own, so that a collector that answers slowly, or never, delays nobody: the queue before it is
//! bounded, and what finds it full is dropped and counted. A failing collector is told of once, and again when it has
//! failed for long. Each export has a deadline; the last ones share one.

use std::{pin::pin, sync::Arc, sync::mpsc as blocking, thread, time::Duration};

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter as _},
};
use tokio::{
    runtime::Builder,
    sync::{mpsc, watch},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    FLUSH, Lost, Span, Tally,
    settings::{Protocol as Wanted, Settings},
};

/// Spans that may wait; at about 1.5 KB each this is the most that a dead collector costs: 12 MB.
const WAITING: usize = 8192;

/// Spans in one message: the SDK's own default.
const BATCH: usize = 512;

/// How long a span waits for others; short, so that a trace can be looked at as soon as its query has ended.
const GATHER: Duration = Duration::from_secs(1);

/// For one message, its repetitions included: OTLP's own default.
const EXPORT: Duration = Duration::from_secs(10);

/// A collector that keeps failing is told of again after so long.
const REMIND: Duration = Duration::from_mins(10);

/// One that comes and goes is not told of more often than this (observability.md 4).
const RARELY: Duration = Duration::from_secs(10);

/// Building an exporter opens no connection.
const BUILT: Duration = Duration::from_secs(5);

/// The queue before the thread, and the thread's end.
pub(super) struct Exporting {
    spans: mpsc::Sender<SpanData>,
    tally: Arc<dyn Tally>,
    scope: InstrumentationScope,
    stop: CancellationToken,
    done: watch::Receiver<bool>,
}

impl Exporting {
    /// Starts the thread; fails when the exporter cannot be built.
    pub(super) fn start(settings: &Settings, tally: Arc<dyn Tally>) -> Result<Self, String> {
        let (spans, waiting) = mpsc::channel(WAITING);
        let (finished, done) = watch::channel(false);
        let (built, outcome) = blocking::channel();
        let stop = CancellationToken::new();
        let worker =
            Worker { failing: Failing::default(), tally: Arc::clone(&tally), stop: stop.clone() };
        let settings = settings.clone();
        let work = move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(built.send(Err(error.to_string()))),
            };
            runtime.block_on(async {
                match build(&settings) {
                    Ok(exporter) => {
                        let _ = built.send(Ok(()));
                        worker.run(&exporter, waiting).await;
                    }
                    Err(why) => drop(built.send(Err(why))),
                }
            });
            // Whoever waits for the end may have given up.
            let _ = finished.send(true);
        };
        let spawned = thread::Builder::new().name("telemetry".to_owned()).spawn(work);
        spawned.map_err(|error| error.to_string())?;
        outcome.recv_timeout(BUILT).map_err(|_| "the exporter is not built".to_owned())??;
        let scope =
            InstrumentationScope::builder("sluice").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Self { spans, tally, scope, stop, done })
    }

    /// Takes a span, or drops it where too many wait.
    pub(super) fn take(&self, span: Span) {
        if self.spans.try_send(span.into_data(self.scope.clone())).is_err() {
            self.tally.lost(Lost::QueueFull, 1);
        }
    }

    /// Ends the thread when it has sent what waits.
    pub(super) async fn finish(&self) {
        self.stop.cancel();
        let mut done = self.done.clone();
        if timeout(FLUSH, done.wait_for(|done| *done)).await.is_err() {
            tracing::debug!(
                event = "otlp_flush_incomplete",
                "the last spans were not sent in time"
            );
        }
    }
}

fn build(settings: &Settings) -> Result<SpanExporter, String> {
    let mut exporter = match settings.protocol {
        Wanted::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_endpoint(settings.endpoint.as_str())
            .with_timeout(EXPORT)
            .build(),
        Wanted::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_http_client(client()?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.as_str())
            .with_timeout(EXPORT)
            .build(),
    }
    .map_err(|error| error.to_string())?;
    exporter.set_resource(&Resource::builder_empty().with_attributes(settings.resource()).build());
    Ok(exporter)
}

/// On a machine without certificate authorities one that trusts none: plain HTTP needs none.
fn client() -> Result<reqwest::Client, String> {
    // Spans name users: they go where the configuration says, and through nobody else's proxy.
    let builder =
        || reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let built = builder().build().or_else(|_| builder().tls_certs_only([]).build());
    built.map_err(|error| error.to_string())
}

struct Worker {
    failing: Failing,
    tally: Arc<dyn Tally>,
    stop: CancellationToken,
}

impl Worker {
    async fn run(mut self, exporter: &SpanExporter, mut spans: mpsc::Receiver<SpanData>) {
        let mut batch = Vec::with_capacity(BATCH);
        let stop = self.stop.clone();
        while stop.run_until_cancelled(gather(&mut spans, &mut batch)).await == Some(true) {
            self.send(exporter, &mut batch).await;
        }
        spans.close();
        // Half a second less than is waited for, so that what is lost is counted.
        let until = Instant::now() + FLUSH - Duration::from_millis(500);
        while !batch.is_empty() || spans.recv_many(&mut batch, BATCH).await > 0 {
            let many = batch.len();
            match timeout_at(until, exporter.export(std::mem::take(&mut batch))).await {
                Ok(outcome) => self.sent(outcome, many),
                Err(_) => self.tally.lost(Lost::ExportError, count(many)),
            }
        }
    }

    /// Sends a batch; the end of the process does not wait for a collector that does not answer.
    async fn send(&mut self, exporter: &SpanExporter, batch: &mut Vec<SpanData>) {
        let many = batch.len();
        let mut sending = pin!(timeout(EXPORT, exporter.export(std::mem::take(batch))));
        let outcome = tokio::select! {
            outcome = &mut sending => outcome,
            () = self.stop.cancelled() => timeout(FLUSH / 2, sending).await.and_then(|sent| sent),
        };
        self.sent(outcome.unwrap_or_else(|_| Err(late())), many);
    }

    fn sent(&mut self, outcome: OTelSdkResult, spans: usize) {
        match outcome {
            Ok(()) => {
                self.tally.exported(count(spans));
                self.failing.is_over();
            }
            Err(error) => {
                self.tally.lost(Lost::ExportError, count(spans));
                self.failing.tell(&error.to_string(), count(spans));
            }
        }
    }
}

fn late() -> opentelemetry_sdk::error::OTelSdkError {
    opentelemetry_sdk::error::OTelSdkError::Timeout(EXPORT)
}

fn count(spans: usize) -> u64 {
    u64::try_from(spans).unwrap_or(u64::MAX)
}

/// Waits for a span and, for a moment, for those that follow it; `false` when nobody is left to send any.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) -> bool {
    if spans.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    let until = Instant::now() + GATHER;
    while batch.len() < BATCH {
        match timeout_at(until, spans.recv_many(batch, BATCH - batch.len())).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    true
}

/// What was said of a collector that does not take spans.
#[derive(Default)]
struct Failing {
    told: Option<Instant>,
    over: bool,
    spans: u64,
}

impl Failing {
    fn is_over(&mut self) {
        self.over = true;
    }

    fn tell(&mut self, error: &str, spans: u64) {
        self.spans += spans;
        let rest = if self.over { RARELY } else { REMIND };
        if self.told.is_some_and(|told| told.elapsed() < rest) {
            return;
        }
        (self.told, self.over) = (Some(Instant::now()), false);
        let count = std::mem::take(&mut self.spans);
        tracing::warn!(event = "otlp_export_failed", count, error, "spans cannot be exported");
    }
}
