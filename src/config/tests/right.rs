//! What is taken, and what it becomes.

use super::*;

/// The defaults of the design's first block, as far as the keys exist, with those of the other listeners.
const DEFAULTS: &str = r#"
data: { bind: "0.0.0.0:8080", trustedProxies: [], externalUrl: ~, proxyProtocol: false, maxConnections: 20000, maxStatementBytes: 16MiB, headerTimeout: 30s, idleTimeout: 6m, writeTimeout: 5m, sharePort: false, workers: ~ }
upstream: { connectTimeout: 3s, statementTimeout: 8s, firstByteTimeout: 60s, poolIdleTimeout: 60s }
health: { bind: "0.0.0.0:9091", interval: 5s, timeout: 2s, rise: 1, fall: 3 }
drain: { wait: 10s, deadline: 30s }
queries: { abandonAfter: 5m, rememberFor: 15m }
defaultRoutingGroup: ~
routingGroupHeader: X-Trino-Routing-Group
store: { memory: {} }
metrics: { bind: "0.0.0.0:9090" }
admin: { bind: "127.0.0.1:8081", token: ~ }
log: { format: ~, level: info, access: statements }
info: { environment: production, nodeVersion: auto }
telemetry: { generateWhenAbsent: true }
rules: ~
routingGroups:
  - name: a
    namespace: ~
    xtrinode: ~
    select: leastLoaded
    onEmpty: refuse
    backends:
      - { name: a, url: "http://a:8080", weight: 1, uris: auto, health: ~ }
"#;

#[test]
fn the_defaults_are_those_of_the_design() {
    let written = read(DEFAULTS).unwrap();
    let mut implied = read(GROUPS).unwrap();
    assert!(implied.store.memory.is_none(), "a store that is not named is the memory store");
    implied.store = written.store.clone();
    assert_eq!(format!("{written:#?}"), format!("{implied:#?}"));
}

#[test]
fn the_designs_example_is_taken() {
    let config = read(
        r#"
data:
  trustedProxies: [10.0.0.0/8]       # only their X-Forwarded-* are believed
defaultRoutingGroup: adhoc
routingGroups:
  - name: adhoc
    backends:
      - { name: trino-a, url: "http://trino-a:8080" }
      - { name: trino-b, url: "http://trino-b:8443", weight: 2 }
  - name: etl
    onEmpty: adhoc
    backends: [{ name: etl, url: "http://trino-etl:8080/base" }]
  - name: team-a--analytics
    backends:
      - name: analytics
        url: http://trino-analytics.team-a:8080
        health: { interval: 1s }
rules:                               # first match wins
  - { name: airflow, when: { source: ["airflow*", "dbt*"] }, routingGroup: etl }
  - { name: by host, when: { host: etl.trino.example.com }, routingGroup: etl }
  - name: nested
    when:
      any:
        - user: ["etl-[0-9]*"]
          not: { clientTags: adhoc }
        - headers: { X-Team: "data?", x-other: [a, b] }
        - all: [{ catalog: hive }, { schema: raw }]
    routingGroup: adhoc
"#,
    )
    .unwrap();
    assert_eq!(command::summary(&config), "3 groups, 4 backends, 3 rules");
    assert_eq!(config.routing_groups[0].backends[1].weight, 2);
    assert_eq!(config.rules[2].when.any.as_ref().unwrap().len(), 3);
}

#[test]
fn variables_fill_in_texts_numbers_and_addresses() {
    let config = read(&format!(
        "admin: {{ bind: '0.0.0.0:8081', token: '${{ENV:TOKEN}}' }}\n\
         data: {{ bind: '${{ENV:BIND}}', workers: '${{ENV:WORKERS}}' }}\n{GROUPS}"
    ))
    .unwrap();
    assert_eq!(config.admin.token.as_deref(), Some("s3cr3t"));
    assert_eq!(config.data.workers, Some(4));
    assert_eq!(config.data.bind.port(), 9999);
    assert!(!format!("{config:?}").contains("s3cr3t"), "no secret in a debug print");
    assert!(!serde_json::to_string(&config).unwrap().contains("s3cr3t"), "nor in a serialised one");
}

#[test]
fn anchors_merges_and_other_spellings_are_yaml_too() {
    let config = read(
        "routingGroups:\n  - name: a\n    backends:\n      - &one { name: a, url: 'http://a', weight: 3 }\n\
         \x20     - { <<: *one, name: b, url: 'http://b' }\n\"data\": {\"maxStatementBytes\": 2048}\n",
    )
    .unwrap();
    assert_eq!(config.routing_groups[0].backends[1].weight, 3);
    assert_eq!(config.data.max_statement_bytes.get(), 2048);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(read(&json).unwrap().routing_groups.len(), 1, "what we write, we read");
}
