//! Who is calling: a user's name, a password, or a browser login in the shape of Trino's OAuth2 flow.
//!
//! Minimal but true to what was seen: the 401 leaves no state behind, the token poll lives in the memory of the
//! coordinator whose callback was called, the callback's `state` is signed with a key of that coordinator. The
//! simulator is its own issuer: `/sim/authorize` logs everybody in.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::answer::{self, Answer};
use super::base::Base;
use super::body::Body;
use super::coordinator::{Coordinator, locked};
use super::options::Login;
use super::slug;

/// Logins that are under way or done.
#[derive(Debug)]
pub(super) struct Logins {
    /// What signs `state`.
    key: [u8; 32],
    /// The token, or the error, for each hash of a client's uuid.
    done: Mutex<HashMap<String, Result<String, String>>>,
    changed: Notify,
}

impl Default for Logins {
    fn default() -> Self {
        Self { key: slug::random(), done: Mutex::default(), changed: Notify::new() }
    }
}

/// How long a token poll waits for the login (10.07 s seen).
const TOKEN_WAIT: Duration = Duration::from_secs(10);

/// The user of a request, or the answer that refuses it.
pub(super) fn user(
    coordinator: &Coordinator,
    headers: &HeaderMap,
    base: &Base,
) -> Result<String, Box<Answer>> {
    if coordinator.wants_login() && !base.is_secure() {
        let words = "Authentication over HTTP is not enabled";
        return Err(Box::new(answer::error(StatusCode::FORBIDDEN, words)));
    }
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match &coordinator.options.login {
        Login::Nobody => named(headers, authorization),
        Login::Password(password) => with_password(authorization, password),
        Login::OAuth2 => match authorization.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(token) if token.starts_with(TOKEN) => Ok("sim".to_owned()),
            _ => Err(Box::new(challenge(base))),
        },
    }
}

/// How tokens of the simulator begin.
const TOKEN: &str = "simulated-token-";
const REALM: &str = r#"Basic realm="Trino""#;

fn named(headers: &HeaderMap, authorization: Option<&str>) -> Result<String, Box<Answer>> {
    for name in ["x-trino-user", "x-presto-user", "x-trino-original-user"] {
        let user = headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            return Ok(user.to_owned());
        }
    }
    if let Some((user, _)) = authorization.and_then(basic) {
        return Ok(user);
    }
    let words = "Basic authentication or X-Trino-Original-User or X-Trino-User must be sent";
    Err(Box::new(answer::unauthorized(REALM, words)))
}

fn with_password(authorization: Option<&str>, password: &str) -> Result<String, Box<Answer>> {
    match authorization.and_then(basic) {
        Some((user, given)) if given == password => Ok(user),
        Some(_) => Err(Box::new(answer::unauthorized(REALM, "Access Denied: Invalid credentials"))),
        None => Err(Box::new(answer::unauthorized(REALM, "Unauthorized"))),
    }
}

fn basic(authorization: &str) -> Option<(String, String)> {
    let encoded = authorization.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The 401 that sends a browser to the login; its URIs ignore the prefix, as Trino's do.
fn challenge(base: &Base) -> Answer {
    let (uuid, origin) = (slug::uuid(), base.origin());
    let hash = hash_of(&uuid);
    let challenge = format!(
        r#"Bearer x_redirect_server="{origin}/oauth2/token/initiate/{hash}", x_token_server="{origin}/oauth2/token/{uuid}""#
    );
    answer::unauthorized(&challenge, "Unauthorized")
}

fn hash_of(uuid: &str) -> String {
    slug::hex(Sha256::digest(uuid).as_slice())
}

impl Logins {
    /// `GET /oauth2/token/initiate/{hash}`: off to the issuer, with a nonce.
    pub(super) fn initiate(&self, hash: &str, base: &Base) -> Answer {
        let callback = format!("{}/oauth2/callback", base.url());
        let callback: String = url::form_urlencoded::byte_serialize(callback.as_bytes()).collect();
        let state = self.state(hash);
        let origin = base.origin();
        let mut answer = answer::see_other(&format!(
            "{origin}/sim/authorize?response_type=code&redirect_uri={callback}&state={state}&client_id=trino-client&scope=openid"
        ));
        let nonce = format!(
            "__Secure-Trino-Nonce={};Version=1;Path=/oauth2/callback;Secure;HttpOnly",
            slug::uuid()
        );
        answer::insert(&mut answer, SET_COOKIE, &nonce);
        answer
    }

    /// `GET /oauth2/callback?code=…&state=…`, back from the issuer.
    pub(super) fn callback(&self, query: &str, headers: &HeaderMap) -> Answer {
        let state = parameter(query, "state").unwrap_or_default();
        let cookies = headers.get_all("cookie").iter().filter_map(|line| line.to_str().ok());
        let has_nonce = cookies.into_iter().any(|line| line.contains("__Secure-Trino-Nonce="));
        match handler_state(&state).filter(|hash| has_nonce && self.state(hash) == state) {
            Some(hash) => {
                self.settle(hash, Ok(format!("{TOKEN}{}", slug::uuid())));
                answer::file("text/html", "OAuth2 authentication succeeded\n")
            }
            None => {
                let words = "Authentication response could not be verified";
                if let Some(hash) = handler_state(&state) {
                    self.settle(hash, Err(format!("{words}: state={state}")));
                }
                answer::text(StatusCode::BAD_REQUEST, words)
            }
        }
    }

    fn settle(&self, hash: String, outcome: Result<String, String>) {
        locked(&self.done).insert(hash, outcome);
        self.changed.notify_waiters();
    }

    /// `GET /oauth2/token/{uuid}`: waits for the login, then gives the token.
    pub(super) async fn token(&self, uuid: &str, base: &Base) -> Answer {
        let hash = hash_of(uuid);
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if let Some(outcome) = locked(&self.done).get(&hash).cloned() {
                    return outcome;
                }
                changed.await;
            }
        };
        let body = match timeout(TOKEN_WAIT, waiting).await {
            Ok(Ok(token)) => format!(r#"{{"token":"{token}"}}"#),
            Ok(Err(words)) => format!(r#"{{"error":"{words}"}}"#),
            Err(_) => format!(r#"{{"nextUri":"{}/oauth2/token/{uuid}"}}"#, base.origin()),
        };
        answer::json(Body::of(body))
    }

    /// A JWT in shape: its payload names the login, its signature the coordinator.
    fn state(&self, hash: &str) -> String {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let payload = format!(r#"{{"aud":["trino_oauth_ui"],"handler_state":"{hash}"}}"#);
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let mut signature = Sha256::new();
        signature.update(self.key);
        signature.update(&payload);
        let signature = URL_SAFE_NO_PAD.encode(signature.finalize());
        format!("{head}.{payload}.{signature}")
    }
}

/// `GET /sim/authorize`: the issuer, which asks nothing.
pub(super) fn authorize(query: &str) -> Answer {
    let (Some(callback), Some(state)) =
        (parameter(query, "redirect_uri"), parameter(query, "state"))
    else {
        return answer::error(StatusCode::BAD_REQUEST, "no redirect_uri or no state");
    };
    answer::see_other(&format!("{callback}?code=simulated&state={state}"))
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn handler_state(state: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(state.split('.').nth(1)?).ok()?;
    let payload: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    payload.get("handler_state")?.as_str().map(str::to_owned)
}
