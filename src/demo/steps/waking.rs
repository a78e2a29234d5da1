//! The steps of the cold start: who sleeps, who waits, who wakes whom, and who goes to sleep again.
//!
//! One statement first, to be looked at while it waits; then many at once, to see that they wake only once.

use anyhow::{Context, ensure};
use reqwest::{Method, StatusCode};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{LARGE, LOOK, PATIENCE, Steps};
use crate::demo::{
    client::Query,
    stage::{AFTER_IDLE, ASLEEP, ASLEEP_GROUP, SCHEDULED_SOURCE},
};

/// Statements that come for the sleeping group at the same time.
pub(super) const MANY: usize = 20;
/// What each of them asks for, and how many rows that are.
const SMALL: (&str, usize) = ("SELECT * FROM sim.rows(10)", 10);

/// A statement that waits, from one step to the next.
pub(super) struct Waiter {
    query: Query,
    began: Instant,
}

impl Steps<'_> {
    pub(in crate::demo) async fn asleep(&self) -> anyhow::Result<String> {
        let now = self.until("it sleeps", |now| now.is(ASLEEP_GROUP, "sleeping")).await?;
        ensure!(!self.stage.sleeper.lives().await, "somebody listens there");
        let (in_flight, resumes) = (now.in_flight(ASLEEP_GROUP), now.resumes(ASLEEP_GROUP));
        ensure!(in_flight == 0, "{in_flight} in flight before anybody asked");
        ensure!(resumes == 0, "it was woken {resumes} times before anybody asked");
        Ok(format!("no process of {ASLEEP} is there, and neither probes nor pages wake it"))
    }

    pub(in crate::demo) async fn queued(&self) -> anyhow::Result<String> {
        let (began, client) = (Instant::now(), self.gateway.named(SCHEDULED_SOURCE));
        let posting = tokio::spawn(async move { client.start(LARGE).await });
        let counted = self.until("it counts", |now| now.in_flight(ASLEEP_GROUP) > 0).await?;
        ensure!(counted.in_flight(ASLEEP_GROUP) == 1, "one statement counts more than once");
        let state = counted.in_flight_in(ASLEEP_GROUP, "RESUMING");
        ensure!(state == 1, "it does not count as RESUMING");
        let up = counted.sum("gateway_backend_up", "backend", ASLEEP);
        ensure!(up == 0, "it counts only now that {ASLEEP} is up");
        let query = posting.await??;
        let told = self.is_told(&query).await;
        let id = query.id.clone();
        *self.waiter.lock().await = Some(Waiter { query, began });
        told?;
        Ok(format!("in flight 1 before {ASLEEP} lives; QUEUED as {id}, its page says why"))
    }

    /// A first page of ours, and the page for people that it names.
    async fn is_told(&self, query: &Query) -> anyhow::Result<()> {
        ensure!(query.state == "QUEUED", "its first page says {}", query.state);
        ensure!(is_ours(&query.id), "{} is an id of a coordinator", query.id);
        ensure!(query.next.is_some() && query.rows.is_empty(), "its first page is no page of ours");
        let page = self.gateway.get(&query.info).await?;
        ensure!(page.status == StatusCode::OK, "its infoUri answers {}", page.status);
        let tells = page.text.contains(&query.id) && page.text.contains(ASLEEP_GROUP);
        ensure!(tells, "its infoUri names neither it nor its group");
        Ok(())
    }

    pub(in crate::demo) async fn woken(&self) -> anyhow::Result<String> {
        let waiter = self.waiter.lock().await.take().context("nobody waits")?;
        let Waiter { mut query, began } = waiter;
        let (ours, mut queued) = (query.id.clone(), 1);
        while query.id == ours && query.advance().await? {
            queued += usize::from(query.id == ours);
        }
        let waited = began.elapsed().as_secs_f64();
        let query = query.finish().await?;
        ensure!(query.error.is_none(), "it failed: {:?}", query.error);
        ensure!(!is_ours(&query.id), "it never became a coordinator's query");
        let direct = self.direct.run(LARGE).await?;
        ensure!(query.rows == direct.rows, "its rows are others than the coordinator's");
        let resumes = self.counters().await?.resumes(ASLEEP_GROUP);
        ensure!(resumes == 1, "{resumes} resumes for one statement");
        let rows = query.rows.len();
        Ok(format!("after {waited:.1} s and {queued} QUEUED pages {rows} rows, as {}", query.id))
    }

    pub(in crate::demo) async fn slept(&self) -> anyhow::Result<String> {
        let began = Instant::now();
        self.until_gone().await?;
        let took = began.elapsed().as_secs_f64();
        Ok(format!("idle for {AFTER_IDLE}: after {took:.1} s its process has ended"))
    }

    pub(in crate::demo) async fn together(&self) -> anyhow::Result<String> {
        let (sql, wanted) = SMALL;
        let before = self.counters().await?.resumes(ASLEEP_GROUP);
        let client = self.gateway.named(SCHEDULED_SOURCE);
        let mut running = JoinSet::new();
        for _ in 0..MANY {
            let client = client.clone();
            running.spawn(async move { client.run(sql).await });
        }
        let all = |in_flight| in_flight == MANY as u64;
        self.until("all of them count", |now| all(now.in_flight(ASLEEP_GROUP))).await?;
        while let Some(ended) = running.join_next().await {
            let ended = ended??;
            ensure!(ended.error.is_none(), "one failed: {:?}", ended.error);
            let rows = ended.rows.len();
            ensure!(rows == wanted, "one got {rows} rows instead of {wanted}");
        }
        let resumes = self.counters().await?.resumes(ASLEEP_GROUP) - before;
        ensure!(resumes == 1, "{resumes} resumes for {MANY} statements at once");
        Ok(format!("{MANY} statements at once for who sleeps: one resume, {MANY} results"))
    }

    pub(in crate::demo) async fn held_down(&self) -> anyhow::Result<String> {
        self.until("it is idle", |now| now.in_flight(ASLEEP_GROUP) == 0).await?;
        let suspend = self.stage.admin_url(&format!("/admin/groups/{ASLEEP_GROUP}/suspend"));
        let answer = self.gateway.send(Method::POST, &suspend, "").await?;
        ensure!(answer.status.is_success(), "suspend: {} {}", answer.status, answer.text);
        self.until_gone().await?;
        let answer = self.gateway.named(SCHEDULED_SOURCE).post("SELECT 1").await?;
        ensure!(answer.status == StatusCode::SERVICE_UNAVAILABLE, "it got {}", answer.status);
        ensure!(answer.retry_after.is_some(), "the 503 has no Retry-After");
        ensure!(answer.text.contains(ASLEEP_GROUP), "the 503 names no group: {}", answer.text);
        let counted = self.counters().await?.in_flight(ASLEEP_GROUP);
        ensure!(counted == 0, "{counted} refused queries still count");
        Ok(format!("suspended by hand, nothing wakes it; 503: \"{}\"", answer.text.trim()))
    }

    /// Waits until the gateway says that it sleeps, and its process has ended.
    async fn until_gone(&self) -> anyhow::Result<()> {
        self.until("it sleeps again", |now| now.is(ASLEEP_GROUP, "sleeping")).await?;
        let ending = async {
            while self.stage.sleeper.lives().await {
                sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, ending).await.context("its process has not ended")
    }
}

/// The last part of an id of the gateway's begins with a digit that is in no coordinator's alphabet.
fn is_ours(id: &str) -> bool {
    id.rsplit('_').next().is_some_and(|suffix| suffix.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_who_made_them() {
        assert!(is_ours("20261101_101500_00000_0gw1a"));
        assert!(!is_ours("20261101_101500_00000_zhg55"));
    }
}
