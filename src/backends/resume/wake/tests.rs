//! The machine without any I/O: what happened goes in, acts come out, time is an argument.

mod down;

use std::time::Duration;

use tokio::time::Instant;

use super::{Act, Answered, Around, Look, Standing, Terms, Wake};
use crate::{
    backends::{
        health::{Sign, Verdict},
        resume::driver::{Accepted, Action, CallError, How},
    },
    metrics::{ResumeOutcome, Unavailable},
    snapshot::WakeState,
};

const TERMS: Terms = Terms { deadline: Duration::from_secs(600), min_workers: 0 };

const READY: Look = Look { sign: Sign::Ready, verdict: Verdict::Up, restarted: false };
const STARTING: Look = Look { sign: Sign::Starting, verdict: Verdict::Starting, restarted: false };
const DOWN: Look = Look { sign: Sign::Failed, verdict: Verdict::Down, restarted: false };

struct Stage {
    wake: Wake,
    now: Instant,
    around: Around,
    terms: Terms,
}

impl Stage {
    /// A backend that sleeps, and a group that wants it.
    fn asleep() -> Self {
        let mut stage = Self {
            wake: Wake::default(),
            now: Instant::now(),
            around: Around { demand: true, load: 0 },
            terms: TERMS,
        };
        stage.probed(DOWN);
        assert_eq!(stage.wake.shown(), WakeState::Asleep);
        stage
    }

    fn ready() -> Self {
        let mut stage = Self::asleep();
        stage.around.demand = false;
        stage.probed(READY);
        assert_eq!(stage.wake.shown(), WakeState::Ready);
        stage
    }

    fn want(&mut self) {
        self.wake.wanted(None, self.terms, self.now);
    }

    fn probed(&mut self, look: Look) {
        self.wake.probed(look, self.around, self.terms, self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.wake.tick(self.around, self.now);
    }

    /// Goes to the moment that the machine waits for, and says how long that took.
    fn until_due(&mut self) -> Duration {
        let due = self.wake.due().unwrap();
        let took = due.saturating_duration_since(self.now);
        self.now = due.max(self.now);
        self.wake.tick(self.around, self.now);
        took
    }

    /// The calls since the last look.
    fn calls(&mut self) -> Vec<(u64, Action)> {
        let acts = self.wake.take_acts();
        acts.into_iter()
            .filter_map(|act| match act {
                Act::Call(id, action) => Some((id, action)),
                _ => None,
            })
            .collect()
    }

    /// The end of a resume since the last look.
    fn ended(&mut self) -> Option<ResumeOutcome> {
        let acts = self.wake.take_acts();
        acts.into_iter().find_map(|act| match act {
            Act::Ended(ended) => Some(ended.outcome),
            _ => None,
        })
    }

    fn answer(&mut self, answer: Answered) {
        let id = self.wake.calls;
        self.wake.answered(id, answer, self.around, self.now);
    }
}

fn accepted() -> Answered {
    Ok(How::Triggered.into())
}

fn transient() -> Answered {
    Err(CallError::Transient { why: "500".to_owned(), retry_after: None })
}

fn forbidden() -> Answered {
    Err(CallError::Permanent("403: may not patch deployments/scale".to_owned()))
}

#[test]
fn peers_x20_a_thousand_wants_are_one_call() {
    let mut stage = Stage::asleep();
    (0..1000).for_each(|_| stage.want());
    assert_eq!(stage.calls(), [(1, Action::Resume)], "at once, without a timer");
    stage.answer(accepted());
    (0..1000).for_each(|_| stage.want());
    stage.probed(STARTING);
    stage.pass(20);
    (0..1000).for_each(|_| stage.want());
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Ready);
    let acts = stage.wake.take_acts();
    assert!(!acts.iter().any(|act| matches!(act, Act::Call(..))), "{acts:?}");
    let ended = acts.iter().find_map(|act| match act {
        Act::Ended(ended) => Some(ended),
        _ => None,
    });
    let ended = ended.unwrap();
    assert_eq!((ended.outcome, ended.attempts), (ResumeOutcome::Success, 1));
    assert_eq!(ended.took, Duration::from_secs(20));
    assert_eq!(stage.wake.due(), None, "readiness ends it");
}

