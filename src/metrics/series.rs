//! Series resolved once: looking up labels hashes and locks, so a request only ever touches these handles.

use std::{marker::PhantomData, sync::OnceLock, time::Duration};

use prometheus::{Histogram, IntCounter};

use crate::metrics::labels::Label;

/// One handle for each value of a closed list.
#[derive(Debug)]
pub(super) struct PerLabel<L, H> {
    handles: Box<[H]>,
    list: PhantomData<L>,
}

impl<L: Label, H> PerLabel<L, H> {
    /// Resolves all of them, which creates their series at 0.
    pub(super) fn resolve(each: impl FnMut(L) -> H) -> Self {
        Self { handles: L::all().iter().copied().map(each).collect(), list: PhantomData }
    }

    /// The handle of one value; `None` never happens for a list that keeps its order.
    pub(super) fn of(&self, label: L) -> Option<&H> {
        self.handles.get(label.index())
    }
}

impl<L: Label> PerLabel<L, IntCounter> {
    /// One more.
    pub(super) fn count(&self, label: L) {
        if let Some(counter) = self.of(label) {
            counter.inc();
        }
    }
}

impl<L: Label> PerLabel<L, Histogram> {
    /// One more, that took this long.
    pub(super) fn observe(&self, label: L, took: Duration) {
        if let Some(histogram) = self.of(label) {
            histogram.observe(took.as_secs_f64());
        }
    }
}

/// The status codes that have a handle of their own, sorted; Trino and the gateway send no others in earnest.
const KNOWN: [u16; 26] = [
    200, 201, 204, 206, 301, 302, 303, 304, 307, 400, 401, 403, 404, 405, 406, 408, 410, 413, 429,
    431, 499, 500, 501, 502, 503, 504,
];

/// Counters by status code, resolved when a code first comes.
#[derive(Debug, Default)]
pub(super) struct Codes([OnceLock<IntCounter>; KNOWN.len()]);

impl Codes {
    /// One more of that code. `resolve` finds the series, or `None` when the series are gone for good.
    pub(super) fn count(&self, code: u16, resolve: impl FnOnce(&str) -> Option<IntCounter>) {
        let known = KNOWN.binary_search(&code).ok().and_then(|at| self.0.get(at));
        if let Some(counter) = known.and_then(OnceLock::get) {
            return counter.inc();
        }
        let Some(counter) = resolve(&code.to_string()) else { return };
        counter.inc();
        if let Some(slot) = known {
            // Another thread may have put the same series there first.
            let _ = slot.set(counter);
        }
    }
}
