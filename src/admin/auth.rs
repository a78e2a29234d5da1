//! Who may give commands: the holder of the bearer token; without a configured token, someone at this very machine.
//!
//! Without a token a browser is the danger: any web page may post to `127.0.0.1`. So the `Host` must be a loopback one
//! (which ends DNS rebinding) and there must be no `Origin` (which every cross-site POST has).

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    admin::{Operated, answer::Refused},
    metrics::{AdminOperation, AdminStatus},
};

/// The other end of the connection, which the listener puts into every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Lets a command through or refuses it, and counts what became of it.
pub(super) async fn guard(State(to): State<Operated>, request: Request, next: Next) -> Response {
    let operation = operation_of(request.method(), request.uri().path());
    let token = to.current.load().config.admin.token.clone();
    let peer = request.extensions().get::<Peer>().copied();
    let response = match may(token.as_deref(), peer, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    if let Some(operation) = operation {
        to.metrics.admin_operation(operation, status_of(response.status()));
    }
    response
}

fn may(token: Option<&str>, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), Refused> {
    match token {
        Some(token) => bears(token, headers),
        None => is_local(peer, headers),
    }
}

fn bears(token: &str, headers: &HeaderMap) -> Result<(), Refused> {
    let refused = |words: &str| Err(Refused::new(StatusCode::UNAUTHORIZED, words));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, given)) = given.and_then(|value| value.split_once(' ')) else {
        return refused("commands need `Authorization: Bearer …` with the token of admin.token");
    };
    // Digests have one length, so that the comparison tells nothing of the token's own.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let same: bool = digest(given.trim()).ct_eq(&digest(token)).into();
    // An empty token (a variable that is not set) is nobody's.
    if same && !token.is_empty() && scheme.eq_ignore_ascii_case("bearer") {
        Ok(())
    } else {
        refused("this is not the token of admin.token")
    }
}

fn is_local(peer: Option<Peer>, headers: &HeaderMap) -> Result<(), Refused> {
    let refused = |words: &str| Err(Refused::new(StatusCode::FORBIDDEN, words));
    if !peer.is_some_and(|Peer(address)| is_loopback(address.ip())) {
        return refused("without admin.token, commands are taken from this machine only");
    }
    if headers.contains_key(header::ORIGIN) {
        return refused("without admin.token, no command is taken from a web page");
    }
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    if !host.is_some_and(is_loopback_host) {
        return refused("without admin.token, the host must be localhost, 127.0.0.1 or [::1]");
    }
    Ok(())
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn is_loopback_host(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    let plain = !authority.as_str().contains('@');
    plain && (host.eq_ignore_ascii_case("localhost") || address.is_ok_and(is_loopback))
}

/// Which command a request asks for, so that refused ones are counted too; reading the level is none.
fn operation_of(method: &Method, path: &str) -> Option<AdminOperation> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["admin", "reload"] => Some(AdminOperation::Reload),
        ["admin", "log-level"] if *method != Method::GET => Some(AdminOperation::LogLevel),
        ["admin", "backends", _, "activate"] => Some(AdminOperation::Activate),
        ["admin", "backends", _, "deactivate"] => Some(AdminOperation::Deactivate),
        ["admin", "backends", _, "drain"] => Some(AdminOperation::Drain),
        ["admin", "groups", _, "resume"] => Some(AdminOperation::Resume),
        ["admin", "groups", _, "suspend"] => Some(AdminOperation::Suspend),
        _ => None,
    }
}

/// Not authorised, not understood or not known is `rejected`; `failure` is what was understood and went wrong.
fn status_of(status: StatusCode) -> AdminStatus {
    match status.as_u16() {
        200..=299 => AdminStatus::Success,
        400..=405 => AdminStatus::Rejected,
        _ => AdminStatus::Failure,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const HERE: &str = "127.0.0.1:40000";

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn peer(address: &str) -> Option<Peer> {
        Some(Peer(address.parse().unwrap()))
    }

    fn status(token: Option<&str>, peer: Option<Peer>, pairs: &[(HeaderName, &str)]) -> u16 {
        may(token, peer, &headers(pairs)).map_or_else(|refused| refused.status.as_u16(), |()| 200)
    }

    #[test]
    fn with_a_token_only_the_token_counts() {
        let far = peer("192.0.2.1:1");
        for (value, expected) in [
            ("Bearer secret", 200),
            ("bearer  secret ", 200),
            ("Bearer secre", 401),
            ("Bearer secret2", 401),
            ("Bearer ", 401),
            ("Basic secret", 401),
            ("secret", 401),
        ] {
            let given = [(header::AUTHORIZATION, value)];
            assert_eq!(status(Some("secret"), far, &given), expected, "{value}");
        }
        assert_eq!(status(Some("secret"), peer(HERE), &[(header::HOST, "localhost")]), 401);
        assert_eq!(status(Some(""), far, &[(header::AUTHORIZATION, "Bearer ")]), 401);
    }

    #[test]
    fn without_a_token_only_this_machine_and_no_web_page() {
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "127.9.9.9", "[::1]:8081"] {
            assert_eq!(status(None, peer(HERE), &[(header::HOST, host)]), 200, "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "evil@localhost",
            "10.0.0.1",
            "a b",
        ] {
            assert_eq!(status(None, peer(HERE), &[(header::HOST, host)]), 403, "{host}");
        }
        let local = (header::HOST, "localhost");
        assert_eq!(status(None, peer("[::ffff:127.0.0.1]:1"), std::slice::from_ref(&local)), 200);
        assert_eq!(status(None, peer("192.0.2.1:1"), std::slice::from_ref(&local)), 403);
        assert_eq!(status(None, None, std::slice::from_ref(&local)), 403);
        assert_eq!(status(None, peer(HERE), &[]), 403, "no host at all");
        let origin = (header::ORIGIN, "http://localhost");
        assert_eq!(status(None, peer(HERE), &[local, origin]), 403);
    }

    #[test]
    fn every_command_has_its_operation() {
        assert_eq!(
            operation_of(&Method::POST, "/admin/backends/a/drain"),
            Some(AdminOperation::Drain)
        );
        assert_eq!(
            operation_of(&Method::POST, "/admin/groups/a/resume"),
            Some(AdminOperation::Resume)
        );
        assert_eq!(
            operation_of(&Method::POST, "/admin/groups/a/suspend"),
            Some(AdminOperation::Suspend)
        );
        assert_eq!(operation_of(&Method::POST, "/admin/log-level"), Some(AdminOperation::LogLevel));
        assert_eq!(operation_of(&Method::GET, "/admin/log-level"), None, "it only reads");
        for path in ["/", "/admin", "/admin/backends/drain", "/admin/backends/a/b/drain"] {
            assert_eq!(operation_of(&Method::POST, path), None, "{path}");
        }
    }
}
