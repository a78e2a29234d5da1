//! What every kind of store does, as `src/store/contract.rs` words it.

use std::time::Duration;

use bytes::Bytes;
use sluice::store::{Change, Claim, Fault, Key, Kind, Store};

use crate::harness::wait;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);
/// Over soon, and not before the next call.
const SHORT: Duration = Duration::from_millis(300);

/// Asks everything of a store that is empty.
pub(super) async fn holds(store: &dyn Store) {
    // Deadlines are its user's affair: a store that cannot be reached never answers.
    let reached = tokio::time::timeout(wait::PATIENCE, store.ping()).await;
    reached.expect("it is reached").unwrap();
    values(store).await;
    lives(store).await;
    claims(store).await;
    replacing(store).await;
    inboxes(store).await;
    lists(store).await;
    races(store).await;
}

fn query(id: &str) -> Key {
    Key::new(Kind::Query, id)
}

async fn put(store: &dyn Store, key: Key, value: &'static str, life: Duration) {
    store.apply(vec![Change::put(key, value, life)]).await.unwrap();
}

async fn get(store: &dyn Store, key: &Key) -> Option<Bytes> {
    store.get_many(std::slice::from_ref(key)).await.unwrap().remove(0)
}

async fn gone(store: &dyn Store, key: &Key) {
    wait::until_async("the end of a life", async || get(store, key).await.is_none()).await;
}

async fn values(store: &dyn Store) {
    let (a, b, c) = (query("a"), query("b"), query("c"));
    let every_byte: Bytes = (0..=255).collect::<Vec<u8>>().into();
    let changes = vec![
        Change::put(a.clone(), "1", LONG),
        Change::put(b.clone(), every_byte.clone(), LONG),
        Change::put(a.clone(), "2", LONG),
        Change::put(c.clone(), "x", LONG),
        Change::remove(c.clone()),
    ];
    store.apply(changes).await.unwrap();
    let keys = [c.clone(), b.clone(), query("never"), a.clone()];
    let found = store.get_many(&keys).await.unwrap();
    assert_eq!(found, [None, Some(every_byte), None, Some("2".into())], "in the order asked");
    put(store, a.clone(), "", LONG).await;
    assert_eq!(get(store, &a).await, Some(Bytes::new()), "an empty value is one");
    store.apply(vec![Change::remove(a.clone()), Change::remove(query("never"))]).await.unwrap();
    assert_eq!(get(store, &a).await, None);
    let same_id = Key::new(Kind::Alias, "b");
    assert_eq!(get(store, &same_id).await, None, "kinds do not mix");
}

async fn lives(store: &dyn Store) {
    let (short, long, report) = (query("short"), query("long"), Key::new(Kind::Report, "short"));
    put(store, short.clone(), "1", SHORT).await;
    put(store, report.clone(), "1", SHORT).await;
    put(store, long.clone(), "1", SHORT).await;
    put(store, long.clone(), "1", LONG).await;
    assert!(get(store, &short).await.is_some());
    gone(store, &short).await;
    gone(store, &report).await;
    assert!(get(store, &long).await.is_some(), "writing again renews");
    assert_eq!(store.list(Kind::Report).await.unwrap(), []);
}

async fn claims(store: &dyn Store) {
    let key = Key::new(Kind::Lease, "resume");
    let claim = |holder: &'static str, life| store.claim(&key, holder.into(), life);
    assert_eq!(claim("a", SHORT).await.unwrap(), Claim::Won);
    assert_eq!(claim("b", LONG).await.unwrap(), Claim::Held("a".into()));
    assert_eq!(claim("a", LONG).await.unwrap(), Claim::Won, "the same one renews");
    assert!(!store.release(&key, "b".into()).await.unwrap());
    assert!(store.release(&key, "a".into()).await.unwrap());
    assert!(!store.release(&key, "a".into()).await.unwrap(), "once");
    assert_eq!(claim("b", SHORT).await.unwrap(), Claim::Won);
    wait::until_async("the end of a claim", async || claim("a", LONG).await.unwrap() == Claim::Won)
        .await;
}

