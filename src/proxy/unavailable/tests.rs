//! What clients read in a 503.

use axum::response::Response;
use http::HeaderValue;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;
use crate::config::model::Contract;

fn refusal() -> Refusal<'static> {
    Refusal {
        group: "team-a--analytics",
        reason: Unavailable::Resuming,
        why: "no running coordinator",
        retry_after: 23,
        resuming: Some(Duration::from_millis(12_900)),
        resume: Resume::Joined,
        trace_id: "0af7651916cd43dd8448eb211c80319c",
    }
}

async fn body(answer: Response) -> String {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn words_for_people_are_one_sentence() {
    let answer = refusal().answer(Contract::Sluice, false);
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["content-type"], "text/plain;charset=utf-8");
    assert_eq!(answer.headers()["retry-after"], "23");
    assert_eq!(answer.headers()["x-gateway-reason"], "resuming");
    assert!(answer.headers().get("x-gateway-resume-gated").is_none());
    assert_eq!(
        body(answer).await,
        "team-a--analytics: no running coordinator (resuming for 12 s); retry in 23 s [trace 0af7651916cd43dd8448eb211c80319c]"
    );
}

#[tokio::test]
async fn json_for_programs_has_every_key() {
    for (resume, triggered, gated) in [
        (Resume::Triggered, true, false),
        (Resume::Joined, false, true),
        (Resume::None, false, false),
    ] {
        let refusal = Refusal { resume, resuming: None, ..refusal() };
        let answer = refusal.answer(Contract::Sluice, true);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["retry-after"], "23");
        assert_eq!(answer.headers()["x-gateway-reason"], "resuming");
        let body: Value = serde_json::from_str(&body(answer).await).unwrap();
        let expected = json!({
            "error": "team-a--analytics: no running coordinator", "reason": "resuming",
            "routingGroup": "team-a--analytics", "retryAfter": 23,
            "traceId": "0af7651916cd43dd8448eb211c80319c", "triggered": triggered, "gated": gated,
        });
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn xtrinodes_clients_read_what_they_know() {
    let resuming = "XTrinode runtime is resuming, please retry";
    for (reason, resume, retry_after, expected, gated) in [
        (Unavailable::Resuming, Resume::Triggered, 23,
            format!(r#"{{"error":"{resuming}","gated":false,"retryAfter":23,"triggered":true}}"#), false),
        (Unavailable::Resuming, Resume::Joined, 2,
            format!(r#"{{"error":"{resuming}","gated":true,"retryAfter":5,"triggered":false}}"#), true),
        (Unavailable::ResumeFailed, Resume::None, 1,
            r#"{"error":"Failed to trigger resume","retryAfter":30}"#.to_owned(), false),
        (Unavailable::CircuitOpen, Resume::None, 1,
            r#"{"error":"Service temporarily unavailable","gated":false,"retryAfter":30,"triggered":false}"#.to_owned(), false),
        (Unavailable::NoBackend, Resume::None, 30,
            r#"{"error":"No backend available","gated":false,"retryAfter":30,"triggered":false}"#.to_owned(), false),
    ] {
        for wants_json in [false, true] {
            let refusal = Refusal { reason, resume, retry_after, ..refusal() };
            let answer = refusal.answer(Contract::Xtrinode, wants_json);
            assert_eq!(answer.headers()["content-type"], "application/json");
            let told: Value = serde_json::from_str(&expected).unwrap();
            assert_eq!(answer.headers()["retry-after"], told["retryAfter"].to_string().as_str());
            assert_eq!(answer.headers()["x-gateway-reason"], reason.as_str());
            assert_eq!(answer.headers().contains_key("x-gateway-resume-gated"), gated);
            assert_eq!(body(answer).await, expected);
        }
    }
}

#[test]
fn what_is_left_of_a_usual_cold_start_is_waited_for() {
    let seconds = |seconds: f64| Duration::from_secs_f64(seconds);
    for (usual, elapsed, expected) in [
        (None, 0.0, 30),
        (None, 300.0, 30),
        (Some(40.0), 0.0, 40),
        (Some(40.0), 12.3, 28),
        (Some(40.0), 39.9, 1),
        (Some(40.0), 40.0, 1),
        (Some(40.0), 400.0, 1),
        (Some(0.0), 0.0, 1),
        (Some(119.5), 0.0, 120),
        (Some(600.0), 10.0, 120),
    ] {
        let told = retry_after(usual.map(seconds), seconds(elapsed));
        assert_eq!(told, expected, "{usual:?} after {elapsed}");
    }
    assert_eq!(retry_after(Some(Duration::MAX), Duration::ZERO), 120);
}

#[test]
fn json_is_for_those_who_name_it() {
    for (lines, expected) in [
        (&[][..], false),
        (&["*/*"], false),
        (&["application/*"], false),
        (&["text/plain"], false),
        (&["application/jsonl"], false),
        (&["application/json"], true),
        (&["text/plain, Application/JSON; charset=utf-8;q=0.5, */*"], true),
        (&["text/plain", "application/json"], true),
        (&["application/json;q=0, text/plain"], false),
        (&["application/json; q=0.0"], false),
    ] {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_static(line));
        }
        assert_eq!(wants_json(&headers), expected, "{lines:?}");
    }
}
