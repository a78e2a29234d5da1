//! What backends say, and what we say.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use http_body_util::BodyExt;

use super::*;

fn body(response: Response<Full<Bytes>>) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn reads_new_and_old_ones() {
    let new = ServerInfo::read(br#"{"nodeId":"ea2c7829-4b3c-445c-a357-6e18c1956037","state":"ACTIVE","nodeVersion":{"version":"483"},"environment":"testing","coordinator":true,"coordinatorId":"beynb","starting":false,"uptime":"11.82m"}"#).unwrap();
    assert!(new.ready());
    assert_eq!((new.version(), new.coordinator_id.as_deref()), (Some("483"), Some("beynb")));
    assert_eq!(new.up(), Some(Duration::from_millis(709_200)));
    let old = ServerInfo::read(br#"{"nodeVersion":{"version":"400"},"environment":"docker","coordinator":true,"starting":false,"uptime":"1.70m"}"#).unwrap();
    assert!(old.ready());
    assert_eq!((old.version(), old.coordinator_id.as_deref()), (Some("400"), None));
}

#[test]
fn only_starting_false_proves_readiness() {
    for text in [
        r#"{"state":"ACTIVE","coordinator":true,"starting":true}"#,
        r#"{"state":"ACTIVE","coordinator":true}"#,
        r#"{"coordinator":false,"starting":false}"#,
        r#"{"starting":null,"unknown":[1]}"#,
        "{}",
    ] {
        assert!(!ServerInfo::read(text.as_bytes()).unwrap().ready(), "{text}");
    }
    for text in ["", "[]x", "<html>", "\"ACTIVE\"", r#"{"starting":"no"}"#] {
        assert_eq!(ServerInfo::read(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn writes_what_drivers_need() {
    let ours = OurInfo {
        node_id: "sluice-1",
        state: OurState::Active,
        version: "483",
        environment: "production",
        gateway_version: None,
        uptime: Duration::from_secs(90),
    };
    let response = info(&ours);
    assert_eq!(response.headers()["content-type"], "application/json");
    let text = body(response);
    assert_eq!(
        text,
        r#"{"nodeId":"sluice-1","state":"ACTIVE","nodeVersion":{"version":"483"},"environment":"production","coordinator":true,"starting":false,"uptime":"1.50m"}"#
    );
    assert!(ServerInfo::read(text.as_bytes()).unwrap().ready());
    let starting = body(info(&OurInfo { state: OurState::Starting, ..ours }));
    let exposed = body(info(&OurInfo { gateway_version: Some("0.1.0"), ..ours }));
    assert!(exposed.ends_with(r#","uptime":"1.50m","gatewayVersion":"0.1.0"}"#), "{exposed}");
    assert!(starting.contains(r#""state":"STARTING""#) && starting.contains(r#""starting":true"#));
}

#[test]
fn the_state_is_quoted_but_for_who_asks_for_text() {
    for (accept, expected) in [
        (None, "\"ACTIVE\""),
        (Some("*/*"), "\"ACTIVE\""),
        (Some("application/json"), "\"ACTIVE\""),
        (Some("text/plain"), "ACTIVE"),
        (Some("text/plain;q=0.9, */*"), "ACTIVE"),
        (Some("application/json, text/plain, */*"), "\"ACTIVE\""),
        (Some("text/html, application/xhtml+xml"), "\"ACTIVE\""),
    ] {
        let mut request = HeaderMap::new();
        if let Some(accept) = accept {
            request.insert(ACCEPT, accept.parse().unwrap());
        }
        assert_eq!(body(state(OurState::Active, &request)), expected, "{accept:?}");
    }
    assert_eq!(body(state(OurState::ShuttingDown, &HeaderMap::new())), "\"SHUTTING_DOWN\"");
    assert_eq!(body(empty()), "");
}
