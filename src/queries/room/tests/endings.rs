//! How waits end without a query, and what is left of them.

use super::*;

fn why(turn: &Turn) -> Why {
    match turn {
        Turn::Over(gave_up) => gave_up.why,
        other => panic!("{other:?}"),
    }
}

fn ended(house: &House, status: &str) -> u64 {
    let series = "gateway_queries_total{routing_group=\"etl\",statement_type=\"other\"";
    let page = house.metric(&format!("{series},status=\"{status}\"}}"));
    page as u64
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_statement_is_gone_from_every_count() {
    let house = House::asleep();
    let waiting = house.enter("alice");
    let held = parked(&waiting).await;
    assert!(waiting.cancel() && !waiting.cancel() && !waiting.kill("no"));
    assert_eq!(why(&held.await.unwrap()), Why::Canceled);
    assert!(house.is_empty() && house.rooms.records() == 0);
    assert_eq!((ended(&house, "canceled"), ended(&house, "rejected")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_killed_statement_says_so_for_as_long_as_it_is_remembered() {
    let house = House::asleep();
    let waiting = house.enter("alice");
    assert!(matches!(turn_now(&waiting).await, Turn::Later));
    waiting.page_given();
    assert!(waiting.kill("too expensive"));
    assert!(house.is_empty() && house.rooms.all().is_empty());
    let WaitingState::Ended(gave_up) = house.rooms.find(waiting.id).unwrap().state() else {
        panic!("it has ended");
    };
    assert_eq!((gave_up.why, &*gave_up.words), (Why::Killed, "too expensive"));
    advance(Duration::from_secs(899)).await;
    assert_eq!(house.rooms.records(), 1);
    advance(Duration::from_secs(10)).await;
    assert_eq!(house.rooms.records(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_while_it_is_sent_says_so_to_its_pass() {
    let house = House::new(ColdStart::default(), &[Availability::Ready]);
    let waiting = house.enter("alice");
    let pass = pass_now(&waiting).await;
    assert!(waiting.cancel());
    assert!(!pass.became(real(1)));
    assert!(house.is_empty());
    let waiting = house.enter("alice");
    let pass = pass_now(&waiting).await;
    assert!(waiting.cancel());
    pass.failed(None);
    assert!(house.is_empty());
}

/// Peers L15: trino-lb's `Starting` never expires.
#[tokio::test(start_paused = true)]
async fn peers_l15_a_wait_has_a_deadline() {
    let house = House::asleep();
    let first = parked(&house.enter("alice")).await;
    advance(Duration::from_secs(300)).await;
    let second = parked(&house.enter("alice")).await;
    advance(Duration::from_secs(299)).await;
    assert!(!first.is_finished());
    advance(Duration::from_secs(1)).await;
    assert_eq!(why(&first.await.unwrap()), Why::Unavailable(Unavailable::ResumeTimeout));
    assert!(!second.is_finished());
    assert_eq!(house.ledger.demand(&house.group, Instant::now()).demand, 2, "it is unmet");
    advance(Duration::from_secs(300)).await;
    let Turn::Over(gave_up) = second.await.unwrap() else { panic!("overdue") };
    assert_eq!(&*gave_up.words, "no coordinator became ready within 10m");
    assert!(house.is_empty() && ended(&house, "rejected") == 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_group_has_a_deadline_of_its_own_name() {
    let settings = ColdStart { max_running: Some(1), ..ColdStart::default() };
    let house = House::new(settings, &[Availability::Ready]);
    let mut running = pass_now(&house.enter("alice")).await;
    let place = running.take_load();
    let lease = running.take_lease();
    running.became(real(1));
    let waits = parked(&house.enter("alice")).await;
    advance(Duration::from_secs(601)).await;
    assert_eq!(why(&waits.await.unwrap()), Why::Unavailable(Unavailable::QueueTimeout));
    drop((place, lease));
    assert!(house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_are_told_when_there_is_no_hope() {
    let house = House::asleep();
    let held = parked(&house.enter("alice")).await;
    let between_polls = house.enter("bob");
    between_polls.page_given();
    let failed = (Unavailable::ResumeFailed, Arc::<str>::from("403: may not scale"));
    house.tell(|plan| plan.hopeless = Some(failed)).await;
    assert_eq!(why(&held.await.unwrap()), Why::Unavailable(Unavailable::ResumeFailed));
    let Turn::Over(gave_up) = turn_now(&between_polls).await else { panic!("no hope") };
    assert_eq!(&*gave_up.words, "403: may not scale");
    assert!(house.is_empty());
    let latecomer = house.enter("carol");
    assert_eq!(why(&turn_now(&latecomer).await), Why::Unavailable(Unavailable::ResumeFailed));
    assert!(house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_held_down_has_no_unmet_demand() {
    let house = House::asleep();
    let held = parked(&house.enter("alice")).await;
    let down = (Unavailable::HeldDown, Arc::<str>::from("an operator suspended it"));
    house.tell(|plan| plan.hopeless = Some(down)).await;
    assert_eq!(why(&held.await.unwrap()), Why::Unavailable(Unavailable::HeldDown));
    house.tell(|plan| plan.hopeless = None).await;
    assert_eq!(house.ledger.demand(&house.group, Instant::now()).demand, 1, "the last one lingers");
    advance(Duration::from_secs(60)).await;
    assert_eq!(house.ledger.demand(&house.group, Instant::now()).demand, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_removes_the_group_ends_its_waits() {
    let house = House::asleep();
    let held = parked(&house.enter("alice")).await;
    house.tell(|plan| plan.is_removed = true).await;
    assert_eq!(why(&held.await.unwrap()), Why::RemovedGroup);
    let latecomer = house.enter("bob");
    assert_eq!(why(&turn_now(&latecomer).await), Why::RemovedGroup);
    settle().await;
    assert!(house.is_empty());
    house.tell(|plan| plan.is_removed = false).await;
    assert!(matches!(turn_now(&house.enter("bob")).await, Turn::Later));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_says_so_to_everybody() {
    let house = House::asleep();
    let held = parked(&house.enter("alice")).await;
    let between_polls = house.enter("bob");
    house.stop.cancel();
    settle().await;
    assert_eq!(why(&held.await.unwrap()), Why::Stopping);
    assert_eq!(why(&turn_now(&between_polls).await), Why::Stopping);
    let refused = house.try_enter(house.guest("carol", "SELECT 1")).unwrap_err();
    assert_eq!((refused.full, refused.full.reason()), (Full::Stopping, Unavailable::Stopping));
    drop(refused);
    assert!(house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ledger_l5_one_that_nobody_asks_for_stops_being_demand_and_then_waiting() {
    let house = House::asleep();
    let waiting = house.enter("alice");
    let demand = || house.ledger.demand(&house.group, Instant::now());
    drop(parked(&waiting).await);
    waiting.page_given();
    assert!(matches!(turn_now(&waiting).await, Turn::Later));
    advance(Duration::from_secs(59)).await;
    assert_eq!(demand().demand, 1);
    advance(Duration::from_secs(1)).await;
    assert_eq!((demand().demand, demand().in_flight), (0, 1));
    waiting.touch();
    assert_eq!(demand().demand, 1, "a HEAD is a sign of life");
    advance(Duration::from_secs(299)).await;
    assert_eq!(demand().in_flight, 1);
    advance(Duration::from_secs(7)).await;
    assert!(matches!(waiting.state(), WaitingState::Ended(gave_up) if gave_up.why == Why::Expired));
    assert!(house.is_empty() && ended(&house, "abandoned") == 1);
}

#[tokio::test(start_paused = true)]
async fn ledger_l4_other_credentials_are_waited_for_without_demand() {
    let house = House::new(ColdStart::default(), &[Availability::Ready]);
    let waiting = house.enter("alice");
    waiting.page_given();
    let demand = || house.ledger.demand(&house.group, Instant::now());
    let mut pass = pass_now(&waiting).await;
    let lease = pass.take_lease();
    pass.unauthorised(lease);
    assert_eq!((demand().in_flight, demand().demand, house.load()), (1, 0, 0));
    let pass = pass_now(&waiting).await;
    assert_eq!(demand().demand, 1);
    pass.unauthorised(None);
    advance(Duration::from_secs(306)).await;
    assert!(house.is_empty() && ended(&house, "abandoned") == 1);
}

#[tokio::test(start_paused = true)]
async fn ledger_l4_a_client_that_leaves_before_any_page_is_out_at_once() {
    let house = House::asleep();
    let waiting = house.enter("alice");
    drop(parked(&waiting).await);
    waiting.leave_unannounced();
    assert!(house.is_empty() && house.rooms.records() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_crosses_the_end_is_still_answered() {
    let house = House::asleep();
    let waiting = house.enter("alice");
    waiting.kill("now");
    waiting.page_given();
    assert!(house.rooms.find(waiting.id).is_some());
}
