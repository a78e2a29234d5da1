//! One page of a result, checked: shape, order, types, URIs, and how it follows from the page before.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::answer::{Answer, Broken};

/// The fields of a page, in Trino's order.
const FIELDS: [&str; 11] = [
    "id",
    "infoUri",
    "partialCancelUri",
    "nextUri",
    "columns",
    "data",
    "stats",
    "error",
    "warnings",
    "updateType",
    "updateCount",
];
/// What every client may count on in `stats` (trino-protocol.md 4.5: the strictest decode all of these).
const COUNTS: [&str; 13] = [
    "nodes",
    "totalSplits",
    "queuedSplits",
    "runningSplits",
    "completedSplits",
    "cpuTimeMillis",
    "wallTimeMillis",
    "queuedTimeMillis",
    "elapsedTimeMillis",
    "processedRows",
    "processedBytes",
    "peakMemoryBytes",
    "spilledBytes",
];
/// The states, in the order in which a query goes through them.
const STATES: [&str; 9] = [
    "QUEUED",
    "WAITING_FOR_RESOURCES",
    "DISPATCHING",
    "PLANNING",
    "STARTING",
    "RUNNING",
    "FINISHING",
    "FINISHED",
    "FAILED",
];

/// A page that kept every rule that can be checked on it alone.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) answer: Answer,
    pub(crate) json: Value,
    pub(crate) id: String,
    pub(crate) next: Option<Next>,
    pub(crate) state: String,
}

/// A nextUri and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) uri: String,
    pub(crate) is_queued: bool,
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) token: u64,
}

fn rule(is_kept: bool, words: impl FnOnce() -> String) -> Result<(), Broken> {
    if is_kept { Ok(()) } else { Err(Broken::Rule(words())) }
}

impl Page {
    /// Reads an answer; `bases` are the URLs under which its URIs may be.
    pub(crate) fn read(answer: Answer, bases: &[String]) -> Result<Self, Broken> {
        if answer.status != 200 {
            return Err(Broken::Status(answer.into()));
        }
        let kind = answer.header("content-type").to_owned();
        rule(kind == "application/json", || format!("Content-Type {kind}"))?;
        let body = answer.body()?;
        rule(body.first() == Some(&b'{'), || "the first byte is no {".to_owned())?;
        let json = answer.json()?;
        check_fields(&body)?;
        check_nulls(&json, "page")?;
        let id = text(&json, "id")?;
        rule(is_query_id(&id), || format!("id {id:?}"))?;
        check_uri(&text(&json, "infoUri")?, bases)?;
        rule(text(&json, "infoUri")?.ends_with(&id), || "infoUri without the id".to_owned())?;
        if let Some(uri) = json.get("partialCancelUri").and_then(Value::as_str) {
            check_uri(uri, bases)?;
            let infix = format!("/v1/statement/executing/partialCancel/{id}/");
            rule(uri.contains(&infix), || format!("partialCancelUri {uri}"))?;
        }
        rule(json.get("warnings").is_some_and(Value::is_array), || "no warnings".to_owned())?;
        check_rows(&json)?;
        let state = check_stats(&json)?;
        let next = json.get("nextUri").and_then(Value::as_str);
        let next = next.map(|uri| Next::parse(uri, bases)).transpose()?;
        check_end(&json, &state, next.as_ref())?;
        Ok(Self { answer, json, id, next, state })
    }

    /// The rows of a page of the direct protocol.
    pub(crate) fn rows(&self) -> Vec<Value> {
        self.json.get("data").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// The segments of a spooled page.
    pub(crate) fn segments(&self) -> Vec<Value> {
        let segments = self.json.get("data").and_then(|data| data.get("segments"));
        segments.and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// `error.errorName`.
    pub(crate) fn error_name(&self) -> Option<&str> {
        self.json.get("error")?.get("errorName")?.as_str()
    }

    /// Checks what the POST's answer must be.
    pub(crate) fn check_first(&self) -> Result<(), Broken> {
        rule(self.state == "QUEUED", || format!("the first page is {}", self.state))?;
        for field in ["columns", "data", "error", "updateType", "partialCancelUri"] {
            rule(self.json.get(field).is_none(), || format!("the first page has {field}"))?;
        }
        let next = self.next.as_ref();
        rule(next.is_some_and(|next| next.is_queued && next.token == 1), || {
            format!("the first nextUri is {next:?}")
        })
    }

    /// Checks that this page may follow `before`; `may_change_id` allows another id than before.
    pub(crate) fn check_after(&self, before: &Self, may_change_id: bool) -> Result<(), Broken> {
        let is_same = self.id == before.id;
        rule(is_same || may_change_id, || format!("id {} became {}", before.id, self.id))?;
        let position = |state: &str| STATES.iter().position(|known| *known == state);
        rule(!is_same || position(&self.state) >= position(&before.state), || {
            format!("state {} after {}", self.state, before.state)
        })?;
        let (Some(next), Some(asked)) = (&self.next, &before.next) else { return Ok(()) };
        let is_right = if next.is_queued == asked.is_queued {
            next.token == asked.token + 1 || !is_same
        } else {
            asked.is_queued && next.token == 0
        };
        rule(is_right, || format!("nextUri {} after {}", next.uri, asked.uri))
    }
}

impl Next {
    pub(crate) fn parse(uri: &str, bases: &[String]) -> Result<Self, Broken> {
        let path = check_uri(uri, bases)?;
        let wrong = || Broken::Rule(format!("nextUri {uri}"));
        // A gateway may put its own prefix before the path.
        let at = path.find("/v1/statement/").ok_or_else(wrong)?;
        let parts: Vec<&str> = path[at..].split('/').skip(3).collect();
        let [phase @ ("queued" | "executing"), id, slug, token] = parts[..] else {
            return Err(wrong());
        };
        let is_slug = slug.len() == 41
            && slug.starts_with('y')
            && slug[1..].bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        rule(is_slug && is_query_id(id), || format!("nextUri {uri}"))?;
        Ok(Self {
            uri: uri.to_owned(),
            is_queued: phase == "queued",
            id: id.to_owned(),
            slug: slug.to_owned(),
            token: token.parse().map_err(|_| wrong())?,
        })
    }
}

/// Whether a text has the shape of a query id.
pub(crate) fn is_query_id(id: &str) -> bool {
    let parts: Vec<&str> = id.split('_').collect();
    parts.len() == 4
        && parts.iter().zip([8, 6, 5, 5]).all(|(part, length)| part.len() == length)
        && parts[..3].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
        && parts[3].bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// The path of a URI that stands under one of the bases.
fn check_uri<'a>(uri: &'a str, bases: &[String]) -> Result<&'a str, Broken> {
    let path = bases.iter().find_map(|base| uri.strip_prefix(base.as_str()));
    path.filter(|path| path.starts_with('/'))
        .ok_or_else(|| Broken::Rule(format!("{uri} is not under {bases:?}")))
}

fn text(json: &Value, field: &str) -> Result<String, Broken> {
    let text = json.get(field).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Broken::Rule(format!("no {field}")))
}

