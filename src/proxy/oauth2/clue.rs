//! What names an OAuth2 exchange in paths, challenges and redirects; pure.
//!
//! Trino names an exchange by a uuid, which its client polls with, and by the SHA-256 of it, which the browser carries
//! through `initiate` and, signed in `state`, through the identity provider. A login at the web UI has only `state`.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A uuid has 36 characters, a hash 64.
const LONGEST_NAME: usize = 128;

/// Trino's is about 200 bytes long; what comes from outside may be anything.
const LONGEST_STATE: usize = 4096;

/// Longer query strings of callbacks are not read: providers send a code, a state and little more.
const LONGEST_QUERY: usize = 32 * 1024;

/// A step of an exchange, by its path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// The browser comes: `/oauth2/token/initiate/<hash>`.
    Initiate,
    /// The client asks for its token, or drops it: `/oauth2/token/<uuid>`.
    Poll,
    /// The browser comes back: `/oauth2/callback`.
    Callback,
    /// None that is known.
    Other,
}

/// What a request says of its exchange.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Clue {
    pub(crate) step: Step,
    /// Under what the exchange may be bound, the surest first.
    pub(crate) names: Vec<String>,
}

impl Clue {
    /// Reads a path (without marker) and a query string.
    pub(crate) fn of(path: &str, query: Option<&str>) -> Self {
        if let Some(hash) = path.strip_prefix("/oauth2/token/initiate/") {
            return Self { step: Step::Initiate, names: of_hash(hash).into_iter().collect() };
        }
        if let Some(uuid) = path.strip_prefix("/oauth2/token/") {
            return Self { step: Step::Poll, names: of_uuid(uuid).into_iter().collect() };
        }
        if path != "/oauth2/callback" && !path.starts_with("/oauth2/callback/") {
            return Self { step: Step::Other, names: Vec::new() };
        }
        let state = query.and_then(state_in);
        let names = state.as_deref().map(of_state).unwrap_or_default();
        Self { step: Step::Callback, names }
    }
}

/// Names of the exchange that a line of `WWW-Authenticate` opens.
pub(crate) fn names_in_challenge(line: &str) -> Vec<String> {
    let poll = parameter(line, "x_token_server").and_then(last_segment).and_then(of_uuid);
    let initiate = parameter(line, "x_redirect_server").and_then(last_segment).and_then(of_hash);
    let mut names: Vec<String> = poll.into_iter().chain(initiate).collect();
    names.dedup();
    names
}

/// The name of the login that a redirect to an identity provider begins.
pub(crate) fn name_in_redirect(location: &str) -> Option<String> {
    let (_, query) = location.split_once('?')?;
    let query = query.split('#').next()?;
    state_in(query).map(|state| bound(&digest(&state)))
}

/// The state itself, as bound when the login began; then the hash that it carries.
fn of_state(state: &str) -> Vec<String> {
    let whole = bound(&digest(state));
    std::iter::once(whole).chain(handler_state(state).as_deref().and_then(of_hash)).collect()
}

fn of_uuid(uuid: &str) -> Option<String> {
    is_name(uuid).then(|| bound(&digest(uuid)))
}

fn of_hash(hash: &str) -> Option<String> {
    is_name(hash).then(|| bound(hash))
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(fits)
}

/// Kept apart from transactions, which are bound in the same place.
fn bound(digest: &str) -> String {
    format!("oauth2 {digest}")
}

/// SHA-256 in lower-case hex, as Trino writes it.
fn digest(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn state_in(query: &str) -> Option<String> {
    if query.len() > LONGEST_QUERY {
        return None;
    }
    let mut parameters = url::form_urlencoded::parse(query.as_bytes());
    let (_, state) = parameters.find(|(key, _)| key == "state")?;
    (state.len() <= LONGEST_STATE).then(|| state.into_owned())
}

/// The claim of a JWT's payload; its signature is the coordinator's to verify.
fn handler_state(state: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        handler_state: Option<String>,
    }
    let payload = URL_SAFE_NO_PAD.decode(state.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok()?.handler_state
}

/// The value of `name="…"`.
fn parameter<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = line.split_once(name)?;
    let (value, _) = after.strip_prefix("=\"")?.split_once('"')?;
    Some(value)
}

