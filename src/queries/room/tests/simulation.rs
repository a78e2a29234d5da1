//! Queries with random endings, on the very types that count them: afterwards nothing counts, waits or is kept.
//!
//! Clients come, wait, leave, poll twice, cancel; passes succeed, fail, are refused, forgotten; backends flap, die and are
//! removed by reloads; queries end by a page, by DELETE, by 404, by nobody asking. Time is paused and
//! jumps. Every number is compared with a plain count on the way. `SLUICE_SIMULATION` says how many queries,
//! `SLUICE_SEED` which run.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::{house::House, *};
use crate::{
    metrics::Metrics,
    queries::{Bindings, Ending, Query, Table, reaper},
    trino::head::State,
};

/// What CI runs; the figure of the note is 1,000,000.
const QUERIES: u32 = 10_000;

/// Clients at the same time.
const CLIENTS: usize = 200;

/// The group is full at this many, whatever happens.
const MAX_RUNNING: u64 = 40;

/// A request that waits for its turn.
type Request = Pin<Box<dyn Future<Output = Turn>>>;

struct Simulation {
    house: House,
    table: Arc<Table>,
    chance: fastrand::Rng,
    came: u32,
    waiting: Vec<(Arc<Waiting>, Option<Request>)>,
    passes: Vec<(Pass, Option<Lease>)>,
    queries: Vec<Arc<Query>>,
    removed: bool,
}

