//! A store that is killed, and one that no longer says a word.

use std::time::Duration;

use sluice::store::{Change, Fault, Key, Kind};
use tokio::time::Instant;

use crate::harness::server::{Server, Used};
use crate::harness::{
    chaos::{Chaos, Weather},
    wait,
};

const LIFE: Duration = Duration::from_secs(60);
/// What a thousand calls may cost while the store is known to be lost. It is some milliseconds on an idle machine; were the
/// store waited for, each would cost its timeout, which makes 250 s.
const AT_ONCE: Duration = Duration::from_secs(20);

fn query(id: &str) -> Key {
    Key::new(Kind::Query, id)
}

#[tokio::test]
async fn a_killed_store_costs_nothing_and_what_waited_is_written_when_it_is_back() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let mut server = Server::start(&program, &[]).await;
    let used = Used::by(&format!("url: '{}'", server.url()));
    used.shared.put(query("a"), "1", LIFE).await.unwrap();
    server.kill().await;
    wait::until_async("a breaker that has seen enough", async || {
        assert_eq!(used.shared.get(query("a")).await, Err(Fault::Unavailable));
        !used.shared.is_up()
    })
    .await;
    a_thousand_calls(&used).await;
    for id in 0..100 {
        used.shared.later(Change::put(query(&format!("late-{id}")), "1", LIFE));
    }
    let lost = Instant::now();
    let server = server.replace(&program).await;
    wait::until("a store that is back", || used.shared.is_up()).await;
    println!("back after {:?}", lost.elapsed());
    wait::until_async("what waited", async || server.ask::<usize>(&["DBSIZE"]).await == 100).await;
    assert_eq!(used.shared.get(query("a")).await, Ok(None), "the new server was empty");
    used.stop().await;
}

/// Nobody waits for a store that is known to be lost.
async fn a_thousand_calls(used: &Used) {
    let begun = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(used.shared.get(query("a")).await, Err(Fault::Unavailable));
    }
    println!("a call while the store is lost: {:?}", begun.elapsed() / 1_000);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_half_open_connection_is_left_for_another() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let way = Chaos::before(([127, 0, 0, 1], server.port).into()).await;
    let used = Used::by(&format!("url: 'redis://{}'", way.addr()));
    used.shared.put(query("a"), "1", LIFE).await.unwrap();
    way.turn(Weather::Stall);
    for _ in 0..3 {
        let asked = tokio::time::timeout(AT_ONCE, used.shared.get(query("a")));
        assert_eq!(asked.await.expect("it has a deadline"), Err(Fault::Unavailable));
    }
    assert!(!used.shared.is_up());
    a_thousand_calls(&used).await;
    // The old connections stay as silent as they were: only a new one can answer.
    way.turn(Weather::Cut);
    way.restore();
    wait::until("a store that is back", || used.shared.is_up()).await;
    assert_eq!(used.shared.get(query("a")).await.unwrap().unwrap().value, "1");
    used.stop().await;
}
