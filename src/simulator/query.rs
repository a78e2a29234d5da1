//! One query: what it has handed out, and what comes next.
//!
//! Nothing runs in the background. A query advances when it is polled, as far as its script and the clock say; the
//! decision ([`Life::queued_step`], [`Life::executing_step`]) takes the time as an argument and waits for nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use super::failure::Failure;
use super::literal;
use super::page::{Page, Stats};
use super::plan::Plan;
use super::script::{Ending, Fault, Length, Moment};
use super::slug::Slugs;

/// A query that was posted.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) id: String,
    pub(super) slugs: Slugs,
    pub(super) plan: Plan,
    /// The statement as the web UI shows it, a JSON string.
    pub(super) shown: String,
    pub(super) user: String,
    /// `X-Trino-Transaction-Id`, if there is one.
    pub(super) transaction: Option<String>,
    /// Whether the client sent that header at all, be it NONE.
    pub(super) knows_transactions: bool,
    /// The encoding in which results are spooled, if they are.
    pub(super) spooled_as: Option<&'static str>,
    pub(super) created: Instant,
    /// Told when somebody ends the query, so that a long poll answers at once.
    pub(super) changed: Notify,
    life: Mutex<Life>,
}

/// What changes in a query.
#[derive(Debug)]
pub(super) struct Life {
    /// When the first GET came: until then the query is only registered.
    pub(super) submitted: Option<Instant>,
    pub(super) dispatched: Option<Instant>,
    /// The last token that a queued GET asked for.
    pub(super) queued_token: u64,
    /// The last executing page, and the token that may be asked for after it.
    pub(super) executing: Option<(u64, Arc<Page>)>,
    pub(super) next: Option<u64>,
    /// Its place in the queue until it runs, if the queue had one.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// Held while the query runs.
    permit: Option<OwnedSemaphorePermit>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) end: Option<End>,
    pub(super) ended: Option<Instant>,
    /// A client asked for no more data.
    pub(super) is_cut_short: bool,
    pub(super) last_sign: Instant,
    pub(super) rows: u64,
    phase: usize,
    phase_polls: u32,
    phase_since: Instant,
    last_page: Instant,
    empties: u32,
    finishing: u32,
    sent: u64,
    faults: u32,
}

/// How a query ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Finished,
    Failed(Failure),
}

/// What a poll finds.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing new before that moment.
    Wait(Instant),
    /// Still in that state.
    Still(&'static str),
    /// All that comes before is done: dispatch it (queued), or show its end (executing).
    Over,
    /// Data page of that number.
    Data(u64),
    Fault(Fault),
}

/// The time that nobody waits for.
const FAR: Duration = Duration::from_hours(24);

impl Query {
    pub(super) fn new(id: String, plan: Plan, text: &str, user: String) -> Self {
        let now = Instant::now();
        let life = Life {
            submitted: None,
            dispatched: None,
            queued_token: 0,
            executing: None,
            next: Some(0),
            place: None,
            permit: None,
            headers: Vec::new(),
            end: None,
            ended: None,
            is_cut_short: false,
            last_sign: now,
            rows: 0,
            phase: 0,
            phase_polls: 0,
            phase_since: now,
            last_page: now,
            empties: 0,
            finishing: 0,
            sent: 0,
            faults: 0,
        };
        Self {
            id,
            slugs: Slugs::new(),
            plan,
            shown: literal::shown(text),
            user,
            transaction: None,
            knows_transactions: false,
            spooled_as: None,
            created: now,
            changed: Notify::new(),
            life: Mutex::new(life),
        }
    }

    pub(super) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the query unless it has ended; whether it was this call that did it.
    pub(super) fn end(&self, end: End) -> bool {
        let mut life = self.life();
        if life.end.is_some() {
            return false;
        }
        life.finish(end);
        drop(life);
        self.changed.notify_waiters();
        true
    }

    /// The state in Trino's words.
    pub(super) fn state(&self) -> &'static str {
        self.life().state()
    }

    pub(super) fn stats(&self, life: &Life, state: &'static str, now: Instant) -> Stats {
        let started = life.dispatched.unwrap_or(now);
        Stats {
            state,
            progress: life
                .dispatched
                .filter(|_| self.plan.pages() > 0)
                .map(|_| self.progress(life)),
            queued: started.duration_since(self.created),
            elapsed: life.ended.unwrap_or(now).duration_since(self.created),
            rows: life.rows,
        }
    }

    fn progress(&self, life: &Life) -> u32 {
        let share = life.sent.saturating_mul(10_000) / self.plan.pages().max(1);
        if life.end.is_some() { 10_000 } else { u32::try_from(share).unwrap_or(0).min(10_000) }
    }
}

