//! Who goes when, how many at once, and what becomes of a pass.

use super::*;

/// Enters and parks so many statements of a user.
async fn parked_of(house: &House, user: &str, count: usize) -> Vec<tokio::task::JoinHandle<Turn>> {
    let mut tasks = Vec::new();
    for _ in 0..count {
        tasks.push(parked(&house.enter(user)).await);
    }
    tasks
}

fn ends_well(pass: Pass, number: u32) -> Lease {
    let mut pass = pass;
    let lease = pass.take_lease().unwrap();
    lease.place(pass.take_load().unwrap());
    assert!(pass.became(real(number)));
    lease
}

#[tokio::test(start_paused = true)]
async fn readiness_lets_go_one_then_two_then_four() {
    let house = House::asleep();
    let mut tasks = parked_of(&house, "alice", 20).await;
    assert!(gone(&mut tasks).await.is_empty());
    house.wakes().await;
    let mut leases = Vec::new();
    for expected in [1, 2, 4, 8] {
        let passes = gone(&mut tasks).await;
        assert_eq!(passes.len(), expected);
        leases.extend(passes.into_iter().map(|pass| ends_well(pass, 1)));
    }
    assert_eq!(house.load(), 20, "the last five are on their way");
    drop(leases);
    gone(&mut tasks).await.into_iter().for_each(|pass| drop(ends_well(pass, 1)));
    assert!(tasks.is_empty() && house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn peers_l5_users_take_turns_and_nobody_is_overtaken() {
    let settings = ColdStart { max_running: Some(1), ..ColdStart::default() };
    let house = House::new(settings, &[Availability::Unreachable]);
    let mut tasks = parked_of(&house, "alice", 3).await;
    tasks.extend(parked_of(&house, "bob", 2).await);
    let newcomer = house.enter("alice");
    assert_eq!(newcomer.position(), Some(6));
    house.wakes().await;
    let mut order = Vec::new();
    for number in 0..5 {
        let mut passes = gone(&mut tasks).await;
        let (Some(pass), None) = (passes.pop(), passes.pop()) else { panic!("one at a time") };
        assert!(matches!(turn_now(&newcomer).await, Turn::Later), "all others came before it");
        order.push(pass.statement.user.clone().unwrap());
        drop(ends_well(pass, number));
    }
    assert_eq!(order, ["alice", "bob", "alice", "bob", "alice"]);
    drop(ends_well(pass_now(&newcomer).await, 6));
    assert!(house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn max_running_is_never_exceeded_and_a_freed_place_is_taken_at_once() {
    let settings = ColdStart { max_running: Some(2), ..ColdStart::default() };
    let house = House::new(settings, &[Availability::Ready, Availability::Ready]);
    assert!(!house.rooms.may_pass(&house.current.load().groups[0]));
    let (one, two) = (house.enter("alice"), house.enter("alice"));
    let one = ends_well(pass_now(&one).await, 1);
    let two = ends_well(pass_now(&two).await, 2);
    assert_eq!(house.rooms.records(), 0, "nobody was told their ids");
    let third = house.enter("bob");
    let mut waits = vec![parked(&third).await];
    assert_eq!((house.load(), gone(&mut waits).await.len()), (2, 0));
    drop(one);
    let passes = gone(&mut waits).await;
    assert_eq!((house.load(), passes.len()), (2, 1));
    passes.into_iter().for_each(|pass| drop(ends_well(pass, 3)));
    drop(two);
    assert!(house.is_empty());
    let waited = "gateway_resume_wait_seconds_count{outcome=\"success\",routing_group=\"etl\"}";
    assert_eq!(house.metric(waited) as u64, 1, "only one was held");
}

#[tokio::test(start_paused = true)]
async fn a_failed_pass_keeps_the_place_and_the_count() {
    let house = House::new(ColdStart::default(), &[Availability::Ready]);
    let (first, second) = (house.enter("alice"), house.enter("alice"));
    drop(pass_now(&first).await);
    assert_eq!((house.load(), house.ledger.total(), first.position()), (0, 2, Some(1)));
    assert!(matches!(turn_now(&first).await, Turn::Later), "its backend pauses");
    let mut waits = vec![parked(&second).await, parked(&first).await];
    advance(Duration::from_millis(99)).await;
    assert!(gone(&mut waits).await.is_empty());
    advance(Duration::from_millis(2)).await;
    let mut passes = gone(&mut waits).await;
    assert_eq!(passes.len(), 1, "a slow start again");
    let mut pass = passes.remove(0);
    assert_eq!(pass.waiting.id, first.id);
    let lease = pass.take_lease();
    pass.returned(lease);
    let mut pass = gone(&mut waits).await.remove(0);
    assert_eq!(pass.waiting.id, second.id, "the first is absent");
    drop(pass.take_lease());
    pass.failed(None);
    assert_eq!(house.ledger.total(), 2, "one that waits is counted");
    first.cancel();
    second.cancel();
    assert!(house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_failed_goes_to_another_backend() {
    let house = House::new(ColdStart::default(), &[Availability::Ready, Availability::Ready]);
    let waiting = house.enter("alice");
    let pass = pass_now(&waiting).await;
    let first = pass.backend.live.seat;
    pass.failed(None);
    let pass = pass_now(&waiting).await;
    assert_ne!(pass.backend.live.seat, first);
    pass.refused();
    assert!(house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_newer_of_two_requests_waits_on() {
    let house = House::asleep();
    let waiting = house.enter("alice");
    let (older, newer) = (parked(&waiting).await, parked(&waiting).await);
    assert!(matches!(older.await.unwrap(), Turn::Later));
    house.wakes().await;
    let Turn::Go(pass) = newer.await.unwrap() else { panic!("it waited") };
    assert!(matches!(waiting.state(), WaitingState::Dispatching));
    let third = parked(&waiting).await;
    waiting.page_given();
    drop(ends_well(pass, 7));
    assert!(matches!(third.await.unwrap(), Turn::Became(id) if id == real(7)));
    assert!(matches!(turn_now(&waiting).await, Turn::Became(_)));
    assert!(house.rooms.find(waiting.id).is_some() && waiting.statement().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_leaves_at_the_last_moment_gives_its_pass_back() {
    let house = House::asleep();
    let (first, second) = (house.enter("alice"), house.enter("alice"));
    let (leaves, stays) = (parked(&first).await, parked(&second).await);
    house.say(|plan| plan.backends[0].1 = Availability::Ready);
    leaves.abort();
    settle().await;
    let Turn::Go(pass) = stays.await.unwrap() else { panic!("its turn has come") };
    assert_eq!((pass.waiting.id, first.position()), (second.id, Some(1)));
    drop(ends_well(pass, 1));
    drop(ends_well(pass_now(&first).await, 2));
    assert!(house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_passes_only_an_empty_room() {
    let house = House::asleep();
    let group = || Arc::clone(&house.current.load().groups[0]);
    assert!(house.rooms.may_pass(&group()));
    let waiting = house.enter("alice");
    assert!(!house.rooms.may_pass(&group()));
    waiting.cancel();
    assert!(house.rooms.may_pass(&group()));
}

/// Peers L7: trino-lb hands over only after sleeps of up to 5 s.
#[tokio::test(start_paused = true)]
async fn peers_l7_no_time_passes_between_readiness_and_the_first_pass() {
    let house = House::asleep();
    let mut tasks = parked_of(&house, "alice", 1).await;
    advance(Duration::from_secs(30)).await;
    let before = Instant::now();
    house.wakes().await;
    let passes = gone(&mut tasks).await;
    assert_eq!((passes.len(), before.elapsed()), (1, Duration::ZERO));
    drop(passes);
}
