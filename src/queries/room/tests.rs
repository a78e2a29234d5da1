//! Waiting rooms without sockets: a house of hand-made snapshots, and requests that are polled by hand.

use std::{sync::Arc, time::Duration};

use sluice_routing::{Availability, GroupName, QueryId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{config::model::ColdStart, metrics::Unavailable, queries::Lease};

mod bounds;
mod endings;
mod house;
mod memory;
mod simulation;
mod turns;

use house::House;

/// What a request gets that does not wait.
async fn turn_now(waiting: &Arc<Waiting>) -> Turn {
    waiting.turn(Instant::now()).await
}

async fn pass_now(waiting: &Arc<Waiting>) -> Pass {
    match turn_now(waiting).await {
        Turn::Go(pass) => pass,
        other => panic!("{other:?}"),
    }
}

/// A request that waits on a task of its own; it is parked when this returns.
async fn parked(waiting: &Arc<Waiting>) -> tokio::task::JoinHandle<Turn> {
    let waiting = Arc::clone(waiting);
    let task = tokio::spawn(async move { waiting.turn(Instant::now() + 3 * HOUR).await });
    tokio::task::yield_now().await;
    task
}

const HOUR: Duration = Duration::from_secs(3_600);

/// The tickets of the parked requests that have been told to go, in the order in which they are asked.
async fn gone(tasks: &mut Vec<tokio::task::JoinHandle<Turn>>) -> Vec<Pass> {
    settle().await;
    let mut passes = Vec::new();
    let mut still = Vec::new();
    for task in tasks.drain(..) {
        if !task.is_finished() {
            still.push(task);
        } else if let Turn::Go(pass) = task.await.unwrap() {
            passes.push(pass);
        }
    }
    *tasks = still;
    passes
}

/// Lets every task do what it can do now.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn advance(by: Duration) {
    tokio::time::advance(by).await;
    settle().await;
}

fn real(number: u32) -> QueryId {
    QueryId::parse(&format!("20261101_101500_{number:05}_abcde")).unwrap()
}
