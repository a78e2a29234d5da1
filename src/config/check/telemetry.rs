//! Where spans go: an address that no exporter could use is found before the gateway starts.

use super::report::Report;
use crate::{
    config::{model::Config, tree::Trail},
    telemetry::traces::settings,
};

const ALLOWED: &str = "`http://host:port`; with `otlpProtocol: http/protobuf` also `https://`";

pub(super) fn check(config: &Config, report: &mut Report<'_>) {
    let telemetry = &config.telemetry;
    for (key, endpoint) in [
        ("otlpEndpoint", &telemetry.otlp_endpoint),
        ("tracesOtlpEndpoint", &telemetry.traces_otlp_endpoint),
    ] {
        let Some(endpoint) = endpoint.as_deref().filter(|said| !said.is_empty()) else { continue };
        if let Err(what) = settings::collector(endpoint, telemetry.otlp_protocol.into()) {
            report.wrong(&Trail::default().key("telemetry").key(key), what, ALLOWED);
        }
    }
}
