//! The marker in a path that names a backend: `/_b/<backend>/v1/…`.
//!
//! It routes what carries no query id (spooled segments, the Trino UI) with no table to look into. Whether a request
//! may carry one, and whether such a backend exists, is for the caller to say.

use sluice_routing::ids::BackendName;

/// What every marker begins with; no path of Trino's does.
const LEAD: &str = "/_b/";

/// The backend that `path` names and what follows the marker, at least `/`.
pub fn strip(path: &str) -> Option<(BackendName, &str)> {
    let marked = path.strip_prefix(LEAD)?;
    let (name, rest) = match marked.find('/') {
        Some(at) => marked.split_at(at),
        None => (marked, "/"),
    };
    Some((BackendName::parse(name)?, rest))
}

/// The marker of a backend, `/_b/<backend>`, without a slash at the end.
pub fn prefix(backend: &BackendName) -> String {
    format!("{LEAD}{backend}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn strips_the_first_marker_only() {
        for (path, name, rest) in [
            ("/_b/trino-a/v1/spooled/ack/x", "trino-a", "/v1/spooled/ack/x"),
            ("/_b/trino-a/", "trino-a", "/"),
            ("/_b/trino-a", "trino-a", "/"),
            ("/_b/a/_b/b/ui", "a", "/_b/b/ui"),
        ] {
            let (backend, after) = strip(path).unwrap();
            assert_eq!((backend.as_ref(), after), (name, rest));
            assert!(path.starts_with(&prefix(&backend)));
        }
    }

    #[test]
    fn leaves_all_other_paths() {
        for path in [
            "/v1/statement",
            "/_b",
            "/_b/",
            "/_b//ui",
            "/_b/A/ui",
            "/_b/%61/ui",
            "/x/_b/a",
            "/_bb/a",
            "",
            "/_b/a?b",
        ] {
            assert_eq!(strip(path).map(|(name, _)| name), None, "{path}");
        }
    }
}
