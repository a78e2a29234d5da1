//! A certificate authority of the test's own, what it signs, and servers' settings that a test may change while they run.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as files hold them.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    /// A new one that nobody trusts yet.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// For a server of these names or addresses.
    pub(crate) fn server(&self, names: &[&str]) -> Issued {
        self.sign(params(names))
    }

    /// For the simulators, which listen on loopback.
    pub(crate) fn local(&self) -> Issued {
        self.server(&["127.0.0.1", "localhost", "::1"])
    }

    /// For loopback, and it ended long ago.
    pub(crate) fn expired(&self) -> Issued {
        let mut params = params(&["127.0.0.1"]);
        (params.not_before, params.not_after) =
            (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 2, 3));
        self.sign(params)
    }

    /// For a client.
    pub(crate) fn client(&self, name: &str) -> Issued {
        let mut params = params(&[name]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

impl Issued {
    /// Writes `<name>.crt` and `<name>.key` and gives back their paths.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let paths = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        std::fs::write(&paths.0, &self.certificate).unwrap();
        std::fs::write(&paths.1, &self.key).unwrap();
        paths
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        Arc::new(CertifiedKey::from_der(chain, key, &provider()).unwrap())
    }
}

/// What a server shows to whoever connects from now on.
#[derive(Clone, Debug)]
pub(crate) struct Shown(Arc<Mutex<Arc<CertifiedKey>>>);

impl Shown {
    pub(crate) fn new(issued: &Issued) -> Self {
        Self(Arc::new(Mutex::new(issued.certified())))
    }

    /// Shows another one to the next connection.
    pub(crate) fn show(&self, issued: &Issued) {
        *self.0.lock().unwrap() = issued.certified();
    }

    /// A server that offers HTTP/2 first, as Jetty does, and keeps no sessions: every connection is judged anew.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.made(None)
    }

    /// The same, that wants a certificate signed by `clients`.
    pub(crate) fn server_for(&self, clients: &Authority) -> Arc<ServerConfig> {
        self.made(Some(clients))
    }

    fn made(&self, clients: Option<&Authority>) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let roots = Arc::new(clients.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Arc::new(config)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap()))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