fn last_segment(uri: &str) -> Option<&str> {
    uri.rsplit('/').next()
}

#[cfg(test)]
#[allow(non_snake_case, reason = "tests bear the ids of the facts")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: &str = "acb7e1ad-d72b-4103-81a6-d44b466207fd";

    fn state(payload: &str) -> String {
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn peers_X10_all_steps_of_an_exchange_have_one_name() {
        let hash = digest(UUID);
        let challenge = format!(
            "Bearer x_redirect_server=\"https://gw/oauth2/token/initiate/{hash}\", \
             x_token_server=\"https://gw/_b/a/oauth2/token/{UUID}\""
        );
        let names = names_in_challenge(&challenge);
        assert_eq!(names, [bound(&hash)]);
        let initiate = Clue::of(&format!("/oauth2/token/initiate/{hash}"), None);
        assert_eq!(initiate, Clue { step: Step::Initiate, names: names.clone() });
        let poll = Clue::of(&format!("/oauth2/token/{UUID}"), None);
        assert_eq!(poll, Clue { step: Step::Poll, names: names.clone() });
        let state = state(&format!(r#"{{"aud":["trino_oauth_ui"],"handler_state":"{hash}"}}"#));
        let callback = Clue::of("/oauth2/callback", Some(&format!("code=1&state={state}")));
        assert_eq!(callback.step, Step::Callback);
        assert_eq!(callback.names, [bound(&digest(&state)), names[0].clone()]);
    }

    #[test]
    fn a_login_at_the_ui_is_named_by_its_state_alone() {
        let state = state(r#"{"aud":["trino_oauth_ui"],"exp":1795247088}"#);
        let begun = name_in_redirect(&format!("https://issuer/authorize?state={state}&nonce=n#f"));
        let back = Clue::of("/oauth2/callback", Some(&format!("state={state}&code=1")));
        assert_eq!(back.names, [begun.unwrap()]);
        assert_eq!(name_in_redirect("https://gw/ui/"), None);
    }

    #[test]
    fn nothing_of_an_exchange_is_kept_as_it_is() {
        let line = format!("Bearer x_token_server=\"https://gw/oauth2/token/{UUID}\"");
        assert!(names_in_challenge(&line).iter().all(|name| !name.contains(UUID)));
    }

    #[test]
    fn what_is_no_exchange_has_no_name() {
        for (path, query) in [
            ("/oauth2/token/", None),
            ("/oauth2/token/a/b", None),
            ("/oauth2/token/initiate/%2e%2e", None),
            ("/oauth2/callback", None),
            ("/oauth2/callback", Some("code=1")),
            ("/oauth2/other", Some("state=x")),
        ] {
            assert_eq!(Clue::of(path, query).names, Vec::<String>::new(), "{path}");
        }
        let long = format!("state={}", "x".repeat(LONGEST_STATE + 1));
        assert!(Clue::of("/oauth2/callback", Some(&long)).names.is_empty());
        for line in ["Basic realm=\"Trino\"", "Bearer x_token_server=", "x_token_server=\"", ""] {
            assert!(names_in_challenge(line).is_empty(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn hostile_states_name_at_most_two(state in ".{0,200}", payload in any::<Vec<u8>>()) {
            let jwt = format!("a.{}.b", URL_SAFE_NO_PAD.encode(payload));
            for state in [state, jwt] {
                let query = format!("state={state}");
                prop_assert!(Clue::of("/oauth2/callback", Some(&query)).names.len() <= 2);
                let _ = names_in_challenge(&query);
                let _ = name_in_redirect(&query);
            }
        }
    }
}
