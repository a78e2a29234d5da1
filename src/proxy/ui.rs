//! Trino's web UI: each page stays on its coordinator, by the rule in `way`.
//!
//! Before several coordinators, `/_b/<backend>/ui/` is the UI of one and `/ui/` the gateway's own list. With a single
//! backend nothing of this is needed and everything passes. Bodies are never changed: what keeps a page together is
//! its address. Nothing here wakes a backend, and a refusal is never a 503: nobody waits for capacity here.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::{ACCEPT, LOCATION, REFERER},
    uri::PathAndQuery,
};
use sluice_routing::{BackendName, QueryId, query_id_of};

use crate::{
    metrics::Operation,
    proxy::{
        Shared, answers,
        core::Core,
        exchange::Exchange,
        oauth2, one_way,
        owner::{self, Owner},
    },
    queries::is_ours,
    snapshot::{Backend, BackendState},
};

pub(crate) mod assets;
pub(crate) mod cookies;
mod html;
mod listing;
pub(crate) mod location;
pub(crate) mod waiting;
mod way;

pub(crate) use assets::Assets;
use way::{Places, Referer, Visit, Way};

/// Browsers say by it whether a window or a script asks; over plain HTTP they leave it away.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The first Trino whose `/ui` is the new UI, which names a query in the fragment.
const NEW_UI_SINCE: u32 = 483;

/// Answers `/`, `/ui…`, `/login…` and `/logout`.
pub(crate) async fn page(
    core: Arc<Core>,
    exchange: Arc<Exchange>,
    mut request: Request<Body>,
) -> Response {
    exchange.account.operation(Operation::Ui);
    if let Some(waiting) = one_that_waits(&core, request.uri()) {
        return see(&format!("{}/_gateway/queries/{waiting}", exchange.base.prefix));
    }
    if let Some(page) = of_one_that_waited(&core, &exchange, request.uri()) {
        return page;
    }
    name_presently(&core.shared, &mut request);
    if let Some(only) = only(&exchange) {
        return alone(&core, &exchange, &only, request).await;
    }
    let unknown = unknown_assets(&core.shared, &exchange, &request);
    recall_assets(&core.shared, &unknown).await;
    match way::decide(
        &visit(&exchange, &request),
        &Now { shared: &core.shared, exchange: &exchange },
    ) {
        Way::To(name) => forward(&core, &exchange, &name, request).await,
        Way::See(name, path) => see(&location::behind_marker(&path, &name, &exchange.base)),
        Way::Listing => listing::answer(&exchange.snapshot, &exchange.base),
        Way::NoSuchBackend => no_such_backend(),
        Way::Refuse => nameless(&exchange),
        Way::Nowhere => not_running(),
    }
}

/// The statement that a page asks for, if it waits.
fn one_that_waits(core: &Core, uri: &Uri) -> Option<QueryId> {
    let id = query_id_of(uri.path(), uri.query())?;
    (is_ours(id) && core.shared.table.present_id(id) == id).then_some(id)
}

/// The way from the page of an id of ours to that of the query that it became.
fn of_one_that_waited(core: &Core, exchange: &Exchange, uri: &Uri) -> Option<Response> {
    let asked = query_id_of(uri.path(), uri.query()).filter(|id| is_ours(*id))?;
    let is_page = uri.path() == "/ui/query.html" && core.shared.table.present_id(asked) != asked;
    is_page.then(|| query(core, exchange, asked.as_str()))
}

/// Answers `/_gateway/ui`: the list, wherever one comes from.
pub(crate) fn list(exchange: &Exchange) -> Response {
    exchange.account.operation(Operation::Ui);
    listing::answer(&exchange.snapshot, &exchange.base)
}

/// Answers `/_gateway/ui/<id>`: leads to the query's page on its coordinator.
pub(crate) fn query(core: &Core, exchange: &Exchange, id: &str) -> Response {
    exchange.account.operation(Operation::Ui);
    let Some(id) = QueryId::parse(id) else { return answers::not_found() };
    let id = core.shared.table.present_id(id);
    match owner::find(&core.shared, &exchange.snapshot, exchange, id) {
        Owner::Known(backend, _) => see(&page_of(exchange, &backend, id)),
        Owner::OneOf(_) | Owner::NotYetKnown => listing::answer(&exchange.snapshot, &exchange.base),
        Owner::Nobody => answers::not_found(),
    }
}

fn page_of(exchange: &Exchange, backend: &Backend, id: QueryId) -> String {
    let path = match backend.version.as_deref() {
        Some(version) if is_before_the_new_ui(version) => format!("/ui/query.html?{id}"),
        _ => format!("/ui/#/queries/{id}"),
    };
    if exchange.snapshot.has_several_backends() {
        return location::behind_marker(&path, &backend.name, &exchange.base);
    }
    format!("{}{path}", exchange.base.prefix)
}

fn is_before_the_new_ui(version: &str) -> bool {
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    let number = version.get(..digits).and_then(|digits| digits.parse::<u32>().ok());
    number.is_some_and(|number| number < NEW_UI_SINCE)
}

/// The only backend, where there is one.
pub(crate) fn only(exchange: &Exchange) -> Option<Arc<Backend>> {
    let backends = &exchange.snapshot.backends;
    backends.values().next().filter(|_| backends.len() == 1).cloned()
}

