//! `docs/CONFIG.md`: every key of `sluice.yaml` as a page for people, made from the schema and so never behind it.
//!
//! One section for each mapping, by its path, in the order of the schema. Nothing is said here that the model does not
//! say, but for the head and the variables of the environment, which are no keys.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::config::schema;

/// Where schemas that have a name stand.
const NAMED: &str = "#/$defs/";

const HEAD: &str = "# Configuration\n\n\
    <!-- Written by `sluice schema --markdown`; change the model in `src/config/model`, then run \
    `SLUICE_BLESS=1 cargo test --lib config::markdown`. -->\n\n\
    Every key of `sluice.yaml`. Unknown keys are errors; `sluice check` names every problem with its line. `${ENV:NAME}` \
    in a value stands for a variable of the environment. Durations read as `30s` or `1h30m`, sizes as `16MiB`. A file \
    that is changed is taken over while the gateway runs; keys that need a restart are refused by name, and the old \
    configuration goes on.\n\n\
    Variables that win over the file:\n\n\
    | Variable | What it says |\n| --- | --- |\n\
    | `RUST_LOG` | `log.level` |\n\
    | `SLUICE_PPROF` | `profiling.enabled`: `1` or `0` |\n\
    | `SLUICE_PPROF_ADDR` | `profiling.bind` |\n\
    | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | what spans say of this process |\n\
    | `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_PROTOCOL` | where spans go |\n\
    | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | `telemetry.sampleRatio` |\n\n\
    `SLUICE_CONFIG` names the file, `SLUICE_ADMIN_URL` and `SLUICE_ADMIN_TOKEN` are those of the commands.\n";

/// The page.
pub fn markdown() -> String {
    let mut page = Page { defs: schema::value().get("$defs"), out: HEAD.to_owned() };
    page.section("The file", "", schema::value(), &mut Vec::new());
    page.out
}

struct Page<'a> {
    defs: Option<&'a Value>,
    out: String,
}

impl<'a> Page<'a> {
    /// The keys of one mapping and, behind them, the mappings in it; `above` are those that it stands in.
    fn section(&mut self, title: &str, path: &str, schema: &'a Value, above: &mut Vec<&'a str>) {
        let about = text(schema, "description");
        let _ = write!(self.out, "\n## {title}\n\n{about}\n\n");
        self.out += "| Key | What it takes | Default | Meaning |\n| --- | --- | --- | --- |\n";
        let required: Vec<&str> = list(schema, "required").filter_map(Value::as_str).collect();
        let mut inner = Vec::new();
        for (key, property) in properties(schema).into_iter().flatten() {
            let below = self.below(path, key, property);
            let takes = self.takes(property, below.as_ref(), above);
            let default = default(property, required.contains(&key.as_str()), below.is_some());
            let meaning = self.meaning(property);
            let row =
                [format!("`{key}`"), takes, default, meaning].map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(self.out, "| {} |", row.join(" | "));
            inner.extend(below);
        }
        for Below { path, name, schema } in inner {
            if !above.contains(&name) {
                above.push(name);
                self.section(&format!("`{path}`"), &path, schema, above);
                above.pop();
            }
        }
    }

    /// The mapping that a key holds, or a list of which it holds.
    fn below(&self, path: &str, key: &str, property: &'a Value) -> Option<Below<'a>> {
        let dot = if path.is_empty() { "" } else { "." };
        let (schema, suffix) = match list_of(property) {
            Some(items) => (items, "[]"),
            None => (property, ""),
        };
        let name = named(schema)?;
        let schema = self.def(name)?;
        properties(schema)?;
        Some(Below { path: format!("{path}{dot}{key}{suffix}"), name, schema })
    }

    fn def(&self, name: &str) -> Option<&'a Value> {
        self.defs?.get(name)
    }

