//! TLS between clients and proxies: a certificate for this machine, made anew for each run, and clients that trust it.

use std::{fs, path::PathBuf, sync::Arc};

use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

/// What a server is known by.
const NAME: &str = "localhost";

/// A certificate, its key, and who trusts it.
pub(crate) struct Secret {
    /// PEM files: the certificate, its key, and both in one, as HAProxy wants them.
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) both: PathBuf,
    /// A client that trusts it.
    pub(crate) client: Trusting,
    _folder: tempfile::TempDir,
}

/// A client's side of TLS.
#[derive(Clone)]
pub(crate) struct Trusting(pub(crate) TlsConnector, pub(crate) ServerName<'static>);

impl std::fmt::Debug for Trusting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TLS")
    }
}

impl Secret {
    /// A new one.
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("a file");
            path
        };
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a certificate");
        // HTTP/1.1: no other protocol is offered.
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(NAME).expect("a name");
        Self {
            certificate: put("certificate.pem", &certificate),
            key: put("key.pem", &key),
            both: put("both.pem", &format!("{certificate}{key}")),
            client: Trusting(TlsConnector::from(Arc::new(client)), name),
            _folder: folder,
        }
    }
}
