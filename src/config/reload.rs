//! Which changes a running process cannot take: its sockets, its threads, its store and its
//! way to a collector are made once.

use crate::config::model::{Config, Telemetry};

/// The keys that differ and need a restart, as the file names them; empty where the new one can be taken.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let changed = [
        ("data.bind", old.data.bind != new.data.bind),
        ("data.sharePort", old.data.share_port != new.data.share_port),
        ("data.maxConnections", old.data.max_connections != new.data.max_connections),
        ("data.workers", old.data.workers != new.data.workers),
        ("upstream.connectTimeout", old.upstream.connect_timeout != new.upstream.connect_timeout),
        (
            "upstream.poolIdleTimeout",
            old.upstream.pool_idle_timeout != new.upstream.pool_idle_timeout,
        ),
        ("metrics.bind", old.metrics.bind != new.metrics.bind),
        ("health.bind", old.health.bind != new.health.bind),
        ("admin.bind", old.admin.bind != new.admin.bind),
        ("profiling.enabled", old.profiling.enabled != new.profiling.enabled),
        ("profiling.bind", old.profiling.bind != new.profiling.bind),
        ("scaler", old.scaler != new.scaler),
        ("log.format", old.log.format != new.log.format),
        ("info.environment", old.info.environment != new.info.environment),
        ("audit", old.audit != new.audit),
        // A store that is not named is the memory store.
        ("store", old.store.redis != new.store.redis),
    ];
    let changed = changed.into_iter().chain(exported(&old.telemetry, &new.telemetry));
    changed.filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}

/// The way to the collector of spans is built once.
fn exported(old: &Telemetry, new: &Telemetry) -> [(&'static str, bool); 7] {
    [
        ("telemetry.serviceName", old.service_name != new.service_name),
        ("telemetry.otlpEndpoint", old.otlp_endpoint != new.otlp_endpoint),
        ("telemetry.tracesOtlpEndpoint", old.traces_otlp_endpoint != new.traces_otlp_endpoint),
        ("telemetry.otlpProtocol", old.otlp_protocol != new.otlp_protocol),
        ("telemetry.sampleRatio", old.sample_ratio.to_bits() != new.sample_ratio.to_bits()),
        ("telemetry.captureQueryText", old.capture_query_text != new.capture_query_text),
        ("telemetry.captureUser", old.capture_user != new.capture_user),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn config(head: &str) -> Config {
        let groups = "routingGroups: [{name: a, backends: [{name: a, url: 'http://a'}]}]\n";
        crate::config::from_text(&format!("{head}\n{groups}"), &HashMap::new()).unwrap()
    }

    #[test]
    fn binds_store_and_workers_need_a_restart() {
        let old = config("");
        let new = config(
            "data: {bind: '127.0.0.1:1', workers: 3, sharePort: true}\nmetrics: {bind: '127.0.0.1:2'}\n\
             health: {bind: '127.0.0.1:3'}\nadmin: {bind: '127.0.0.1:4'}\nstore: {memory: {}}\n\
             telemetry: {otlpEndpoint: 'http://c:4317', sampleRatio: 0.5}",
        );
        let keys = [
            "data.bind",
            "data.sharePort",
            "data.workers",
            "metrics.bind",
            "health.bind",
            "admin.bind",
            "telemetry.otlpEndpoint",
            "telemetry.sampleRatio",
        ];
        assert_eq!(needs_restart(&old, &new), keys);
        assert!(needs_restart(&new, &new).is_empty());
    }

    #[test]
    fn the_rest_is_taken_while_running() {
        let new = config("data: {idleTimeout: 1m}\nlog: {level: debug}\nhealth: {interval: 1s}");
        assert!(needs_restart(&config(""), &new).is_empty());
    }
}
