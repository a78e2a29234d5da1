//! Holds a tree against the schema and tells every mistake: unknown and missing keys, wrong types, bad units.
//!
//! The walk goes on behind a mistake: what cannot be used is left out, or stood in for where it is required, so that
//! `check` can look at the rest. A value of nothing (`key:` or `key: ~`) is the same as no key.

use serde_json::{Map, Value as Json};

use crate::config::{
    nearest,
    problem::Problem,
    schema,
    tree::{Entry, Node, Trail, Value},
};

use self::{scalar::Scalar, words::expected};

mod scalar;
mod words;

/// Begins every text that stands in for a broken one; no file can hold it, as YAML has no such character.
pub(crate) const STAND_IN: char = '\0';

/// The tree as JSON that fits the model, whatever the file holds; mistakes go to `found`.
pub(crate) fn fit(root: &Node, found: &mut Vec<Problem>) -> Json {
    let mut walk = Walk { root: schema::value(), found, stand_ins: 0 };
    if root.value == Value::Null {
        let empty = Node { value: Value::Map(Vec::new()), ..*root };
        return walk.node(&empty, walk.root, &Trail::default());
    }
    walk.node(root, walk.root, &Trail::default())
}

struct Walk<'a> {
    root: &'a Json,
    found: &'a mut Vec<Problem>,
    stand_ins: usize,
}

impl<'a> Walk<'a> {
    /// The value where it fits `schema`, else a stand-in and a problem.
    fn node(&mut self, node: &Node, schema: &'a Json, trail: &Trail) -> Json {
        self.fitting(node, schema, trail).unwrap_or_else(|| self.stand_in(schema))
    }

    fn fitting(&mut self, node: &Node, schema: &'a Json, trail: &Trail) -> Option<Json> {
        if node.value == Value::Broken {
            return None;
        }
        let schema = self.branch(schema, node);
        if words::format_of(schema) == "any" && matches!(node.value, Value::Map(_)) {
            return Some(plain(&node.value));
        }
        match (type_of(schema), &node.value) {
            ("object", Value::Map(entries)) => Some(self.map(node, entries, schema, trail)),
            ("array", Value::List(items)) => Some(self.list(items, schema, trail)),
            ("object" | "array", _) | (_, Value::Map(_) | Value::List(_)) => {
                self.refuse(node, schema, trail, scalar::wrong_type(&node.value))
            }
            _ => match Scalar::of(schema).fit(&node.value) {
                Ok(value) => Some(value),
                Err(what) => self.refuse(node, schema, trail, what),
            },
        }
    }

    fn refuse(&mut self, node: &Node, schema: &Json, trail: &Trail, what: String) -> Option<Json> {
        self.found.push(Problem::at(node, trail.to_string(), what, expected(schema)));
        None
    }

    fn map(&mut self, at: &Node, entries: &[Entry], schema: &'a Json, trail: &Trail) -> Json {
        let mut map = Map::new();
        let known = schema.get("properties").and_then(Json::as_object);
        for entry in entries {
            let trail = trail.key(&entry.key);
            match (
                known.and_then(|known| known.get(&entry.key)),
                schema.get("additionalProperties"),
            ) {
                (Some(_), _) if entry.node.value == Value::Null => {}
                (Some(of_key), _) => self.key(entry, of_key, &trail, &mut map),
                (None, Some(any @ Json::Object(_))) => self.key(entry, any, &trail, &mut map),
                (None, _) => self.unknown_key(entry, known, &trail),
            }
        }
        for key in required(schema) {
            if !map.contains_key(key) {
                let of_key = known.and_then(|known| known.get(key)).unwrap_or(&Json::Null);
                let stand_in = self.stand_in(of_key);
                map.insert(key.to_owned(), stand_in);
                self.missing_key(at, entries, key, of_key, &trail.key(key));
            }
        }
        Json::Object(map)
    }

    fn key(&mut self, entry: &Entry, schema: &'a Json, trail: &Trail, map: &mut Map<String, Json>) {
        if let Some(value) = self.fitting(&entry.node, schema, trail) {
            map.insert(entry.key.clone(), value);
        }
    }