#[test]
fn a_failing_call_is_retried_with_back_off_while_demand_lasts() {
    let mut stage = Stage::asleep();
    stage.want();
    for expected in [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0] {
        assert_eq!(stage.calls().len(), 1);
        stage.answer(transient());
        assert_eq!(stage.wake.shown(), WakeState::Requested);
        let rest = stage.until_due().as_secs_f64();
        assert!((expected * 0.8..=expected * 1.2).contains(&rest), "{expected}: {rest}");
    }
    stage.answer(transient());
    stage.calls();
    stage.around.demand = false;
    stage.until_due();
    assert_eq!(stage.wake.shown(), WakeState::Asleep);
    assert_eq!(stage.ended(), Some(ResumeOutcome::Failure));
    assert_eq!(stage.wake.due(), None, "nobody waits, nothing is done");
}

#[test]
fn a_new_want_does_not_shorten_the_back_off() {
    let mut stage = Stage::asleep();
    stage.want();
    for _ in 0..4 {
        stage.answer(transient());
        stage.until_due();
    }
    stage.answer(transient());
    stage.around.demand = false;
    stage.until_due();
    assert_eq!(stage.wake.shown(), WakeState::Asleep);
    stage.calls();
    stage.around.demand = true;
    (0..100).for_each(|_| stage.want());
    assert!(stage.calls().len() <= 1, "it comes when its time has come");
}

#[test]
fn a_provider_says_when_to_come_again() {
    let mut stage = Stage::asleep();
    stage.want();
    let retry_after = Some(Duration::from_secs(40));
    stage.answer(Err(CallError::Transient { why: "429".to_owned(), retry_after }));
    assert!(stage.until_due() >= Duration::from_secs(40));
    stage.calls();
    stage.answer(Ok(Accepted { how: How::Gated, retry_after: None }));
    assert_eq!(stage.wake.shown(), WakeState::Warming);
    let rest = stage.until_due().as_secs();
    assert!((24..=36).contains(&rest), "{rest}");
    assert_eq!(stage.calls().len(), 1, "gated by somebody else's call: asked again");
}

#[test]
fn refused_for_good_is_failed_with_the_words() {
    let mut stage = Stage::asleep();
    stage.want();
    stage.answer(forbidden());
    assert_eq!(stage.wake.shown(), WakeState::Failed);
    let (why, words) = stage.wake.failure().unwrap();
    assert_eq!(why, Unavailable::ResumeFailed);
    assert!(words.contains("403"), "{words}");
    assert_eq!(stage.ended(), Some(ResumeOutcome::Rejected));
    stage.want();
    assert!(stage.calls().is_empty(), "left alone for a while");
    assert_eq!(stage.wake.standing(), Standing::Cannot);

    let first = stage.until_due();
    assert_eq!(stage.wake.standing(), Standing::Can);
    stage.want();
    assert_eq!(stage.calls().len(), 1, "then demand asks again");
    stage.answer(forbidden());
    assert!(stage.until_due() > first, "and is answered after a longer rest");
}

#[test]
fn peers_l15_a_driver_that_lies_meets_the_deadline() {
    let mut stage = Stage::asleep();
    stage.want();
    stage.answer(accepted());
    let mut calls = 1;
    for _ in 0..10_000 {
        if stage.wake.shown() != WakeState::Warming {
            break;
        }
        stage.probed(DOWN);
        stage.until_due();
        calls += stage.calls().len();
        stage.answer(accepted());
    }
    assert_eq!(stage.wake.shown(), WakeState::Failed);
    assert_eq!(stage.wake.failure().unwrap().0, Unavailable::ResumeTimeout);
    assert!((5..=15).contains(&calls), "asked again about once a minute: {calls}");
}

#[test]
fn a_driver_that_never_answers_meets_the_deadline() {
    let mut stage = Stage::asleep();
    stage.want();
    assert_eq!(stage.until_due(), TERMS.deadline);
    assert_eq!(stage.ended(), Some(ResumeOutcome::Failure));
    assert_eq!(stage.wake.shown(), WakeState::Failed);
    stage.answer(accepted());
    assert_eq!(stage.wake.shown(), WakeState::Failed, "too late");
}

