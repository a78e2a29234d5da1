//! The patch that pages of a backend needed last.
//!
//! Nearly all clients reach a gateway under one name, so nearly all early pages of a backend need the same patch, whose
//! five texts cost as much to write as a third of a page's head to read. One is kept; who asks under another name gets one
//! of its own, and takes the place only when nobody has wanted the kept one for a while. Nothing waits for it.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use arc_swap::ArcSwapOption;

use super::{Patch, Scope};
use crate::trino::{client_base::ClientBase, uris::Mode};

/// So many in a row want another one before the kept one goes: two names by turns do not drive each other out.
const PATIENCE: u8 = 16;

/// What a backend's patches follow from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Needs<'a> {
    /// How the backend is asked.
    pub mode: Mode,
    /// Where the client reaches the gateway.
    pub base: &'a ClientBase,
    /// What stands before the backend's own path: its marker, or nothing.
    pub marked: Option<&'a str>,
    /// Which URIs.
    pub scope: Scope,
}

#[derive(Debug)]
struct Made {
    mode: Mode,
    base: ClientBase,
    marked: Option<Box<str>>,
    scope: Scope,
    patch: Arc<Patch>,
}

impl Made {
    fn serves(&self, needs: &Needs<'_>) -> bool {
        self.mode == needs.mode
            && self.scope == needs.scope
            && self.marked.as_deref() == needs.marked
            && self.base == *needs.base
    }
}

/// The place for one patch.
#[derive(Debug, Default)]
pub struct Kept {
    made: ArcSwapOption<Made>,
    misses: AtomicU8,
}

impl Kept {
    /// The patch of these needs: the kept one, else one that is made.
    pub fn of(&self, needs: &Needs<'_>, make: impl FnOnce() -> Patch) -> Arc<Patch> {
        let kept = self.made.load();
        if let Some(made) = kept.as_ref().filter(|made| made.serves(needs)) {
            // Mostly it is 0, and a line of the cache that nobody writes is everybody's.
            if self.misses.load(Ordering::Relaxed) > 0 {
                self.misses.store(0, Ordering::Relaxed);
            }
            return Arc::clone(&made.patch);
        }
        let patch = Arc::new(make());
        if kept.is_none() || self.misses.fetch_add(1, Ordering::Relaxed) >= PATIENCE {
            self.misses.store(0, Ordering::Relaxed);
            self.made.store(Some(Arc::new(Made {
                mode: needs.mode,
                base: needs.base.clone(),
                marked: needs.marked.map(Into::into),
                scope: needs.scope,
                patch: Arc::clone(&patch),
            })));
        }
        patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::client_base::Scheme;

    /// The patch for that client, and whether it was made for this call.
    fn patch(kept: &Kept, host: &str, marked: Option<&str>, scope: Scope) -> (Arc<Patch>, bool) {
        let base =
            ClientBase { scheme: Scheme::Http, authority: host.to_owned(), prefix: String::new() };
        let mut made = false;
        let needs = Needs { mode: Mode::Host, base: &base, marked, scope };
        let patch = kept.of(&needs, || {
            made = true;
            Patch { from: vec![host.to_owned()], to: marked.unwrap_or_default().to_owned(), scope }
        });
        (patch, made)
    }

    #[test]
    fn what_was_needed_last_is_not_made_again_and_serves_no_other_need() {
        let kept = Kept::default();
        assert!(patch(&kept, "gw", Some("a"), Scope::Head).1);
        let (again, made) = patch(&kept, "gw", Some("a"), Scope::Head);
        assert!(!made);
        assert_eq!((&*again.to, &*again.from), ("a", &["gw".to_owned()][..]));
        for (host, marked, scope) in [
            ("other", Some("a"), Scope::Head),
            ("gw", Some("b"), Scope::Head),
            ("gw", None, Scope::Head),
            ("gw", Some("a"), Scope::Spooled),
        ] {
            let (other, made) = patch(&kept, host, marked, scope);
            assert!(made, "{host} {marked:?} {scope:?}");
            assert_eq!((&*other.from, other.scope), (&[host.to_owned()][..], scope));
        }
    }

    #[test]
    fn another_one_is_kept_once_nobody_wants_the_first() {
        let kept = Kept::default();
        let wants = |host| patch(&kept, host, None, Scope::Head).1;
        assert!(wants("gw"));
        for _ in 0..3 * PATIENCE {
            assert!(wants("other"), "by turns, the first one stays");
            assert!(!wants("gw"));
        }
        assert_eq!((0..=PATIENCE).filter(|_| wants("other")).count(), usize::from(PATIENCE) + 1);
        assert!(!wants("other"));
        assert!(wants("gw"));
    }
}
