//! A gateway before backends that sleep, the webhook that wakes them, and what the gateway tells of it.

use std::sync::Arc;

use serde_json::Value;
use sluice::snapshot::BackendState;
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::client::{Broken, Client, Running};
use super::gateway::Gateway;
use super::page::is_query_id;
use super::sleeper::Sleeper;
use super::wait;
use super::webhook::Webhook;

/// The configuration of one group, `adhoc`: keys as they stand in YAML, empty where the test does not care.
#[derive(Clone, Copy, Default)]
pub(crate) struct Plan {
    /// Of the group's `coldStart`.
    pub(crate) cold_start: &'static str,
    /// Of the group, a line each.
    pub(crate) group: &'static str,
    /// Of each backend, as `, stats: { user: sluice }`.
    pub(crate) backend: &'static str,
    /// Of each backend's `resume`, as `, deadline: 1s`.
    pub(crate) resume: &'static str,
    /// Whole lines at the top.
    pub(crate) more: &'static str,
}

/// Where a cold start is played.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) webhook: Webhook,
    /// The first backend, `a`.
    pub(crate) sleeper: Arc<Sleeper>,
}

/// The names of backends, in order.
const NAMES: [&str; 3] = ["a", "b", "c"];

impl Plan {
    /// One backend, which is at once ready when it is woken.
    pub(crate) async fn asleep(self) -> Stage {
        self.with(&[&Sleeper::new()]).await
    }

    /// The same, awake and known to be ready.
    pub(crate) async fn awake(self) -> Stage {
        let sleeper = Sleeper::new();
        sleeper.wake().await;
        self.with(&[&sleeper]).await
    }

    /// These backends in this order; those that were woken before are ready.
    pub(crate) async fn with(self, sleepers: &[&Arc<Sleeper>]) -> Stage {
        self.beside(sleepers, &[]).await
    }

    /// The same beside other groups of one ready backend each, given by name and URL.
    pub(crate) async fn beside(
        self,
        sleepers: &[&Arc<Sleeper>],
        others: &[(&str, &String)],
    ) -> Stage {
        let named: Vec<_> = NAMES.into_iter().zip(sleepers.iter().copied()).collect();
        let webhook = Webhook::start(&named).await;
        let others = others.iter().map(|(name, url)| {
            let backend = format!("{{ name: backend-{name}, url: \"{url}\" }}");
            format!("  - name: {name}\n    backends: [{backend}]\n")
        });
        let yaml = self.yaml(&named, &webhook) + &others.collect::<String>();
        let gateway = Gateway::start(&yaml).await;
        for (name, sleeper) in &named {
            let state = if sleeper.is_awake().await {
                BackendState::Healthy
            } else {
                BackendState::Sleeping
            };
            until_backend(&gateway, name, state).await;
        }
        Stage { gateway, webhook, sleeper: Arc::clone(sleepers[0]) }
    }

    pub(crate) fn yaml(&self, named: &[(&str, &Arc<Sleeper>)], webhook: &Webhook) -> String {
        let driver = webhook.yaml();
        let backends = named.iter().map(|(name, sleeper)| {
            let (url, more, resume) = (sleeper.url(), self.backend, self.resume);
            let resume = format!("resume: {{ {driver}{resume} }}");
            format!("      - {{ name: {name}, url: \"{url}\", {resume}{more} }}\n")
        });
        let backends: String = backends.collect();
        let group = self.group.lines().map(|line| format!("    {line}\n")).collect::<String>();
        format!(
            "{}\nroutingGroups:\n  - name: adhoc\n    coldStart: {{ {} }}\n{group}    backends:\n{backends}",
            self.more, self.cold_start
        )
    }
}

impl Stage {
    /// A strict client that knows that ids change.
    pub(crate) fn client(&self) -> Client {
        self.gateway.client().may_change_id()
    }

    /// The same for another user.
    pub(crate) fn user(&self, name: &str) -> Client {
        self.client().with("x-trino-user", name)
    }

    /// A statement that waits and has got its first synthetic page.
    pub(crate) async fn queued(&self, sql: &str) -> Running {
        let running = self.client().start(sql.to_owned()).await.unwrap();
        assert!(is_synthetic(running.id()), "{} is no synthetic id", running.id());
        running
    }

