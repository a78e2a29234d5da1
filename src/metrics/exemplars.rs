//! Histograms that remember one sampled trace for each bucket: from a number on a graph to a request behind it.
//!
//! The `prometheus` crate knows no exemplars, so a small table stands beside each series: a trace, the value that it
//! gave and when. Only sampled traces are kept, since no other can be looked up, and a thread never waits to keep one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ahash::AHashMap;
use prometheus::{Histogram, HistogramOpts, HistogramVec, core::Collector, proto::MetricFamily};

use crate::{
    metrics::{
        family::{Declared, Family, forget},
        gateway::unix_seconds,
        page,
    },
    telemetry::context::TraceContext,
};

/// Histograms with `N` labels, each bucket with its exemplar.
#[derive(Debug)]
pub(super) struct Traced<const N: usize> {
    histograms: HistogramVec,
    declared: Declared,
    exemplars: Exemplars,
}

/// The exemplars of one family, by the labels of their series as the page writes them.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Mutex<AHashMap<String, Arc<Slots>>>);

/// The last exemplar of each bucket of one series; empty until there is one.
#[derive(Debug)]
pub(super) struct Slots {
    bounds: &'static [f64],
    last: Mutex<Vec<Option<Exemplar>>>,
}

/// One request of many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exemplar {
    /// Where more is to be seen.
    pub(super) trace: TraceContext,
    /// What it added to the histogram.
    pub(super) value: f64,
    /// When, in Unix time.
    pub(super) at: f64,
}

/// One series with its exemplars.
#[derive(Debug)]
pub(super) struct TracedHistogram {
    histogram: Histogram,
    slots: Arc<Slots>,
}

impl TracedHistogram {
    /// One more, that took this long.
    pub(super) fn observe(&self, took: Duration) {
        self.histogram.observe(took.as_secs_f64());
    }

    /// Names the trace of one that was observed, if that is to be found anywhere.
    pub(super) fn exemplar(&self, took: Duration, trace: &TraceContext) {
        if trace.is_sampled() {
            self.slots.keep(took.as_secs_f64(), *trace);
        }
    }
}

impl Slots {
    fn keep(&self, value: f64, trace: TraceContext) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        // Whoever writes or reads it at this moment has an exemplar as good as this one.
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.is_empty() {
            last.resize(self.bounds.len() + 1, None);
        }
        if let Some(slot) = last.get_mut(bucket) {
            *slot = Some(Exemplar { trace, value, at: unix_seconds() });
        }
    }

    /// A copy, bucket by bucket, the infinite one last; empty if there is none.
    pub(super) fn all(&self) -> Vec<Option<Exemplar>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Exemplars {
    /// Those of the series with these labels.
    pub(super) fn of(&self, labels: &str) -> Vec<Option<Exemplar>> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(labels).cloned();
        slots.map(|slots| slots.all()).unwrap_or_default()
    }

    fn slots(&self, labels: String, bounds: &'static [f64]) -> Arc<Slots> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Slots { bounds, last: Mutex::default() });
        Arc::clone(known.entry(labels).or_insert_with(made))
    }

    fn retain(&self, living: &[MetricFamily]) {
        let mut labels = ahash::AHashSet::new();
        for metric in living.iter().flat_map(MetricFamily::get_metric) {
            labels.insert(page::labels(metric.get_label()));
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|series, _| labels.contains(series));
    }
}

impl<const N: usize> Traced<N> {
    /// The series of these label values, made empty if it is new.
    pub(super) fn with(&self, values: [&str; N]) -> TracedHistogram {
        let mut pairs: Vec<(&str, &str)> =
            self.declared.labels.iter().copied().zip(values).collect();
        pairs.sort_unstable();
        let slots = self.exemplars.slots(page::labels_of(pairs), self.declared.buckets);
        TracedHistogram { histogram: self.histograms.with_label_values(&values), slots }
    }
}

impl<const N: usize> Family for Traced<N> {
    const KIND: &'static str = "histogram";

    fn build(declared: &Declared) -> Result<Self, prometheus::Error> {
        let options = HistogramOpts::new(declared.name, declared.help);
        let options = options.buckets(declared.buckets.to_vec());
        Ok(Self {
            histograms: HistogramVec::new(options, declared.labels)?,
            declared: *declared,
            exemplars: Exemplars::default(),
        })
    }

    fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.histograms.clone())
    }

    fn forget(&self, labels: &[(&str, &str)]) {
        forget(&self.histograms, labels);
        self.exemplars.retain(&self.histograms.collect());
    }

    fn exemplars(&self) -> Option<&Exemplars> {
        Some(&self.exemplars)
    }
}
