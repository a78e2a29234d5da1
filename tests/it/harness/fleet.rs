//! Several gateways of this process that share one store, and clients that go from one to the other.
//!
//! The store is in memory, or a Redis of the fleet's own where `SLUICE_TEST_FLEET` names the program.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use sluice::store::{Change, Claim, Fault, Key, Kind, Memory, Pending, Store};

use super::answer::Answer;
use super::gateway::Gateway;
use super::server::{Server, Used};
use super::wait;

/// Gateways before one store.
pub(crate) struct Fleet {
    pub(crate) replicas: Vec<Gateway>,
    pub(crate) ways: Vec<Arc<Way>>,
    store: Shared,
    yaml: String,
}

/// What they share.
enum Shared {
    Memory(Arc<Memory>),
    Redis(Box<Server>),
}

impl Shared {
    async fn start() -> Self {
        match std::env::var_os("SLUICE_TEST_FLEET") {
            Some(program) => Self::Redis(Box::new(Server::start(program.as_ref(), &[]).await)),
            None => Self::Memory(Arc::default()),
        }
    }

    /// A way to it for one more gateway.
    fn way(&self, cut: bool) -> Way {
        let (store, used): (Arc<dyn Store>, _) = match self {
            Self::Memory(memory) => (Arc::clone(memory) as _, None),
            Self::Redis(server) => {
                let used = Used::by(&format!("url: '{}'", server.url()));
                (Arc::clone(&used.store) as _, Some(used))
            }
        };
        let (lost, sunk, lives) = (Mutex::default(), Mutex::default(), Mutex::default());
        Way { store, cut: AtomicBool::new(cut), lost, sunk, lives, _used: used }
    }
}

/// A call that changes something by being answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    /// An inbox that was not empty.
    Inbox,
    /// A value of this kind that was replaced.
    Replaced(Kind),
}

/// One gateway's way to the store, which can be cut: to the others the gateway is lost then.
#[derive(Debug)]
pub(crate) struct Way {
    store: Arc<dyn Store>,
    cut: AtomicBool,
    /// The call whose next answer is lost on its way.
    lost: Mutex<Option<Call>>,
    /// How many words were taken by a server that is lost with them; `None`: it keeps them.
    sunk: Mutex<Option<usize>>,
    /// How long each value was to be kept.
    lives: Mutex<Vec<(Kind, Duration)>>,
    /// Keeps the connection of a real one.
    _used: Option<Used>,
}

impl Way {
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    /// The next such call is made, and its answer is lost.
    pub(crate) fn lose(&self, call: Call) {
        *self.lost.lock().unwrap() = Some(call);
    }

    /// Whether that answer was lost meanwhile.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost.lock().unwrap().is_none()
    }

    /// From now on words are taken, and lost with the server that took them.
    pub(crate) fn sink_words(&self) {
        *self.sunk.lock().unwrap() = Some(0);
    }

    /// Another server, which keeps them; how many words the other one had.
    pub(crate) fn keep_words(&self) -> usize {
        self.sunk.lock().unwrap().take().expect("words were lost")
    }

    /// How many words were lost.
    pub(crate) fn sunk(&self) -> usize {
        self.sunk.lock().unwrap().unwrap_or_default()
    }

    /// Whether this is a word that is taken and lost.
    fn sinks(&self, change: &Change) -> bool {
        let Change::Push { items, .. } = change else { return false };
        match &mut *self.sunk.lock().unwrap() {
            Some(sunk) => {
                *sunk += items.len();
                true
            }
            None => false,
        }
    }

    /// The answer, unless it is the one to be lost.
    fn heard<T>(&self, call: Call, answer: T) -> Result<T, Fault> {
        match self.lost.lock().unwrap().take_if(|lost| *lost == call) {
            Some(_) => Err(Fault::Unavailable),
            None => Ok(answer),
        }
    }

    fn keeps(&self, kind: Kind, life: Duration) {
        self.lives.lock().unwrap().push((kind, life));
    }

    /// The memory store acts when it is called, so it is called only where the way is open.
    fn pass<'a, T: Send + 'a>(
        &'a self,
        call: impl FnOnce(&'a dyn Store) -> Pending<'a, T>,
    ) -> Pending<'a, T> {
        if self.cut.load(Ordering::SeqCst) {
            return Box::pin(async { Err(Fault::Unavailable) });
        }
        call(&*self.store)
    }
}

