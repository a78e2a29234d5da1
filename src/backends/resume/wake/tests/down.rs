//! The way to sleep, by itself and by hand.

use std::time::Duration;

use super::{
    Act, Action, Around, DOWN, Look, READY, ResumeOutcome, STARTING, Stage, Standing, TERMS,
    Verdict, WakeState, accepted, transient,
};

#[test]
fn idle_is_drained_first_and_undone_by_demand() {
    let mut stage = Stage::ready();
    stage.wake.drain(stage.now);
    assert_eq!(stage.wake.shown(), WakeState::Draining);
    assert_eq!(stage.wake.standing(), Standing::Ready);
    stage.want();
    assert_eq!(stage.wake.shown(), WakeState::Ready);

    stage.wake.drain(stage.now);
    stage.around.load = 1;
    stage.until_due();
    assert_eq!(stage.wake.shown(), WakeState::Ready, "a statement had just chosen it");

    stage.around.load = 0;
    stage.wake.drain(stage.now);
    assert!(stage.until_due() >= Duration::from_secs(1));
    assert_eq!(stage.wake.take_acts(), [Act::Count]);
    stage.wake.counted(Ok(1), stage.around, stage.now);
    assert_eq!(stage.wake.shown(), WakeState::Ready, "Trino has a query of its own");

    stage.wake.drain(stage.now);
    stage.until_due();
    stage.wake.counted(Err("401".to_owned()), stage.around, stage.now);
    assert_eq!(stage.wake.shown(), WakeState::Ready, "unknown is not zero");
    assert!(stage.calls().is_empty());
}

fn suspended() -> Stage {
    let mut stage = Stage::ready();
    stage.wake.drain(stage.now);
    stage.until_due();
    stage.wake.counted(Ok(0), stage.around, stage.now);
    assert_eq!(stage.calls(), [(1, Action::Suspend)]);
    stage
}

#[test]
fn peers_x21_what_was_just_suspended_wakes_at_once() {
    let mut stage = suspended();
    stage.answer(accepted());
    assert_eq!(stage.wake.shown(), WakeState::Asleep);
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Asleep, "the process that leaves");
    stage.around.demand = true;
    stage.want();
    assert_eq!(stage.calls().len(), 1);
    stage.answer(accepted());
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Warming, "still the old one");
    stage.probed(Look { restarted: true, ..READY });
    assert_eq!(stage.wake.shown(), WakeState::Ready);
}

#[test]
fn what_wakes_after_a_suspend_of_a_sleeper_is_believed_at_once() {
    let mut stage = Stage::asleep();
    stage.around.demand = false;
    stage.wake.hold(stage.now);
    stage.pass(1);
    stage.wake.counted(Err("nothing listens".to_owned()), stage.around, stage.now);
    stage.answer(accepted());
    assert_eq!(stage.wake.shown(), WakeState::HeldDown);
    stage.wake.free(Verdict::Down, stage.now);
    stage.around.demand = true;
    stage.want();
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Ready, "no process was there to leave");
}

#[test]
fn a_suspend_without_effect_does_not_lose_the_backend() {
    let mut stage = suspended();
    stage.answer(accepted());
    stage.pass(59);
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Asleep);
    stage.pass(1);
    stage.probed(READY);
    assert_eq!(stage.wake.shown(), WakeState::Ready);
}

#[test]
fn a_failed_suspend_leaves_it_at_work() {
    let mut stage = suspended();
    stage.want();
    assert_eq!(stage.wake.shown(), WakeState::Draining, "the call is under way");
    stage.answer(transient());
    assert_eq!(stage.wake.shown(), WakeState::Ready);
    assert!(stage.wake.take_acts().contains(&Act::NotSuspended("500".into())));
}

#[test]
fn held_down_is_sticky_until_resumed_by_hand() {
    let mut stage = Stage::ready();
    stage.around = Around { demand: true, load: 1 };
    stage.wake.hold(stage.now);
    stage.pass(10);
    assert!(stage.calls().is_empty(), "its query runs");
    assert!(stage.wake.is_held());
    stage.want();
    assert_eq!(stage.wake.shown(), WakeState::Draining, "demand undoes nothing");
    stage.around.load = 0;
    stage.pass(1);
    stage.wake.counted(Err("401".to_owned()), stage.around, stage.now);
    assert_eq!(stage.calls().len(), 1, "who says it by hand answers for it");
    stage.answer(transient());
    stage.until_due();
    assert_eq!(stage.calls().len(), 1, "retried");
    stage.answer(accepted());
    assert_eq!(stage.wake.shown(), WakeState::HeldDown);
    for look in [DOWN, STARTING, READY] {
        stage.pass(3600);
        stage.want();
        stage.probed(look);
        assert_eq!(stage.wake.shown(), WakeState::HeldDown);
    }
    assert!(stage.calls().is_empty());
    stage.wake.free(Verdict::Down, stage.now);
    assert_eq!(stage.wake.shown(), WakeState::Asleep);
    stage.around.demand = false;
    let until = stage.now + Duration::from_secs(60);
    stage.wake.wanted(Some(until), TERMS, stage.now);
    assert_eq!(stage.calls().len(), 1);
    stage.answer(transient());
    stage.until_due();
    assert_eq!(stage.calls().len(), 1, "for a minute it needs no demand");
}

#[test]
fn a_hold_ends_a_resume_under_way() {
    let mut stage = Stage::asleep();
    stage.want();
    stage.wake.hold(stage.now);
    assert_eq!(stage.ended(), Some(ResumeOutcome::Rejected));
    stage.answer(accepted());
    assert_eq!(stage.wake.shown(), WakeState::Draining);
    stage.pass(1);
    stage.wake.counted(Err("nothing listens".to_owned()), stage.around, stage.now);
    assert_eq!(stage.calls(), [(2, Action::Suspend)], "what it asked for is taken back");
}
