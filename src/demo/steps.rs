//! The steps of the story: each does one thing that a client or an operator does, and checks the answer.
//!
//! A step is a sentence about what was seen, or an error about what should have been. Nothing here looks inside the
//! gateway: pages, metrics and status codes are all it has.

mod waking;

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    client::{Client, Query},
    counters::Counters,
    stage::{ASLEEP, ASLEEP_GROUP, AWAKE, AWAKE_GROUP, Stage},
};
use waking::{MANY, Waiter};

/// What a busy machine may need to come to a state.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a state.
const LOOK: Duration = Duration::from_millis(20);
/// Queries that are open at the same time.
const AT_ONCE: usize = 8;
/// An id of Trino's shape that no process of the demo ever made.
const STRANGER: &str = "20200101_000000_00000_aaaaa";
/// Four pages of 2,500 rows.
const LARGE: &str = "SELECT * FROM sim.rows(10000) /* sim: pages=4 rows=2500 */";

/// What the steps share.
pub(super) struct Steps<'a> {
    stage: &'a Stage,
    gateway: Client,
    /// The coordinator itself, to compare with.
    direct: Client,
    waiter: Mutex<Option<Waiter>>,
}

impl<'a> Steps<'a> {
    /// Connects nowhere yet.
    pub(super) fn new(stage: &'a Stage) -> anyhow::Result<Self> {
        let (gateway, direct) = (Client::new(stage.url())?, Client::new(stage.awake.url())?);
        Ok(Self { stage, gateway, direct, waiter: Mutex::default() })
    }

    pub(super) async fn ready(&self) -> anyhow::Result<String> {
        let answer = self.gateway.get(&self.stage.health_url("/readyz")).await?;
        ensure!(answer.status == StatusCode::OK, "/readyz: {} {}", answer.status, answer.text);
        let page: Value = serde_json::from_str(&answer.text)?;
        let status = page.get("status").and_then(Value::as_str).unwrap_or_default();
        ensure!(status == "healthy", "/readyz says `{status}`");
        Ok("the gateway is ready, although one of its backends sleeps".to_owned())
    }

    pub(super) async fn info(&self) -> anyhow::Result<String> {
        let answer = self.gateway.get("/v1/info").await?;
        ensure!(answer.status == StatusCode::OK, "/v1/info: {}", answer.status);
        let info: Value = serde_json::from_str(&answer.text)?;
        let is = |key: &str| info.get(key).and_then(Value::as_bool);
        ensure!(is("starting") == Some(false), "/v1/info says it is starting");
        ensure!(is("coordinator") == Some(true), "/v1/info says it is no coordinator");
        let version = info.pointer("/nodeVersion/version").and_then(Value::as_str);
        let version = version.context("/v1/info names no version")?;
        Ok(format!("to clients it looks like a Trino {version} coordinator"))
    }

    pub(super) async fn fleet(&self) -> anyhow::Result<String> {
        let up = |counters: &Counters, backend| {
            counters.sum("gateway_backend_up", "backend", backend) > 0
        };
        self.until("its probes tell who is awake", |now| up(now, AWAKE) && !up(now, ASLEEP))
            .await?;
        Ok(format!("its probes found {AWAKE} awake and {ASLEEP} asleep, and woke nobody"))
    }

    pub(super) async fn rows(&self) -> anyhow::Result<String> {
        let (came, direct) = (self.gateway.run(LARGE).await?, self.direct.run(LARGE).await?);
        ensure!(came.error.is_none(), "the query failed: {:?}", came.error);
        let (rows, wanted) = (came.rows.len(), direct.rows.len());
        ensure!(came.rows == direct.rows, "{rows} rows that differ from the {wanted} direct ones");
        let pages = came.pages;
        Ok(format!("{rows} rows in {pages} pages, each equal to what the coordinator sent"))
    }