async fn alone(
    core: &Core,
    exchange: &Exchange,
    only: &Arc<Backend>,
    request: Request<Body>,
) -> Response {
    match &exchange.marker {
        Some(name) if *name != only.name => no_such_backend(),
        _ if matches!(only.state, BackendState::Unhealthy | BackendState::Sleeping) => {
            not_running()
        }
        _ => one_way::to(core, exchange, only, request).await,
    }
}

/// A query that was sent again has another id than the one that its client shows.
fn name_presently(shared: &Shared, request: &mut Request<Body>) {
    let uri = request.uri();
    let Some(asked) = query_id_of(uri.path(), uri.query()) else { return };
    let present = shared.table.present_id(asked);
    let Some(path) = uri.path_and_query().filter(|_| asked != present) else { return };
    let renamed = path.as_str().replace(asked.as_str(), present.as_str());
    if let Ok(renamed) = PathAndQuery::try_from(renamed) {
        *request.uri_mut() = Uri::from(renamed);
    }
}

fn visit<'a>(exchange: &'a Exchange, request: &'a Request<Body>) -> Visit<'a> {
    let headers = request.headers();
    Visit {
        method: request.method(),
        path: request.uri().path(),
        query: request.uri().query(),
        marker: exchange.marker.as_ref(),
        referer: text(headers, &REFERER).and_then(|text| Referer::parse(text, &exchange.base)),
        navigates: match text(headers, &SEC_FETCH_MODE) {
            Some(mode) => mode == "navigate",
            None => text(headers, &ACCEPT).is_some_and(|types| types.contains("text/html")),
        },
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The assets that may tell whose a request is, where nobody here has served them.
fn unknown_assets(shared: &Shared, exchange: &Exchange, request: &Request<Body>) -> Vec<String> {
    let visit = visit(exchange, request);
    if visit.marker.is_some() || !shared.replicas.is_shared() {
        return Vec::new();
    }
    let unknown = visit.assets().filter(|path| shared.assets.owner(path).is_none());
    unknown.map(str::to_owned).collect()
}

/// Hears from the other replicas who served them.
async fn recall_assets(shared: &Shared, unknown: &[String]) {
    let paths: Vec<&str> = unknown.iter().map(String::as_str).collect();
    if let Some((path, backend)) = shared.replicas.tied(&paths).await {
        shared.assets.remember(path, &backend);
    }
}

/// Who is where at the time of a request.
struct Now<'a> {
    shared: &'a Shared,
    exchange: &'a Exchange,
}

impl Places for Now<'_> {
    fn exists(&self, name: &BackendName) -> bool {
        self.exchange.snapshot.backends.contains_key(name)
    }

    fn owner(&self, id: QueryId) -> Option<BackendName> {
        match owner::find(self.shared, &self.exchange.snapshot, self.exchange, id) {
            Owner::Known(backend, _) => Some(backend.name.clone()),
            Owner::OneOf(_) | Owner::Nobody | Owner::NotYetKnown => None,
        }
    }

    fn served(&self, path: &str) -> Option<BackendName> {
        self.shared.assets.owner(path).filter(|name| self.exists(name))
    }

    fn default(&self) -> Option<BackendName> {
        one_way::ready(self.exchange).map(|backend| backend.name.clone())
    }
}

async fn forward(
    core: &Core,
    exchange: &Exchange,
    name: &BackendName,
    mut request: Request<Body>,
) -> Response {
    let Some(backend) = exchange.snapshot.backends.get(name) else { return no_such_backend() };
    if backend.state == BackendState::Unhealthy {
        return not_running();
    }
    let path = request.uri().path();
    let is_shared = exchange.marker.is_none() && request.method() == Method::GET;
    let asset = (is_shared && assets::is_asset(path)).then(|| path.to_owned());
    cookies::inward(request.headers_mut(), name);
    let mut answer = one_way::to(core, exchange, backend, request).await;
    if let Some(path) = asset.filter(|_| answer.status().is_success())
        && core.shared.assets.remember(&path, name)
    {
        core.shared.replicas.tie(&path, name, assets::KEPT).await;
    }
    oauth2::login_begins(&core.shared, backend, answer.headers()).await;
    lead_back(answer.headers_mut(), exchange, name);
    answer
}

/// Makes what an answer sets and where it leads the backend's own.
pub(crate) fn lead_back(headers: &mut HeaderMap, exchange: &Exchange, name: &BackendName) {
    cookies::outward(headers, Some(name), &exchange.base);
    location::mark(headers, name, &exchange.base);
}

fn see(path: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(path) else { return answers::no_such_path() };
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    answer.headers_mut().insert(LOCATION, location);
    html::keep_referer(answer.headers_mut());
    answer
}

fn no_such_backend() -> Response {
    answers::text(StatusCode::NOT_FOUND, "the gateway knows no coordinator of that name")
}

/// A 503 would count as unmet demand, which the web UI is not.
fn not_running() -> Response {
    answers::text(StatusCode::BAD_GATEWAY, "the coordinator is not running")
}

fn nameless(exchange: &Exchange) -> Response {
    let words = format!(
        "the request does not say which coordinator it is for (no Referer): open the page again from {}/_gateway/ui",
        exchange.base
    );
    answers::text(StatusCode::BAD_REQUEST, &words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_ui_came_with_483() {
        for (version, old) in [("435", true), ("482-e.1", true), ("483", false), ("dev", false)] {
            assert_eq!(is_before_the_new_ui(version), old, "{version}");
        }
    }
}
