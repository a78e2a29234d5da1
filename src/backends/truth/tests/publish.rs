//! What is published, and what is not worth it.

use std::time::{Duration, SystemTime};

use sluice_routing::GroupName;

use super::{Stage, TWO};
use crate::{
    backends::{
        health::Sign,
        probe::Outcome,
        resume::{calls::Told, driver::How, stats::Counts},
        truth::Effect,
    },
    snapshot::{Mark, Report, Snapshot},
};

/// The fleet of the incident: so many groups, of which so many are being woken.
const GROUPS: usize = 226;
const WARMING: usize = 200;

/// A group whose backend has a driver, a plain one with two backends, and one that waits for workers.
const NIGHT: &str = r#"{"routingGroups":[
    {"name":"etl","suspend":{"afterIdle":"60s"},"backends":[
        {"name":"a","url":"http://a:8080","resume":{"webhook":{"resumeUrl":"http://h/r","suspendUrl":"http://h/s"}},
         "stats":{"user":"sluice"}}]},
    {"name":"plain","backends":[{"name":"b","url":"http://b:8080"},{"name":"c","url":"http://c:8080"}]},
    {"name":"slow","coldStart":{"minWorkers":2},"backends":[
        {"name":"d","url":"http://d:8080","resume":{"webhook":{"resumeUrl":"http://h/r"}}}]}]}"#;

impl Stage {
    fn changed(&mut self) -> bool {
        self.truth.take_changed()
    }
}

#[test]
fn a_probe_that_says_nothing_new_publishes_nothing_but_the_time_of_the_check() {
    let mut stage = Stage::new(TWO);
    stage.changed();
    stage.seen("a", Some("aaaaa"), false);
    assert!(stage.changed(), "the first finding");
    let shown = stage.backend("a");
    for second in 1..50 {
        let at = SystemTime::now() + Duration::from_secs(second);
        let outcome = Outcome { at, capabilities: None, ..stage.outcome("a", Sign::Ready) };
        stage.truth.probed(&outcome, stage.now);
        assert!(!stage.changed(), "nothing new");
        let moved = shown.last_check().unwrap().duration_since(at - Duration::from_secs(1));
        assert!(moved.is_ok_and(|moved| moved > Duration::from_millis(900)), "readers see it move");
    }
    stage.probed("a", Sign::Failed);
    stage.probed("a", Sign::Failed);
    assert!(!stage.changed(), "not yet down");
    stage.probed("a", Sign::Failed);
    assert!(stage.changed(), "down");
    stage.probed("a", Sign::Starting);
    assert!(stage.changed(), "it says that it starts");
    stage.probed("a", Sign::Starting);
    assert!(!stage.changed());
}

#[test]
fn two_hundred_backends_that_warm_up_publish_once_each() {
    let backend = |at: usize| {
        format!(
            r#"{{"name":"g{at}","backends":[{{"name":"b{at}","url":"http://b{at}:80",
                "resume":{{"webhook":{{"resumeUrl":"http://h/r"}}}}}}]}}"#
        )
    };
    let groups: Vec<String> = (0..GROUPS).map(backend).collect();
    let mut stage = Stage::new(&format!(r#"{{"routingGroups":[{}]}}"#, groups.join(",")));
    for at in 0..GROUPS {
        stage.probed(&format!("b{at}"), Sign::Failed);
    }
    for at in 0..WARMING {
        stage.probed(&format!("b{at}"), Sign::Starting);
    }
    stage.changed();
    let mut published = 0;
    for _ in 0..10 {
        for at in 0..WARMING {
            let outcome = stage.outcome_of_seat(at, Sign::Starting);
            stage.truth.probed(&outcome, stage.now);
            stage.truth.tick(stage.now);
            published += usize::from(stage.changed());
        }
        stage.now += Duration::from_millis(300);
    }
    assert_eq!(published, 0, "of {} probes", 10 * WARMING);
    for at in 0..WARMING {
        let outcome = stage.outcome_of_seat(at, Sign::Ready);
        stage.truth.probed(&outcome, stage.now);
        published += usize::from(stage.changed());
    }
    assert_eq!(published, WARMING, "each that is ready");
}

/// Whatever happens in whatever order: what is not published could not be seen.
#[test]
fn what_is_not_published_looks_as_before() {
    for seed in 0..20 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut stage = Stage::new(NIGHT);
        let mut published = seen_in(&stage.snapshot());
        for step in 0..200 {
            let what = happen(&mut stage, &mut chance);
            let now = seen_in(&stage.snapshot());
            if stage.changed() {
                published = now;
            } else {
                assert_eq!(now, published, "seed {seed}, step {step}: {what}");
            }
        }
    }
}