/// The fields are known ones, each once, in order.
fn check_fields(body: &[u8]) -> Result<(), Broken> {
    let Keys(keys) = serde_json::from_slice(body)
        .map_err(|error| Broken::Rule(format!("no JSON object: {error}")))?;
    let places: Vec<Option<usize>> =
        keys.iter().map(|key| FIELDS.iter().position(|field| field == key)).collect();
    rule(places.iter().all(Option::is_some), || format!("unknown field in {keys:?}"))?;
    rule(places.is_sorted_by(|a, b| a < b), || format!("order of the fields: {keys:?}"))
}

struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Keys;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Trino leaves out what it does not have; clients stumble over an explicit null. Data may hold nulls.
fn check_nulls(json: &Value, place: &str) -> Result<(), Broken> {
    match json {
        Value::Null => Err(Broken::Rule(format!("null in {place}"))),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *name != "data")
            .try_for_each(|(name, value)| check_nulls(value, name)),
        Value::Array(items) => items.iter().try_for_each(|item| check_nulls(item, place)),
        _ => Ok(()),
    }
}

fn check_rows(json: &Value) -> Result<(), Broken> {
    let Some(data) = json.get("data") else { return Ok(()) };
    let columns = json.get("columns").and_then(Value::as_array);
    let columns = columns.ok_or_else(|| Broken::Rule("data without columns".to_owned()))?;
    for column in columns {
        for field in ["name", "type", "typeSignature"] {
            rule(column.get(field).is_some(), || format!("column without {field}"))?;
        }
    }
    match data {
        Value::Array(rows) => {
            rule(!rows.is_empty(), || "empty data".to_owned())?;
            let fits = |row: &Value| row.as_array().is_some_and(|row| row.len() == columns.len());
            rule(rows.iter().all(fits), || "a row does not fit the columns".to_owned())
        }
        Value::Object(object) => {
            rule(object.get("encoding").is_some_and(Value::is_string), || {
                "no encoding".to_owned()
            })?;
            rule(object.get("segments").is_some_and(Value::is_array), || "no segments".to_owned())
        }
        other => Err(Broken::Rule(format!("data is {other}"))),
    }
}

fn check_stats(json: &Value) -> Result<String, Broken> {
    let stats = json.get("stats").ok_or_else(|| Broken::Rule("no stats".to_owned()))?;
    let state = text(stats, "state")?;
    rule(STATES.contains(&state.as_str()), || format!("state {state}"))?;
    for name in ["queued", "scheduled"] {
        rule(stats.get(name).is_some_and(Value::is_boolean), || format!("stats.{name}"))?;
    }
    for name in COUNTS {
        rule(stats.get(name).is_some_and(Value::is_u64), || format!("stats.{name}"))?;
    }
    Ok(state)
}

/// A query has ended if and only if there is no nextUri; it has an error if and only if it FAILED.
fn check_end(json: &Value, state: &str, next: Option<&Next>) -> Result<(), Broken> {
    let error = json.get("error");
    rule(next.is_some() || matches!(state, "FINISHED" | "FAILED"), || {
        format!("no nextUri in state {state}")
    })?;
    rule(error.is_some() == (state == "FAILED" && next.is_none()), || {
        format!("error {error:?} in state {state}")
    })?;
    rule(error.is_none() || next.is_none(), || "an error with a nextUri".to_owned())?;
    let Some(error) = error else { return Ok(()) };
    for name in ["message", "errorName", "errorType"] {
        rule(error.get(name).is_some_and(Value::is_string), || format!("error.{name}"))?;
    }
    rule(error.get("errorCode").is_some_and(Value::is_i64), || "error.errorCode".to_owned())?;
    rule(error.get("failureInfo").is_some_and(Value::is_object), || "failureInfo".to_owned())
}
