//! Spans: what a collector is told of a request, over OTLP.
//!
//! A span is built once, when what it tells of has ended, and put into a bounded queue; a thread of its own with a
//! runtime of its own sends what is there (`export`). Nothing ever waits for that queue. The settings come from the
//! file and from `OTEL_*` (`settings`), headers are written by `inject`, a query's own span lives in `query`. Without an
//! endpoint there is no thread, no queue and no span. What belongs into a span is for those who know it.

mod export;
pub mod inject;
pub mod query;
pub mod settings;
mod span;

use std::{fmt, sync::Arc, time::Duration};

pub use self::span::{Kind, Span};
use self::{export::Exporting, settings::Settings};
use crate::telemetry::context::TraceContext;

/// Whoever counts spans.
pub trait Tally: Send + Sync {
    /// So many reached the collector.
    fn exported(&self, spans: u64);

    /// So many did not.
    fn lost(&self, why: Lost, spans: u64);
}

/// Why a span was lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// Too many waited for the collector.
    QueueFull,
    /// The collector did not take it.
    ExportError,
}

/// The way to the collector; cheap to copy. The default is none: export is off.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Open>>);

struct Open {
    exporting: Exporting,
    /// A trace is sampled whose id, as a number of 63 bits, is below it.
    below: u64,
    captures: Captures,
}

/// What of a request may stand in spans.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Captures {
    /// The user's name.
    pub user: bool,
    /// The statement, its literals masked.
    pub query_text: bool,
}

/// Who brought about what others do on its behalf: whoever calls a resume driver continues its trace.
#[derive(Clone, Debug)]
pub struct Cause {
    /// Its span.
    pub context: TraceContext,
    /// Where the spans go that it brings about; none where it is not sampled or export is off.
    pub traces: Traces,
}

impl Traces {
    /// Starts the export that the settings want.
    ///
    /// # Errors
    ///
    /// In words, when the exporter cannot be built. A collector that is not there is no such error.
    pub fn start(settings: &Settings, tally: Arc<dyn Tally>) -> Result<Self, String> {
        let exporting = Exporting::start(settings, tally)?;
        let open =
            Open { exporting, below: share(settings.sample_ratio), captures: settings.captures };
        Ok(Self(Some(Arc::new(open))))
    }

    /// Whether spans are exported.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A new trace, sampled by chance.
    pub fn root(&self) -> TraceContext {
        let below = self.0.as_ref().map_or(0, |open| open.below);
        TraceContext::root(|trace| sixty_three_bits(trace) < below)
    }

    /// What may stand in spans.
    pub fn captures(&self) -> Captures {
        self.0.as_ref().map(|open| open.captures).unwrap_or_default()
    }

    /// Takes a span that has ended; one that is not sampled goes nowhere. Never waits.
    pub fn tell(&self, span: Span) {
        if let Some(open) = self.0.as_ref().filter(|_| span.context.is_sampled()) {
            open.exporting.take(span);
        }
    }

    /// Sends what waits and ends the export; gives up after a few seconds.
    pub async fn flush(&self) {
        if let Some(open) = &self.0 {
            open.exporting.finish().await;
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Traces").field(&self.is_on()).finish()
    }
}

/// How long the last spans may take (observability.md 3).
const FLUSH: Duration = Duration::from_secs(5);

/// The lower bits of a trace id are those that its maker drew at random (W3C trace context, level 2).
fn sixty_three_bits(trace: u128) -> u64 {
    u64::try_from(trace & u128::from(u64::MAX)).unwrap_or_default() >> 1
}

/// That share of all numbers of 63 bits; 0 none of them, 1 all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share between 0 and 2^63, both of which a float holds exactly"
)]
fn share(ratio: f64) -> u64 {
    (ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obs_t4_a_ratio_of_0_is_none_of_1_all_and_of_a_tenth_a_tenth() {
        let sampled = |ratio: f64| {
            let below = share(ratio);
            (0..10_000).filter(|_| sixty_three_bits(fastrand::u128(..)) < below).count()
        };
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 10_000));
        assert!((700..1_300).contains(&sampled(0.1)), "a tenth");
        assert!(sixty_three_bits(u128::MAX) < share(1.0), "even the greatest");
    }

    #[test]
    fn export_that_is_off_samples_nothing() {
        let off = Traces::default();
        assert!(!off.is_on() && !off.root().is_sampled());
    }
}
