//! Sentinels that name another server while two gateways and their clients are at work.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::task::JoinHandle;

use super::{
    fleets::watched,
    pair::{ENDLESS, Pair},
};
use crate::harness::{client::Client, server::Server, wait};

/// A few pages, so that there always are some in their midst.
const SHORT: &str = "SELECT 1 /* sim: queued=2 running=3 */";
const WRITTEN: &str = r#"gateway_store_operations_total{operation="write",status="ok"}"#;
const LOST: &str = r#"gateway_store_operations_total{operation="write",status="error"}"#;
/// Queries that come to their end at the least, before, within and after.
const SOME: usize = 20;

/// Somebody at one gateway, with one query after the other.
struct Worker {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Worker {
    fn at(client: Client) -> Self {
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (over, count) = (Arc::clone(&stop), Arc::clone(&done));
        let task = tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                assert_eq!(client.rows(SHORT).await.len(), 1);
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { stop, done, task }
    }

    /// Waits until so many more are over; an error that it saw is thrown here.
    async fn goes_on(&mut self) {
        let until = self.done.load(Ordering::SeqCst) + SOME;
        wait::until("queries that come to their end", || {
            self.task.is_finished() || self.done.load(Ordering::SeqCst) >= until
        })
        .await;
        if self.task.is_finished() {
            (&mut self.task).await.expect("no client sees an error");
        }
    }

    async fn leaves(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("no client sees an error");
    }
}

/// What a replica says to another one and the first server takes with it is lost, since copies come later: so queries end
/// elsewhere only when it is gone.
#[tokio::test]
async fn peers_X22_while_sentinels_name_another_server_no_client_sees_an_error_and_the_sum_is_right()
 {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let (mut first, second, _sentinels, keys) = watched(&program).await;
    wait::until_async("a copy at the other server", async || {
        let info: String = second.ask(&["INFO", "replication"]).await;
        info.contains("master_link_status:up")
    })
    .await;
    let pair = Pair::on(&keys).await;
    let mut running = vec![pair.post(0, ENDLESS).await, pair.post(1, ENDLESS).await];
    pair.until_in_flight(2, "before").await;
    let mut workers = [0, 1].map(|at| Worker::at(pair.replicas[at].client()));
    all_go_on(&mut workers).await;
    let mut crossing = Vec::new();
    for at in [0, 1, 0, 1] {
        crossing.push(pair.post(at, SHORT).await);
    }
    first.kill().await;
    wait::until_async("writes that fail", async || pair.metric(LOST).await > 0.0).await;
    for (at, query) in crossing.iter_mut().enumerate() {
        query.finish(&pair.replicas[(at + 1) % 2]).await;
    }
    all_go_on(&mut workers).await;
    running.push(pair.post(1, ENDLESS).await);
    for query in &mut running {
        query.poll(&pair.replicas[0]).await;
    }
    until_used(&pair, &second).await;
    all_go_on(&mut workers).await;
    for worker in workers {
        worker.leaves().await;
    }
    pair.until_in_flight(running.len(), "on another server").await;
    pair.cancel(&running).await;
    pair.stop().await;
}

async fn all_go_on(workers: &mut [Worker]) {
    for worker in workers {
        worker.goes_on().await;
    }
}

/// That server is the first one now, and both write to it.
async fn until_used(pair: &Pair, second: &Server) {
    wait::until_async("another first server", async || second.is_first().await).await;
    pair.until_store_is(1.0).await;
    for replica in &pair.replicas {
        let before = replica.metric(WRITTEN).await;
        wait::until_async("writes to it", async || replica.metric(WRITTEN).await > before).await;
    }
}
