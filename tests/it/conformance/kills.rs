//! `kill_query`, and whether the pages that Sluice makes by itself are those that a coordinator gives.
//!
//! Each page of the coordinator is laid beside the one of `trino::synthetic` for the same case, field by field. Left
//! out are what must differ (URIs, the times that it took, the stack) and what 435 does not have yet.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sluice::trino::synthetic::{self, Failure, Synthetic};
use sluice_routing::QueryId;

use super::target::{LONG, Target};
use crate::harness::client::{Done, Page, Running};

const NOBODY: &str = "20241030_150409_00000_zhg55";

/// In the pages of Sluice and since Trino 469.
const NEW_STATS: [&str; 5] = [
    "planningTimeMillis",
    "analysisTimeMillis",
    "finishingTimeMillis",
    "physicalInputTimeMillis",
    "internalNetworkInputBytes",
];

fn ours(page: &Page) -> Synthetic<'static> {
    let id = QueryId::parse(&page.id).unwrap();
    Synthetic { id, base: "http://gateway", waited: Duration::ZERO }
}

/// Checks that a page has the fields, their order and the values that ours has.
fn assert_like(target: &Target, real: &Page, ours: &Bytes) {
    let ours: (&str, Value) =
        (str::from_utf8(ours).unwrap(), serde_json::from_slice(ours).unwrap());
    let real = (real.answer.text(), real.json.clone());
    let (mut is, mut should_be) = (comparable(&real.1), comparable(&ours.1));
    if !target.is_new() {
        let stats = should_be["stats"].as_object_mut().unwrap();
        stats.retain(|name, _| !NEW_STATS.contains(&name.as_str()));
        if let Some(info) = should_be.pointer_mut("/error/failureInfo") {
            info.as_object_mut().unwrap().remove("errorInfo");
        }
    }
    assert_eq!(is, should_be, "{}", real.0);
    for part in ["", "/stats", "/error", "/error/failureInfo"] {
        let (is, should_be) = (is.pointer_mut(part), should_be.pointer_mut(part));
        if let (Some(is), Some(should_be)) = (is, should_be) {
            assert_eq!(order(&real.0, is), order(ours.0, should_be));
        }
    }
}

/// A page without what differs each time; which fields there are is kept.
fn comparable(page: &Value) -> Value {
    let mut page = page.clone();
    for place in ["/infoUri", "/nextUri", "/error/failureInfo/stack"] {
        if let Some(value) = page.pointer_mut(place) {
            *value = Value::Null;
        }
    }
    for (name, value) in page["stats"].as_object_mut().unwrap() {
        if name.ends_with("TimeMillis") {
            assert!(value.is_u64(), "{name}: {value}");
            *value = Value::Null;
        }
    }
    page
}

/// The names of an object as they follow each other in the text of its page.
fn order<'a>(text: &str, object: &'a Value) -> Vec<&'a str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    names
}

async fn executing(target: &Target) -> Running {
    let mut running = target.client().start(LONG).await.unwrap();
    running.advance_until(|page| page.state == "RUNNING").await.unwrap();
    running
}

async fn ended(mut running: Running) -> Done {
    while running.advance().await.unwrap() {}
    running.done()
}

/// Calls it with these arguments.
async fn kill(target: &Target, arguments: &str) -> Done {
    let call = format!("CALL system.runtime.kill_query({arguments})");
    target.client().query(call).await.unwrap()
}

/// A call that did it ends with no columns, mostly told as an empty list; on a queued page, as it happens, not at all.
fn assert_called(target: &Target, last: &Page) {
    let ours = ours(last).called();
    if last.json.get("columns").is_some() {
        return assert_like(target, last, &ours);
    }
    let text = str::from_utf8(&ours).unwrap().replace("\"columns\":[],", "");
    assert_like(target, last, &Bytes::from(text));
}

/// A call that failed says so on a queued page, or on an executing one with the kind of the statement: as it happens.
fn assert_refused(target: &Target, done: &Done, failure: Failure, message: &str) {
    let mut last = done.last().clone();
    if last.json.get("columns").is_some() {
        let page = last.json.as_object_mut().unwrap();
        assert_eq!(page.remove("columns"), Some(json!([])));
        assert_eq!(page.remove("updateType"), Some("CALL".into()));
    }
    assert_like(target, &last, &ours(&last).failed(failure, message));
}

