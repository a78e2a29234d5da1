//! Drivers that refuse, hang, lie or flap; backends that never become ready; the next candidate.

use serde_json::Value;
use sluice::snapshot::BackendState;

use super::{HELD, SHORT};
use crate::harness::client::Done;
use crate::harness::sleeper::Sleeper;
use crate::harness::stage::{Plan, Stage};
use crate::harness::wait;
use crate::harness::webhook::Manner;

/// The statement that waits until its group is given up: its FAILED page.
async fn given_up(stage: &Stage) -> Done {
    let mut running = stage.queued("SELECT 1").await;
    while running.advance().await.unwrap() {}
    let done = running.done();
    assert_eq!(done.last().state, "FAILED");
    done
}

fn message(done: &Done) -> &str {
    done.last().json["error"]["message"].as_str().unwrap()
}

#[tokio::test]
async fn peers_X25_a_refused_resume_is_reported_as_failed_with_the_reason() {
    for code in [401, 403, 404] {
        let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
        stage.webhook.will(Manner::Refuse(code));
        let client = stage.client();
        let refused = client.start("SELECT 1").await.unwrap_err();
        assert_eq!(refused.status(), Some(503), "{code}: {refused}");
        let text = refused.to_string();
        assert!(text.contains("adhoc") && text.contains(&code.to_string()), "{text}");
        assert_eq!(
            stage.webhook.resumes().len(),
            1,
            "{code}: what is permanent is not tried again"
        );
        stage.until("a", BackendState::Unhealthy).await;
        let status = stage.status().await;
        assert_eq!(
            (&status["state"], &status["backends"][0]["state"]),
            (&"ERROR".into(), &"unhealthy".into())
        );
        assert_eq!(stage.unavailable("resume_failed").await, 1.0);
        stage.assert_empty("after the refusal").await;
        stage.stop().await;
    }
}

#[tokio::test]
async fn peers_X25_after_a_page_the_failure_is_a_failed_page_in_words() {
    let stage = Plan { cold_start: SHORT, ..Plan::default() }.asleep().await;
    stage.webhook.first(&[Manner::Refuse(500)]);
    stage.webhook.will(Manner::Refuse(403));
    let done = given_up(&stage).await;
    let error = &done.last().json["error"];
    assert_eq!(error["errorName"], "GENERIC_INSUFFICIENT_RESOURCES", "{error}");
    assert_eq!(error["errorCode"], 131_072);
    assert_eq!(error["errorType"], "INSUFFICIENT_RESOURCES");
    assert_eq!(error["failureInfo"]["type"], "io.trino.spi.TrinoException");
    assert!(message(&done).contains("adhoc") && message(&done).contains("403"), "{error}");
    stage.stop().await;
}

#[tokio::test]
async fn peers_X25_whoever_mends_the_rights_resumes_a_failed_group_by_hand() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.first(&[Manner::Refuse(403)]);
    assert_eq!(stage.client().start("SELECT 1").await.unwrap_err().status(), Some(503));
    // While it rests, statements are refused at once and nobody is called for each of them.
    for _ in 0..5 {
        assert_eq!(stage.client().start("SELECT 1").await.unwrap_err().status(), Some(503));
    }
    assert_eq!(stage.webhook.resumes().len(), 1);
    assert_eq!(stage.gateway.command("/admin/groups/adhoc/resume").await.0, 200);
    stage.until("a", BackendState::Healthy).await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 2);
    stage.stop().await;
}

#[tokio::test]
async fn peers_X25_the_status_page_tells_how_the_resume_stands() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    let told = |page: Value| {
        let resume = &page["resume"];
        (resume["inProgress"].clone(), resume["waiters"].clone(), resume["lastOutcome"].clone())
    };
    assert_eq!(told(stage.status().await), (false.into(), 0.into(), Value::Null));
    stage.webhook.will(Manner::Accept);
    let held = stage.held(&stage.client(), "SELECT 1").await;
    stage.webhook.until_resumes(1).await;
    assert_eq!(told(stage.status().await), (true.into(), 1.into(), Value::Null));
    stage.sleeper.wake().await;
    assert_eq!(held.rows().await.len(), 1);
    let page = stage.status().await;
    assert!(page["resume"]["lastSuccess"].is_string(), "{page}");
    assert_eq!(told(page), (false.into(), 0.into(), "success".into()));
    stage.stop().await;
}

#[tokio::test]
async fn a_409_means_that_it_runs_already() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.will(Manner::Refuse(409));
    let held = stage.held(&stage.client(), "SELECT 1").await;
    stage.webhook.until_resumes(1).await;
    stage.until("a", BackendState::Resuming).await;
    stage.sleeper.wake().await;
    assert_eq!(held.rows().await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn a_driver_that_hangs_is_cut_off_and_called_again() {
    let plan = Plan { cold_start: HELD, resume: ", callTimeout: 300ms", ..Plan::default() };
    let stage = plan.asleep().await;
    stage.webhook.first(&[Manner::Hang]);
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 2);
    let series = r#"gateway_resume_provider_requests_total{outcome="timeout",provider="webhook"}"#;
    assert_eq!(stage.gateway.metric(series).await, 1.0);
    stage.stop().await;
}

