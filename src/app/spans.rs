//! The export of spans, put together from the file, the environment and the metrics that count them.

use std::sync::Arc;

use crate::{
    config::model::Config,
    metrics::{Metrics, SpanDropped},
    telemetry::{
        self,
        traces::{
            Captures, Lost, Tally, Traces,
            settings::{Configured, Settings},
        },
    },
};

/// Starts it where an endpoint is named; nothing is built otherwise.
pub(super) fn export(config: &Config, metrics: &Arc<Metrics>) -> Result<Traces, String> {
    let said = &config.telemetry;
    let instance = telemetry::instance();
    let configured = Configured {
        service: &said.service_name,
        endpoint: said.otlp_endpoint.as_deref(),
        traces_endpoint: said.traces_otlp_endpoint.as_deref(),
        protocol: said.otlp_protocol.into(),
        sample_ratio: said.sample_ratio,
        captures: Captures { user: said.capture_user, query_text: said.capture_query_text },
        environment: &config.info.environment,
        instance: &instance,
    };
    match Settings::resolve(&configured, &|name| std::env::var(name).ok())? {
        Some(settings) => Traces::start(&settings, Arc::new(Counted(Arc::clone(metrics)))),
        None => Ok(Traces::default()),
    }
}

struct Counted(Arc<Metrics>);

impl Tally for Counted {
    fn exported(&self, spans: u64) {
        self.0.spans_exported(spans);
    }

    fn lost(&self, why: Lost, spans: u64) {
        let why = match why {
            Lost::QueueFull => SpanDropped::QueueFull,
            Lost::ExportError => SpanDropped::ExportError,
        };
        self.0.spans_dropped(why, spans);
    }
}