pub(super) async fn first_page_is_ours(target: Target) {
    let running = target.client().start("SELECT 1").await.unwrap();
    let page = running.last();
    let next = page.next.as_ref().unwrap();
    assert_like(&target, page, &ours(page).queued(&next.slug, next.token));
    let path = synthetic::next_path(ours(page).id, &next.slug, next.token);
    assert_eq!(next.uri, format!("{}{path}", target.base));
    ended(running).await;
}

pub(super) async fn canceled_page_is_ours(target: Target) {
    let running = target.client().start("SELECT 1").await.unwrap();
    running.cancel().await.unwrap();
    let done = ended(running).await;
    let page = ours(done.last()).failed(Failure::UserCanceled, synthetic::CANCELED);
    assert_like(&target, done.last(), &page);
}

pub(super) async fn kill_of_the_running(target: Target) {
    for (arguments, message) in [
        ("'ID', 'enough'", Some("enough")),
        ("query_id => 'ID', message => 'it''s over'", Some("it's over")),
        ("message => 'enough', query_id => 'ID'", Some("enough")),
        ("query_id => 'ID'", None),
        ("'ID'", None),
        ("'ID', ''", None),
        ("'ID', NULL", None),
    ] {
        let running = executing(&target).await;
        let done = kill(&target, &arguments.replace("ID", running.id())).await;
        assert_called(&target, done.last());
        let first = &done.pages[0];
        let next = first.next.as_ref().unwrap();
        assert_like(&target, first, &ours(first).queued(&next.slug, next.token));
        // What the killed query was doing shows in its columns and stats; the error is ours.
        let killed = ended(running).await;
        let (mut is, words) = (comparable(&killed.last().json), synthetic::killed(message));
        let page = ours(killed.last()).failed(Failure::AdministrativelyKilled, &words);
        let mut should_be = comparable(&serde_json::from_slice(&page).unwrap());
        for error in [&mut is["error"], &mut should_be["error"]] {
            error["failureInfo"].as_object_mut().unwrap().remove("errorInfo");
        }
        assert_eq!(is["error"], should_be["error"], "{arguments}");
        assert_eq!((killed.last().state.as_str(), &is["warnings"]), ("FAILED", &json!([])));
    }
}

pub(super) async fn kill_of_the_ended(target: Target) {
    let running = executing(&target).await;
    let killed = running.id().to_owned();
    running.cancel().await.unwrap();
    ended(running).await;
    let finished = target.client().query("SELECT 1").await.unwrap().last().id.clone();
    for id in [killed, finished] {
        for arguments in [format!("'{id}', 'again'"), format!("'{id}'")] {
            let done = kill(&target, &arguments).await;
            let words = synthetic::kill_of_ended(&id);
            assert_refused(&target, &done, Failure::NotSupported, &words);
        }
    }
}

pub(super) async fn kill_of_nobody(target: Target) {
    for arguments in [format!("'{NOBODY}', 'x'"), format!("query_id => '{NOBODY}'")] {
        let done = kill(&target, &arguments).await;
        let words = synthetic::kill_of_unknown(NOBODY);
        assert_refused(&target, &done, Failure::NotFound, &words);
        let first = &done.pages[0];
        let next = first.next.as_ref().unwrap();
        assert_like(&target, first, &ours(first).queued(&next.slug, next.token));
    }
    let done = kill(&target, "'nonsense'").await;
    assert_refused(&target, &done, Failure::NotFound, &synthetic::kill_of_unknown("nonsense"));
}

pub(super) async fn kill_of_the_unpolled(target: Target) {
    let running = target.client().start("SELECT 1").await.unwrap();
    let done = kill(&target, &format!("'{}'", running.id())).await;
    let words = synthetic::kill_of_unknown(running.id());
    assert_refused(&target, &done, Failure::NotFound, &words);
    assert_eq!(ended(running).await.error_name(), None);
}

pub(super) async fn kill_with_bad_arguments(target: Target) {
    for (arguments, name) in [
        ("'NO-id'", "INVALID_PROCEDURE_ARGUMENT"),
        ("''", "INVALID_PROCEDURE_ARGUMENT"),
        ("NULL", "INVALID_PROCEDURE_ARGUMENT"),
        ("", "INVALID_ARGUMENTS"),
    ] {
        let done = kill(&target, arguments).await;
        assert_eq!(done.error_name(), Some(name), "{arguments}");
        assert_eq!(done.last().json["error"]["errorType"], "USER_ERROR");
    }
}
