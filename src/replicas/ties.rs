//! What belongs to one coordinator and bears no query id: transactions, logins, assets of the web UI. A tie is written
//! before the answer that makes it goes out, since nothing else leads to its coordinator from another replica.
//!
//! Names are kept as digests: they come from outside, and some are worth a login. No end is written; a tie that is left
//! over leads to a coordinator that says itself what it knows.

use std::{fmt::Write as _, time::Duration};

use sha2::{Digest as _, Sha256};
use sluice_routing::BackendName;

use super::Replicas;
use crate::store::{Change, Key, Kind};

impl Replicas {
    /// Ties a name to a backend for every replica; while the store is lost that is done when it is back.
    pub(crate) async fn tie(&self, name: &str, backend: &BackendName, life: Duration) {
        let Some(mates) = &self.shared else { return };
        let tie = tie(name, backend, life);
        if mates.store.apply(vec![tie.clone()]).await.is_err() {
            mates.store.later(tie);
        }
    }

    /// The tie is in use: it lives on, some time soon.
    pub(crate) fn renew_tie(&self, name: &str, backend: &BackendName, life: Duration) {
        if let Some(mates) = &self.shared {
            mates.store.later(tie(name, backend, life));
        }
    }

    /// The first of these names that another replica has tied, and to which backend.
    pub(crate) async fn tied<'a>(&self, names: &[&'a str]) -> Option<(&'a str, BackendName)> {
        let mates = self.shared.as_ref().filter(|_| !names.is_empty())?;
        let found =
            mates.store.get_many(names.iter().map(|name| key(name)).collect()).await.ok()?;
        let mut found = names.iter().zip(found);
        found.find_map(|(name, found)| {
            let backend = BackendName::parse(std::str::from_utf8(&found?.value).ok()?)?;
            Some((*name, backend))
        })
    }
}

fn tie(name: &str, backend: &BackendName, life: Duration) -> Change {
    Change::put(key(name), backend.as_str().to_owned(), life)
}

fn key(name: &str) -> Key {
    let digest = Sha256::digest(name);
    let hex = digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Key::new(Kind::Tie, hex)
}
