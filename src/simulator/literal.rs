//! Literals of a SELECT, and the parameters and headers of prepared statements.

use std::fmt::Write;

use http::HeaderMap;

use super::failure::quoted;
use super::sql;

/// What follows a SELECT.
pub(super) enum Selected {
    /// Literals: the JSON of their columns and of the one row.
    Row { columns: String, row: String },
    /// A single name that no table gives a meaning to.
    UnknownColumn(String),
    /// Anything else.
    Table,
}

/// Reads `1, 'a', NULL, TRUE`, as far as there are only literals.
pub(super) fn row(selected: &str) -> Selected {
    let items = split_list(selected);
    let (mut columns, mut row) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        let (item, name) = alias(item.trim());
        let name = name.map_or_else(|| format!("_col{index}"), str::to_owned);
        match value(item) {
            Some((kind, json)) => {
                columns.push(column(&name, &kind));
                row.push(json);
            }
            None if items.len() == 1 && is_name(item) => {
                return Selected::UnknownColumn(item.to_owned());
            }
            None => return Selected::Table,
        }
    }
    Selected::Row {
        columns: format!("[{}]", columns.join(",")),
        row: format!("[{}]", row.join(",")),
    }
}

fn alias(item: &str) -> (&str, Option<&str>) {
    match item.to_ascii_uppercase().rfind(" AS ") {
        Some(at) => (
            item.get(..at).unwrap_or_default().trim(),
            item.get(at + 4..).map(|name| name.trim().trim_matches('"')),
        ),
        None => (item, None),
    }
}

/// The type and the JSON of one literal.
fn value(item: &str) -> Option<(String, String)> {
    if let Some(inner) = item.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        let text = inner.replace("''", "'");
        return Some((format!("varchar({})", text.chars().count()), quoted(&text)));
    }
    match item.to_ascii_uppercase().as_str() {
        "NULL" => return Some(("unknown".to_owned(), "null".to_owned())),
        "TRUE" => return Some(("boolean".to_owned(), "true".to_owned())),
        "FALSE" => return Some(("boolean".to_owned(), "false".to_owned())),
        "VERSION()" => return Some(("varchar".to_owned(), quoted("483"))),
        "CURRENT_USER" => return Some(("varchar".to_owned(), quoted("sim"))),
        _ => {}
    }
    if let Ok(number) = item.parse::<i64>() {
        let kind = if i32::try_from(number).is_ok() { "integer" } else { "bigint" };
        return Some((kind.to_owned(), number.to_string()));
    }
    let is_double = item.contains(['E', 'e']) && item.parse::<f64>().is_ok_and(f64::is_finite);
    is_double.then(|| ("double".to_owned(), item.to_owned()))
}

fn column(name: &str, kind: &str) -> String {
    let (raw, arguments) = match kind.split_once('(') {
        Some((raw, length)) => {
            (raw, format!(r#"{{"kind":"LONG","value":{}}}"#, length.trim_end_matches(')')))
        }
        None if kind == "varchar" => (kind, r#"{"kind":"LONG","value":2147483647}"#.to_owned()),
        None => (kind, String::new()),
    };
    let name = quoted(name);
    format!(
        r#"{{"name":{name},"type":"{kind}","typeSignature":{{"rawType":"{raw}","arguments":[{arguments}]}}}}"#
    )
}

fn is_name(item: &str) -> bool {
    !item.is_empty() && item.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Splits at commas that stand in no literal and no brackets.
fn split_list(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut in_literal) = (Vec::new(), 0, 0_i32, false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => in_literal = !in_literal,
            '(' if !in_literal => depth += 1,
            ')' if !in_literal => depth -= 1,
            ',' if !in_literal && depth == 0 => {
                parts.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// Puts the parameters of USING in the places of the question marks.
pub(super) fn substitute(statement: &str, parameters: &str) -> String {
    let mut parameters = split_list(parameters).into_iter();
    let (mut text, mut in_literal) = (String::with_capacity(statement.len()), false);
    for c in statement.chars() {
        in_literal ^= c == '\'';
        match c {
            '?' if !in_literal => text.push_str(parameters.next().unwrap_or("?").trim()),
            c => text.push(c),
        }
    }
    text
}

/// The first string literal of a statement, its doubled quotes made single, and what follows it.
pub(super) fn string_after(statement: &str) -> (String, &str) {
    let Some((_, rest)) = statement.split_once('\'') else { return (String::new(), "") };
    let (mut text, mut at) = (String::new(), 0);
    while let Some(end) = rest.get(at..).and_then(|tail| tail.find('\'')) {
        text.push_str(rest.get(at..at + end).unwrap_or_default());
        at += end + 1;
        if rest.get(at..).is_none_or(|tail| !tail.starts_with('\'')) {
            return (text, rest.get(at..).unwrap_or_default());
        }
        text.push('\'');
        at += 1;
    }
    (text, "")
}

/// The text of a prepared statement from `X-Trino-Prepared-Statement: name=encoded`, on one line or several.
pub(super) fn prepared(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all("x-trino-prepared-statement").iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, encoded)| url_decode(encoded))
}

/// Encodes a header's value as Java's `URLEncoder` does.
pub(super) fn url_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b' ' => encoded.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}

/// Decodes what [`url_encode`] encodes, and percent-encoded blanks as Python sends them.
pub(super) fn url_decode(text: &str) -> String {
    let pair = format!("x={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// The statement that a client means, for what the UI shows.
pub(super) fn shown(text: &str) -> String {
    quoted(&sql::without_comments(text).chars().take(SHOWN).collect::<String>())
}

/// Characters of a statement that the query list shows.
const SHOWN: usize = 200;

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn literals_become_a_row() {
        let Selected::Row { columns, row } = row(" 1, 'it''s, (x', NULL AS n, 3000000000") else {
            panic!("no row");
        };
        assert_eq!(row, r#"[1,"it's, (x",null,3000000000]"#);
        assert!(columns.contains(r#""name":"n""#), "{columns}");
        assert!(columns.contains("varchar(8)"), "{columns}");
        assert!(matches!(self::row(" nope"), Selected::UnknownColumn(name) if name == "nope"));
        assert!(matches!(self::row(" a, b FROM t"), Selected::Table));
    }

    #[test]
    fn parameters_take_their_places() {
        assert_eq!(substitute("SELECT ?, '?', ?", "1, 'a,b'"), "SELECT 1, '?', 'a,b'");
        let (body, rest) = string_after("EXECUTE IMMEDIATE 'SELECT ''a'', ?' USING 5");
        assert_eq!((body.as_str(), rest), ("SELECT 'a', ?", " USING 5"));
    }

    #[test]
    fn a_value_survives_its_encoding() {
        let text = "SELECT 'a+b & ü' ";
        assert_eq!(url_decode(&url_encode(text)), text);
    }
}