    fn takes(&self, property: &'a Value, below: Option<&Below<'_>>, above: &[&str]) -> String {
        if let Some(Below { path, name, .. }) = below {
            let what = if list_of(property).is_some() { "a list of mappings" } else { "a mapping" };
            let again = above.contains(name);
            return if again {
                format!("{what} like this one")
            } else {
                format!("{what}: `{path}`")
            };
        }
        if let Some(items) = list_of(property) {
            return format!("a list: {}", self.takes(items, None, above));
        }
        let schema = named(property).and_then(|name| self.def(name)).unwrap_or(property);
        let words = choices(schema);
        if !words.is_empty() {
            return words
                .iter()
                .map(|(word, _)| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(", ");
        }
        let kind = match (text(schema, "format"), kind(schema)) {
            ("span", _) => "a duration",
            ("bytes", _) => "a size",
            ("socket-address", _) => "address and port",
            ("cidr", _) => "a network",
            (_, "string") => "text",
            (_, "boolean") => "`true` or `false`",
            (_, "integer" | "number") => "a number",
            (_, "object") => "any mapping",
            _ if schema.get("anyOf").is_some() => "text or a list of texts",
            (_, other) => other,
        };
        kind.to_owned() + &bounds(schema)
    }

    /// What it means, and what each of its words does.
    fn meaning(&self, property: &'a Value) -> String {
        let schema = named(property).and_then(|name| self.def(name)).unwrap_or(property);
        let words = choices(schema).into_iter().map(|(word, about)| format!(" `{word}`: {about}"));
        let about = text(property, "description").split_whitespace().collect::<Vec<_>>().join(" ");
        about + &words.collect::<String>()
    }
}

/// A mapping that stands in another one.
struct Below<'a> {
    path: String,
    name: &'a str,
    schema: &'a Value,
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The name of the schema that it refers to, alone or beside `null`.
fn named(schema: &Value) -> Option<&str> {
    let beside = list(schema, "anyOf").find(|each| each.get("$ref").is_some());
    beside.unwrap_or(schema).get("$ref")?.as_str()?.strip_prefix(NAMED)
}

fn list_of(schema: &Value) -> Option<&Value> {
    schema.get("items").filter(|_| kind(schema) == "array")
}

/// Its type; where it may be unset, the other one.
fn kind(schema: &Value) -> &str {
    let one = schema.get("type").and_then(Value::as_str);
    let any = || list(schema, "type").filter_map(Value::as_str).find(|kind| *kind != "null");
    one.or_else(any).unwrap_or_default()
}

/// The words that it takes, each with its meaning.
fn choices(schema: &Value) -> Vec<(&str, &str)> {
    let of = |each| Some((text(each, "const"), text(each, "description")));
    list(schema, "oneOf").filter_map(of).filter(|(word, _)| !word.is_empty()).collect()
}

fn bounds(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).filter(|_| kind(schema) != "string");
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        _ => String::new(),
    }
}

fn default(property: &Value, required: bool, is_mapping: bool) -> String {
    match property.get("default") {
        _ if required => "required".to_owned(),
        Some(Value::Null) | None => "unset".to_owned(),
        _ if is_mapping => String::new(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(Value::Array(all)) if all.is_empty() => "none".to_owned(),
        Some(other) => format!("`{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIG.md");

    #[test]
    fn the_page_in_the_repository_is_the_models() {
        if std::env::var_os("SLUICE_BLESS").is_some() {
            std::fs::write(PAGE, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(PAGE).unwrap_or_default();
        assert!(
            page == markdown(),
            "{PAGE} differs from the model; if that is meant, run `SLUICE_BLESS=1 cargo test --lib \
             config::markdown` and commit the file"
        );
    }

    /// Keys of observability.md 10, with their defaults.
    #[test]
    fn the_page_has_keys_defaults_and_words() {
        let page = markdown();
        for row in [
            "| `bind` | address and port | `127.0.0.1:6060` |",
            "| `routingGroups` | a list of mappings: `routingGroups[]` | required |",
            "| `sampleRatio` | a number, 0.0 to 1.0 | `0.1` |",
            "| `queue` | a number, 1 to 10000000 | `10000` |",
            "| `onFull` | `drop`, `block` | `drop` |",
            "| `token` | text | unset |",
            "| `interval` | a duration | `5s` |",
            "## `routingGroups[].backends[].resume.webhook`",
            "| `not` | a mapping like this one | unset |",
        ] {
            assert!(page.contains(row), "{row}\n{page}");
        }
        let keys = page.lines().filter(|line| line.starts_with("| `")).count();
        assert!(keys > 100, "{keys} keys");
        assert!(page.lines().all(|line| !line.ends_with("|  |")), "each key means something");
    }
}