#[tokio::test(start_paused = true)]
async fn queries_with_random_endings_leave_nothing_behind() {
    let asked = |name| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let seed = asked("SLUICE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let queries = asked("SLUICE_SIMULATION").map_or(QUERIES, |all| u32::try_from(all).unwrap());
    eprintln!("SLUICE_SEED={seed} SLUICE_SIMULATION={queries} shows this run again");
    fastrand::seed(seed); // what the rooms themselves draw
    let mut simulation = Simulation::new(seed);
    while simulation.came < queries {
        simulation.step().await;
        if simulation.chance.u8(..) == 0 {
            simulation.check().await;
        }
    }
    simulation.end().await;
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let settings = ColdStart {
            max_running: Some(MAX_RUNNING),
            max_waiting: CLIENTS / 2,
            max_waiting_per_user: CLIENTS / 4,
            ..ColdStart::default()
        };
        let backends = [Availability::Unreachable, Availability::Ready, Availability::Starting];
        let (house, table) = (House::new(settings, &backends), Arc::<Table>::default());
        tokio::spawn(reaper::run(
            Arc::clone(&table),
            [Arc::<Bindings>::default(), Arc::default()],
            house.current.clone(),
            Metrics::new().unwrap(),
            house.stop.clone(),
        ));
        Self {
            house,
            table,
            chance: fastrand::Rng::with_seed(seed),
            came: 0,
            waiting: Vec::new(),
            passes: Vec::new(),
            queries: Vec::new(),
            removed: false,
        }
    }

    async fn step(&mut self) {
        match self.chance.u8(..100) {
            0..30 => self.comes(),
            30..55 => self.asks(),
            55..60 => self.leaves(),
            60..63 => self.is_cancelled(),
            63..80 => self.is_answered(),
            80..97 => self.query_ends(),
            97 => self.snapshot(),
            98 => self.removes(),
            _ => self.time_passes().await,
        }
    }

    /// A POST.
    fn comes(&mut self) {
        if self.waiting.len() + self.passes.len() + self.queries.len() >= CLIENTS {
            return;
        }
        self.came += 1;
        let guest =
            self.house.guest(["alice", "bob", "carol", "dave"][self.chance.usize(..4)], "SELECT 1");
        if let Ok(waiting) = self.house.try_enter(guest) {
            self.waiting.push((waiting, None));
            self.asks_at(self.waiting.len() - 1);
        }
    }

    fn asks(&mut self) {
        if let Some(at) = self.any(self.waiting.len()) {
            self.asks_at(at);
        }
    }

    /// A request of a statement: one that waits already is looked at, or gets company.
    fn asks_at(&mut self, at: usize) {
        let (waiting, request) = &mut self.waiting[at];
        if request.is_none() || self.chance.u8(..8) == 0 {
            let (waiting, until) = (Arc::clone(waiting), Instant::now() + Duration::from_secs(8));
            // All requests are polled by one task: without its budget none pretends not to be ready.
            let turn = tokio::task::unconstrained(async move { waiting.turn(until).await });
            *request = Some(Box::pin(turn));
        }
        self.looks_at(at);
    }

    fn looks_at(&mut self, at: usize) {
        let (waiting, request) = &mut self.waiting[at];
        let Some(waits) = request else { return };
        let polled = waits.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(turn) = polled else { return };
        *request = None;
        match turn {
            Turn::Go(mut pass) => {
                let lease = if self.chance.bool() { pass.take_lease() } else { None };
                if let Some(lease) = &lease {
                    lease.place(pass.take_load().unwrap());
                }
                self.passes.push((pass, lease));
            }
            Turn::Later | Turn::Leave => waiting.page_given(),
            Turn::Over(_) | Turn::Became(_) => drop(self.waiting.swap_remove(at)),
        }
    }

    /// A client goes; some say so.
    fn leaves(&mut self) {
        let Some(at) = self.any(self.waiting.len()) else { return };
        let (waiting, request) = &mut self.waiting[at];
        *request = None;
        match self.chance.u8(..4) {
            0 if !waiting.has_page() => waiting.leave_unannounced(),
            1 => waiting.touch(),
            2 => drop(self.waiting.swap_remove(at)),
            _ => {}
        }
    }

    fn is_cancelled(&mut self) {
        let Some(at) = self.any(self.waiting.len()) else { return };
        let (waiting, _) = &self.waiting[at];
        if self.chance.bool() {
            waiting.cancel();
        } else {
            waiting.kill("killed");
        }
    }

    /// An attempt comes to something.
    fn is_answered(&mut self) {
        let Some(at) = self.any(self.passes.len()) else { return };
        let (mut pass, mut lease) = self.passes.swap_remove(at);
        match self.chance.u8(..12) {
            0 => pass.failed(lease),
            1 => drop(pass),
            2 => pass.refused(),
            3 => pass.unauthorised(lease),
            4 => pass.returned(lease),
            _ => {
                lease = lease.or_else(|| pass.take_lease());
                if let (Some(lease), Some(load)) = (&lease, pass.take_load()) {
                    lease.place(load);
                }
                let (id, backend) = (real(self.came % 100_000), pass.backend.name.clone());
                let (about, waiting) = (pass.waiting.about.clone(), Arc::clone(&pass.waiting));
                if pass.became(id) {
                    let query = Query::new(id, backend, waiting.group.clone(), about, lease);
                    self.queries.push(self.table.insert(query));
                }
            }
        }
    }

    fn query_ends(&mut self) {
        let Some(at) = self.any(self.queries.len()) else { return };
        let query = &self.queries[at];
        match self.chance.u8(..10) {
            0 => query.progressed(State::Queued),
            1 => query.progressed(State::Running),
            2 => query.touch(),
            3 => drop(query.end(&Ending::Canceled)),
            4 => drop(query.end(&Ending::Gone)),
            5 => drop(query.end(&Ending::Lost)),
            6 => {} // nobody asks for it any more
            _ => drop(query.end(&Ending::Page(None))),
        }
        if self.chance.bool() {
            self.queries.swap_remove(at);
        }
    }

    /// Backends flap and die; sometimes there is no hope.
    fn snapshot(&mut self) {
        let (at, up, hope) =
            (self.chance.usize(..3), self.chance.u8(..3) > 0, self.chance.u8(..8) > 0);
        self.house.say(|plan| {
            plan.backends[at].1 = if up { Availability::Ready } else { Availability::Unreachable };
            let is_up = plan.backends.iter().any(|(_, state)| *state == Availability::Ready);
            let why = (Unavailable::ResumeFailed, "the driver was refused".into());
            plan.hopeless = (!is_up && !hope).then_some(why);
        });
    }

    fn removes(&mut self) {
        self.removed = !self.removed && self.chance.u8(..4) == 0;
        let removed = self.removed;
        self.house.say(|plan| plan.is_removed = removed);
    }

    async fn time_passes(&mut self) {
        let seconds = [1, 5, 30, 300, 900][self.chance.usize(..5).min(self.chance.usize(..5))];
        advance(Duration::from_secs(seconds)).await;
    }

    fn any(&mut self, of: usize) -> Option<usize> {
        (of > 0).then(|| self.chance.usize(..of))
    }

    /// Counts are what a plain count says, at any moment.
    async fn check(&mut self) {
        settle().await;
        // A pass that is on its way to a request counts, and is nobody's yet.
        (0..self.waiting.len()).rev().for_each(|at| self.looks_at(at));
        let (mut in_flight, mut running) = (0, 0);
        self.table.retain(|query| {
            running += u64::from(query.is_in_flight());
            true
        });
        in_flight += running + self.house.waiters();
        // Those that were cancelled while they were being sent count until their attempt has ended.
        let is_orphan = |(pass, _): &&(Pass, Option<Lease>)| {
            matches!(pass.waiting.state(), WaitingState::Ended(_))
        };
        in_flight += self.passes.iter().filter(is_orphan).count() as u64;
        assert_eq!(self.house.ledger.total() as u64, in_flight);
        assert!(self.house.load() <= MAX_RUNNING, "{} run", self.house.load());
        let numbers = self.house.ledger.demand(&self.house.group, Instant::now());
        assert_eq!(numbers.in_flight, numbers.resuming + numbers.queued + numbers.running);
        assert_eq!(numbers.in_flight, in_flight);
    }

    /// Everybody goes away, and time does the rest.
    async fn end(mut self) {
        self.passes.clear();
        self.waiting.clear();
        self.queries.clear();
        self.house.tell(|plan| plan.is_removed = false).await;
        self.check().await;
        for _ in 0..400 {
            advance(Duration::from_secs(10)).await;
        }
        assert!(self.house.is_empty(), "{:?}", self.house.ledger.counts());
        assert_eq!(self.house.ledger.demand(&self.house.group, Instant::now()), Default::default());
        assert_eq!((self.house.rooms.records(), self.table.len()), (0, 0));
    }
}
