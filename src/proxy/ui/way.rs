//! Which coordinator a request of Trino's web UI belongs to: the rule of six steps, as a pure function.
//!
//! Trino's pages call `/ui/…` with absolute paths and name no coordinator there. What does is the marker in the path
//! of the page itself, which comes back as the `Referer` of everything that the page asks for; else a query id; else
//! nothing. So no cookie decides, and two tabs on two coordinators do not disturb each other. What changes something
//! is never left to the default.

use http::Method;
use sluice_routing::{BackendName, QueryId, query_id_of};

use super::assets::is_asset;
use crate::trino::{client_base::ClientBase, marker};

/// What is known of a request to the web UI.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) method: &'a Method,
    /// Behind the client's prefix and the marker.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) marker: Option<&'a BackendName>,
    pub(crate) referer: Option<Referer<'a>>,
    /// Whether a browser's window goes there, and not a script of a page.
    pub(crate) navigates: bool,
}

/// The page that a request comes from.
#[derive(Debug)]
pub(crate) struct Referer<'a> {
    marker: Option<BackendName>,
    path: &'a str,
    query: Option<&'a str>,
}

/// Who is where.
pub(crate) trait Places {
    /// Whether there is such a backend.
    fn exists(&self, name: &BackendName) -> bool;
    /// Whose query that is.
    fn owner(&self, id: QueryId) -> Option<BackendName>;
    /// Who served that asset before.
    fn served(&self, path: &str) -> Option<BackendName>;
    /// Who answers what nobody else claims.
    fn default(&self) -> Option<BackendName>;
}

/// What becomes of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// That backend answers it.
    To(BackendName),
    /// 303 to this path behind that backend's marker.
    See(BackendName, String),
    /// The gateway's own list of coordinators.
    Listing,
    /// The marker names no backend.
    NoSuchBackend,
    /// It would change something, and only the default would take it.
    Refuse,
    /// Not even a default is running.
    Nowhere,
}

/// Chooses; the first step that knows wins.
pub(crate) fn decide(visit: &Visit<'_>, places: &impl Places) -> Way {
    if let Some(name) = visit.marker {
        return marked(visit, name, places);
    }
    let page = visit.referer.as_ref().and_then(|referer| referer.marker.clone());
    let page = page.filter(|name| places.exists(name));
    if let Some(page) = &page
        && visit.enters()
    {
        return Way::See(page.clone(), visit.target());
    }
    let id = query_id_of(visit.path, visit.query);
    if let Some(owner) = id.and_then(|id| places.owner(id)) {
        return if visit.is_page() { Way::See(owner, visit.target()) } else { Way::To(owner) };
    }
    if page.is_none() && visit.is_read() && visit.is_entrance() {
        return Way::Listing;
    }
    match page.or_else(|| referred(visit, places)).or_else(|| places.served(visit.path)) {
        Some(name) => Way::To(name),
        None if visit.is_read() => places.default().map_or(Way::Nowhere, Way::To),
        None => Way::Refuse,
    }
}

fn marked(visit: &Visit<'_>, name: &BackendName, places: &impl Places) -> Way {
    if !places.exists(name) {
        return Way::NoSuchBackend;
    }
    // Trino's own redirect to `/ui/` would lose the marker.
    if visit.is_read() && visit.is_entrance() && visit.path != "/ui/" {
        return Way::See(name.clone(), visit.target());
    }
    Way::To(name.clone())
}

/// Who the page without a marker, or the asset, that asks belongs to.
fn referred(visit: &Visit<'_>, places: &impl Places) -> Option<BackendName> {
    let referer = visit.referer.as_ref()?;
    let owner = query_id_of(referer.path, referer.query).and_then(|id| places.owner(id));
    owner.or_else(|| places.served(referer.path))
}

impl Visit<'_> {
    /// The paths of assets that may tell whose it is: first that of the asset which asks, then its own. None where the
    /// page that asks bears a marker.
    pub(crate) fn assets(&self) -> impl Iterator<Item = &str> {
        let is_marked = self.referer.as_ref().is_some_and(|referer| referer.marker.is_some());
        let paths =
            self.referer.as_ref().map(|referer| referer.path).into_iter().chain([self.path]);
        paths.filter(move |path| !is_marked && is_asset(path))
    }

    fn is_read(&self) -> bool {
        matches!(*self.method, Method::GET | Method::HEAD)
    }

    fn is_entrance(&self) -> bool {
        matches!(self.path, "/" | "/ui" | "/ui/")
    }

    /// A GET of a window only: a login form that is redirected loses its body.
    fn enters(&self) -> bool {
        self.method == Method::GET
            && self.navigates
            && (self.is_entrance() || self.path.starts_with("/ui/"))
    }

    /// Whether it is a page of the old UI, `/ui/query.html?<id>`.
    fn is_page(&self) -> bool {
        self.method == Method::GET && (self.path.ends_with(".html") || self.is_entrance())
    }

    /// Path and query, the entrance in the form that is no redirect.
    fn target(&self) -> String {
        let path = if self.is_entrance() { "/ui/" } else { self.path };
        match self.query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }
}

impl<'a> Referer<'a> {
    /// Takes a `Referer` apart. Its host is not looked at: another site's page shows no path here, and a proxy in
    /// front may have another name than the one that we are called by.
    pub(crate) fn parse(text: &'a str, base: &ClientBase) -> Option<Self> {
        let (_, rest) = text.split_once("://")?;
        let target = rest.get(rest.find('/')?..)?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let below = base.strip(path);
        let (marker, path) = match marker::strip(below) {
            Some((name, path)) => (Some(name), path),
            None => (None, below),
        };
        Some(Self { marker, path, query })
    }
}

#[cfg(test)]
#[allow(non_snake_case, reason = "tests bear the ids of the facts")]
mod tests;
