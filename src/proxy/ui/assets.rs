//! Who served which asset: a font that a stylesheet asks for comes with the stylesheet's URL, not with the page's.
//!
//! Names of assets carry a hash of their content, so of two coordinators that have one, either will do. Bounded: paths
//! come from outside. Losing an entry costs one asset of a page, at worst.

use std::{sync::Mutex, time::Duration};

use ahash::AHashMap;
use sluice_routing::BackendName;

/// A version of the UI has some tens of assets, a fleet some versions.
const MOST: usize = 512;

/// Trino's are shorter than 100 bytes.
const LONGEST_PATH: usize = 256;

/// So long other replicas are told: a page that is open for longer has all that it asks for.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What is remembered; asking and telling lock it for a look-up.
#[derive(Debug, Default)]
pub(crate) struct Assets(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    served: AHashMap<String, (BackendName, u64)>,
    turn: u64,
}

/// Whether that path is one of an asset with a hash in its name, or of a picture.
pub(crate) fn is_asset(path: &str) -> bool {
    path.starts_with("/ui/assets/") || path.starts_with("/ui/static/")
}

impl Assets {
    /// Takes notice that the backend has that asset; whether that is news.
    pub(crate) fn remember(&self, path: &str, backend: &BackendName) -> bool {
        if path.len() > LONGEST_PATH {
            return false;
        }
        let Ok(mut recent) = self.0.lock() else { return false };
        recent.turn += 1;
        let turn = recent.turn;
        if recent.served.len() >= MOST && !recent.served.contains_key(path) {
            recent.drop_oldest();
        }
        let before = recent.served.insert(path.to_owned(), (backend.clone(), turn));
        before.is_none_or(|(before, _)| before != *backend)
    }

    /// The backend that served that asset last.
    pub(crate) fn owner(&self, path: &str) -> Option<BackendName> {
        let recent = self.0.lock().ok()?;
        recent.served.get(path).map(|(backend, _)| backend.clone())
    }
}

impl Recent {
    fn drop_oldest(&mut self) {
        let oldest = self.served.iter().min_by_key(|(_, (_, turn))| *turn);
        if let Some(path) = oldest.map(|(path, _)| path.clone()) {
            self.served.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let assets = Assets::default();
        let a = BackendName::parse("a").unwrap();
        for number in 0..=MOST {
            assets.remember(&format!("/ui/assets/{number}.js"), &a);
        }
        assert_eq!(assets.owner("/ui/assets/0.js"), None);
        assert_eq!(assets.owner("/ui/assets/1.js"), Some(a.clone()));
        assets.remember(&"x".repeat(LONGEST_PATH + 1), &a);
        assert_eq!(assets.owner(&"x".repeat(LONGEST_PATH + 1)), None);
    }
}
