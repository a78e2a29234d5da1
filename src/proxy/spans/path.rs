//! A path as it may be told: by the pattern of its route, with nothing in it that opens a door.
//!
//! Only what a pattern names is shown, and only if it has the right shape; the slug of a `nextUri`, segments of spooled
//! results and tokens of a login never are.

use sluice_routing::QueryId;

/// What stands where something is left out.
const HIDDEN: &str = "***";

/// The routes of the data port, the special ones first; `{*rest}` takes all that follows.
const ROUTES: [&str; 20] = [
    "/v1/statement",
    "/v1/statement/queued/{queryId}/{slug}/{token}",
    "/v1/statement/scheduled/{queryId}/{slug}/{token}",
    "/v1/statement/executing/partialCancel/{queryId}/{stage}/{slug}/{token}",
    "/v1/statement/executing/{queryId}/{slug}/{token}",
    "/v1/query",
    "/v1/query/{queryId}",
    "/v1/query/{queryId}/{verb}",
    "/v1/spooled/{*rest}",
    "/v1/info",
    "/v1/info/state",
    "/v1/info/coordinator",
    "/oauth2/{*rest}",
    "/_gateway/ui",
    "/_gateway/ui/{queryId}",
    "/_gateway/queries/{queryId}",
    "/ui/{*rest}",
    "/login/{*rest}",
    "/logout",
    "/",
];

/// A path that may be told.
#[derive(Debug)]
pub(super) struct Shown {
    /// Its pattern, if it is a route.
    pub(super) route: Option<&'static str>,
    /// The path itself.
    pub(super) path: String,
    /// The last number in it: that of a page.
    pub(super) token: Option<u64>,
}

impl Shown {
    /// Looks a path up.
    pub(super) fn of(path: &str) -> Self {
        let found = ROUTES.into_iter().find_map(|route| Some((route, shown(route, path)?)));
        match found {
            Some((route, path)) => {
                let token = route.ends_with("{token}").then(|| path.rsplit('/').next()).flatten();
                let token = token.and_then(|token| token.parse().ok());
                Self { route: Some(route), path, token }
            }
            None => Self { route: None, path: format!("/{HIDDEN}"), token: None },
        }
    }

    /// The name of a span, low in number.
    pub(super) fn name(&self, method: &'static str) -> String {
        match self.route {
            Some(route) => format!("{method} {route}"),
            None => method.to_owned(),
        }
    }
}

/// The path as far as the pattern lets it be seen; `None` where it does not fit.
fn shown(route: &str, path: &str) -> Option<String> {
    let mut parts = path.split('/');
    let mut shown = Vec::new();
    for pattern in route.split('/') {
        if pattern == "{*rest}" {
            let first = parts.next();
            shown.extend(first.filter(|part| !part.is_empty()).map(|_| HIDDEN));
            return Some(shown.join("/"));
        }
        let part = parts.next()?;
        shown.push(visible(pattern, part)?);
    }
    parts.next().is_none().then(|| shown.join("/"))
}

fn visible<'a>(pattern: &str, part: &'a str) -> Option<&'a str> {
    let may = match pattern {
        "{queryId}" => QueryId::parse(part).is_some(),
        "{token}" | "{stage}" => !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()),
        "{verb}" => matches!(part, "killed" | "preempted"),
        "{slug}" => false,
        literal => return (literal == part).then_some(part),
    };
    Some(if may { part } else { HIDDEN })
}

/// The methods of HTTP by their names; whatever else a client makes up is one.
pub(super) fn method(of: &http::Method) -> &'static str {
    match of.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "TRACE" => "TRACE",
        "CONNECT" => "CONNECT",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "20261121_090000_00001_abcde";

    #[test]
    fn obs_t2_no_slug_and_no_foreign_text_is_shown() {
        for (path, route, shown) in [
            ("/v1/statement", "/v1/statement", "/v1/statement".to_owned()),
            (
                &format!("/v1/statement/queued/{ID}/yslug/7"),
                "/v1/statement/queued/{queryId}/{slug}/{token}",
                format!("/v1/statement/queued/{ID}/***/7"),
            ),
            (
                &format!("/v1/statement/executing/partialCancel/{ID}/1/yslug/7"),
                "/v1/statement/executing/partialCancel/{queryId}/{stage}/{slug}/{token}",
                format!("/v1/statement/executing/partialCancel/{ID}/1/***/7"),
            ),
            (
                "/v1/statement/executing/select secret/yslug/secret",
                "/v1/statement/executing/{queryId}/{slug}/{token}",
                "/v1/statement/executing/***/***/***".to_owned(),
            ),
            (
                &format!("/v1/query/{ID}/killed"),
                "/v1/query/{queryId}/{verb}",
                format!("/v1/query/{ID}/killed"),
            ),
            (
                &format!("/v1/query/{ID}/secret"),
                "/v1/query/{queryId}/{verb}",
                format!("/v1/query/{ID}/***"),
            ),
            ("/v1/spooled/download/secret", "/v1/spooled/{*rest}", "/v1/spooled/***".to_owned()),
            ("/oauth2/token/secret", "/oauth2/{*rest}", "/oauth2/***".to_owned()),
            ("/", "/", "/".to_owned()),
        ] {
            let seen = Shown::of(path);
            assert_eq!((seen.route, seen.path.as_str()), (Some(route), shown.as_str()), "{path}");
        }
        let unknown = Shown::of("/v1/statement/executing/a/secret");
        assert_eq!((unknown.route, unknown.path.as_str()), (None, "/***"));
        assert_eq!(unknown.name("GET"), "GET");
    }

    #[test]
    fn the_number_of_a_page_is_known() {
        assert_eq!(Shown::of(&format!("/v1/statement/executing/{ID}/yslug/7")).token, Some(7));
        assert_eq!(Shown::of("/v1/statement").token, None);
    }
}
