//! The page of metrics as text: Prometheus' format 0.0.4, or OpenMetrics 1.0, which alone may carry exemplars.
//!
//! Both are written here from what the registry gathers, so that a family without a series still says when it has
//! one, and so that the labels of a histogram are put together once and not for each of its buckets.

use std::fmt::Write;

use prometheus::proto::{Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::metrics::exemplars::{Exemplar, Exemplars};

/// How a page is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Format {
    /// Prometheus' own, version 0.0.4.
    Text,
    /// OpenMetrics 1.0, with exemplars or without.
    OpenMetrics {
        /// Whether buckets name a trace.
        exemplars: bool,
    },
}

impl Format {
    /// What goes into `Content-Type`; Prometheus 3 fails a scrape without it.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics { .. } => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }
}

/// A page under way.
#[derive(Debug)]
pub(super) struct Page {
    format: Format,
    text: String,
}

impl Page {
    /// An empty page, with room for so many bytes.
    pub(super) fn new(format: Format, room: usize) -> Self {
        Self { format, text: String::with_capacity(room) }
    }

    /// Adds a family; one without series says only what it is.
    pub(super) fn family(&mut self, family: &MetricFamily, exemplars: Option<&Exemplars>) {
        let (name, kind) = (family.name(), family.get_field_type());
        let Some(word) = word(kind) else { return };
        self.heading(name, kind, word, family.help());
        let exemplars =
            exemplars.filter(|_| self.format == Format::OpenMetrics { exemplars: true });
        let bounds = self.bounds(family);
        for metric in family.get_metric() {
            let labels = labels(metric.get_label());
            match kind {
                MetricType::HISTOGRAM => {
                    let exemplars = exemplars.map(|all| all.of(&labels)).unwrap_or_default();
                    self.histogram(name, &labels, metric.get_histogram(), &bounds, &exemplars);
                }
                _ => self.sample(name, "", &labels, value(kind, metric)),
            }
        }
    }

    /// The finished page.
    pub(super) fn finish(mut self) -> String {
        if self.format != Format::Text {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// OpenMetrics calls a counter without the `_total` of its samples.
    fn heading(&mut self, name: &str, kind: MetricType, word: &str, help: &str) {
        let name = match (self.format, kind) {
            (Format::OpenMetrics { .. }, MetricType::COUNTER) => {
                name.strip_suffix("_total").unwrap_or(name)
            }
            _ => name,
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {word}\n"));
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &str, value: Value) {
        self.start(name, suffix, labels);
        self.value(value);
        self.text.push('\n');
    }

    fn histogram(
        &mut self,
        name: &str,
        labels: &str,
        histogram: &Histogram,
        bounds: &[String],
        exemplars: &[Option<Exemplar>],
    ) {
        let count = histogram.get_sample_count();
        let counts = histogram.get_bucket().iter().map(|bucket| bucket.cumulative_count());
        let separator = if labels.is_empty() { "" } else { "," };
        for (at, (count, bound)) in counts.chain([count]).zip(bounds).enumerate() {
            self.put(format_args!("{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {count}"));
            if let Some(exemplar) = exemplars.get(at).copied().flatten() {
                self.exemplar(&exemplar);
            }
            self.text.push('\n');
        }
        self.sample(name, "_sum", labels, Value::Double(histogram.get_sample_sum()));
        self.sample(name, "_count", labels, Value::Whole(count));
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        let Exemplar { trace, value, at } = exemplar;
        self.put(format_args!(" # {{trace_id=\"{}\"}} {value} {at:.3}", trace.trace_id()));
    }

    /// The upper bounds of a family's buckets, the infinite one last; OpenMetrics wants them to look like doubles.
    fn bounds(&self, family: &MetricFamily) -> Vec<String> {
        let Some(first) = family.get_metric().first() else { return Vec::new() };
        let written = first.get_histogram().get_bucket().iter().map(|bucket| {
            let bound = bucket.upper_bound().to_string();
            let is_whole = !bound.contains('.');
            if is_whole && self.format != Format::Text { bound + ".0" } else { bound }
        });
        written.chain(["+Inf".to_owned()]).collect()
    }

    fn start(&mut self, name: &str, suffix: &str, labels: &str) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        if !labels.is_empty() {
            self.put(format_args!("{{{labels}}}"));
        }
        self.text.push(' ');
    }

    fn value(&mut self, value: Value) {
        match value {
            Value::Whole(count) => self.put(format_args!("{count}")),
            Value::Double(double) if double == f64::INFINITY => self.text.push_str("+Inf"),
            Value::Double(double) if double == f64::NEG_INFINITY => self.text.push_str("-Inf"),
            Value::Double(double) => self.put(format_args!("{double}")),
        }
    }

    fn put(&mut self, words: std::fmt::Arguments<'_>) {
        // A string takes whatever is written into it.
        let _ = self.text.write_fmt(words);
    }
}

/// A number on the page.
#[derive(Clone, Copy, Debug)]
enum Value {
    Whole(u64),
    Double(f64),
}

/// `None` for what the gateway never declares.
fn word(kind: MetricType) -> Option<&'static str> {
    match kind {
        MetricType::COUNTER => Some("counter"),
        MetricType::GAUGE => Some("gauge"),
        MetricType::HISTOGRAM => Some("histogram"),
        MetricType::SUMMARY | MetricType::UNTYPED => None,
    }
}

fn value(kind: MetricType, metric: &Metric) -> Value {
    match kind {
        MetricType::COUNTER => Value::Double(metric.get_counter().get_value()),
        _ => Value::Double(metric.get_gauge().get_value()),
    }
}

/// The labels of a series, in the order that the registry keeps, without the braces.
pub(super) fn labels(pairs: &[LabelPair]) -> String {
    labels_of(pairs.iter().map(|pair| (pair.name(), pair.value())))
}

/// The same from bare texts.
pub(super) fn labels_of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        escape(value, &mut text);
        text.push('"');
    }
    text
}

fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}
