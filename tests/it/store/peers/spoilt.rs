//! Something that somebody else wrote under our keys, and what may be read of what we wrote.

use std::time::Duration;

use sluice::store::{Claim, Had, Key, Kind};

use crate::harness::server::{Server, Used};

const LIFE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_is_not_ours_is_absent_for_reads_and_gives_way_to_writes() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let used = Used::by(&format!("url: '{}'", server.url()));
    let shared = &used.shared;
    server.ask::<()>(&["SADD", "sluice:query:set", "x"]).await;
    server.ask::<()>(&["SET", "sluice:query:text", "x"]).await;
    server.ask::<()>(&["HSET", "sluice:inbox:i", "a", "b"]).await;
    server.ask::<()>(&["SET", "sluice:lease:l", "for ever"]).await;
    server.ask::<()>(&["RPUSH", "sluice:{mark}", "not an index"]).await;
    server.ask::<()>(&["SET", "sluice:waiting:w", "\u{1}plain"]).await;
    let key = |kind, id: &str| Key::new(kind, id);
    for id in ["set", "text"] {
        assert_eq!(shared.get(key(Kind::Query, id)).await, Ok(None), "{id}");
    }
    assert_eq!(shared.get(key(Kind::Waiting, "w")).await, Ok(None), "it was not sealed");
    let read = shared.drain(key(Kind::Inbox, "i"), &Had::default(), 9).await.unwrap();
    assert!(read.items.is_empty() && read.had.is_empty());
    assert_eq!(shared.list(Kind::Mark).await, Ok(Vec::new()));
    assert!(shared.is_up(), "nothing of this is the store's fault");

    shared.put(key(Kind::Query, "set"), "1", LIFE).await.unwrap();
    assert_eq!(shared.get(key(Kind::Query, "set")).await.unwrap().unwrap().value, "1");
    shared.push(key(Kind::Inbox, "i"), "1", LIFE).await.unwrap();
    server.ask::<()>(&["RPUSH", "sluice:inbox:i", "x"]).await;
    shared.push(key(Kind::Inbox, "i"), "2", LIFE).await.unwrap();
    let read = shared.drain(key(Kind::Inbox, "i"), &Had::default(), 9).await.unwrap();
    assert_eq!((read.items, read.had.len()), (vec!["1".into(), "2".into()], 3));
    let rest = shared.drain(key(Kind::Inbox, "i"), &read.had, 9).await.unwrap();
    assert!(rest.had.is_empty(), "what is not ours goes with the others");
    assert_eq!(shared.claim(key(Kind::Lease, "l"), "me", LIFE).await, Ok(Claim::Won));
    shared.put(key(Kind::Mark, "m"), "1", LIFE).await.unwrap();
    assert_eq!(shared.list(Kind::Mark).await.unwrap(), [(key(Kind::Mark, "m"), "1".into())]);
    used.stop().await;
}

#[tokio::test]
async fn a_waiting_statement_is_sealed_in_the_store() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let used = Used::by(&format!("url: '{}'", server.url()));
    let key = Key::new(Kind::Waiting, "w");
    used.shared.put(key.clone(), "SELECT 1 -- hunter2", LIFE).await.unwrap();
    let raw: Vec<u8> = server.ask(&["GET", "sluice:waiting:w"]).await;
    assert!(!raw.windows(7).any(|part| part == b"hunter2" || part == b"SELECT "));
    let found = used.shared.get(key.clone()).await.unwrap().unwrap();
    assert_eq!(found.value, "SELECT 1 -- hunter2");
    assert_eq!(used.shared.replace(key.clone(), Some(&found), "mine", LIFE).await, Ok(true));
    server.ask::<()>(&["COPY", "sluice:waiting:w", "sluice:waiting:moved"]).await;
    assert_eq!(used.shared.get(Key::new(Kind::Waiting, "moved")).await, Ok(None), "moved");
    used.stop().await;
}
