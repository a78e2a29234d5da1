//! What a schema allows, in words.

use serde_json::Value as Json;

/// The allowed values of a schema, as the end of a sentence.
pub(crate) fn expected(schema: &Json) -> String {
    let choices = choices(schema);
    if !choices.is_empty() {
        return choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
    }
    if schema.get("anyOf").is_some() {
        return "text, or a list of texts".to_owned();
    }
    match (format_of(schema), super::type_of(schema)) {
        ("span", _) => {
            "a duration such as `250ms`, `30s`, `5m` or `1h30m`, at most `366d`".to_owned()
        }
        ("bytes", _) => "a size such as `512B`, `64KiB`, `16MiB` or `1GiB`".to_owned(),
        ("socket-address", _) => {
            "an IP address and a port, such as `0.0.0.0:8080` or `[::1]:8080`".to_owned()
        }
        ("cidr", _) => "a network such as `10.0.0.0/8`; one address is `10.1.2.3/32`".to_owned(),
        (_, "boolean") => "`true` or `false`".to_owned(),
        (_, "integer") => range(schema),
        (_, "number") => {
            let bound = |key: &str| schema.get(key).and_then(Json::as_f64).unwrap_or_default();
            format!("a number from {} to {}", bound("minimum"), bound("maximum"))
        }
        (_, "string") => "text; a number or `true` as text stands in quotes".to_owned(),
        (_, "array") => "a list".to_owned(),
        (_, "object") => "a mapping of keys to values".to_owned(),
        _ => String::new(),
    }
}

/// The values of an enumeration.
pub(crate) fn choices(schema: &Json) -> Vec<&str> {
    let plain = schema.get("enum").and_then(Json::as_array).into_iter().flatten();
    let described = schema.get("oneOf").and_then(Json::as_array).into_iter().flatten();
    plain
        .filter_map(Json::as_str)
        .chain(described.filter_map(|one| one.get("const").and_then(Json::as_str)))
        .collect()
}

/// The schema's `format`, or nothing.
pub(crate) fn format_of(schema: &Json) -> &str {
    schema.get("format").and_then(Json::as_str).unwrap_or("")
}

fn range(schema: &Json) -> String {
    let bound = |key: &str| schema.get(key).and_then(Json::as_u64);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
        (Some(least), None) => format!("a whole number from {least}"),
        _ => "a whole number".to_owned(),
    }
}
