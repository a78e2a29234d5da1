//! What each page is, byte by byte, and what our own reader of pages makes of it.

#![allow(clippy::unwrap_used, non_snake_case, reason = "loud failures; names bear the facts' ids")]

use super::*;
use crate::trino::head::{ErrorType, PageError, Scanner, Verdict};
use crate::trino::samples;

const ID: &str = "20261101_101500_00000_0gw1a";
const SLUG: &str = "y691b87d2b50447eb52f341d7cfe4b537fac04165";

fn synthetic(id: &str, base: &'static str, millis: u64) -> Synthetic<'static> {
    let id = QueryId::parse(id).unwrap();
    Synthetic { id, base, waited: Duration::from_millis(millis) }
}

fn ours() -> Synthetic<'static> {
    synthetic(ID, "https://gw:8443/trino", 1234)
}

fn text(page: &Bytes) -> &str {
    str::from_utf8(page).unwrap()
}

#[test]
fn a_queued_page_is_trinos_own_but_for_the_info_uri() {
    let page = synthetic(samples::ID, samples::BASE, 0).queued(SLUG, 1);
    let trinos = samples::FIRST.replace("/ui#/queries/", "/_gateway/queries/");
    assert_eq!(text(&page), trinos);
}

#[test]
fn a_queued_page_says_how_long_and_where_to_go_on() {
    let page = ours().queued(SLUG, 7);
    let page = text(&page);
    assert!(page.starts_with(r#"{"id":"20261101_101500_00000_0gw1a","infoUri":"https://gw:8443/trino/_gateway/queries/20261101_101500_00000_0gw1a","nextUri":"https://gw:8443/trino/v1/statement/queued/20261101_101500_00000_0gw1a/y691b87d2b50447eb52f341d7cfe4b537fac04165/7","stats":{"state":"QUEUED","queued":true,"#));
    assert!(page.contains(r#""queuedTimeMillis":1234,"elapsedTimeMillis":1234,"#));
    let mut scanner = Scanner::new();
    scanner.feed(page.as_bytes());
    assert_eq!(scanner.head().verdict, Verdict::Continues);
    assert_eq!(scanner.head().state, Some(State::Queued));
}

#[test]
fn peers_L8_what_has_no_value_is_absent_and_never_null() {
    let failed = ours().failed(Failure::ServerShuttingDown, "gone");
    let failed = text(&failed);
    assert!(failed.starts_with(r#"{"id":"20261101_101500_00000_0gw1a","infoUri":"https://gw:8443/trino/_gateway/queries/20261101_101500_00000_0gw1a","stats":{"state":"FAILED","queued":false,"#));
    assert!(failed.ends_with(concat!(
        r#""error":{"message":"gone","errorCode":65545,"errorName":"SERVER_SHUTTING_DOWN","errorType":"INTERNAL_ERROR","#,
        r#""failureInfo":{"type":"io.trino.spi.TrinoException","message":"gone","suppressed":[],"stack":[],"#,
        r#""errorInfo":{"code":65545,"name":"SERVER_SHUTTING_DOWN","type":"INTERNAL_ERROR"}}},"warnings":[]}"#
    )));
    for page in [ours().queued(SLUG, 1), ours().failed(Failure::NotFound, ""), ours().called()] {
        assert!(!text(&page).contains("null"), "{page:?}");
    }
}

#[test]
fn our_own_scanner_reads_a_failed_page_as_the_last() {
    let page = ours().failed(Failure::InsufficientResources, "no backend \"in time\"");
    let mut scanner = Scanner::new();
    scanner.feed(&page);
    let head = scanner.head();
    assert_eq!((head.verdict, head.state), (Verdict::Final, Some(State::Failed)));
    let error = PageError {
        name: "GENERIC_INSUFFICIENT_RESOURCES".to_owned(),
        kind: ErrorType::InsufficientResources,
        code: 131_072,
    };
    assert_eq!(head.error, Some(error));
}

#[test]
fn a_message_cannot_leave_its_place() {
    let page =
        ours().failed(Failure::AdministrativelyKilled, "\"},\"nextUri\":\"x\u{1}\u{2028}é\\");
    let json: serde_json::Value = serde_json::from_slice(&page).unwrap();
    assert_eq!(json["error"]["message"], "\"},\"nextUri\":\"x\u{1}\u{2028}é\\");
    assert!(json.get("nextUri").is_none());
}

#[test]
fn a_call_that_ended_well_says_so_as_trino_does() {
    let page = ours().called();
    let page = text(&page);
    assert!(page.contains(r#","columns":[],"stats":{"state":"FINISHED","queued":false,"#));
    assert!(page.ends_with(r#""spilledBytes":0},"warnings":[],"updateType":"CALL"}"#));
}

#[test]
fn the_longest_wait_is_a_whole_number() {
    let ours = Synthetic { waited: Duration::MAX, ..ours() };
    let json: serde_json::Value = serde_json::from_slice(&ours.queued(SLUG, u64::MAX)).unwrap();
    assert_eq!(json["stats"]["elapsedTimeMillis"], u64::MAX);
    for name in ["nodes", "totalSplits", "cpuTimeMillis", "queuedTimeMillis", "spilledBytes"] {
        assert!(json["stats"][name].is_u64(), "{name}");
    }
}

#[test]
fn an_answer_is_json_that_nobody_keeps() {
    let answer = answer(ours().called());
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
}
