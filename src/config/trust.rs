//! `backends[].tls`, made into what a TLS client needs: files read, certificate and key held against each other.
//!
//! Files are read anew each time, since certificates are renewed under their old names; whoever keeps a [`Trust`] sees by
//! its [`TrustId`] whether anything changed. Only HTTP/1.1 is offered, which is all that the gateway speaks to
//! coordinators. Nothing is connected to here.

mod no_tls;
mod unjudged;

use std::{collections::HashMap, fmt, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer, TrustAnchor,
        pem::{self, PemObject},
    },
};
use sha2::{Digest, Sha256};

use self::unjudged::Unjudged;
use crate::config::model::UpstreamTls;

pub use self::no_tls::NoTls;

/// A file of certificates and keys is some kilobytes; the system's own roots are a quarter of this.
const LARGEST_FILE: u64 = 1 << 20;

/// How the gateway and a coordinator prove themselves to each other.
pub struct Trust {
    client: Arc<ClientConfig>,
    id: TrustId,
}

/// Equal for equal settings and equal contents of all files: connections of the one may serve the other.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct TrustId([u8; 32]);

/// What is wrong with one key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrong {
    /// The key of `tls`; `None`: all of it.
    pub key: Option<&'static str>,
    /// In words, with the file's name.
    pub words: String,
}

/// Reads the settings of many backends; those that are the same, and the system's roots, are read once.
#[derive(Debug, Default)]
pub struct Reader {
    read: HashMap<UpstreamTls, Result<Arc<Trust>, Wrong>>,
    system: Option<Arc<RootCertStore>>,
}

impl Trust {
    /// For a TLS connection.
    pub fn client(&self) -> &Arc<ClientConfig> {
        &self.client
    }

    /// What it was made from.
    pub fn id(&self) -> TrustId {
        self.id
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A private key went into it: it is shown by no digit.
impl fmt::Debug for TrustId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrustId")
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            Some(key) => write!(f, "tls.{key}: {}", self.words),
            None => write!(f, "tls: {}", self.words),
        }
    }
}

impl Reader {
    /// Reads what the settings name; `None` are those of a backend that says nothing of TLS.
    ///
    /// # Errors
    ///
    /// What is wrong with which key, in words.
    pub fn read(&mut self, tls: Option<&UpstreamTls>) -> Result<Arc<Trust>, Wrong> {
        let tls = tls.cloned().unwrap_or_default();
        if let Some(read) = self.read.get(&tls) {
            return read.clone();
        }
        let read = self.make(&tls).map(Arc::new);
        self.read.insert(tls, read.clone());
        read
    }

    fn make(&mut self, tls: &UpstreamTls) -> Result<Trust, Wrong> {
        let mut seen = Sha256::new();
        seen.update([u8::from(tls.insecure_skip_verify)]);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Wrong { key: None, words: error.to_string() })?;
        let judged = if tls.insecure_skip_verify {
            let unjudged = Arc::new(Unjudged(provider));
            versions.dangerous().with_custom_certificate_verifier(unjudged)
        } else {
            versions.with_root_certificates(self.roots(tls.ca.as_deref(), &mut seen)?)
        };
        let mut client = match identity(tls, &mut seen)? {
            None => judged.with_no_client_auth(),
            Some((chain, key)) => {
                judged.with_client_auth_cert(chain, key).map_err(|error| mismatch(&error))?
            }
        };
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Trust { client: Arc::new(client), id: TrustId(seen.finalize().into()) })
    }

    /// Those of the file, else the system's.
    fn roots(&mut self, ca: Option<&Path>, seen: &mut Sha256) -> Result<Arc<RootCertStore>, Wrong> {
        let roots = match ca {
            Some(path) => Arc::new(authorities(path)?),
            None => Arc::clone(self.system.get_or_insert_with(|| Arc::new(system()))),
        };
        // The system's come in any order.
        let known = |root: &TrustAnchor<'_>| {
            let mut one = Sha256::new();
            add(&mut one, root.subject.as_ref());
            add(&mut one, root.subject_public_key_info.as_ref());
            one.finalize()
        };
        let mut known: Vec<_> = roots.roots.iter().map(known).collect();
        known.sort_unstable();
        known.iter().for_each(|root| add(seen, root));
        Ok(roots)
    }
}

/// The roots of this machine. One that has none can reach no coordinator that is judged by them, and its probes say so.
fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn authorities(path: &Path) -> Result<RootCertStore, Wrong> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca", path, &file("ca", path)?)? {
        roots.add(certificate).map_err(|error| {
            wrong("ca", format!("`{}` holds no usable certificate: {error}", path.display()))
        })?;
    }
    Ok(roots)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The gateway's own certificate, if it has one for this coordinator.
fn identity(tls: &UpstreamTls, seen: &mut Sha256) -> Result<Option<Identity>, Wrong> {
    let (chain, key) = match (&tls.certificate, &tls.key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(wrong("certificate", "its `key` is missing")),
        (None, Some(_)) => return Err(wrong("key", "its `certificate` is missing")),
        (Some(chain), Some(key)) => (chain, key),
    };
    let bytes = file("certificate", chain)?;
    add(seen, &bytes);
    let chain = certificates("certificate", chain, &bytes)?;
    let bytes = file("key", key)?;
    add(seen, &bytes);
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        wrong("key", format!("`{}` holds no private key: {}", key.display(), pem(&error)))
    })?;
    Ok(Some((chain, key)))
}

fn certificates(
    key: &'static str,
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let refused =
        |words: &str| wrong(key, format!("`{}` holds no certificate: {words}", path.display()));
    match read {
        Ok(found) if found.is_empty() => Err(refused(&pem(&pem::Error::NoItemsFound))),
        Ok(found) => Ok(found),
        Err(error) => Err(refused(&pem(&error))),
    }
}

/// Never quotes the file, which may be a key.
fn pem(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "there is no such PEM section in it".to_owned(),
        pem::Error::MissingSectionEnd { .. } => "a PEM section in it has no end".to_owned(),
        pem::Error::Base64Decode(_) => "a PEM section in it is no base64".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a PEM section in it has no beginning".to_owned(),
        _ => "it is no PEM file".to_owned(),
    }
}

fn mismatch(error: &rustls::Error) -> Wrong {
    match error {
        rustls::Error::InconsistentKeys(_) => wrong("key", "it is not the key of `certificate`"),
        rustls::Error::InvalidCertificate(_) => wrong("certificate", "it is no certificate"),
        other => wrong("key", format!("it cannot be used: {other}")),
    }
}

fn file(key: &'static str, path: &Path) -> Result<Vec<u8>, Wrong> {
    let failed = |words: &str| wrong(key, format!("`{}` {words}", path.display()));
    let unreadable = |error: std::io::Error| failed(&format!("cannot be read: {error}"));
    let about = std::fs::metadata(path).map_err(unreadable)?;
    if !about.is_file() {
        return Err(failed("is no file"));
    }
    if about.len() > LARGEST_FILE {
        return Err(failed("is too large for certificates"));
    }
    std::fs::read(path).map_err(unreadable)
}

/// With its length, so that no two series of texts look the same.
fn add(seen: &mut Sha256, bytes: &[u8]) {
    seen.update(bytes.len().to_be_bytes());
    seen.update(bytes);
}

fn wrong(key: &'static str, words: impl Into<String>) -> Wrong {
    Wrong { key: Some(key), words: words.into() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests;
