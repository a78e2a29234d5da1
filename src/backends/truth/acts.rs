//! What follows from what the wake machines put down: calls, counts, and lines of the log.

use std::{sync::Arc, time::SystemTime};

use sluice_routing::GroupName;
use tokio::time::Instant;

use crate::{
    backends::{
        record::Record,
        resume::{
            calls::Wanted,
            driver::{Action, Call},
            wake::{Act, Ended, Wake},
        },
        truth::{Effect, Truth},
    },
    config::model::Resume,
    events::Event,
    metrics::{EventName, Provider, ResumeOutcome},
    snapshot::Seat,
};

impl Truth {
    /// Turns what the machines put down into effects, counts and log lines.
    pub(super) fn act(&mut self, seats: &[Seat], now: Instant) {
        // Asking for counts and timing a phase are no news for requests.
        let unseen = |act: &Act| matches!(act, Act::Count | Act::Phase(..));
        for seat in seats {
            let acts = self.waker(*seat).map(|(_, wake)| wake.take_acts()).unwrap_or_default();
            self.changed |= !acts.iter().all(unseen);
            for act in acts {
                self.follow(*seat, act, now);
            }
        }
    }

    fn follow(&mut self, seat: Seat, act: Act, now: Instant) {
        let Some(record) = self.records.get_mut(&seat) else { return };
        let (backend, routing_group) = (record.planned.name.clone(), record.group.clone());
        match act {
            Act::Call(id, action) => self.effects.push(Effect::Call(seat, id, action)),
            Act::Count => self.effects.push(Effect::Count(seat)),
            Act::Phase(phase, took) => {
                self.metrics.group(routing_group.as_str()).cold_start_phase(phase, took);
            }
            Act::Began => {
                self.trace_began(seat, &routing_group, now);
                let Some(record) = self.records.get_mut(&seat) else { return };
                self.metrics.group(routing_group.as_str()).resume_began();
                tracing::info!(
                    event = "resume_triggered", %backend, %routing_group,
                    provider = provider(record), "backend is being woken"
                );
                let words = format!("being woken by {}", provider(record));
                let event = Event::normal(EventName::ResumeTriggered, &words);
                self.events.tell(event.of(routing_group.as_str(), backend.as_str()));
            }
            Act::Ended(ended) => {
                tell_end(record, &ended, self.demand.waiting(&routing_group));
                let provider = provider(record);
                self.trace_ended(seat, &routing_group, &ended, provider, now);
                let event = event_of_end(&ended);
                self.events.tell(event.of(routing_group.as_str(), backend.as_str()));
                self.ended(&routing_group, &ended, now);
            }
            Act::Suspended => {
                tracing::info!(
                    event = "backend_suspended", %backend, %routing_group,
                    provider = provider(record), "backend is put to sleep"
                );
            }
            Act::NotSuspended(words) => {
                record.idle.blocked(now);
                tracing::warn!(
                    event = "suspend_failed", %backend, %routing_group,
                    provider = provider(record), error = %words, "backend could not be put to sleep"
                );
            }
        }
    }

    fn ended(&mut self, group: &GroupName, ended: &Ended, now: Instant) {
        self.metrics.group(group.as_str()).resume_ended(ended.outcome, ended.took);
        let waking = self.waking.entry(group.clone()).or_default();
        waking.last_outcome = Some(ended.outcome);
        if ended.outcome == ResumeOutcome::Success {
            waking.last_success = Some(SystemTime::now());
            waking.learned.took(ended.took);
            self.took.push((group.clone(), ended.took));
            self.lives.get(group).into_iter().for_each(|live| live.rose(now));
        }
    }

    /// Who is awaited is probed often.
    pub(super) fn retune(&mut self, seats: &[Seat]) {
        for seat in seats {
            let Some(record) = self.records.get_mut(seat) else { continue };
            let awaited = record.wake.as_ref().is_some_and(Wake::is_awaited);
            if record.eager != awaited {
                record.eager = awaited;
                self.effects.push(Effect::Retune(*seat));
            }
        }
    }

    /// The call of a backend's driver.
    pub(crate) fn call(&self, seat: Seat, action: Action) -> Option<Wanted> {
        let record = self.records.get(&seat)?;
        let wake = record.wake.as_ref()?;
        let group = self.planned(&record.group)?;
        let (wake_id, attempt, by_hand) = wake.flight().unwrap_or(("", 1, wake.is_held()));
        let reason = match action {
            _ if by_hand => "manual",
            Action::Resume => "no_running_backend",
            Action::Suspend => "idle",
        };
        let call = Call {
            action,
            group: record.group.clone(),
            backend: record.name().clone(),
            reason,
            // A suspend is no repetition of another one: its provider may know it by a key of its own.
            wake_id: match wake_id {
                "" => format!("suspend-{:016x}", fastrand::u64(..)),
                resume => resume.to_owned(),
            },
            attempt,
            traceparent: None,
        };
        let resume = record.planned.resume.clone()?;
        let (call, told) = self.trace_call(seat, call, &resume);
        Some(Wanted {
            call,
            told,
            resume,
            namespace: Arc::clone(&group.namespace),
            xtrinode: Arc::clone(&group.xtrinode),
        })
    }
}

fn tell_end(record: &Record, ended: &Ended, waiters: u64) {
    let (backend, routing_group) = (record.name(), &record.group);
    let (provider, attempt) = (provider(record), ended.attempts);
    let duration_ms = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
    match ended.outcome {
        ResumeOutcome::Success => tracing::info!(
            event = "resume_succeeded", %backend, %routing_group, provider, duration_ms, attempt, waiters,
            "backend is awake"
        ),
        ResumeOutcome::Timeout => tracing::error!(
            event = "resume_timed_out", %backend, %routing_group, provider, duration_ms, attempt, waiters,
            error = %ended.words, "backend did not wake in time"
        ),
        ResumeOutcome::Failure | ResumeOutcome::Rejected => tracing::error!(
            event = "resume_failed", %backend, %routing_group, provider, duration_ms, attempt, waiters,
            error = %ended.words, "backend could not be woken"
        ),
    }
}

fn event_of_end(ended: &Ended) -> Event {
    let Ended { outcome, took, attempts, words } = ended;
    let took = format!("after {:.1} s and {attempts} calls", took.as_secs_f64());
    match outcome {
        ResumeOutcome::Success => {
            Event::normal(EventName::ResumeSucceeded, &format!("awake {took}"))
        }
        ResumeOutcome::Timeout => {
            Event::warning(EventName::ResumeFailed, &format!("timed out {took}: {words}"))
        }
        ResumeOutcome::Failure | ResumeOutcome::Rejected => {
            Event::warning(EventName::ResumeFailed, &format!("failed {took}: {words}"))
        }
    }
}

/// The label of its driver.
fn provider(record: &Record) -> &'static str {
    record.planned.resume.as_ref().and_then(provider_of).map_or("none", Provider::as_str)
}

fn provider_of(resume: &Resume) -> Option<Provider> {
    let key = *resume.drivers().first()?;
    let plain = key.to_ascii_lowercase();
    Provider::ALL.iter().copied().find(|each| each.as_str().replace('_', "") == plain)
}