async fn replacing(store: &dyn Store) {
    let key = query("replaced");
    let replace = |expected: Option<&'static str>, value: &'static str| {
        store.replace(&key, expected.map(Bytes::from), value.into(), LONG)
    };
    assert!(!replace(Some("1"), "2").await.unwrap(), "nothing is not something");
    assert!(replace(None, "1").await.unwrap());
    assert!(!replace(None, "2").await.unwrap());
    assert!(!replace(Some("2"), "3").await.unwrap());
    assert_eq!(get(store, &key).await.unwrap(), "1");
    assert!(replace(Some("1"), "").await.unwrap());
    assert!(replace(Some(""), "2").await.unwrap(), "an empty value is not nothing");
}

async fn inboxes(store: &dyn Store) {
    let inbox = Key::new(Kind::Inbox, "a");
    let items = |words: &[&'static str]| words.iter().map(|word| Bytes::from(*word)).collect();
    let none = Vec::<Bytes>::new;
    let drain = |had: &[&'static str], most| store.drain(&inbox, items(had), most);
    assert_eq!(drain(&[], 9).await.unwrap(), none());
    let two = Change::Push { key: inbox.clone(), items: items(&["1", "2"]), life: LONG };
    store.apply(vec![two, Change::push(inbox.clone(), "3", LONG)]).await.unwrap();
    assert_eq!(drain(&[], 2).await.unwrap(), ["1", "2"]);
    assert_eq!(drain(&[], 2).await.unwrap(), ["1", "2"], "nobody said that they were had");
    store.apply(vec![Change::push(inbox.clone(), "4", SHORT)]).await.unwrap();
    assert_eq!(drain(&["1", "2"], 9).await.unwrap(), ["3", "4"]);
    assert_eq!(drain(&["1", "2"], 9).await.unwrap(), ["3", "4"], "said again it takes no other");
    assert_eq!(drain(&["3", "4"], 9).await.unwrap(), none());
    assert_eq!(drain(&["4"], 9).await.unwrap(), none(), "what is not there");
    let same = Change::Push { key: inbox.clone(), items: items(&["5", "5"]), life: LONG };
    store.apply(vec![same]).await.unwrap();
    assert_eq!(drain(&["5"], 9).await.unwrap(), ["5"], "one for one");
    store.apply(vec![Change::push(inbox.clone(), "6", SHORT)]).await.unwrap();
    wait::until_async("the end of its life", async || drain(&[], 9).await.unwrap().is_empty())
        .await;
}

async fn lists(store: &dyn Store) {
    for id in ["a", "b", "c"] {
        put(store, Key::new(Kind::Mark, id), "1", LONG).await;
    }
    put(store, Key::new(Kind::Mark, "b"), "2", LONG).await;
    store.apply(vec![Change::remove(Key::new(Kind::Mark, "c"))]).await.unwrap();
    let mut found: Vec<(String, Bytes)> = store
        .list(Kind::Mark)
        .await
        .unwrap()
        .into_iter()
        .map(|(k, v)| (k.id.to_string(), v))
        .collect();
    found.sort();
    assert_eq!(found, [("a".to_owned(), Bytes::from("1")), ("b".to_owned(), Bytes::from("2"))]);
    assert_eq!(store.list(Kind::Learned).await.unwrap(), []);
    let learned = Key::new(Kind::Learned, "g");
    assert!(store.replace(&learned, None, "1".into(), LONG).await.unwrap());
    let found = store.list(Kind::Learned).await.unwrap();
    assert_eq!(found, [(learned, Bytes::from("1"))], "however it was written");
    assert_eq!(store.list(Kind::Query).await.unwrap(), [], "too many to be listed");
}

/// Of many at once exactly one wins.
async fn races(store: &dyn Store) {
    let (lease, value) = (Key::new(Kind::Lease, "race"), query("race"));
    put(store, value.clone(), "0", LONG).await;
    let one = |number: u8| {
        let (lease, value) = (&lease, &value);
        async move {
            let name = Bytes::from(vec![number]);
            let claim = store.claim(lease, name.clone(), LONG).await?;
            let replaced = store.replace(value, Some("0".into()), name, LONG).await?;
            Ok::<_, Fault>((claim == Claim::Won, replaced))
        }
    };
    let racing = futures_util::future::join_all((0..20).map(one));
    let done: Vec<_> = racing.await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|(won, _)| *won).count(), 1);
    assert_eq!(done.iter().filter(|(_, replaced)| *replaced).count(), 1);
}
