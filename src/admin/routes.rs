//! Every route, once: listener, method, path, who may, what it answers. The routers and the golden file
//! `tests/golden/admin-api.txt` come from this table.

use axum::{Router, middleware, routing};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    admin::{
        Operated, Seen, answer, auth, demand, events, health as healthy, operate, profiles,
        queries, scrape, status,
    },
    profiling::Profiler,
};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Which listener has it.
    pub listener: &'static str,
    /// The HTTP method; `GET` includes `HEAD`.
    pub method: &'static str,
    /// The path, parameters in braces.
    pub path: &'static str,
    /// `open`, or `operator`: the bearer token, or without one a local request.
    pub who: &'static str,
    /// The status codes it answers, besides 404 and 405 for all that is not in the table.
    pub answers: &'static [u16],
}

macro_rules! routes {
    ($($listener:ident $who:ident ($state:ty) {
        $($method:ident $path:literal [$($answer:literal)+] => $answers:path;)+
    })+) => {
        /// Every route.
        pub const ROUTES: &[Route] = &[$($(Route {
            listener: stringify!($listener),
            method: stringify!($method),
            path: $path,
            who: stringify!($who),
            answers: &[$($answer),+],
        },)+)+];

        $(
            #[doc = concat!("What the listener `", stringify!($listener), "` serves.")]
            pub fn $listener(state: $state) -> Router {
                let router = Router::new()
                    $(.route($path, routes!(@method $method)($answers)))+
                    .fallback(answer::no_such_path)
                    .method_not_allowed_fallback(answer::wrong_method);
                routes!(@guard $who router, state).layer(CatchPanicLayer::new())
            }
        )+
    };
    (@method GET) => { routing::get };
    (@method POST) => { routing::post };
    (@guard open $router:ident, $state:ident) => { $router.with_state($state) };
    (@guard operator $router:ident, $state:ident) => {
        $router.layer(middleware::from_fn_with_state($state.clone(), auth::guard)).with_state($state)
    };
}

routes! {
    metrics open (Seen) {
        GET "/metrics" [200] => scrape::metrics;
    }
    health open (Seen) {
        GET "/healthz" [200] => healthy::alive;
        GET "/readyz" [200 503] => healthy::ready;
        GET "/api/v1/status" [200] => status::all;
        GET "/api/v1/routing-groups" [200] => status::groups;
        GET "/api/v1/routing-groups/{group}" [200 404] => status::group;
        GET "/api/v1/routing-groups/{group}/demand" [200 404 503] => demand::demand;
    }
    profiling open (Profiler) {
        GET "/debug/pprof/profile" [200 400 409 503] => profiles::profile;
        GET "/debug/pprof/flamegraph" [200 400 409 503] => profiles::flame_graph;
        GET "/debug/pprof/heap" [501] => profiles::heap;
        GET "/debug/pprof/tasks" [501] => profiles::tasks;
        GET "/debug/pprof/mutex" [501] => profiles::mutex;
    }
    commands operator (Operated) {
        GET "/api/v1/queries" [200 400 401 403] => queries::all;
        GET "/api/v1/queries/{id}" [200 401 403 404] => queries::one;
        GET "/api/v1/events" [200 400 401 403] => events::all;
        POST "/admin/reload" [200 401 403 422 503] => operate::reload;
        GET "/admin/log-level" [200 401 403] => operate::log_level;
        POST "/admin/log-level" [200 400 401 403] => operate::set_log_level;
        POST "/admin/backends/{backend}/activate" [200 401 403 404 503] => operate::activate;
        POST "/admin/backends/{backend}/deactivate" [200 401 403 404 503] => operate::deactivate;
        POST "/admin/backends/{backend}/drain" [200 401 403 404 503] => operate::drain;
        POST "/admin/groups/{group}/resume" [200 401 403 404 409 503] => operate::resume;
        POST "/admin/groups/{group}/suspend" [200 401 403 404 409 503] => operate::suspend;
    }
}
