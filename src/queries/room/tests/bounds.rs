//! Rooms are bounded by count, by user and by bytes.

use super::*;

fn full(house: &House, guest: Guest) -> Option<Full> {
    house.try_enter(guest).err().map(|refused| refused.full)
}

/// Peers L6: trino-lb's queue has no limit.
#[tokio::test(start_paused = true)]
async fn peers_l6_a_room_is_bounded_by_count_and_by_user() {
    let settings = ColdStart { max_waiting: 3, max_waiting_per_user: 2, ..ColdStart::default() };
    let house = House::new(settings, &[Availability::Unreachable]);
    let (one, two) = (house.enter("alice"), house.enter("alice"));
    assert_eq!(full(&house, house.guest("alice", "SELECT 1")), Some(Full::PerUser));
    let three = house.enter("bob");
    assert_eq!(full(&house, house.guest("carol", "SELECT 1")), Some(Full::Count));
    assert_eq!(house.ledger.total(), 3, "the refused are out of the count");
    assert_eq!(house.ledger.demand(&house.group, Instant::now()).demand, 4, "but they are demand");
    assert!(two.cancel());
    let four = house.enter("carol");
    for waiting in [one, three, four] {
        waiting.cancel();
    }
    assert!(house.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_room_is_bounded_by_bytes_of_sql_and_headers() {
    let bytes = crate::config::units::Bytes::parse("64KiB").unwrap();
    let settings = ColdStart { max_waiting_bytes: bytes, ..ColdStart::default() };
    let house = House::new(settings, &[Availability::Unreachable]);
    let long = "x".repeat(40 * 1024);
    let first = house.try_enter(house.guest("alice", &long)).unwrap();
    let bytes = house.rooms.seen(&house.group).bytes;
    assert!((40 * 1024 + 300..42 * 1024).contains(&bytes), "{bytes}");
    let refused = house.try_enter(house.guest("alice", &long)).unwrap_err();
    assert_eq!((refused.full, refused.full.reason()), (Full::Bytes, Unavailable::QueueFull));
    assert_eq!(refused.guest.statement.body.len(), long.len(), "it goes back as it came");
    drop(refused);
    first.cancel();
    assert!(full(&house, house.guest("alice", &long)).is_none());
}

#[tokio::test(start_paused = true)]
async fn statements_that_are_being_sent_do_not_fill_the_room() {
    let settings = ColdStart {
        max_waiting: 2,
        max_waiting_per_user: 1,
        max_running: Some(3),
        ..ColdStart::default()
    };
    let house = House::new(settings, &[Availability::Ready]);
    let mut passes = Vec::new();
    for _ in 0..3 {
        passes.push(pass_now(&house.enter("alice")).await);
    }
    let waits = house.enter("alice");
    assert_eq!(full(&house, house.guest("alice", "SELECT 1")), Some(Full::PerUser));
    assert_eq!((house.waiters(), waits.position()), (4, Some(1)));
}
