//! One flat JSON object a line. Fields of spans stand beside those of the event, the innermost one winning; nothing is
//! nested under `fields` or `span`, so that Loki's and jq's users find every name where the documentation has it.

use std::{fmt, io::Write, ops::Range};

use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{Layer, fmt::MakeWriter, layer::Context, registry::LookupSpan};

/// Names that the line itself fills; a field of that name would appear twice.
const OWN: [&str; 7] = ["timestamp", "level", "target", "service", "env", "version", "instance"];

/// Fields that stand before the others, and are there in every line.
const FIRST: [&str; 2] = ["message", "event"];

/// Most lines are shorter.
const LINE: usize = 1024;

/// Most lines have fewer fields.
const FIELDS: usize = 32;

/// RFC 3339 with microseconds, six digits whatever they are.
const TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Writes each event as one line.
#[derive(Debug)]
pub(super) struct Json<W> {
    out: W,
    /// The constant part: service, env, version, instance.
    identity: Vec<u8>,
}

impl<W> Json<W> {
    pub(super) fn new(out: W, instance: &str, env: &str) -> Self {
        let mut identity = Vec::new();
        put(&mut identity, "service", "sluice");
        put(&mut identity, "env", env);
        put(&mut identity, "version", env!("CARGO_PKG_VERSION"));
        put(&mut identity, "instance", instance);
        Self { out, identity }
    }

    fn line(&self, event: &Event<'_>, mut fields: Fields) -> Vec<u8> {
        event.record(&mut fields);
        let meta = event.metadata();
        let mut line = Vec::with_capacity(LINE);
        put_now(&mut line);
        put(&mut line, "level", meta.level().as_str());
        put(&mut line, "target", meta.target());
        for name in FIRST {
            put_json(&mut line, name, fields.json(name).unwrap_or(b"null"));
        }
        line.extend_from_slice(&self.identity);
        for (name, value) in fields.all().filter(|(name, _)| !FIRST.contains(name)) {
            put_json(&mut line, name, value);
        }
        line.extend_from_slice(b"}\n");
        // Every field begins with a comma; the first one's makes room for the brace.
        if let Some(comma) = line.first_mut() {
            *comma = b'{';
        }
        line
    }
}

impl<S, W> Layer<S> for Json<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields {
            places: Vec::with_capacity(FIELDS),
            json: Vec::with_capacity(LINE),
            settled: None,
        };
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                outer.all().for_each(|(name, value)| fields.set_json(name, value));
            }
        }
        fields.settled = Some(fields.places.len());
        let line = self.line(event, fields);
        // A log that cannot be written has nowhere to say so.
        let _ = self.out.make_writer().write_all(&line);
    }
}

/// The fields of a span or an event, in the order in which they came, their values already in JSON.
#[derive(Debug, Default)]
struct Fields {
    /// Each one's place in `json`; that of a value that was overwritten is nobody's.
    places: Vec<(&'static str, Range<usize>)>,
    json: Vec<u8>,
    /// So many of them may be overwritten: an event names none of its own fields twice. `None`: all.
    settled: Option<usize>,
}

impl Fields {
    fn set(&mut self, name: &'static str, value: &impl Serialize) {
        let begin = self.json.len();
        write(&mut self.json, value);
        self.place(name, begin);
    }

    fn set_text(&mut self, name: &'static str, value: &str) {
        let begin = self.json.len();
        text(&mut self.json, value);
        self.place(name, begin);
    }

    fn set_json(&mut self, name: &'static str, json: &[u8]) {
        let begin = self.json.len();
        self.json.extend_from_slice(json);
        self.place(name, begin);
    }

    /// The value that was written last is that field's.
    fn place(&mut self, name: &'static str, begin: usize) {
        let place = begin..self.json.len();
        let settled = self.settled.unwrap_or(self.places.len());
        match self.places.iter_mut().take(settled).find(|(known, _)| *known == name) {
            Some((_, old)) => *old = place,
            None if OWN.contains(&name) => {}
            None => self.places.push((name, place)),
        }
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.places.iter().filter_map(|(name, place)| Some((*name, self.json.get(place.clone())?)))
    }

