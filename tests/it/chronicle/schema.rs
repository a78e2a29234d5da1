//! Holds a line against a golden schema: the keywords that those use, and the order of an audit line's keys.

use std::path::Path;

use serde_json::Value;

/// A schema of `tests/golden`.
pub(super) struct Schema(Value);

impl Schema {
    pub(super) fn golden(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    /// The line as an object; panics with what is wrong with it.
    pub(super) fn read(&self, line: &str) -> Value {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if let Err(problem) = holds(&self.0, &value) {
            panic!("{problem}: {line}");
        }
        value
    }

    /// The keys that must be there, in order.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.0["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect()
    }
}

/// The keys of a flat object as they stand in its text.
pub(super) fn keys_of(line: &str) -> Vec<String> {
    let (mut keys, mut rest) = (Vec::new(), &line[1..]);
    while rest.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        keys.push(values.next().unwrap().unwrap());
        let behind = &rest[values.byte_offset() + 1..];
        let mut values = serde_json::Deserializer::from_str(behind).into_iter::<Value>();
        values.next().unwrap().unwrap();
        rest = behind[values.byte_offset()..].trim_start_matches(',');
    }
    keys
}

fn holds(schema: &Value, value: &Value) -> Result<(), String> {
    let list = |key: &str| schema[key].as_array().into_iter().flatten();
    let typed = |kind: &Value| match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the validator does not know type {other}"),
    };
    let kinds = &schema["type"];
    let fits = match kinds {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(typed),
        kind => typed(kind),
    };
    check(fits, || format!("{value} is no {kinds}"))?;
    if let Some(constant) = schema.get("const") {
        check(constant == value, || format!("{value} is not {constant}"))?;
    }
    if schema.get("enum").is_some() {
        check(list("enum").any(|one| one == value), || {
            format!("{value} is none of {}", schema["enum"])
        })?;
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_i64(), value.as_i64()) {
        check(number >= least, || format!("{value} is below {least}"))?;
    }
    if let (Some(most), Some(number)) = (schema["maximum"].as_i64(), value.as_i64()) {
        check(number <= most, || format!("{value} is above {most}"))?;
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        check(matches(pattern, text), || format!("{text:?} does not match {pattern}"))?;
    }
    let Some(object) = value.as_object() else { return Ok(()) };
    for key in list("required") {
        check(object.contains_key(key.as_str().unwrap()), || format!("{key} is missing"))?;
    }
    for (key, needed) in schema["dependentRequired"].as_object().into_iter().flatten() {
        for also in needed.as_array().unwrap().iter().filter(|_| object.contains_key(key)) {
            check(object.contains_key(also.as_str().unwrap()), || {
                format!("{also} is missing beside {key}")
            })?;
        }
    }
    let known = &schema["properties"];
    for (key, value) in object {
        let of = known.get(key).or(schema.get("additionalProperties"));
        match of {
            Some(Value::Bool(false)) => return Err(format!("{key} is not known")),
            Some(of) => holds(of, value).map_err(|problem| format!("{key}: {problem}"))?,
            None => {}
        }
    }
    for one in list("allOf") {
        if holds(&one["if"], value).is_ok() {
            holds(&one["then"], value)?;
        }
    }
    Ok(())
}

fn check(fits: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if fits { Ok(()) } else { Err(problem()) }
}

/// A pattern of characters and classes, each once or as often as `{n}`, `{n,m}`, `*` or `+` say; greedy.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern =
        pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')).expect("anchors");
    let mut text = text;
    while let Some(first) = pattern.chars().next() {
        let class;
        (class, pattern) = match first {
            '[' => pattern[1..].split_once(']').unwrap(),
            '\\' => (&pattern[1..2], &pattern[2..]),
            _ => pattern.split_at(first.len_utf8()),
        };
        let (least, most);
        (least, most, pattern) = times(pattern);
        let run = text.chars().take(most).take_while(|c| is_of(class, *c)).map(char::len_utf8);
        let run: Vec<usize> = run.collect();
        if run.len() < least {
            return false;
        }
        text = &text[run.iter().sum()..];
    }
    text.is_empty()
}

fn times(pattern: &str) -> (usize, usize, &str) {
    if let Some(rest) = pattern.strip_prefix('{') {
        let (numbers, rest) = rest.split_once('}').unwrap();
        let (least, most) = numbers.split_once(',').unwrap_or((numbers, numbers));
        return (least.parse().unwrap(), most.parse().unwrap(), rest);
    }
    match pattern.chars().next() {
        Some('*') => (0, usize::MAX, &pattern[1..]),
        Some('+') => (1, usize::MAX, &pattern[1..]),
        _ => (1, 1, pattern),
    }
}

fn is_of(class: &str, c: char) -> bool {
    if let Some(others) = class.strip_prefix('^').filter(|others| !others.is_empty()) {
        return !is_of(others, c);
    }
    let class: Vec<char> = class.chars().collect();
    let ranges = class.windows(3).any(|of| of[1] == '-' && of[0] <= c && c <= of[2]);
    ranges || class.contains(&c)
}

#[test]
fn the_validator_refuses_what_it_should() {
    assert!(matches("^[0-9a-f]{4}-x$", "00af-x") && !matches("^[0-9a-f]{4}-x$", "00ag-x"));
    assert!(matches("^/[^?]*$", "/a/b") && !matches("^/[^?]*$", "/a?b"));
    assert!(
        matches("^[A-Za-z0-9._:-]{1,128}$", "r-1.a:B") && !matches("^[A-Za-z0-9._:-]{1,128}$", "")
    );
    let schema = Schema::golden("audit.schema.json");
    let empty = serde_json::json!({});
    assert!(holds(&schema.0, &empty).unwrap_err().contains("timestamp"));
    assert_eq!(keys_of(r#"{"a":1,"b":"x,\"y\":","c":null}"#), ["a", "b", "c"]);
    let log = Schema::golden("log.schema.json");
    let line = serde_json::json!({"timestamp":"2026-03-15T10:30:00.142311Z","level":"INFO","target":"x","message":"x","event":"query_completed","service":"sluice","env":"e","version":"1","instance":"i"});
    assert!(holds(&log.0, &line).unwrap_err().contains("is missing"));
}