impl Fleet {
    /// So many of one configuration, which know of each other.
    pub(crate) async fn start(replicas: usize, yaml: &str) -> Self {
        let mut fleet = Self {
            replicas: Vec::new(),
            ways: Vec::new(),
            store: Shared::start().await,
            yaml: yaml.to_owned(),
        };
        for _ in 0..replicas {
            fleet.one_more().await;
        }
        fleet
    }

    /// One more joins.
    pub(crate) async fn one_more(&mut self) {
        self.joins(false).await;
    }

    /// One more starts, and cannot reach the store.
    pub(crate) async fn one_more_cut_off(&mut self) {
        self.joins(true).await;
    }

    async fn joins(&mut self, cut_off: bool) {
        let way = Arc::new(self.store.way(cut_off));
        let gateway = Gateway::sharing(&self.yaml, Arc::clone(&way) as Arc<dyn Store>).await;
        self.replicas.push(gateway);
        self.ways.push(way);
    }

    /// The same, and each has found that many backends healthy.
    pub(crate) async fn healthy(self, backends: usize) -> Self {
        for replica in &self.replicas {
            replica.until_healthy(backends).await;
        }
        self
    }

    /// How long the values of a kind were to be kept, by every write of one so far.
    pub(crate) fn lives(&self, kind: Kind) -> Vec<Duration> {
        let of = |way: &Arc<Way>| way.lives.lock().unwrap().clone();
        let all = self.ways.iter().flat_map(of).filter(|(each, _)| *each == kind);
        all.map(|(_, life)| life).collect()
    }

    /// How long a real server goes on keeping that value; the memory store does not tell.
    pub(crate) async fn left(&self, key: &Key) -> Option<Duration> {
        let Shared::Redis(server) = &self.store else { return None };
        let left: i64 = server.ask(&["PTTL", &format!("sluice:{key}")]).await;
        Some(Duration::from_millis(u64::try_from(left).expect("it is there, and not for ever")))
    }

    /// The demand page of group `adhoc` at one replica.
    pub(crate) async fn demand(&self, at: usize) -> (u16, Value) {
        demand(&self.replicas[at]).await
    }

    /// Waits until that one says that it has the store (1), or has lost it (0).
    pub(crate) async fn until_store_is(&self, at: usize, up: f64) {
        let is_so = async || self.replicas[at].metric("gateway_store_up").await == up;
        wait::until_async("the store, lost or back", is_so).await;
    }

    /// Waits until each of these says that so many queries are in flight in all.
    pub(crate) async fn until_in_flight(&self, at: &[usize], queries: u64) {
        for at in at {
            let what = format!("{queries} in flight, as replica {at} says");
            let is_so = async || self.demand(*at).await.1["inflight"] == queries;
            if !wait::comes_true(is_so).await {
                panic!("waited in vain for: {what}; {}", self.told().await);
            }
        }
    }

    /// What each replica says of demand and of its store, for who looks into a failure.
    async fn told(&self) -> String {
        let mut all = Vec::new();
        for (at, replica) in self.replicas.iter().enumerate() {
            let metrics = replica.metrics().await;
            let is_said =
                |line: &&str| line.starts_with("gateway_store_") && !line.contains("_bucket{");
            let of_store = metrics.lines().filter(is_said).collect::<Vec<_>>().join("; ");
            let (counted, demand) = (replica.in_flight(), self.demand(at).await.1);
            all.push(format!("replica {at} counts {counted}, says {demand}; {of_store}"));
        }
        all.join("\n")
    }

    /// A statement, posted at one replica.
    pub(crate) async fn post(&self, at: usize, sql: &str) -> Roaming {
        let client = self.replicas[at].client().may_change_id();
        let answer = client.send(Method::POST, "/v1/statement", sql.to_owned()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        Roaming::of(&answer)
    }

    /// Ends all of them; queries may be left.
    pub(crate) async fn end(self) {
        self.ways.iter().for_each(|way| way.cut(false));
        for replica in &self.replicas {
            replica.terminate();
        }
        for replica in self.replicas {
            replica.ended().await;
        }
    }
}

/// A query whose client asks any replica for the next page.
#[derive(Clone, Debug)]
pub(crate) struct Roaming {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) page: Value,
    /// The path of the latest `nextUri`.
    pub(crate) next: Option<String>,
}

