//! The gateway's own page before Trino's web UIs: which coordinators there are, with a link to each.
//!
//! It is what `GET /ui/` shows where there are several. A browser that follows a query's `infoUri` to Trino's new UI
//! keeps the query's id in the fragment, which never reaches a server: the page's script reads it and goes on to where
//! the gateway can tell whose query it is.

use std::fmt::Write as _;

use axum::response::Response;
use http::HeaderValue;

use super::html::{self, Escaped};
use crate::{
    snapshot::{Backend, BackendState, Snapshot},
    trino::{client_base::ClientBase, marker},
};

/// Trino's new UI names a query in the fragment: `#/queries/<id>`.
const SCRIPT: &str = r#"const id = /^#\/queries\/(\d{8}_\d{6}_\d{5}_[a-z0-9]{5})/.exec(location.hash);
if (id) location.replace(document.body.dataset.prefix + "/_gateway/ui/" + id[1]);"#;

const STYLE: &str =
    "body{font:15px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:44rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .8rem .4rem 0}
tr+tr{border-top:1px solid #ddd}th{font-weight:600}@media(prefers-color-scheme:dark){
body{background:#16181d;color:#ddd}a{color:#8ab4f8}tr+tr{border-color:#333}}";

/// The list as an answer.
pub(crate) fn answer(snapshot: &Snapshot, base: &ClientBase) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
    );
    html::answer(page(snapshot, base), POLICY)
}

fn page(snapshot: &Snapshot, base: &ClientBase) -> String {
    let prefix = Escaped(&base.prefix);
    let mut rows = String::new();
    for backend in in_order(snapshot) {
        let _ = write!(
            rows,
            "<tr><td><a href=\"{prefix}{}/ui/\">{}</a><td>{}<td>{}<td>{}",
            marker::prefix(&backend.name),
            backend.name,
            Escaped(backend.group.as_ref()),
            state(backend),
            Escaped(backend.version.as_deref().unwrap_or_default()),
        );
    }
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Trino coordinators</title>\
         <meta name=viewport content=\"width=device-width\"><style>{STYLE}</style>\
         <body data-prefix=\"{prefix}\"><h1>Trino coordinators</h1>\
         <table><tr><th>Coordinator<th>Routing group<th>State<th>Version{rows}</table>\
         <script>{SCRIPT}</script>"
    )
}

/// In the order of the file; those that it no longer names at the end.
fn in_order(snapshot: &Snapshot) -> Vec<&Backend> {
    let mut listed: Vec<&Backend> =
        snapshot.groups.iter().flat_map(|group| &group.members).map(AsRef::as_ref).collect();
    let mut retired: Vec<&Backend> =
        snapshot.backends.values().map(AsRef::as_ref).filter(|backend| backend.retired).collect();
    retired.sort_by(|one, other| one.name.cmp(&other.name));
    listed.extend(retired);
    listed
}

fn state(backend: &Backend) -> &'static str {
    match backend.state {
        BackendState::Healthy => "ready",
        BackendState::Unhealthy => "not running",
        BackendState::Sleeping => "asleep",
        BackendState::Resuming => "starting",
        BackendState::Draining => "draining",
        BackendState::Inactive => "inactive",
    }
}
