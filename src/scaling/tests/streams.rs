//! When a stream speaks and when it ends, second by second (scale-from-zero.md 3.2, 3.3).

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};

use super::house::{Events, House};
use crate::{queries::Lease, snapshot::BackendState, trino::head::State};

const HOUR: Duration = Duration::from_secs(3600);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn statement(house: &House) -> Lease {
    house.ground.ledger.open(&house.group)
}

/// A stream that has said that nothing is wanted.
async fn quiet(house: &House) -> Events {
    let mut events = house.open(&[]).await.unwrap();
    assert_eq!(events.next().await.unwrap(), Some(false));
    events
}

/// Seconds from now on at which it says `true`.
async fn pushes(events: &mut Events, within: Duration) -> Vec<u64> {
    let (begun, mut at) = (Instant::now(), Vec::new());
    let _ = tokio::time::timeout(within, async {
        while events.next().await.unwrap() == Some(true) {
            at.push(begun.elapsed().as_secs());
        }
    })
    .await;
    at
}

#[tokio::test(start_paused = true)]
async fn coldstart_T1_what_is_wanted_and_does_not_come_is_said_after_1_2_4_8_15_15_s() {
    let house = House::known().await;
    let mut events = quiet(&house).await;
    let waiting = statement(&house);
    assert_eq!(pushes(&mut events, seconds(62)).await, [0, 1, 3, 7, 15, 30, 45, 60]);
    waiting.set_state(State::Queued);
    assert_eq!(pushes(&mut events, seconds(31)).await.len(), 2, "a queue is no capacity");
    waiting.set_state(State::Running);
    assert_eq!(pushes(&mut events, HOUR).await, [0_u64; 0], "it came");
    waiting.set_state(State::Queued);
    assert_eq!(pushes(&mut events, HOUR).await, [0_u64; 0], "and had come");
}

