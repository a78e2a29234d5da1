//! From a path to a [`tree`](crate::config::tree): the file's bytes, YAML, and `${ENV:NAME}`.
//!
//! The only place that names the YAML crate. It knows nothing of what the keys mean. YAML itself is read up to its
//! first mistake: behind an open bracket there is nothing left to judge.

use std::{fmt, io::Read as _, path::Path};

use serde::{Deserialize, Deserializer, de};
use serde_saphyr::{
    DuplicateKeyPolicy, Error, NonFiniteFloatPolicy, Options, Spanned, UserMessageFormatter,
};

use crate::config::{
    problem::Problem,
    tree::{Entry, Node, Text, Value},
};

pub(crate) use self::environment::{Environment, expand};

mod environment;

/// A ConfigMap holds 1 MiB; four of them are some ten thousand backends.
const LARGEST_FILE: u64 = 4 << 20;

/// Values in a file: keys, texts, lists; ten thousand backends have some 80,000.
const MOST_VALUES: usize = 200_000;

/// Values that aliases (`*name`) may stand for in all; a bomb made of them is refused in milliseconds.
const MOST_ALIASED: usize = 20_000;

/// Lists and mappings inside each other; every walk over the tree recurses as deep.
const DEEPEST: usize = 48;

/// The bytes of a regular file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let failed = |error: std::io::Error| refused(format!("cannot be read: {error}"));
    let meta = std::fs::metadata(path).map_err(failed)?;
    if meta.is_dir() {
        return Err(refused("is a directory; name the file in it"));
    }
    if !meta.is_file() {
        return Err(refused("is no regular file"));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(refused(format!("is larger than {} MiB", LARGEST_FILE >> 20)));
    }
    Ok(bytes)
}

/// A problem of the file as a whole.
fn refused(what: impl Into<String>) -> Problem {
    let (path, allowed) = (String::new(), String::new());
    Problem { line: 0, column: 0, path, what: what.into(), allowed }
}

/// The tree, or nothing and a problem where the bytes are no YAML.
pub(crate) fn parse(bytes: &[u8], found: &mut Vec<Problem>) -> Option<Node> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            found.push(not_text(bytes, error.valid_up_to()));
            return None;
        }
    };
    match yaml(text, DuplicateKeyPolicy::Error) {
        Ok(node) => Some(node),
        // The first of two equal keys is taken, so that the rest of the file is judged too.
        Err(error @ Error::DuplicateMappingKey { .. }) => {
            found.push(syntax(&error));
            let again = yaml(text, DuplicateKeyPolicy::FirstWins);
            again.map_err(|error| found.push(syntax(&error))).ok()
        }
        Err(error) => {
            found.push(syntax(&error));
            None
        }
    }
}

fn yaml(text: &str, duplicate_keys: DuplicateKeyPolicy) -> Result<Node, Error> {
    serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options(duplicate_keys)).map(node)
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! {
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_ALIASED },
        budget: serde_saphyr::budget! { max_depth: DEEPEST, max_nodes: MOST_VALUES },
        duplicate_keys: duplicate_keys,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        // A snippet could show a secret of the lines around.
        with_snippet: false,
    }
}

fn not_text(bytes: &[u8], valid: usize) -> Problem {
    let before = bytes.get(..valid).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let in_line = before.get(line_start..).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = String::from_utf8_lossy(in_line).chars().count() + 1;
    Problem {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        path: String::new(),
        what: "the bytes here are not UTF-8".to_owned(),
        allowed: "UTF-8 text".to_owned(),
    }
}

/// The YAML crate's complaint without its place in the words, which stands before them.
fn syntax(error: &Error) -> Problem {
    let location = error.location();
    let (what, allowed) = match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("this key");
            (format!("the key `{key}` is here a second time"), "each key once".to_owned())
        }
        Error::MultipleDocuments { .. } => {
            ("a second YAML document begins here".to_owned(), "one document".to_owned())
        }
        Error::NullIntoString { .. } => ("this key is no text".to_owned(), String::new()),
        Error::Budget { .. }
        | Error::AliasError { .. }
        | Error::AliasReplayLimitExceeded { .. } => (
            format!("too large or too deep: {}", plain(error)),
            format!("{MOST_VALUES} values, {MOST_ALIASED} of them by aliases, {DEEPEST} levels"),
        ),
        _ => (format!("this is no YAML: {}", plain(error)), String::new()),
    };
    let line = location.map_or(1, |at| u32::try_from(at.line()).unwrap_or(u32::MAX));
    let column = location.map_or(1, |at| u32::try_from(at.column()).unwrap_or(u32::MAX));
    Problem { line, column, path: String::new(), what, allowed }
}

fn plain(error: &Error) -> String {
    let words = error.render_with_formatter(&UserMessageFormatter);
    let first = words.lines().next().unwrap_or_default();
    first.split(" at line ").next().unwrap_or(first).to_owned()
}

/// A YAML value of any kind, as serde hands it over.
enum Raw {
    Plain(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn node(spanned: Spanned<Raw>) -> Node {
    let at = spanned.referenced;
    let value = match spanned.value {
        Raw::Plain(value) => value,
        Raw::List(items) => Value::List(items.into_iter().map(node).collect()),
        Raw::Map(entries) => Value::Map(entries.into_iter().map(entry).collect()),
    };
    Node { line: narrow(at.line()), column: narrow(at.column()), value }
}

fn entry((key, value): (Spanned<String>, Spanned<Raw>)) -> Entry {
    let at = key.referenced;
    Entry {
        key: key.value,
        line: narrow(at.line()),
        column: narrow(at.column()),
        node: node(value),
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> de::Visitor<'de> for AnyValue {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Integer(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Integer(value.into())))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Integer(value)))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Integer(i128::try_from(value).unwrap_or(i128::MAX))))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Text(Text { value: value.to_owned(), written: None })))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
