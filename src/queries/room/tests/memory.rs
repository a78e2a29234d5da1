//! Ten thousand held statements: what they cost in memory and time, and the order in which they go.

use std::collections::BTreeMap;

use super::{house::House, *};

const STATEMENTS: u64 = 10_000;
const USERS: u64 = 100;

/// The promise: so much for each, besides its text.
const MOST_BYTES_EACH: u64 = 4 * 1024;

/// Says that this process was started to measure itself, undisturbed by other tests.
const MEASURES: &str = "SLUICE_MEASURES_ITS_MEMORY";

fn settings() -> ColdStart {
    ColdStart {
        max_waiting: 20_000,
        max_waiting_per_user: 20_000,
        max_running: Some(1),
        ..ColdStart::default()
    }
}

/// What the process has in memory now.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kibibytes = line.split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

fn is_measured() -> bool {
    std::env::var_os(MEASURES).is_some()
}

#[test]
fn ten_thousand_waiting_statements_take_4_kib_each_besides_their_text() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let own = std::env::current_exe().unwrap();
    let name = "queries::room::tests::memory::measured";
    let measured = std::process::Command::new(own)
        .args([name, "--exact", "--nocapture"])
        .env(MEASURES, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&measured.stderr);
    assert!(measured.status.success() && said.contains("bytes each"), "{measured:?}");
    eprintln!("{said}");
}

/// Does nothing but in the process that the test above starts.
#[tokio::test(start_paused = true)]
async fn measured() {
    if !is_measured() {
        return;
    }
    let house = House::new(settings(), &[Availability::Unreachable]);
    let mut tasks = vec![parked(&house.enter("warm-up")).await];
    let (before, text) = (resident(), "SELECT 1");
    for number in 0..STATEMENTS {
        let guest = house.guest(&format!("user-{}", number % USERS), text);
        tasks.push(parked(&house.try_enter(guest).unwrap()).await);
    }
    let each = resident().saturating_sub(before) / STATEMENTS - text.len() as u64;
    eprintln!("{each} bytes each");
    assert_eq!(house.waiters(), STATEMENTS + 1);
    assert!(each <= MOST_BYTES_EACH, "{each} bytes each");
}

/// Test 8 of scale-from-zero 13, on the real room: one slot, FIFO within a user, shares across users.
#[tokio::test(start_paused = true)]
async fn scale_8_ten_thousand_waiting_statements_go_in_their_order() {
    let house = House::new(settings(), &[Availability::Unreachable]);
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut had: BTreeMap<String, u64> = BTreeMap::new();
    let mut tasks = Vec::new();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..STATEMENTS {
        // Some users have three times as many statements as others.
        let waiting = house.enter(&format!("user-{}", (number % 199) % USERS));
        let tell = tell.clone();
        tasks.push(tokio::spawn(async move {
            if let Turn::Go(pass) = waiting.turn(Instant::now() + HOUR).await {
                tell.send(pass).unwrap();
            }
        }));
    }
    settle().await;
    house.say(|plan| plan.backends[0].1 = Availability::Ready);
    for number in 0..STATEMENTS {
        let mut pass = told.recv().await.unwrap();
        assert_eq!(house.load(), 1);
        let user = pass.statement.user.clone().unwrap();
        let ticket = pass.waiting.ticket;
        assert!(last.insert(user.clone(), ticket).is_none_or(|before| before < ticket));
        *had.entry(user).or_default() += 1;
        if number < STATEMENTS / 4 {
            let (least, most) = (had.values().min().unwrap(), had.values().max().unwrap());
            assert!(most - least <= 1, "{had:?}");
        }
        let lease = pass.take_lease();
        pass.became(real(0));
        drop(lease);
    }
    assert!(house.is_empty() && house.rooms.records() == 0);
}