    fn unknown_key(&mut self, entry: &Entry, known: Option<&Map<String, Json>>, trail: &Trail) {
        let keys: Vec<&str> = known.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let hint = nearest::hint(&entry.key, keys.iter().copied());
        self.found.push(Problem {
            line: entry.line,
            column: entry.column,
            path: trail.to_string(),
            what: format!("unknown key `{}`{hint}", entry.key.escape_debug()),
            allowed: if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") },
        });
    }

    /// A key that is there with an unusable value has its problem already.
    fn missing_key(
        &mut self,
        at: &Node,
        entries: &[Entry],
        key: &str,
        schema: &'a Json,
        trail: &Trail,
    ) {
        let there = entries.iter().any(|entry| entry.key == key && entry.node.value != Value::Null);
        if !there {
            let what = format!("`{key}` is missing");
            let allowed = expected(self.resolved(schema));
            self.found.push(Problem::at(at, trail.to_string(), what, allowed));
        }
    }

    fn list(&mut self, items: &[Node], schema: &'a Json, trail: &Trail) -> Json {
        let each = schema.get("items").unwrap_or(&Json::Null);
        let fit = |(index, item)| self.node(item, each, &trail.index(index));
        Json::Array(items.iter().enumerate().map(fit).collect())
    }

    /// What takes the place of a required value that is broken.
    fn stand_in(&mut self, schema: &'a Json) -> Json {
        let schema = self.resolved(schema);
        match type_of(schema) {
            "object" => {
                let properties = schema.get("properties");
                let keys = required(schema);
                let stand_in = |key: &str| {
                    let of_key = properties.and_then(|keys| keys.get(key)).unwrap_or(&Json::Null);
                    (key.to_owned(), self.stand_in(of_key))
                };
                Json::Object(keys.map(stand_in).collect())
            }
            "array" => Json::Array(Vec::new()),
            // Nothing looks at networks, but the model reads them.
            _ if words::format_of(schema) == "cidr" => Json::from("0.0.0.0/0"),
            _ => {
                self.stand_ins += 1;
                Json::String(format!("{STAND_IN}{}", self.stand_ins))
            }
        }
    }

    /// Follows `$ref`.
    fn resolved(&self, mut schema: &'a Json) -> &'a Json {
        while let Some(name) = schema.get("$ref").and_then(Json::as_str) {
            let Some(next) = name.strip_prefix('#').and_then(|way| self.root.pointer(way)) else {
                return &Json::Null;
            };
            schema = next;
        }
        schema
    }

    /// Of several alternatives, the one of the node's type; all of them where none has it.
    fn branch(&self, schema: &'a Json, node: &Node) -> &'a Json {
        let mut schema = self.resolved(schema);
        while let Some(branches) = schema.get("anyOf").and_then(Json::as_array) {
            let wanted = match node.value {
                Value::List(_) => "array",
                _ => "string",
            };
            let usable: Vec<&Json> = branches
                .iter()
                .map(|branch| self.resolved(branch))
                .filter(|branch| type_of(branch) != "null")
                .collect();
            let typed = usable.iter().find(|branch| type_of(branch) == wanted);
            schema = match (usable.as_slice(), typed, &node.value) {
                ([only], _, _) => only,
                (_, Some(branch), Value::Text(_) | Value::List(_)) => branch,
                _ => return schema,
            };
        }
        schema
    }
}

/// A value that is taken as it is; what is broken in it has its problem already.
fn plain(value: &Value) -> Json {
    match value {
        Value::Null | Value::Broken => Json::Null,
        Value::Bool(yes) => Json::from(*yes),
        Value::Integer(number) => i64::try_from(*number).map_or(Json::Null, Json::from),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.value.as_str()),
        Value::List(items) => items.iter().map(|item| plain(&item.value)).collect(),
        Value::Map(entries) => {
            let pairs = entries.iter().map(|entry| (entry.key.clone(), plain(&entry.node.value)));
            Json::Object(pairs.collect())
        }
    }
}

/// The schema's type without `null`; an enumeration is text.
fn type_of(schema: &Json) -> &str {
    match schema.get("type") {
        Some(Json::String(name)) => name,
        Some(Json::Array(names)) => {
            names.iter().filter_map(Json::as_str).find(|name| *name != "null").unwrap_or("")
        }
        _ => "",
    }
}

fn required(schema: &Json) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}