#[tokio::test]
async fn a_driver_that_is_gated_is_called_again_after_its_own_time() {
    let stage = Plan { cold_start: HELD, ..Plan::default() }.asleep().await;
    stage.webhook.first(&[Manner::Gated(503, 1), Manner::Gated(429, 1)]);
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(stage.webhook.resumes().len(), 3);
    stage.stop().await;
}

#[tokio::test]
async fn a_driver_that_lies_is_given_up_at_the_deadline() {
    let plan = Plan { cold_start: SHORT, resume: ", deadline: 1500ms", ..Plan::default() };
    let stage = plan.asleep().await;
    stage.webhook.will(Manner::Accept);
    let done = given_up(&stage).await;
    assert_eq!(done.error_name(), Some("GENERIC_INSUFFICIENT_RESOURCES"));
    assert!(message(&done).contains("adhoc"), "{}", message(&done));
    stage.until("a", BackendState::Unhealthy).await;
    let timeouts = r#"gateway_resume_attempts_total{outcome="timeout",routing_group="adhoc"}"#;
    assert_eq!(stage.gateway.metric(timeouts).await, 1.0);
    stage.assert_empty("after the deadline").await;
    stage.stop().await;
}

#[tokio::test]
async fn a_backend_that_flaps_while_it_wakes_loses_no_statement() {
    let slow = Sleeper::slow();
    let stage = Plan { cold_start: HELD, ..Plan::default() }.with(&[&slow]).await;
    let held = stage.held(&stage.client(), "SELECT 1").await;
    wait::until("it wakes", || slow.counts().probes > 0).await;
    for _ in 0..2 {
        let before = slow.counts().probes;
        wait::until("it was probed in this life", || slow.counts().probes > before).await;
        slow.sleep().await;
        slow.wake().await;
    }
    assert!(!held.is_answered());
    slow.ready();
    assert_eq!(held.rows().await.len(), 1);
    assert_eq!(slow.counts().statements, 1);
    stage.stop().await;
}

#[tokio::test]
async fn peers_L15_starting_that_never_ends_gives_way_to_the_next_backend() {
    let (slow, next) = (Sleeper::slow(), Sleeper::new());
    let plan = Plan { cold_start: SHORT, resume: ", deadline: 1500ms", ..Plan::default() };
    let stage = plan.with(&[&slow, &next]).await;
    let mut running = stage.queued("SELECT 1").await;
    while running.advance().await.unwrap() {}
    let done = running.done();
    assert_eq!((done.error_name(), done.rows.len()), (None, 1));
    let called = called(&stage);
    assert_eq!(called, ["a", "b"], "in their order, each once");
    assert_eq!((slow.counts().statements, next.counts().statements), (0, 1));
    stage.stop().await;
}

fn called(stage: &Stage) -> Vec<String> {
    let name = |json: &Value| json["backend"].as_str().unwrap_or_default().to_owned();
    stage.webhook.resumes().iter().map(|call| name(&call.json)).collect()
}

#[tokio::test]
async fn peers_L15_with_no_other_backend_the_answer_is_clear() {
    let slow = Sleeper::slow();
    let plan = Plan { cold_start: SHORT, resume: ", deadline: 1500ms", ..Plan::default() };
    let stage = plan.with(&[&slow]).await;
    let done = given_up(&stage).await;
    let words = message(&done).to_owned();
    assert!(words.contains("adhoc"), "{words}");
    assert_eq!(slow.counts().statements, 0, "a coordinator that is starting gets no statement");
    stage.stop().await;
}

#[tokio::test]
async fn peers_L15_a_held_statement_without_a_page_gets_503_resume_timeout() {
    let plan = Plan { cold_start: HELD, resume: ", deadline: 1s", ..Plan::default() };
    let stage = plan.with(&[&Sleeper::slow()]).await;
    let answer = stage.client().send(http::Method::POST, "/v1/statement", "SELECT 1").await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("x-gateway-reason"), "resume_timeout", "{}", answer.text());
    assert!(answer.has("retry-after"));
    assert_eq!(stage.unavailable("resume_timeout").await, 1.0);
    stage.stop().await;
}

#[tokio::test]
async fn the_second_candidate_is_woken_when_the_first_fails() {
    let (first, second) = (Sleeper::new(), Sleeper::new());
    let stage = Plan { cold_start: HELD, ..Plan::default() }.with(&[&first, &second]).await;
    stage.webhook.first(&[Manner::Refuse(403)]);
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(called(&stage), ["a", "b"]);
    assert_eq!((first.counts().statements, second.counts().statements), (0, 1));
    stage.until("a", BackendState::Unhealthy).await;
    assert_eq!(stage.status().await["state"], "RUNNING");
    stage.stop().await;
}

#[tokio::test]
async fn one_candidate_is_enough() {
    let (first, second) = (Sleeper::new(), Sleeper::new());
    let stage = Plan { cold_start: HELD, ..Plan::default() }.with(&[&first, &second]).await;
    assert_eq!(stage.client().rows("SELECT 1").await.len(), 1);
    assert_eq!(called(&stage), ["a"]);
    assert!(!second.is_awake().await);
    stage.stop().await;
}
