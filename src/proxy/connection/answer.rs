//! One request, whichever protocol brought it, from its head to the head of its answer.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH},
};
use http_body::Body as _;
use tokio::time::{sleep, timeout};

use super::Service;
use crate::{
    proxy::{answers, core::Core, deadlines::Stage, exchange::Accounted, handed::Answer, routes},
    telemetry::context::{X_REQUEST_ID, X_TRACE_ID},
};

/// Longer than the first probe of a backend that is there, shorter than any client's patience.
const FIRST_WORDS: Duration = Duration::from_secs(3);

/// Between two looks at the probes' results.
const GLANCE: Duration = Duration::from_millis(10);

/// A gateway that has just started takes statements before its probes have spoken; they wait for these, so that a
/// rolling restart refuses nobody. Afterwards it costs a glance.
async fn first_words(core: &Core) {
    if core.shared.heard.get().is_some() {
        return;
    }
    let heard = async {
        while !core.shared.current.load().has_heard_all() {
            sleep(GLANCE).await;
        }
    };
    // Who has not spoken by then counts as unreachable.
    let _ = timeout(FIRST_WORDS, heard).await;
    // Once: a backend that a reload adds holds nobody up.
    let _ = core.shared.heard.set(());
}

/// `/metrics`, where `metrics.onDataPort` says so. It is no exchange: nothing of it is counted, and the page is made
/// elsewhere.
async fn page_of_metrics(core: &Core, headers: HeaderMap) -> Option<Response<Body>> {
    let metrics = core.shared.current.load().config.metrics.clone();
    let scrape = core.shared.scrape.get().filter(|_| metrics.on_data_port)?;
    Some(scrape.answer(&headers, metrics.exemplars).await.map(Body::from))
}

/// Answers a request.
pub(super) async fn answer(
    service: &Service,
    stage: &Arc<Stage>,
    request: &mut Request<Body>,
) -> Response<Accounted> {
    let Service { core, routes, client } = service;
    stage.busy();
    if request.method() == Method::POST {
        first_words(core).await;
    }
    let is_scrape = request.method() == Method::GET && request.uri().path() == "/metrics";
    if is_scrape && let Some(answer) = page_of_metrics(core, request.headers().clone()).await {
        return answer.map(|body| Accounted::alone(body, Arc::clone(stage)));
    }
    let (is_h1, is_head) = (request.version() < Version::HTTP_2, request.method() == Method::HEAD);
    let exchange = match routes::open(core, *client, request) {
        Ok(exchange) => exchange,
        Err(why) => {
            let refusal = answers::text(StatusCode::BAD_REQUEST, &why);
            return refusal.map(|body| Accounted::alone(body, Arc::clone(stage)));
        }
    };
    let mut answer = routes::answer(core, routes, &exchange, request).await;
    if is_head {
        without_body(&mut answer);
    }
    let headers = answer.headers_mut();
    headers.insert(X_REQUEST_ID, exchange.request_id.header());
    if let Ok(trace) = HeaderValue::from_str(exchange.trace.trace_id()) {
        headers.insert(X_TRACE_ID, trace);
    }
    // Asked last: a long poll that began before the drain must ask its client to leave, too. HTTP/2 says it by a
    // frame of its own.
    if is_h1 && core.shared.lifecycle.is_draining() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    exchange.close_with(answer, Arc::clone(stage))
}

/// What HEAD gets of an answer that GET would get: HTTP/2 would send the body, and HTTP/1.1 would never ask for its
/// end.
fn without_body(answer: &mut Answer) {
    if answer.body().is_end_stream() {
        return;
    }
    let body = std::mem::take(answer.body_mut());
    if let Some(length) = body.size_hint().exact() {
        answer.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
}
