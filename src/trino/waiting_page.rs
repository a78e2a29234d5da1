//! The page that the `infoUri` of a waiting statement opens in a browser: where it stands, and why.
//!
//! HTML without a script: it asks for itself anew every few seconds, and leads to the real query's own page by a
//! redirect of whoever serves it. It shows neither the statement nor its user: anybody may know an id.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, Response};
use http_body_util::Full;

/// What is known of a waiting statement.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its routing group.
    pub group: &'a str,
    /// Where it stands, in a word or two.
    pub state: &'a str,
    /// Why, in a sentence.
    pub reason: &'a str,
    /// How long it has waited.
    pub waited: Duration,
    /// How long a cold start of its group usually takes.
    pub usual: Option<Duration>,
    /// Its place in the queue, 1 is next.
    pub position: Option<usize>,
    /// Whether it waits no more, so that there is nothing to look at again.
    pub ended: bool,
}

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;\
margin:10vh auto;padding:0 1.5rem}h1{font-size:1.4rem;margin:0 0 .2rem}p{margin:.2rem 0 1.2rem;opacity:.75}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.4rem 1.5rem;margin:0}dt{opacity:.65}dd{margin:0;\
overflow-wrap:anywhere}code{font-family:ui-monospace,monospace}";

/// The page as an answer.
pub fn answer(page: &Page<'_>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(render(page))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

fn render(page: &Page<'_>) -> String {
    let refresh = if page.ended { "" } else { "<meta http-equiv=\"refresh\" content=\"2\">" };
    let title = if page.ended { "Query ended" } else { "Query is waiting" };
    let mut rows = String::new();
    let mut row = |name: &str, value: &dyn fmt::Display| {
        // Writing into a String never fails.
        let _ = write!(rows, "<dt>{name}</dt><dd>{value}</dd>");
    };
    row("Routing group", &Escaped(page.group));
    row("State", &Escaped(page.state));
    row("Waiting for", &Seconds(page.waited));
    if let Some(usual) = page.usual {
        row("A cold start usually takes", &Seconds(usual));
    }
    if let Some(position) = page.position {
        row("Place in the queue", &position);
    }
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">{refresh}\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{}</p><dl><dt>Query</dt><dd><code>{}</code></dd>\
         {rows}</dl></main></body></html>",
        Escaped(page.reason),
        Escaped(page.id)
    )
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds < 60 {
            write!(f, "{seconds} s")
        } else {
            write!(f, "{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

/// A text between tags.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            _ => f.write_char(character),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(ended: bool) -> String {
        render(&Page {
            id: "20261101_101500_00000_0gw1a",
            group: "<etl>",
            state: "waiting",
            reason: "backend \"a\" & b are asleep",
            waited: Duration::from_secs(75),
            usual: Some(Duration::from_secs(40)),
            position: Some(3),
            ended,
        })
    }

    #[test]
    fn it_says_where_a_statement_stands_and_looks_again() {
        let text = page(false);
        for part in [
            "&lt;etl&gt;",
            "1 min 15 s",
            "40 s",
            "<dd>3</dd>",
            "http-equiv=\"refresh\"",
            "&quot;a&quot; &amp; b",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("<script") && !text.contains("<etl>"), "{text}");
    }

    #[test]
    fn what_has_ended_is_not_looked_at_again() {
        assert!(!page(true).contains("refresh"));
    }
}
