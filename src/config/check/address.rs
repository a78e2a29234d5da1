//! URLs as the file may hold them: of a coordinator, and of the gateway as its clients see it.

use url::Url;

/// What is wrong with a URL, and what is allowed.
pub(super) type Refusal = (String, &'static str);

const BACKEND: &str =
    "`http://host:port` or `https://host:port`, with a path where the coordinator lives under one";
const EXTERNAL: &str =
    "an absolute URL such as `https://trino.example.com` or `https://example.com/trino`";

/// Checks a coordinator's URL and returns it in the one form by which two are compared.
pub(super) fn backend(text: &str) -> Result<String, Refusal> {
    let url = absolute(text, BACKEND)?;
    match url.scheme() {
        "http" | "https" => Ok(url.as_str().trim_end_matches('/').to_owned()),
        _ => Err(("this is no `http://` or `https://` URL".to_owned(), BACKEND)),
    }
}

/// Checks the base URL that clients use.
pub(super) fn external(text: &str) -> Result<(), Refusal> {
    let url = absolute(text, EXTERNAL)?;
    match url.scheme() {
        "http" | "https" => Ok(()),
        _ => Err(("this is no `http://` or `https://` URL".to_owned(), EXTERNAL)),
    }
}

/// A URL with a host and at most a path; never quotes the text, which may hold a password.
fn absolute(text: &str, allowed: &'static str) -> Result<Url, Refusal> {
    let refused = |what: &str| Err((what.to_owned(), allowed));
    // The parser would forgive these, and other readers of the same text would not.
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return refused("a URL holds no space, control character or backslash");
    }
    let Some((scheme, _)) = text.split_once("://") else {
        return refused("this is no absolute URL");
    };
    if scheme != scheme.to_ascii_lowercase() {
        return refused("the scheme of a URL is written in small letters");
    }
    let url = Url::parse(text).map_err(|error| (format!("this is no URL: {error}"), allowed))?;
    if !url.username().is_empty() || url.password().is_some() {
        return refused("a URL with a user or a password is not taken");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refused("a query (`?`) or fragment (`#`) has no place in this URL");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return refused("this URL has no host");
    }
    if url.port() == Some(0) {
        return refused("port 0 cannot be connected to");
    }
    if text.parse::<http::Uri>().is_err() {
        return refused("this is no URL that HTTP can carry");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_take_http_and_https_with_or_without_a_path() {
        for (text, same) in [
            ("http://trino-a:8080", "http://trino-a:8080"),
            ("http://trino-a:8080/", "http://trino-a:8080"),
            ("http://Trino-A:80/base/", "http://trino-a/base"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://10.0.0.1", "http://10.0.0.1"),
            ("https://trino-a:8443", "https://trino-a:8443"),
            ("https://trino-a:443/", "https://trino-a"),
        ] {
            assert_eq!(backend(text).unwrap(), same, "{text}");
        }
    }

    #[test]
    fn other_urls_are_refused_in_words() {
        for (text, words) in [
            ("trino-a:8080", "no absolute URL"),
            ("", "no absolute URL"),
            ("ftp://trino-a", "no `http://` or `https://` URL"),
            ("HTTP://trino-a", "small letters"),
            ("http://", "no URL"),
            ("http://:8080", "no URL"),
            ("http://trino-a:99999", "no URL"),
            ("http://trino-a:0", "port 0"),
            ("http://user:secret@trino-a", "user or a password"),
            ("http://trino-a/?x=1", "query"),
            ("http://trino-a/#x", "fragment"),
            (" http://trino-a", "no space"),
            ("http://tri\nno-a", "no space"),
        ] {
            let (what, _) = backend(text).unwrap_err();
            assert!(what.contains(words), "{text}: {what}");
            assert!(!what.contains("secret"), "{what}");
        }
    }

    #[test]
    fn the_external_url_is_absolute() {
        assert!(external("https://trino.example.com/trino").is_ok());
        assert!(external("http://localhost:8080").is_ok());
        for wrong in ["/trino", "trino.example.com", "ws://x", "https://x/?a", "//host"] {
            assert!(external(wrong).is_err(), "{wrong}");
        }
    }
}
