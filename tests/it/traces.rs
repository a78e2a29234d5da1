//! Traces: what a collector hears, what coordinators and drivers are told of a trace, and what goes wrong with it.

mod faults;
mod propagation;
pub(crate) mod protobuf;
mod sampling;
pub(crate) mod sink;
mod spans;
mod waking;

use sluice::simulator::{Seen, Simulator};

use crate::harness::gateway::{Gateway, groups};

use self::sink::Sink;

/// Trace A of the facts.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A `traceparent` of trace A with these flags.
fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// The section of a configuration that sends spans to a sink; `more` may follow with a comma.
fn telemetry(sink: &Sink, more: &str) -> String {
    let url = sink.url();
    format!("telemetry: {{ otlpEndpoint: \"{url}\", otlpProtocol: http/protobuf{more} }}\n")
}

/// A gateway before one coordinator that sends its spans to a sink.
async fn gateway(coordinator: &Simulator, sink: &Sink, more: &str) -> Gateway {
    let yaml = telemetry(sink, more) + &groups(&[coordinator.url()], "");
    let gateway = Gateway::start(&yaml).await;
    gateway.until_healthy(1).await;
    gateway
}

/// What a coordinator saw of the statement chain.
fn statements(coordinator: &Simulator) -> Vec<Seen> {
    let mut seen = coordinator.seen();
    seen.retain(|seen| seen.path.starts_with("/v1/statement"));
    seen
}

/// All lines of a header.
fn lines(seen: &Seen, name: &str) -> Vec<String> {
    let lines = seen.headers.get_all(name).iter();
    lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect()
}

/// The parts of the one `traceparent` that a coordinator saw: trace, span, flags.
fn context(seen: &Seen) -> (String, String, String) {
    let [line] = &lines(seen, "traceparent")[..] else { panic!("{seen:?}") };
    let parts: Vec<&str> = line.split('-').collect();
    let ["00", trace, span, flags] = parts[..] else { panic!("{line}") };
    (trace.to_owned(), span.to_owned(), flags.to_owned())
}