#[test]
fn starting_for_ever_meets_the_deadline() {
    let mut stage = Stage::asleep();
    stage.probed(STARTING);
    assert_eq!(stage.wake.shown(), WakeState::Warming, "somebody else wakes it");
    stage.want();
    assert!(stage.calls().is_empty(), "so nobody need be called");
    stage.pass(599);
    stage.probed(STARTING);
    stage.pass(1);
    assert_eq!(stage.wake.shown(), WakeState::Failed);
    stage.probed(STARTING);
    assert_eq!(stage.wake.shown(), WakeState::Failed);
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Ready, "probes have the last word");
}

#[test]
fn woken_by_somebody_else_is_ready_without_us() {
    let mut stage = Stage::asleep();
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Ready);
    assert_eq!(stage.wake.take_acts(), [], "no resume of ours");
    let mut stage = Stage::asleep();
    stage.want();
    stage.probed(READY);
    assert_eq!(stage.ended(), Some(ResumeOutcome::Success));
    stage.answer(forbidden());
    assert_eq!(stage.wake.shown(), WakeState::Ready, "whatever the driver says");
}

#[test]
fn what_went_back_to_nothing_is_asked_for_again() {
    let mut stage = Stage::asleep();
    stage.want();
    stage.answer(accepted());
    stage.calls();
    stage.probed(STARTING);
    stage.pass(30);
    stage.probed(DOWN);
    assert_eq!(stage.wake.shown(), WakeState::Requested);
    stage.pass(0);
    assert_eq!(stage.calls(), [(2, Action::Resume)]);
}

#[test]
fn what_comes_and_goes_is_not_called_without_rest() {
    let mut stage = Stage::asleep();
    let mut calls = 0;
    for _ in 0..600 {
        stage.want();
        calls += stage.calls().len();
        stage.answer(accepted());
        stage.probed(READY);
        stage.pass(1);
        stage.probed(DOWN);
        stage.want();
        calls += stage.calls().len();
        stage.pass(0);
    }
    assert!(calls < 80, "{calls} calls in 10 minutes");
}

#[test]
fn a_lost_backend_is_called_for_at_once() {
    let mut stage = Stage::ready();
    stage.pass(3600);
    stage.wake.lost(stage.now);
    stage.want();
    assert_eq!(stage.calls().len(), 1);
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Ready, "a false alarm ends with the next probe");
}

#[test]
fn demand_that_comes_back_gets_the_full_time() {
    let mut stage = Stage::asleep();
    stage.want();
    stage.answer(accepted());
    stage.calls();
    stage.around.demand = false;
    stage.pass(590);
    stage.probed(DOWN);
    stage.calls();
    stage.around.demand = true;
    stage.want();
    assert_eq!(stage.calls().len(), 1);
    stage.pass(100);
    assert!(stage.wake.is_awaited());
}

#[test]
fn nobody_waits_at_the_deadline_is_no_failure_of_the_next() {
    let mut stage = Stage::asleep();
    stage.want();
    stage.answer(accepted());
    stage.around.demand = false;
    stage.pass(600);
    assert_eq!(stage.wake.shown(), WakeState::Asleep);
    assert_eq!(stage.ended(), Some(ResumeOutcome::Timeout));
}

#[test]
fn workers_are_waited_for_after_a_wake_only() {
    let mut stage = Stage::asleep();
    stage.terms.min_workers = 2;
    stage.want();
    stage.answer(accepted());
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Warming);
    assert!(stage.wake.take_acts().contains(&Act::Count));
    stage.wake.workers(Some(1), stage.terms, stage.now);
    assert_eq!(stage.wake.shown(), WakeState::Warming);
    stage.wake.workers(Some(2), stage.terms, stage.now);
    assert_eq!(stage.wake.shown(), WakeState::Ready);
    assert_eq!(stage.ended(), Some(ResumeOutcome::Success));

    let mut running = Wake::default();
    running.probed(READY, stage.around, stage.terms, stage.now);
    assert_eq!(running.shown(), WakeState::Ready, "it ran before us");
}

#[test]
fn another_driver_goes_on_with_the_resume() {
    let mut stage = Stage::asleep();
    stage.want();
    stage.calls();
    stage.wake.other_driver(TERMS, stage.now);
    stage.answer(forbidden());
    assert_eq!(stage.wake.shown(), WakeState::Requested, "the old one's answer is none");
    stage.pass(0);
    assert_eq!(stage.calls(), [(2, Action::Resume)]);
    stage.answer(forbidden());
    stage.wake.other_driver(TERMS, stage.now);
    assert_eq!(stage.wake.standing(), Standing::Can, "the new one may do better");
}
