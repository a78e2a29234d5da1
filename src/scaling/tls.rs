//! TLS of the scaler's port: one certificate, HTTP/2 only, and KEDA's own certificate where it is wanted.
//!
//! The files are looked at before each handshake, of which there are few, so that a renewed pair is taken at the next
//! one. A pair that cannot be read is refused in words, and the one before it stays.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::SingleCertAndKey,
};
use tokio_rustls::TlsAcceptor;

use crate::config::{
    certificates::{self, Part, Wrong},
    model::ScalerTls,
};

/// The pair that is shown, and where its next one comes from.
pub struct Tls {
    files: ScalerTls,
    shown: Mutex<Shown>,
}

struct Shown {
    acceptor: TlsAcceptor,
    /// When the files were changed that it comes from, or that were refused last.
    of: Vec<Option<SystemTime>>,
}

impl Tls {
    /// Reads the files; fails with what is wrong with which of them.
    pub fn read(files: &ScalerTls) -> Result<Arc<Self>, String> {
        let of = changed(files);
        let acceptor = acceptor(files)?;
        Ok(Arc::new(Self { files: files.clone(), shown: Mutex::new(Shown { acceptor, of }) }))
    }

    pub(super) async fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let this = Arc::clone(self);
        // Files may lie on a slow disk.
        let _ = tokio::task::spawn_blocking(move || this.renew()).await;
        self.shown().acceptor.clone()
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renew(&self) {
        let of = changed(&self.files);
        if of == self.shown().of {
            return;
        }
        // Read without the lock, which other handshakes want.
        let read = acceptor(&self.files);
        let mut shown = self.shown();
        shown.of = of;
        match read {
            Ok(acceptor) => {
                shown.acceptor = acceptor;
                tracing::info!("the scaler shows a new certificate");
            }
            Err(words) => {
                tracing::warn!(
                    error = words,
                    "the scaler's new certificate is refused; the old one stays"
                );
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn changed(files: &ScalerTls) -> Vec<Option<SystemTime>> {
    let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
    let changed = |path: &PathBuf| path.metadata().and_then(|about| about.modified()).ok();
    paths.into_iter().flatten().map(changed).collect()
}

fn acceptor(files: &ScalerTls) -> Result<TlsAcceptor, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pair =
        certificates::pair(&files.certificate, &files.key).map_err(|wrong| words(files, &wrong))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &files.client_ca {
        Some(path) => builder.with_client_cert_verifier(verifier(path, provider)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn words(files: &ScalerTls, wrong: &[Wrong]) -> String {
    let told = wrong.iter().map(|Wrong { part, what }| match part {
        Part::Certificate => {
            format!("scaler.tls.certificate {}: {what}", files.certificate.display())
        }
        Part::Key => format!("scaler.tls.key {}: {what}", files.key.display()),
    });
    told.collect::<Vec<_>>().join("; ")
}

fn verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let wrong =
        |error: &dyn fmt::Display| format!("scaler.tls.clientCa {}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    let chain = certificates::bytes(path).and_then(|bytes| certificates::chain(&bytes));
    for certificate in chain.map_err(|error| wrong(&error))? {
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| wrong(&error))
}
