//! The files that a configuration names and that are read when it is taken over: certificates and keys of `data.tls`.
//!
//! They change on their own, when a certificate is renewed; so the watcher asks for their digest beside the hash of
//! `sluice.yaml` itself. Files that their users look at themselves (tokens, passwords, the scaler's certificate, what
//! coordinators prove themselves by) are not among them.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::config::{certificates, model::Config};

/// Every file in the order of the configuration.
pub(crate) fn files(config: &Config) -> impl Iterator<Item = &Path> {
    config.data.tls.iter().flat_map(|tls| {
        let others = tls.others.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        [&tls.certificate, &tls.key].into_iter().chain(others).map(|path| path.as_path())
    })
}

/// Another text whenever one of the files holds something else, or can no longer be read; empty without files.
pub(crate) fn digest(config: &Config) -> String {
    let mut digest = None;
    for file in files(config) {
        let digest = digest.get_or_insert_with(Sha256::new);
        // Lengths, so that what moves from one file into the next is a change.
        let bytes = certificates::bytes(file).unwrap_or_else(String::into_bytes);
        digest.update(bytes.len().to_le_bytes());
        digest.update(bytes);
    }
    digest.map_or_else(String::new, |digest| format!("{:x}", digest.finalize()))
}