impl Life {
    pub(super) fn state(&self) -> &'static str {
        match (&self.end, self.dispatched) {
            (Some(End::Finished), _) => "FINISHED",
            (Some(End::Failed(_)), _) => "FAILED",
            (None, Some(_)) => "RUNNING",
            (None, None) => PHASES.get(self.phase).copied().unwrap_or("QUEUED"),
        }
    }

    pub(super) fn finish(&mut self, end: End) {
        self.end = Some(end);
        self.ended = Some(Instant::now());
        self.permit = None;
        self.place = None;
    }

    pub(super) fn submit(&mut self, now: Instant) {
        self.submitted = Some(now);
        self.phase_since = now;
        self.last_page = now;
    }

    pub(super) fn dispatch(&mut self, permit: OwnedSemaphorePermit, now: Instant) {
        self.permit = Some(permit);
        self.place = None;
        self.dispatched = Some(now);
        self.last_page = now;
    }

    /// What a queued poll for a new token finds.
    pub(super) fn queued_step(&mut self, plan: &Plan, now: Instant) -> Step {
        if let Some(fault) = self.fault(plan, Moment::Queued) {
            return Step::Fault(fault);
        }
        let lengths = [plan.queued(), plan.script.waiting];
        while let (Some(length), Some(state)) = (lengths.get(self.phase), PHASES.get(self.phase)) {
            match *length {
                Length::Polls(polls) if self.phase_polls < polls => {
                    if now < self.last_page + plan.script.pace {
                        return Step::Wait(self.last_page + plan.script.pace);
                    }
                    self.phase_polls += 1;
                    self.last_page = now;
                    return Step::Still(state);
                }
                Length::Time(time) if now < self.phase_since + time => {
                    return Step::Wait(self.phase_since + time);
                }
                Length::Time(time) => self.phase_since += time,
                Length::Polls(_) => self.phase_since = now,
            }
            self.phase += 1;
            self.phase_polls = 0;
        }
        Step::Over
    }

    /// What an executing poll for a new token finds.
    pub(super) fn executing_step(&mut self, plan: &Plan, now: Instant) -> Step {
        if self.end.is_some() {
            return Step::Over;
        }
        let due = self.last_page + plan.script.pace;
        if let Some(step) = self.without_data(plan, due, now) {
            return step;
        }
        if self.sent < plan.pages() && !self.is_cut_short {
            return self.data_step(plan, due, now);
        }
        self.ending_step(plan, Moment::AfterPages, now)
    }

    fn without_data(&mut self, plan: &Plan, due: Instant, now: Instant) -> Option<Step> {
        match plan.running() {
            Length::Polls(polls) if self.empties < polls => {
                if now < due {
                    return Some(Step::Wait(due));
                }
                self.empties += 1;
                self.last_page = now;
                Some(Step::Still("RUNNING"))
            }
            Length::Time(time) => {
                let until = self.dispatched.unwrap_or(now) + time;
                (now < until).then_some(Step::Wait(until))
            }
            Length::Polls(_) => None,
        }
    }

    fn data_step(&mut self, plan: &Plan, due: Instant, now: Instant) -> Step {
        let is_here = plan.script.at == Moment::Page(self.sent);
        if is_here && plan.script.ending != Ending::Finish {
            let step = self.ending_step(plan, Moment::Page(self.sent), now);
            // A fault that has been played often enough gives way to the page.
            if !matches!(step, Step::Over) || self.end.is_some() {
                return step;
            }
        }
        if now < due {
            return Step::Wait(due);
        }
        let number = self.sent;
        self.sent += 1;
        self.last_page = now;
        Step::Data(number)
    }

    fn ending_step(&mut self, plan: &Plan, moment: Moment, now: Instant) -> Step {
        if let Some(fault) = self.fault(plan, moment) {
            return Step::Fault(fault);
        }
        if plan.script.ending == Ending::Hang && plan.script.at == moment {
            return Step::Wait(now + FAR);
        }
        if let Some(failure) = plan.scripted_failure(moment) {
            self.finish(End::Failed(failure));
        } else if moment == Moment::AfterPages {
            if self.finishing < plan.finishing() {
                self.finishing += 1;
                return Step::Still("FINISHED");
            }
            self.finish(End::Finished);
        }
        Step::Over
    }

    fn fault(&mut self, plan: &Plan, moment: Moment) -> Option<Fault> {
        let fault = plan.script.fault_at(moment)?;
        if self.faults >= plan.script.times {
            return None;
        }
        self.faults += 1;
        Some(fault)
    }

    /// The number of the data page that a broken answer pretends to be.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }
}

/// The states before a query is dispatched, in their order.
const PHASES: [&str; 2] = ["QUEUED", "WAITING_FOR_RESOURCES"];

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn query(text: &str) -> Query {
        let plan = Plan::of(text, &HeaderMap::new());
        Query::new("id".to_owned(), plan, text, "u".to_owned())
    }

    fn steps(text: &str) -> Vec<String> {
        let query = query(text);
        let (mut life, now) = (query.life(), Instant::now());
        life.submit(now);
        let mut seen = Vec::new();
        loop {
            let step = life.queued_step(&query.plan, now);
            seen.push(format!("{step:?}"));
            if matches!(step, Step::Over) {
                break;
            }
        }
        life.dispatched = Some(now);
        for _ in 0..20 {
            let step = life.executing_step(&query.plan, now);
            seen.push(format!("{step:?}"));
            if life.end.is_some() {
                break;
            }
        }
        seen
    }

    #[test]
    fn a_query_goes_its_way() {
        assert_eq!(
            steps("SELECT 1 /* sim: queued=1 waiting=1 running=1 pages=2 finishing=1 */"),
            [
                "Still(\"QUEUED\")",
                "Still(\"WAITING_FOR_RESOURCES\")",
                "Over",
                "Still(\"RUNNING\")",
                "Data(0)",
                "Data(1)",
                "Still(\"FINISHED\")",
                "Over"
            ]
        );
    }

    #[test]
    fn a_fault_is_played_as_often_as_the_script_says() {
        assert_eq!(
            steps(
                "SELECT 1 /* sim: queued=0 running=0 finishing=0 pages=2 at=1 ending=status:503 times=2 */"
            ),
            ["Over", "Data(0)", "Fault(Status(503))", "Fault(Status(503))", "Data(1)", "Over"]
        );
    }
}
