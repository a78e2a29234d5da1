//! Certificates that are renewed under their old names: the files of `backends[].tls` are read again every few seconds.
//!
//! The configuration's own watcher sees only its own file, and a renewed certificate changes nothing in that. A file that
//! cannot be used is told once and leaves its own backend, and no other, as it is. Nothing is put to work here: the fold
//! does that.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sluice_routing::BackendName;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    backends::fold::Order,
    config::trust::{Reader, Trust},
    snapshot::{Current, Snapshot},
};

/// As often as the configuration is read where it cannot be watched; some files of a few kilobytes.
const INTERVAL: Duration = Duration::from_secs(5);

/// Files with other contents than those that are at work.
#[derive(Debug)]
pub(crate) struct Renewed {
    /// Of the configuration that names them: under another one they may mean something else.
    pub(crate) hash: Arc<str>,
    /// What they amount to now.
    pub(crate) trusts: Vec<(BackendName, Arc<Trust>)>,
}

/// What one look found.
struct Found {
    renewed: Renewed,
    /// Why a backend's files cannot be used.
    unusable: BTreeMap<BackendName, String>,
}

/// Looks until it is cancelled.
pub(crate) async fn run(current: Current, orders: mpsc::Sender<Order>, cancel: CancellationToken) {
    cancel.run_until_cancelled(watch(current, orders)).await;
}

async fn watch(current: Current, orders: mpsc::Sender<Order>) {
    let mut told = BTreeMap::new();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let snapshot = current.load_full();
        let Ok(found) = tokio::task::spawn_blocking(move || look(&snapshot)).await else { return };
        for (backend, error) in &found.unusable {
            if told.get(backend) != Some(error) {
                tracing::warn!(
                    event = "tls_files_rejected", %backend, %error,
                    "changed files cannot be used; the certificates from before stay at work"
                );
            }
        }
        told = found.unusable;
        let is_news = !found.renewed.trusts.is_empty();
        if is_news && orders.send(Order::Renew(found.renewed)).await.is_err() {
            return;
        }
    }
}

/// Reads all files that the configuration names, and compares.
fn look(snapshot: &Snapshot) -> Found {
    let (mut reader, hash) = (Reader::default(), Arc::clone(&snapshot.config_hash));
    let mut found =
        Found { renewed: Renewed { hash, trusts: Vec::new() }, unusable: BTreeMap::new() };
    for backend in snapshot.config.routing_groups.iter().flat_map(|group| &group.backends) {
        let Some(tls) = &backend.tls else { continue };
        let Some(name) = BackendName::parse(&backend.name) else { continue };
        let known = snapshot.backends.get(&name).and_then(|known| known.trust.as_ref());
        let Some(known) = known else { continue };
        match reader.read(Some(tls)) {
            Ok(trust) if trust.id() != known.id() => found.renewed.trusts.push((name, trust)),
            Ok(_) => {}
            Err(wrong) => drop(found.unusable.insert(name, wrong.to_string())),
        }
    }
    found
}
