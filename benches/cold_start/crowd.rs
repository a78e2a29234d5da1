//! Thousands of statements that wait: what they take while nobody asks, and while everybody polls each second.

use std::time::Duration;

use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};

use crate::gateway::Gateway;

/// Statements that wait.
const CROWD: usize = 10_000;
/// POSTs under way at the same time.
const POSTING: usize = 250;

pub(crate) async fn measure(gateway: &Gateway, quick: bool) {
    let (crowd, window) =
        if quick { (500, Duration::from_secs(1)) } else { (CROWD, Duration::from_secs(10)) };
    let before = gateway.resident();
    let polled = gather(gateway, crowd).await;
    let each = (gateway.resident() - before) / crowd as f64 / 1024.0;
    println!("{crowd} waiting statements: {each:.1} KiB each (connections and all)");
    println!(
        "while they are only held: {:.3} cores",
        cores(gateway, window, std::future::pending()).await
    );
    let polling = poll(gateway, polled);
    println!(
        "while each is polled once a second: {:.3} cores",
        cores(gateway, window, polling).await
    );
}

async fn gather(gateway: &Gateway, crowd: usize) -> Vec<String> {
    let mut next = Vec::new();
    let mut posts = JoinSet::new();
    for _ in 0..crowd {
        if posts.len() >= POSTING {
            next.extend(posts.join_next().await.and_then(Result::ok).as_ref().and_then(uri));
        }
        let post = gateway.hold("crowd");
        posts.spawn(async move { post.await.unwrap() });
    }
    while let Some(page) = posts.join_next().await {
        next.extend(page.ok().as_ref().and_then(uri));
    }
    assert_eq!(next.len(), crowd, "some statements found no room");
    next
}

fn uri(page: &Value) -> Option<String> {
    page["nextUri"].as_str().map(str::to_owned)
}

/// Everybody follows its page, for ever.
async fn poll(gateway: &Gateway, next: Vec<String>) {
    let mut polls = JoinSet::new();
    for uri in next {
        let client = gateway.client.clone();
        polls.spawn(async move {
            loop {
                if let Ok(answer) = client.get(&uri).send().await {
                    let _ = answer.bytes().await;
                }
            }
        });
    }
    while polls.join_next().await.is_some() {}
}

/// The gateway's part of the processor while something goes on; the first second is left out.
async fn cores(gateway: &Gateway, window: Duration, meanwhile: impl Future<Output = ()>) -> f64 {
    let counted = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (cpu, from) = (gateway.cpu(), Instant::now());
        tokio::time::sleep(window).await;
        (gateway.cpu() - cpu).as_secs_f64() / from.elapsed().as_secs_f64()
    };
    tokio::select! {
        cores = counted => cores,
        () = meanwhile => unreachable!("polls go on for ever"),
    }
}