fn happen(stage: &mut Stage, chance: &mut fastrand::Rng) -> String {
    let of = *chance.choice(&["a", "b", "c", "d"]).unwrap();
    match chance.u8(0..16) {
        0..=5 => {
            let sign = *chance.choice(&[Sign::Ready, Sign::Starting, Sign::Failed]).unwrap();
            stage.probed(of, sign);
            format!("{of} is {sign:?}")
        }
        6 | 7 => {
            let id = *chance.choice(&[None, Some("aaaaa"), Some("bbbbb")]).unwrap();
            stage.seen(of, id, chance.bool());
            format!("{of} shows {id:?}")
        }
        8 => {
            stage.fail(of, chance.u32(1..6));
            format!("{of} fails")
        }
        9 | 10 => {
            let group = GroupName::parse(chance.choice(&["etl", "slow"]).unwrap()).unwrap();
            stage.truth.reported(Report::Wanted(group.clone()), stage.now);
            format!("{group} is wanted")
        }
        11 => answer(stage, chance),
        12 => {
            let mark = *chance.choice(&[Mark::Active, Mark::Draining, Mark::Inactive]).unwrap();
            stage.truth.mark(of, mark, stage.now);
            format!("{of} is marked {mark:?}")
        }
        13 => {
            let done = if chance.bool() {
                stage.truth.resume("etl", stage.now)
            } else {
                stage.truth.suspend("etl", stage.now)
            };
            format!("by hand: {done:?}")
        }
        _ => {
            let time = Duration::from_millis(chance.u64(1..20_000));
            stage.pass(time);
            format!("{time:?} pass")
        }
    }
}

/// What the drivers and the coordinators answer to what they were asked.
fn answer(stage: &mut Stage, chance: &mut fastrand::Rng) -> String {
    let effects = stage.truth.take_effects();
    for effect in &effects {
        let told = match effect {
            Effect::Call(seat, id, _) => Told::Called(*seat, *id, Ok(How::Triggered.into())),
            Effect::Count(seat) => {
                let counts = Counts { queries: chance.u64(0..2), workers: chance.u64(0..3) };
                Told::Counted(*seat, Ok(counts))
            }
            _ => continue,
        };
        stage.truth.told(told, stage.now);
    }
    format!("answers to {effects:?}")
}

/// All that a reader can see but what moves within `Live`.
fn seen_in(snapshot: &Snapshot) -> Vec<String> {
    let fleet = snapshot.fleet.groups.iter().flat_map(|group| &group.members);
    let fleet = fleet.map(|member| format!("{} {:?}", member.name, member.availability));
    let groups = snapshot.groups.iter().map(|group| format!("{} {:?}", group.name, group.wake));
    let mut backends: Vec<_> = snapshot.backends.values().collect();
    backends.sort_by(|one, other| one.name.cmp(&other.name));
    let backends = backends.into_iter().map(|backend| {
        let text = format!("{backend:?}");
        text.split(", live: ").next().unwrap().to_owned()
    });
    let mut owners: Vec<String> =
        snapshot.coordinators.iter().map(|(id, name)| format!("{id} {name}")).collect();
    owners.sort();
    fleet.chain(groups).chain(backends).chain(owners).collect()
}

impl Stage {
    /// Without making a snapshot to look a name up.
    fn outcome_of_seat(&self, seat: usize, sign: Sign) -> Outcome {
        let seat = crate::snapshot::Seat(seat as u64);
        Outcome {
            seat,
            began: self.now,
            at: SystemTime::now(),
            took: Duration::from_millis(1),
            result: crate::metrics::Probe::Success,
            sign,
            alive: true,
            no_tls: None,
            seen: None,
            capabilities: None,
        }
    }
}
