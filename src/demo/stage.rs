//! The stage of the demo: a coordinator that is awake, one that sleeps, and the gateway before both.
//!
//! Everything listens on loopback only. The gateway takes its default ports where they are free and others where not.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

use crate::{
    app::{self, Addresses, App, StartError},
    config::{self, Loaded},
    demo::sleeper::Sleeper,
    lifecycle::{Signal, Signals},
    simulator::{Options, Simulator},
    telemetry::logs::Logs,
};

/// The group of every statement that no rule claims.
pub(super) const AWAKE_GROUP: &str = "adhoc";
/// The backend of that group.
pub(super) const AWAKE: &str = "trino-a";
/// The group of statements whose source begins with `airflow`.
pub(super) const ASLEEP_GROUP: &str = "etl";
/// The backend of that group.
pub(super) const ASLEEP: &str = "trino-b";
/// How long the sleeping group may be idle before it is put to sleep.
pub(super) const AFTER_IDLE: &str = "3s";
/// A source that the demo's rule sends to the sleeping group.
pub(super) const SCHEDULED_SOURCE: &str = "airflow-nightly";

/// The gateway's own default ports: data, metrics, health, admin.
const DEFAULT_PORTS: [u16; 4] = [8080, 9090, 9091, 8081];
/// Lets the system choose.
const FREE_PORTS: [u16; 4] = [0; 4];
/// The drain takes seconds at most; whoever pressed Ctrl-C waits no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that plays, and where.
pub(super) struct Stage {
    pub(super) addresses: Addresses,
    /// Default ports that were taken.
    pub(super) taken: Vec<u16>,
    pub(super) awake: Simulator,
    pub(super) sleeper: Sleeper,
    signals: mpsc::UnboundedSender<Signal>,
    running: JoinHandle<()>,
}

impl Stage {
    /// Starts everything on the current runtime.
    pub(super) async fn set(logs: Logs) -> anyhow::Result<Self> {
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let awake = Simulator::start(Options { bind, remember: 0, ..Options::default() })
            .await
            .context("cannot start a simulated coordinator")?;
        let sleeper = Sleeper::new()?;
        let app = start(&awake.url(), &sleeper, logs).await?;
        let addresses = app.addresses;
        let (signals, heard) = Signals::channel();
        let running = tokio::spawn(app.run(heard));
        Ok(Self { addresses, taken: taken(addresses), awake, sleeper, signals, running })
    }

    /// Where Trino's clients connect.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addresses.data)
    }

    /// What Prometheus scrapes.
    pub(super) fn metrics_url(&self) -> String {
        format!("http://{}/metrics", self.addresses.metrics)
    }

    /// A path of the health listener.
    pub(super) fn health_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses.health)
    }

    /// A path of the admin listener.
    pub(super) fn admin_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses.admin)
    }

    /// Drains the gateway, quickly, and stops the coordinators.
    pub(super) async fn leave(self) {
        let _ = self.signals.send(Signal::Stop);
        let _ = tokio::time::timeout(PATIENCE, self.running).await;
        self.sleeper.leave().await;
        self.awake.stop().await;
    }
}

/// The default ports that are not in use.
fn taken(addresses: Addresses) -> Vec<u16> {
    let Addresses { data, metrics, health, admin, profiling: _, scaler: _ } = addresses;
    let bound = [data, metrics, health, admin].map(|address| address.port());
    DEFAULT_PORTS.into_iter().zip(bound).filter(|(port, got)| port != got).map(|(p, _)| p).collect()
}

/// On default ports where they are free; on free ones if somebody was quicker.
async fn start(awake: &str, sleeper: &Sleeper, logs: Logs) -> anyhow::Result<App> {
    let wanted = settings(available().await, awake, sleeper)?;
    match app::start(wanted, None, logs.clone()).await {
        Err(StartError::Bind { .. }) => {
            let wanted = settings(FREE_PORTS, awake, sleeper)?;
            Ok(app::start(wanted, None, logs).await?)
        }
        started => Ok(started?),
    }
}

/// The default ports, 0 instead of each that is taken.
async fn available() -> [u16; 4] {
    let mut ports = DEFAULT_PORTS;
    for port in &mut ports {
        if TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await.is_err() {
            *port = 0;
        }
    }
    ports
}

fn settings(ports: [u16; 4], awake: &str, sleeper: &Sleeper) -> anyhow::Result<Loaded> {
    let [data, metrics, health, admin] = ports;
    let asleep = sleeper.url();
    // A list in JSON is one in YAML too.
    let resume = serde_json::to_string(&sleeper.resume())?;
    let suspend = serde_json::to_string(&sleeper.suspend())?;
    let text = format!(
        r#"
data: {{ bind: "127.0.0.1:{data}" }}
metrics: {{ bind: "127.0.0.1:{metrics}" }}
health: {{ bind: "127.0.0.1:{health}", interval: 500ms }}
admin: {{ bind: "127.0.0.1:{admin}" }}
drain: {{ wait: 0s, deadline: 2s }}
info: {{ environment: demo }}
queries: {{ linger: 0s }}
defaultRoutingGroup: {AWAKE_GROUP}
routingGroups:
  - name: {AWAKE_GROUP}
    backends: [{{ name: {AWAKE}, url: "{awake}" }}]
  - name: {ASLEEP_GROUP}
    coldStart: {{ holdFor: 1s }}
    suspend: {{ afterIdle: {AFTER_IDLE} }}
    backends:
      - name: {ASLEEP}
        url: "{asleep}"
        stats: {{ user: demo }}
        resume:
          command:
            resume: {resume}
            suspend: {suspend}
rules:
  - {{ name: scheduled, when: {{ source: "airflow*" }}, routingGroup: {ASLEEP_GROUP} }}
"#
    );
    let config = config::from_text(&text, &HashMap::new())?;
    Ok(Loaded { config, hash: "built-in".to_owned(), warnings: Vec::new(), files: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_good() {
        let sleeper = Sleeper::new().unwrap();
        settings(DEFAULT_PORTS, "http://127.0.0.1:8090", &sleeper).unwrap();
    }
}