    fn json(&self, name: &str) -> Option<&[u8]> {
        self.all().find(|(known, _)| *known == name).map(|(_, json)| json)
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        self.set_text(field.name(), &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let begin = self.json.len();
        debug(&mut self.json, value);
        self.place(field.name(), begin);
    }
}

/// Appends `,"name":value`.
fn put(line: &mut Vec<u8>, name: &str, value: &str) {
    begin(line, name);
    text(line, value);
}

fn put_json(line: &mut Vec<u8>, name: &str, value: &[u8]) {
    begin(line, name);
    line.extend_from_slice(value);
}

/// Names are words of the code, in which nothing is escaped.
fn begin(line: &mut Vec<u8>, name: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
}

/// Appends a text. Nearly all names and values stand there as they are, which is seen many bytes at once; serde looks at
/// each by itself.
fn text(json: &mut Vec<u8>, text: &str) {
    if text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        return write(json, &text);
    }
    json.reserve(text.len() + 2);
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

/// Appends what a value is in words, straight into the bytes; only what must be escaped is written twice.
fn debug(json: &mut Vec<u8>, value: &dyn fmt::Debug) {
    let begin = json.len();
    json.push(b'"');
    // It grows as it is written to, and so takes everything.
    let _ = write!(json, "{value:?}");
    let words = json.get(begin + 1..).unwrap_or_default();
    if words.iter().fold(false, |found, byte| found | is_escaped(*byte)) {
        let words = String::from_utf8_lossy(words).into_owned();
        json.truncate(begin);
        return write(json, &words);
    }
    json.push(b'"');
}

/// RFC 8259, section 7: what may not stand in a text as it is.
fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Appends a value. Straight into the bytes: by way of `Display` of a `Value`, three lines of a query cost as much as three polls.
fn write(json: &mut Vec<u8>, value: &impl Serialize) {
    let begin = json.len();
    if serde_json::to_writer(&mut *json, value).is_err() {
        // No text, number or flag is such a value.
        json.truncate(begin);
        json.extend_from_slice(b"null");
    }
}

/// Appends the time: RFC 3339, microseconds, UTC.
fn put_now(line: &mut Vec<u8>) {
    begin(line, "timestamp");
    line.push(b'"');
    let now = jiff::Timestamp::now();
    // It grows as it is written to; a time of today is one that can be written.
    let _ = TIME.print_timestamp(&now, &mut *line);
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(what: impl FnOnce()) -> Vec<Value> {
        let page = Page::default();
        let out = page.clone();
        let json = Json::new(move || out.clone(), "gw-0", "prod");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(json), what);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn obs_l1_a_line_is_flat_and_has_what_is_always_there() {
        let lines = logged(|| {
            let outer = tracing::info_span!(
                "request",
                trace_id = "abc",
                routing_group = tracing::field::Empty,
                user = "outer"
            );
            let _in = outer.enter();
            outer.record("routing_group", "team-a--analytics");
            let _inner = tracing::info_span!("attempt", user = "alice", rows = 3_u64).entered();
            tracing::info!(
                event = "query_completed",
                duration_ms = 142,
                held = false,
                ratio = 0.5,
                "Query \"executed\""
            );
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        for (name, value) in [
            ("level", Value::from("INFO")),
            ("message", "Query \"executed\"".into()),
            ("event", "query_completed".into()),
            ("service", "sluice".into()),
            ("env", "prod".into()),
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("instance", "gw-0".into()),
            ("trace_id", "abc".into()),
            ("routing_group", "team-a--analytics".into()),
            ("user", "alice".into()),
            ("rows", 3.into()),
            ("duration_ms", 142.into()),
            ("held", false.into()),
            ("ratio", 0.5.into()),
        ] {
            assert_eq!(line[name], value, "{name}");
        }
        assert!(line["target"].as_str().unwrap().starts_with("sluice::"));
        assert!(line.as_object().unwrap().values().all(|value| !value.is_object()));
    }

    #[test]
    fn the_time_has_microseconds_and_says_utc() {
        let lines = logged(|| tracing::warn!("x"));
        let time = lines[0]["timestamp"].as_str().unwrap();
        assert_eq!(time.len(), "2026-03-15T10:30:00.142311Z".len(), "{time}");
        assert!(time.ends_with('Z'));
        assert_eq!(lines[0]["event"], Value::Null, "always there, also where nobody named it");
    }

    #[test]
    fn hostile_values_stay_inside_their_field_and_own_names_are_not_written_twice() {
        let page = logged(|| {
            let text = "a\nb\u{0}\"}{\"level\":\"ERROR";
            tracing::info!(level = "ERROR", user = text, wrong = f64::NAN, "{text}");
        });
        assert_eq!(page.len(), 1);
        assert_eq!(page[0]["level"], "INFO");
        assert_eq!(page[0]["user"], "a\nb\u{0}\"}{\"level\":\"ERROR");
        assert_eq!(page[0]["wrong"], Value::Null);
    }

    proptest::proptest! {
        #[test]
        fn a_text_is_what_serde_makes_of_it(words in "\\PC{0,40}|[a-z\"\\\\\n\u{0}-\u{20}]{0,40}") {
            let mut json = Vec::new();
            text(&mut json, &words);
            proptest::prop_assert_eq!(json, serde_json::to_vec(&words).unwrap());
        }
    }

    #[test]
    fn the_innermost_value_wins_and_a_later_one_of_the_same_span() {
        let lines = logged(|| {
            let span = tracing::info_span!("outer", user = "a", rows = 1);
            let _in = span.enter();
            span.record("rows", 2);
            tracing::info!(user = "b", "x");
        });
        assert_eq!((&lines[0]["user"], &lines[0]["rows"]), (&Value::from("b"), &Value::from(2)));
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot reach backend etl")]
        struct Outer(#[source] std::fmt::Error);
        let error = Outer(std::fmt::Error);
        let lines = logged(|| tracing::error!(error = &error as &dyn std::error::Error, "x"));
        let text = lines[0]["error"].as_str().unwrap();
        assert!(text.starts_with("cannot reach backend etl: an error"), "{text}");
    }
}
