//! Which certificate a client is shown: the one that bears the name it asks for (SNI), else the first.
//!
//! A certificate that names a host wins over one that covers it by `*.`; among equals the file's order counts.

use std::sync::Arc;

use rustls::{
    client::verify_server_name,
    pki_types::ServerName,
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};

/// In the place of a host's own label: only a `*.` covers it.
const NO_HOST: &str = "no-host-has-this-name";

/// The certificates in the file's order.
#[derive(Debug)]
pub(super) struct Chooser(Vec<Arc<CertifiedKey>>);

impl Chooser {
    pub(super) fn new(pairs: Vec<Arc<CertifiedKey>>) -> Self {
        Self(pairs)
    }

    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let pair = match (self.0.as_slice(), name) {
            ([only], _) => Some(only),
            (all, None) => all.first(),
            (all, Some(name)) => {
                let sibling = name.split_once('.').map(|(_, rest)| format!("{NO_HOST}.{rest}"));
                let by_star = |pair: &CertifiedKey| {
                    sibling.as_deref().is_some_and(|sibling| covers(pair, sibling))
                };
                let named = || all.iter().filter(|pair| covers(pair, name));
                named().find(|pair| !by_star(pair)).or_else(|| named().next()).or(all.first())
            }
        };
        pair.map(Arc::clone)
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}

fn covers(pair: &CertifiedKey, name: &str) -> bool {
    let Ok(name) = ServerName::try_from(name) else { return false };
    let parsed = pair.cert.first().map(ParsedCertificate::try_from);
    parsed
        .is_some_and(|parsed| parsed.is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok()))
}

#[cfg(test)]
mod tests;
