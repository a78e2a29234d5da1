//! Readiness: the parts that were promised, and what each of them has reported.
//!
//! Losing a vital part (configuration, listeners) takes the replica out of service; losing any other one only degrades
//! it, because the data plane needs nobody. The health of backends is not part of it: a gateway whose coordinators
//! all sleep is the one that wakes them.

use std::collections::BTreeMap;

use crate::lifecycle::{Lifecycle, Phase};

/// A line of `/readyz`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Check {
    /// A configuration was loaded.
    Config,
    /// Every listener is bound.
    Listeners,
    /// The shared store answers.
    Store,
    /// The audit log can be written.
    Audit,
    /// Peers are found.
    Discovery,
}

impl Check {
    /// All, in the order of the page.
    pub const ALL: [Self; 5] =
        [Self::Config, Self::Listeners, Self::Store, Self::Audit, Self::Discovery];

    /// Its name on the page.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Listeners => "listeners",
            Self::Store => "store",
            Self::Audit => "audit",
            Self::Discovery => "discovery",
        }
    }

    /// Whether the replica cannot serve without it.
    const fn is_vital(self) -> bool {
        matches!(self, Self::Config | Self::Listeners)
    }
}

/// What a part has reported; the order is that of badness.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Report {
    Ok,
    Awaited,
    Failed(&'static str),
}

impl Report {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Awaited => "awaited",
            Self::Failed(word) => word,
        }
    }
}

/// One part of the process that owes a report. Dropping it withdraws what it said: the check fails as `gone`.
#[derive(Debug)]
pub struct Part {
    lifecycle: Lifecycle,
    key: (Check, String),
    stays: bool,
}

impl Part {
    pub(super) fn new(lifecycle: Lifecycle, check: Check, name: &str) -> Self {
        let key = (check, name.to_owned());
        lifecycle.parts(|parts| parts.0.insert(key.clone(), Report::Awaited));
        Self { lifecycle, key, stays: false }
    }

    /// It works.
    pub fn ready(&self) {
        self.report(Report::Ok);
    }

    /// It does not; one word says how, for example `unreachable`.
    pub fn failed(&self, word: &'static str) {
        self.report(Report::Failed(word));
    }

    /// It works and always will: the report stands without the part.
    pub fn done(mut self) {
        self.ready();
        self.stays = true;
    }

    fn report(&self, report: Report) {
        self.lifecycle.parts(|parts| parts.0.insert(self.key.clone(), report));
        self.lifecycle.reported();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        self.lifecycle.parts(|parts| parts.0.insert(self.key.clone(), Report::Failed("gone")));
    }
}

/// All parts by check and name.
#[derive(Debug, Default)]
pub(super) struct Parts(BTreeMap<(Check, String), Report>);

impl Parts {
    pub(super) fn awaited(&self) -> Vec<String> {
        let awaited = self.0.iter().filter(|(_, report)| **report == Report::Awaited);
        awaited.map(|((check, name), _)| format!("{} {name}", check.as_str())).collect()
    }

    /// Whether the gateway may serve: both vital checks have parts, all of which work, and no other part is awaited.
    pub(super) fn complete(&self) -> bool {
        let promised = |check| self.0.keys().any(|(of, _)| *of == check);
        promised(Check::Config)
            && promised(Check::Listeners)
            && self.0.iter().all(|((check, _), report)| match report {
                Report::Ok => true,
                Report::Awaited => false,
                Report::Failed(_) => !check.is_vital(),
            })
    }

    pub(super) fn readiness(&self, phase: Phase) -> Readiness {
        Readiness { phase, checks: Check::ALL.map(|check| (check, self.worst(check).word())) }
    }

    /// A check without a part is one that nothing can go wrong with (a store in memory, no audit log).
    fn worst(&self, check: Check) -> Report {
        let reports = self.0.iter().filter(|((of, _), _)| *of == check).map(|(_, report)| *report);
        reports.max().unwrap_or(Report::Ok)
    }
}

/// What `/readyz` says.
#[derive(Clone, Copy, Debug)]
pub struct Readiness {
    /// The phase it was taken in.
    pub phase: Phase,
    /// Each check with `ok` or the word of its worst part.
    pub checks: [(Check, &'static str); 5],
}

impl Readiness {
    /// Whether new traffic is welcome.
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Serving && self.all_ok(Check::is_vital)
    }

    /// `healthy`, `degraded` (serving without a dependency) or `unhealthy`.
    pub fn status(&self) -> &'static str {
        match (self.is_ready(), self.all_ok(|_| true)) {
            (true, true) => "healthy",
            (true, false) => "degraded",
            (false, _) => "unhealthy",
        }
    }

    fn all_ok(&self, which: impl Fn(Check) -> bool) -> bool {
        self.checks.iter().filter(|(check, _)| which(*check)).all(|(_, word)| *word == "ok")
    }
}