impl Roaming {
    pub(crate) fn of(answer: &Answer) -> Self {
        let page = answer.json().unwrap_or_else(|error| panic!("{error:?}: {}", answer.text()));
        let next = page["nextUri"].as_str().map(path_of);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self { id: text(&page["id"]), state: text(&page["stats"]["state"]), next, page }
    }

    /// Asks that replica for the next page.
    pub(crate) async fn poll(&mut self, at: &Gateway) {
        let answer = self.ask(at, Method::GET).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        *self = Self::of(&answer);
    }

    /// Asks it so about the query.
    pub(crate) async fn ask(&self, at: &Gateway, method: Method) -> Answer {
        let next = self.next.clone().expect("it goes on");
        at.client().send(method, &next, "").await.unwrap()
    }

    /// Asks that replica until the query is in that state, or over.
    pub(crate) async fn until(&mut self, at: &Gateway, state: &str) {
        let asking = async {
            while self.state != state && self.next.is_some() {
                self.poll(at).await;
            }
        };
        tokio::time::timeout(wait::PATIENCE, asking).await.expect("it gets there");
        assert_eq!(self.state, state, "{}", self.page);
    }

    /// Asks that replica to its end, which must be a good one.
    pub(crate) async fn finish(&mut self, at: &Gateway) {
        while self.next.is_some() {
            self.poll(at).await;
        }
        assert_eq!((self.state.as_str(), self.error()), ("FINISHED", None), "{}", self.page);
    }

    /// The name of its error, if it has one.
    pub(crate) fn error(&self) -> Option<&str> {
        self.page["error"]["errorName"].as_str()
    }
}

/// What stands behind scheme and host.
pub(crate) fn path_of(uri: &str) -> String {
    let host = uri.find("://").expect("an absolute URI") + 3;
    let path = uri[host..].find('/').expect("a path") + host;
    uri[path..].to_owned()
}

/// `/api/v1/routing-groups/adhoc/demand`.
pub(crate) async fn demand(gateway: &Gateway) -> (u16, Value) {
    let (status, text) = gateway.health("/api/v1/routing-groups/adhoc/demand").await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl Store for Way {
    fn apply(&self, changes: Vec<Change>) -> Pending<'_, ()> {
        for change in &changes {
            if let Change::Put { key, life, .. } = change {
                self.keeps(key.kind, *life);
            }
        }
        let kept: Vec<_> = changes.into_iter().filter(|change| !self.sinks(change)).collect();
        self.pass(move |store| store.apply(kept))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> Pending<'a, Vec<Option<Bytes>>> {
        self.pass(|store| store.get_many(keys))
    }

    fn claim<'a>(&'a self, key: &'a Key, holder: Bytes, life: Duration) -> Pending<'a, Claim> {
        self.pass(move |store| store.claim(key, holder, life))
    }

    fn release<'a>(&'a self, key: &'a Key, holder: Bytes) -> Pending<'a, bool> {
        self.pass(move |store| store.release(key, holder))
    }

    fn replace<'a>(
        &'a self,
        key: &'a Key,
        expected: Option<Bytes>,
        value: Bytes,
        life: Duration,
    ) -> Pending<'a, bool> {
        self.keeps(key.kind, life);
        let replaced = self.pass(move |store| store.replace(key, expected, value, life));
        Box::pin(async move {
            let is_done = replaced.await?;
            if is_done { self.heard(Call::Replaced(key.kind), true) } else { Ok(false) }
        })
    }

    fn drain<'a>(&'a self, key: &'a Key, had: Vec<Bytes>, most: usize) -> Pending<'a, Vec<Bytes>> {
        let drained = self.pass(|store| store.drain(key, had, most));
        Box::pin(async move {
            let items = drained.await?;
            if items.is_empty() { Ok(items) } else { self.heard(Call::Inbox, items) }
        })
    }

    fn list(&self, kind: Kind) -> Pending<'_, Vec<(Key, Bytes)>> {
        self.pass(|store| store.list(kind))
    }

    fn ping(&self) -> Pending<'_, ()> {
        self.pass(|store| store.ping())
    }
}
