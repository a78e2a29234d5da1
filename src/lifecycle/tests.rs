//! Phases, readiness and the way out, under a clock that the tests move.

use std::{future, time::Duration};

use tokio::{task::JoinHandle, time::Instant};

use super::*;

const TIMING: Timing = Timing { wait: Duration::from_secs(10), deadline: Duration::from_secs(30) };

fn serving() -> Lifecycle {
    let lifecycle = Lifecycle::new();
    let parts = [Check::Config, Check::Listeners].map(|check| lifecycle.part(check, "x"));
    parts.into_iter().for_each(Part::done);
    lifecycle
}

fn run(
    lifecycle: &Lifecycle,
    finished: impl Future<Output = ()> + Send + 'static,
) -> (tokio::sync::mpsc::UnboundedSender<Signal>, JoinHandle<()>) {
    let (sender, signals) = Signals::channel();
    let lifecycle = lifecycle.clone();
    let running =
        tokio::spawn(async move { lifecycle.run(signals, || {}, || TIMING, finished).await });
    (sender, running)
}

#[test]
fn it_serves_once_the_last_part_has_reported() {
    let lifecycle = Lifecycle::new();
    let config = lifecycle.part(Check::Config, "file");
    let data = lifecycle.part(Check::Listeners, "data");
    let admin = lifecycle.part(Check::Listeners, "admin");
    config.ready();
    data.ready();
    assert_eq!(lifecycle.awaited(), ["listeners admin"]);
    assert!(!lifecycle.is_ready());
    assert_eq!(lifecycle.phase(), Phase::Starting);
    admin.ready();
    assert_eq!(lifecycle.phase(), Phase::Serving);
    assert!(lifecycle.awaited().is_empty());
    assert_eq!(lifecycle.readiness().status(), "healthy");
}

#[test]
fn one_vital_check_alone_is_not_enough() {
    let lifecycle = Lifecycle::new();
    lifecycle.part(Check::Config, "file").done();
    assert_eq!(lifecycle.phase(), Phase::Starting);
}

#[test]
fn losing_a_dependency_degrades_losing_a_vital_part_ends_service() {
    let lifecycle = serving();
    let store = lifecycle.part(Check::Store, "redis");
    store.failed("unreachable");
    assert_eq!(lifecycle.readiness().status(), "degraded");
    assert!(lifecycle.readiness().checks.contains(&(Check::Store, "unreachable")));
    assert!(lifecycle.is_ready());
    store.ready();
    assert_eq!(lifecycle.readiness().status(), "healthy");

    let listener = lifecycle.part(Check::Listeners, "data");
    listener.ready();
    assert!(lifecycle.is_ready());
    drop(listener);
    assert_eq!(lifecycle.readiness().status(), "unhealthy");
    assert!(lifecycle.readiness().checks.contains(&(Check::Listeners, "gone")));
    assert_eq!(lifecycle.phase(), Phase::Serving, "a phase never goes back");
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_then_stops_as_soon_as_the_last_exchange_has_ended() {
    let lifecycle = serving();
    let begun = Instant::now();
    let stopping = lifecycle.clone();
    let finished = async move {
        stopping.reached(Phase::Stopping).await;
        let _ = tokio::time::timeout(Duration::from_secs(3), future::pending::<()>()).await;
    };
    let (signals, running) = run(&lifecycle, finished);
    signals.send(Signal::Stop).unwrap();
    lifecycle.reached(Phase::Draining).await;
    assert!(lifecycle.is_draining());
    assert!(!lifecycle.is_ready());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    lifecycle.reached(Phase::Stopping).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    running.await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(13));
    assert_eq!(lifecycle.phase(), Phase::Stopped);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_is_cut_at_the_deadline() {
    let lifecycle = serving();
    let begun = Instant::now();
    let (signals, running) = run(&lifecycle, future::pending());
    signals.send(Signal::Stop).unwrap();
    running.await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_at_once_and_a_reload_does_not() {
    let lifecycle = serving();
    let begun = Instant::now();
    let (signals, running) = run(&lifecycle, future::pending());
    signals.send(Signal::Stop).unwrap();
    signals.send(Signal::Reload).unwrap();
    lifecycle.reached(Phase::Draining).await;
    signals.send(Signal::Stop).unwrap();
    running.await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(lifecycle.phase(), Phase::Stopped);
}

#[tokio::test(start_paused = true)]
async fn each_hangup_reloads() {
    let lifecycle = serving();
    let (sender, signals) = Signals::channel();
    for signal in [Signal::Reload, Signal::Reload, Signal::Stop, Signal::Stop] {
        sender.send(signal).unwrap();
    }
    let mut reloads = 0;
    lifecycle.run(signals, || reloads += 1, || TIMING, future::pending()).await;
    assert_eq!(reloads, 2);
}

#[tokio::test]
async fn a_phase_that_has_passed_counts_as_reached() {
    let lifecycle = serving();
    lifecycle.advance(Phase::Stopped);
    lifecycle.reached(Phase::Draining).await;
    assert!(!lifecycle.advance(Phase::Draining));
}