    /// A statement that is being held: its POST has been accepted, there is no answer yet.
    pub(crate) async fn held(&self, client: &Client, sql: &str) -> Held {
        let before = self.waiters().await;
        let (client, sql) = (client.clone(), sql.to_owned());
        let held = tokio::spawn(async move { client.start(sql).await });
        wait::until_async("one more in the room", async || {
            assert!(!held.is_finished(), "it was answered, not held");
            self.waiters().await > before
        })
        .await;
        Held(held)
    }

    /// Waits until a backend is in that state.
    pub(crate) async fn until(&self, backend: &str, state: BackendState) {
        until_backend(&self.gateway, backend, state).await;
    }

    /// The in-flight gauge of the group in one state, or in all.
    pub(crate) async fn gauge(&self, state: &str) -> f64 {
        gauge(&self.gateway, "adhoc", state).await
    }

    /// Statements in the waiting room.
    pub(crate) async fn waiters(&self) -> f64 {
        self.gateway.metric(r#"gateway_resume_waiters{routing_group="adhoc"}"#).await
    }

    /// 503s for that reason.
    pub(crate) async fn unavailable(&self, reason: &str) -> f64 {
        let series =
            format!("gateway_unavailable_total{{reason=\"{reason}\",routing_group=\"adhoc\"}}");
        self.gateway.metric(&series).await
    }

    /// `/api/v1/routing-groups/adhoc/demand`.
    pub(crate) async fn demand(&self) -> (u16, Value) {
        let (status, text) = self.gateway.health("/api/v1/routing-groups/adhoc/demand").await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The group on the status page.
    pub(crate) async fn status(&self) -> Value {
        let (_, text) = self.gateway.health("/api/v1/routing-groups/adhoc").await;
        serde_json::from_str(&text).unwrap()
    }

    /// Nothing counts and nothing is held.
    pub(crate) async fn assert_empty(&self, when: &str) {
        assert_eq!(self.gauge("").await, 0.0, "{when}: the gauge");
        assert_eq!(self.waiters().await, 0.0, "{when}: the room");
        let bytes = r#"gateway_held_bytes{routing_group="adhoc"}"#;
        assert_eq!(self.gateway.metric(bytes).await, 0.0, "{when}: held bytes");
    }

    /// Waits until nothing counts, checks that nothing is held, and stops the gateway.
    pub(crate) async fn stop(self) {
        self.gateway.until_idle().await;
        self.assert_empty("at the end").await;
        self.gateway.stop().await;
    }
}

/// A POST without an answer.
pub(crate) struct Held(JoinHandle<Result<Running, Broken>>);

impl Held {
    /// Of a POST that was sent already.
    pub(crate) fn of(sent: JoinHandle<Result<Running, Broken>>) -> Self {
        Self(sent)
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.0.is_finished()
    }

    /// What it is told at last.
    pub(crate) async fn answer(self) -> Result<Running, Broken> {
        self.0.await.expect("the client does not panic")
    }

    /// The first page, and the query's own end.
    pub(crate) async fn rows(self) -> Vec<Value> {
        let mut running = self.answer().await.unwrap();
        while running.advance().await.unwrap() {}
        let done = running.done();
        assert_eq!(done.error_name(), None, "{:?}", done.last().json);
        done.rows
    }

    /// Its client goes away.
    pub(crate) fn leave(self) {
        self.0.abort();
    }
}

/// The in-flight gauge of a group in one state, or in all.
pub(crate) async fn gauge(gateway: &Gateway, group: &str, state: &str) -> f64 {
    let page = gateway.metrics().await;
    let wanted = format!("routing_group=\"{group}\",state=\"{state}");
    page.lines()
        .filter(|line| line.starts_with("xtrinode_gateway_inflight_queries{"))
        .filter(|line| line.contains(&wanted))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Whether it is an id of Sluice: of Trino's shape, with a suffix that Trino never makes.
pub(crate) fn is_synthetic(id: &str) -> bool {
    is_query_id(id) && id.rsplit('_').next().is_some_and(|suffix| suffix.starts_with('0'))
}

/// `Retry-After` in seconds; 0 if there is none.
pub(crate) fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().unwrap_or(0)
}

async fn until_backend(gateway: &Gateway, name: &str, state: BackendState) {
    wait::until(&format!("{name} in state {state:?}"), || {
        let snapshot = gateway.shared.current.load();
        snapshot.backends.values().any(|each| each.name.as_str() == name && each.state == state)
    })
    .await;
}
