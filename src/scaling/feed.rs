//! One stream of KEDA: asked for its next frame, it waits until there is something to say.
//!
//! It looks at the group only when it is asked for a frame, so that nothing piles up here. hyper asks for one more than
//! the peer's window takes: who lets his window fill up finds what came into it (a frame has about 7 bytes), and one
//! frame that may be old by then. A stream ends with status OK when the process leaves and when it
//! has grown old: KEDA comes back after 2 s then, and after up to 60 s when a stream breaks.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use sluice_routing::GroupName;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_stream::Stream;
use tokio_util::{sync::ReusableBoxFuture, task::task_tracker::TaskTrackerToken};
use tonic::Status;

use super::{
    Ground,
    asked::{Asked, no_group},
    beat::{Act, Beat, Seen},
    wire::IsActiveResponse,
};
use crate::{
    lifecycle::Phase,
    metrics::{Open, Push},
    queries::ledger::{Demand, Keen, Pulse},
};

/// A stream lives so long at least, and at most twice as long, so that streams spread over replicas that came later.
/// Each end costs a gap of 2 s.
const AGE: Duration = Duration::from_secs(15 * 60);

/// An old stream that may not end yet is looked at so often.
const OLD: Duration = Duration::from_secs(30);

/// A trigger with a threshold hears of every rise: it looks no more often than this, since a look walks all queries.
const BREATH: Duration = Duration::from_millis(100);

/// So often a trigger with a threshold sees whether demand fell below it: that is not told.
const FALL: Duration = Duration::from_secs(1);

type Frame = Result<IsActiveResponse, Status>;

/// The frames of one stream.
pub(super) struct Frames(ReusableBoxFuture<'static, (Option<Frame>, Feed)>);

impl Frames {
    pub(super) fn new(ground: Ground, asked: &Asked) -> Self {
        Self(ReusableBoxFuture::new(turn(Feed::new(ground, asked))))
    }
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Frame>> {
        let (frame, feed) = ready!(self.0.poll(context));
        self.0.set(turn(feed));
        Poll::Ready(frame)
    }
}

async fn turn(mut feed: Feed) -> (Option<Frame>, Feed) {
    let word = feed.next().await;
    (word.map(|said| said.map(|result| IsActiveResponse { result })), feed)
}

struct Feed {
    group: GroupName,
    activation: u64,
    pulse: watch::Receiver<Pulse>,
    snapshots: watch::Receiver<()>,
    /// Tells when the other replicas have said something new.
    others: watch::Receiver<()>,
    /// The rises before it was opened.
    edges_before: u64,
    /// `None` until the first frame.
    beat: Option<Beat>,
    /// When it is old.
    old_at: Instant,
    ground: Ground,
    keen: Option<Keen>,
    _open: Open,
    _token: TaskTrackerToken,
}

impl Feed {
    fn new(ground: Ground, asked: &Asked) -> Self {
        let age = AGE + AGE.mul_f64(fastrand::f64());
        let pulse = ground.ledger.pulse(&asked.group);
        let edges_before = pulse.borrow().edges;
        Self {
            group: asked.group.clone(),
            activation: asked.activation,
            pulse,
            edges_before,
            snapshots: ground.current.changed(),
            others: ground.replicas.changed(),
            beat: None,
            old_at: Instant::now() + age,
            keen: (asked.activation > 0).then(|| ground.ledger.keen(&asked.group)),
            _open: ground.metrics.scaler_stream(),
            _token: ground.streams.token(),
            ground,
        }
    }

    /// The next thing to say; `None`: no more, and all is well.
    async fn next(&mut self) -> Option<Result<bool, Status>> {
        loop {
            if self.ground.current.load().group(&self.group).is_none() {
                return Some(Err(no_group(&self.group)));
            }
            let now = Instant::now();
            let pulse = *self.pulse.borrow_and_update();
            let demand = self.ground.demand(&self.group, now);
            let look_at = match self.look(now, pulse, demand) {
                Look::Say(word) => return Some(Ok(word)),
                Look::Again(at) => at,
            };
            if self.ground.lifecycle.is_draining() || self.is_over(now, demand) {
                return None;
            }
            if !self.wait(look_at).await {
                return Some(Err(no_group(&self.group)));
            }
        }
    }

    fn look(&mut self, now: Instant, pulse: Pulse, demand: Demand) -> Look {
        let seen = Seen {
            is_active: demand.demand > self.activation,
            is_awaited: !demand.lingers,
            edges: pulse.edges,
            at: pulse.at,
        };
        let (replicas, group) = (&self.ground.replicas, &self.group);
        let ran = |since| demand.at_work > 0 || replicas.has_run_since(group, since);
        let act = match &mut self.beat {
            Some(beat) => beat.look(now, seen, ran),
            None => return self.first(now, seen),
        };
        match act {
            Act::Push(why) => self.push(why),
            Act::Wait(at) if self.keen.is_some() && seen.is_active => {
                Look::Again(Some(at.map_or(now + FALL, |at| at.min(now + FALL))))
            }
            Act::Wait(at) => Look::Again(at),
        }
    }

    /// The present state, whatever it is; as long as that is not known, nothing (rule L11).
    fn first(&mut self, now: Instant, seen: Seen) -> Look {
        if !seen.is_active && !self.ground.is_known(now) {
            return Look::Again(self.ground.replicas.known_from());
        }
        if !seen.is_active && self.ground.lifecycle.is_draining() {
            return Look::Again(None);
        }
        self.beat = Some(Beat::opened(now, seen));
        let why = if seen.edges == self.edges_before { Push::Repeat } else { Push::Edge };
        if seen.is_active { self.push(why) } else { Look::Say(false) }
    }

    fn push(&self, why: Push) -> Look {
        if let Some(group) = self.ground.current.load().group(&self.group) {
            group.metrics.pushed(why);
        }
        Look::Say(true)
    }

    /// Whether it is old and may end: not while somebody waits for capacity, and not while nobody wants any, since
    /// what rose in the gap would be told 2 s late.
    fn is_over(&mut self, now: Instant, demand: Demand) -> bool {
        if now < self.old_at {
            return false;
        }
        self.old_at = now + OLD;
        let ran_since = |since| self.ground.replicas.has_run_since(&self.group, since);
        let has_run =
            demand.at_work > 0 || self.beat.as_ref().is_some_and(|beat| ran_since(beat.since));
        demand.demand > self.activation && has_run && self.has_capacity()
    }

    fn has_capacity(&self) -> bool {
        let snapshot = self.ground.current.load();
        let group = snapshot.group(&self.group);
        group.is_some_and(|group| group.members.iter().any(|backend| backend.is_ready()))
    }

    /// Waits until something may have changed; false if the group is gone.
    async fn wait(&mut self, look_at: Option<Instant>) -> bool {
        if self.keen.is_some() {
            sleep_until(Instant::now() + BREATH).await;
        }
        let at = look_at.map_or(self.old_at, |at| at.min(self.old_at));
        tokio::select! {
            changed = self.pulse.changed() => return changed.is_ok(),
            _ = self.snapshots.changed() => {}
            _ = self.others.changed() => {}
            () = self.ground.lifecycle.reached(Phase::Draining) => {}
            () = sleep_until(at) => {}
        }
        true
    }
}

/// What a look at the group means for the stream.
enum Look {
    Say(bool),
    /// Nothing: look again then, if nothing happens before.
    Again(Option<Instant>),
}