    pub(super) async fn counted(&self) -> anyhow::Result<String> {
        let mut queries = Vec::new();
        for _ in 0..AT_ONCE {
            queries.push(self.gateway.start(LARGE).await?);
        }
        let counted = self.counters().await?.in_flight(AWAKE_GROUP);
        ensure!(counted == AT_ONCE as u64, "{counted} in flight instead of {AT_ONCE}");
        let mut following: JoinSet<_> = queries.into_iter().map(Query::finish).collect();
        while let Some(finished) = following.join_next().await {
            let finished = finished??;
            ensure!(finished.error.is_none(), "a query failed: {:?}", finished.error);
        }
        self.until_idle().await?;
        Ok(format!("{AT_ONCE} queries at once: in flight rose to {AT_ONCE} and fell back to 0"))
    }

    pub(super) async fn canceled(&self) -> anyhow::Result<String> {
        let mut query = self.gateway.start("SELECT 1 /* sim: ending=hang */").await?;
        query.advance().await?;
        let status = query.cancel().await?;
        ensure!(status == StatusCode::NO_CONTENT, "the cancel answered {status}");
        self.until_idle().await?;
        let state = self.stage.awake.state_of(&query.id);
        ensure!(state == Some("FAILED"), "the coordinator still has it as {state:?}");
        Ok("a query that would never end was canceled; its coordinator knows".to_owned())
    }

    pub(super) async fn failed(&self) -> anyhow::Result<String> {
        let query = self.gateway.run("SELECT 1 /* sim: ending=fail:DIVISION_BY_ZERO */").await?;
        let error = query.error.context("the query did not fail")?;
        ensure!(error == "DIVISION_BY_ZERO", "the error became {error}");
        self.until_idle().await?;
        Ok(format!("Trino's own error came through untouched: {error}"))
    }

    pub(super) async fn stranger(&self) -> anyhow::Result<String> {
        let path = format!("/v1/statement/queued/{STRANGER}/y0/1");
        let answer = self.gateway.get(&path).await?;
        ensure!(answer.status == StatusCode::NOT_FOUND, "an unknown id got {}", answer.status);
        Ok(format!("an id that nobody made gets Trino's own words: \"{}\"", answer.text.trim()))
    }

    pub(super) async fn metrics(&self) -> anyhow::Result<String> {
        let now = self.counters().await?;
        let ended = |status| now.sum("gateway_queries_total", "status", status);
        let told = (ended("ok"), ended("error"), ended("canceled"));
        let wanted = (2 + AT_ONCE as u64 + MANY as u64, 1, 1);
        ensure!(told == wanted, "ok, error, canceled: {told:?} instead of {wanted:?}");
        let refused = now.sum("gateway_503_total", "routing_group", ASLEEP_GROUP);
        ensure!(refused == 1, "{refused} refusals instead of 1");
        let resumes = now.resumes(ASLEEP_GROUP);
        ensure!(resumes == 2, "{resumes} resumes instead of 2");
        let (ok, error, canceled) = told;
        Ok(format!(
            "metrics agree: {ok} ok, {error} failed, {canceled} canceled, {refused} refused, {resumes} resumes"
        ))
    }

    async fn counters(&self) -> anyhow::Result<Counters> {
        Counters::read(&self.stage.metrics_url()).await
    }

    async fn until_idle(&self) -> anyhow::Result<()> {
        self.until("no query is in flight", |now| now.in_flight(AWAKE_GROUP) == 0).await?;
        Ok(())
    }

    /// Looks again until it is so; what it saw then.
    async fn until(
        &self,
        what: &str,
        is_so: impl Fn(&Counters) -> bool,
    ) -> anyhow::Result<Counters> {
        let looking = async {
            loop {
                let now = self.counters().await?;
                if is_so(&now) {
                    return anyhow::Ok(now);
                }
                sleep(LOOK).await;
            }
        };
        let late = || format!("waited {} s in vain until {what}", PATIENCE.as_secs());
        timeout(PATIENCE, looking).await.with_context(late)?
    }
}