#[tokio::test(start_paused = true)]
async fn who_opens_is_told_what_is_so_and_told_again() {
    let house = House::known().await;
    let _waiting = statement(&house);
    let mut events = house.open(&[]).await.unwrap();
    assert_eq!(pushes(&mut events, seconds(5)).await, [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_query_that_ran_without_saying_so_is_capacity_too() {
    let house = House::known().await;
    let mut events = quiet(&house).await;
    let (quick, _waiting) = (statement(&house), statement(&house));
    assert_eq!(events.next().await.unwrap(), Some(true));
    quick.ran();
    drop(quick);
    assert_eq!(pushes(&mut events, HOUR).await, [0_u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn each_rise_from_nothing_is_said_once_and_what_lingers_is_not() {
    let house = House::known().await;
    let mut events = quiet(&house).await;
    for _ in 0..3 {
        drop(statement(&house));
        assert_eq!(
            pushes(&mut events, seconds(30)).await,
            [0],
            "coldstart T4: one pulse, one word"
        );
        drop(statement(&house));
        assert_eq!(pushes(&mut events, seconds(59)).await, [0_u64; 0], "within the linger");
        advance(seconds(2)).await;
    }
    house.ground.ledger.unmet(&house.group, Instant::now());
    assert_eq!(pushes(&mut events, seconds(59)).await, [0, 1, 3, 7, 15, 30, 45]);
    assert_eq!(pushes(&mut events, HOUR).await, [0_u64; 0], "its lease is over");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_that_returns_is_a_rise() {
    let house = House::known().await;
    let mut events = quiet(&house).await;
    let waiting = statement(&house);
    assert_eq!(events.next().await.unwrap(), Some(true));
    waiting.client_away(Instant::now());
    assert_eq!(pushes(&mut events, seconds(58)).await, [1, 3, 7, 15, 30, 45]);
    assert_eq!(pushes(&mut events, HOUR).await, [0_u64; 0], "nobody asks for it any more");
    waiting.client_here();
    assert_eq!(events.next().await.unwrap(), Some(true));
    waiting.shut_out();
    assert_eq!(pushes(&mut events, HOUR).await, [0_u64; 0]);
    waiting.client_here();
    assert_eq!(events.next().await.unwrap(), Some(true));
    for _ in 0..3 {
        waiting.client_away(Instant::now());
        advance(seconds(1)).await;
        waiting.client_here();
    }
    assert_eq!(pushes(&mut events, Duration::from_millis(900)).await.len(), 1, "the repetition");
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_after_a_long_silence_is_a_rise() {
    let house = House::known().await;
    let mut events = quiet(&house).await;
    let waiting = statement(&house);
    assert_eq!(events.next().await.unwrap(), Some(true));
    waiting.client_away(Instant::now());
    let _ = pushes(&mut events, HOUR).await;
    // A HEAD, which holds no request.
    waiting.client_away(Instant::now());
    assert_eq!(events.next().await.unwrap(), Some(true));
    let _fresh = statement(&house);
    assert!(!pushes(&mut events, seconds(4)).await.is_empty(), "it goes on, with what is new");
}

#[tokio::test(start_paused = true)]
async fn coldstart_T3_who_reads_slowly_finds_one_word_and_none_of_what_is_over() {
    let house = House::known().await;
    let mut events = quiet(&house).await;
    let waiting = statement(&house);
    advance(seconds(600)).await;
    let second = statement(&house);
    assert_eq!(events.within(Duration::from_millis(900)).await, [Some(true)]);
    advance(seconds(600)).await;
    assert_eq!(events.within(Duration::from_millis(900)).await, [Some(true)]);
    advance(seconds(600)).await;
    drop((waiting, second));
    advance(seconds(60)).await;
    assert_eq!(events.within(HOUR).await, [], "demand is 0");
}

#[tokio::test(start_paused = true)]
async fn ledger_L11_a_stream_says_nothing_of_0_before_it_is_known() {
    let house = House::new();
    let begun = Instant::now();
    let (mut one, mut other) = (house.open(&[]).await.unwrap(), house.open(&[]).await.unwrap());
    assert_eq!(one.next().await.unwrap(), Some(false));
    assert_eq!(begun.elapsed(), seconds(10));
    let _waiting = statement(&house);
    assert_eq!(other.next().await.unwrap(), Some(true), "it had not been asked before");
}

#[tokio::test(start_paused = true)]
async fn ledger_L11_what_is_known_to_be_wanted_is_said_at_once() {
    let house = House::new();
    let mut events = house.open(&[]).await.unwrap();
    let begun = Instant::now();
    let (said, _waiting) = tokio::join!(events.next(), async { statement(&house) });
    assert_eq!(said.unwrap(), Some(true));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_threshold_is_crossed_within_a_breath() {
    let house = House::known().await;
    let mut events = house.open(&[("activationInFlight", "2")]).await.unwrap();
    assert_eq!(events.next().await.unwrap(), Some(false));
    let _two = (statement(&house), statement(&house));
    assert_eq!(events.within(seconds(60)).await, []);
    for _ in 0..2 {
        let begun = Instant::now();
        let (said, third) = tokio::join!(events.next(), async {
            sleep(seconds(5)).await;
            statement(&house)
        });
        assert_eq!(said.unwrap(), Some(true));
        assert!(begun.elapsed() <= seconds(5) + Duration::from_millis(100));
        drop(third);
        assert_eq!(events.within(seconds(60)).await, [], "two are too few");
    }
}

/// KEDA's loop: it waits after each end, 2 s after a clean one, twice as long as before after another one.
struct Loop {
    pause: Duration,
    /// The first frame of each stream.
    first: Vec<Option<bool>>,
    ended_at: Vec<Instant>,
}

impl Loop {
    async fn run(&mut self, house: &House, streams: usize) {
        for _ in 0..streams {
            let Ok(mut events) = house.open(&[]).await else {
                self.broken().await;
                continue;
            };
            self.first.push(events.next().await.unwrap_or(None));
            let end = loop {
                match events.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(status) => break Err(status),
                }
            };
            self.ended_at.push(Instant::now());
            match end {
                Ok(()) => {
                    self.pause = seconds(2);
                    sleep(self.pause).await;
                }
                Err(_) => self.broken().await,
            }
        }
    }

    async fn broken(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(seconds(60));
    }
}

#[tokio::test(start_paused = true)]
async fn coldstart_T2_rotation_leaves_the_back_off_at_2_s() {
    let house = House::known().await;
    house.backend_is(BackendState::Healthy);
    let running = statement(&house);
    running.set_state(State::Running);
    let begun = Instant::now();
    let mut keda = Loop { pause: seconds(32), first: Vec::new(), ended_at: Vec::new() };
    keda.run(&house, 5).await;
    assert_eq!((keda.pause, keda.first), (seconds(2), vec![Some(true); 5]));
    let mut last = begun;
    for at in keda.ended_at {
        let age = at - last;
        assert!((seconds(15 * 60)..=seconds(30 * 60 + 32)).contains(&age), "{age:?}");
        last = at;
    }
}

#[tokio::test(start_paused = true)]
async fn coldstart_T2_sigterm_leaves_the_back_off_at_2_s() {
    let house = House::known().await;
    let mut keda = Loop { pause: seconds(32), first: Vec::new(), ended_at: Vec::new() };
    let leaving = async {
        sleep(seconds(100)).await;
        house.terminate();
    };
    tokio::join!(keda.run(&house, 1), leaving);
    assert_eq!((keda.pause, keda.first), (seconds(2), vec![Some(false)]));
}

#[tokio::test(start_paused = true)]
async fn coldstart_T2_what_rises_in_the_gap_is_the_first_frame_of_the_next_stream() {
    let house = House::known().await;
    house.backend_is(BackendState::Healthy);
    let running = statement(&house);
    running.set_state(State::Running);
    let mut events = house.open(&[]).await.unwrap();
    assert_eq!(events.within(HOUR).await, [Some(true), None]);
    drop(running);
    advance(seconds(60)).await;
    assert_eq!(house.ground.ledger.demand(&house.group, Instant::now()).demand, 0);
    let _waiting = statement(&house);
    let mut next = house.open(&[]).await.unwrap();
    assert_eq!(next.next().await.unwrap(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn coldstart_T2_streams_that_are_idle_or_wait_for_capacity_never_rotate() {
    let house = House::known().await;
    house.backend_is(BackendState::Healthy);
    let mut events = quiet(&house).await;
    assert_eq!(events.within(HOUR * 24).await, [], "idle");
    let waiting = statement(&house);
    let said = events.within(HOUR * 2).await;
    assert!(said.iter().all(|word| *word == Some(true)), "nothing has run since the rise");
    house.backend_is(BackendState::Unhealthy);
    waiting.set_state(State::Running);
    assert_eq!(events.within(HOUR * 2).await, [], "no capacity");
    house.backend_is(BackendState::Healthy);
    assert_eq!(events.within(HOUR * 2).await, [None]);
}

#[tokio::test(start_paused = true)]
async fn streams_are_counted_while_they_are_open() {
    let house = House::known().await;
    let events = quiet(&house).await;
    house.ground.streams.close();
    assert_eq!(house.ground.streams.len(), 1);
    drop(events);
    assert_eq!(house.ground.streams.len(), 0);
}
