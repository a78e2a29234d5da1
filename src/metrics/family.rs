//! Metric families whose number of labels is part of their type, so that no lookup can be refused at run time.
//!
//! A thin cover over the vectors of the `prometheus` crate. Nothing here knows a metric by name: `table` does.

use std::collections::HashMap;

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts,
    core::{Collector, MetricVec, MetricVecBuilder},
};

use crate::metrics::exemplars::Exemplars;

/// What the table says of one family.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The name on the page.
    pub name: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Upper bounds in seconds; histograms only.
    pub buckets: &'static [f64],
    /// The `# HELP` line.
    pub help: &'static str,
    /// Whether there are times without a series of it; its help says when.
    pub may_be_absent: bool,
}

/// A kind of family that the table may declare.
pub(super) trait Family: Sized {
    /// The word of the `# TYPE` line.
    const KIND: &'static str;

    /// Makes the empty family.
    fn build(declared: &Declared) -> Result<Self, prometheus::Error>;

    /// What the registry takes.
    fn collector(&self) -> Box<dyn Collector>;

    /// Removes every series whose labels include all of these.
    fn forget(&self, labels: &[(&str, &str)]);

    /// The exemplars of its series, where it keeps any.
    fn exemplars(&self) -> Option<&Exemplars> {
        None
    }
}

/// Counters with `N` labels.
#[derive(Debug)]
pub(super) struct Counters<const N: usize>(IntCounterVec);

impl<const N: usize> Counters<N> {
    /// The series of these label values, made at 0 if it is new.
    pub(super) fn with(&self, values: [&str; N]) -> IntCounter {
        self.0.with_label_values(&values)
    }
}

impl<const N: usize> Family for Counters<N> {
    const KIND: &'static str = "counter";

    fn build(declared: &Declared) -> Result<Self, prometheus::Error> {
        IntCounterVec::new(Opts::new(declared.name, declared.help), declared.labels).map(Self)
    }

    fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.0.clone())
    }

    fn forget(&self, labels: &[(&str, &str)]) {
        forget(&self.0, labels);
    }
}

/// Gauges with `N` labels.
#[derive(Debug)]
pub(super) struct Gauges<const N: usize>(GaugeVec);

impl<const N: usize> Gauges<N> {
    /// Sets the series of these label values.
    pub(super) fn set(&self, values: [&str; N], value: f64) {
        self.with(values).set(value);
    }

    /// The series of these label values, made at 0 if it is new.
    pub(super) fn with(&self, values: [&str; N]) -> prometheus::Gauge {
        self.0.with_label_values(&values)
    }
}

impl<const N: usize> Family for Gauges<N> {
    const KIND: &'static str = "gauge";

    fn build(declared: &Declared) -> Result<Self, prometheus::Error> {
        GaugeVec::new(Opts::new(declared.name, declared.help), declared.labels).map(Self)
    }

    fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.0.clone())
    }

    fn forget(&self, labels: &[(&str, &str)]) {
        forget(&self.0, labels);
    }
}

/// Histograms with `N` labels.
#[derive(Debug)]
pub(super) struct Histograms<const N: usize>(HistogramVec);

impl<const N: usize> Histograms<N> {
    /// The series of these label values, made empty if it is new.
    pub(super) fn with(&self, values: [&str; N]) -> Histogram {
        self.0.with_label_values(&values)
    }
}

impl<const N: usize> Family for Histograms<N> {
    const KIND: &'static str = "histogram";

    fn build(declared: &Declared) -> Result<Self, prometheus::Error> {
        let options = HistogramOpts::new(declared.name, declared.help);
        HistogramVec::new(options.buckets(declared.buckets.to_vec()), declared.labels).map(Self)
    }

    fn collector(&self) -> Box<dyn Collector> {
        Box::new(self.0.clone())
    }

    fn forget(&self, labels: &[(&str, &str)]) {
        forget(&self.0, labels);
    }
}

/// Walks the family's own series, because only it knows which label values were ever resolved.
pub(super) fn forget<B: MetricVecBuilder>(vec: &MetricVec<B>, wanted: &[(&str, &str)])
where
    MetricVec<B>: Collector,
{
    for family in vec.collect() {
        for metric in family.get_metric() {
            let labels: HashMap<&str, &str> =
                metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            if wanted.iter().all(|(name, value)| labels.get(name) == Some(value)) {
                // A series that went meanwhile is gone, as wanted.
                let _ = vec.remove(&labels);
            }
        }
    }
}
