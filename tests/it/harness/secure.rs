//! Certificates made for one test, the files that name them, and clients that trust nothing else.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::aws_lc_rs::default_provider,
    pki_types::ServerName,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An authority of the test's own, and a folder with what it signed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// The two files of a pair.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    /// As it stands in YAML.
    pub(crate) fn yaml(&self) -> String {
        let Self { certificate, key } = self;
        format!("certificate: \"{}\", key: \"{}\"", certificate.display(), key.display())
    }

    /// Puts other bytes in the place of both, first the certificate.
    pub(crate) fn replace(&self, other: &Self) {
        std::fs::copy(&other.certificate, &self.certificate).expect("a certificate");
        std::fs::copy(&other.key, &self.key).expect("a key");
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self { issuer, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Signs a certificate for these names and addresses and writes it down.
    pub(crate) fn signs(&self, file: &str, names: &[&str]) -> Files {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names");
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        let certificate = self.write(&format!("{file}.crt"), &signed.pem());
        Files { certificate, key: self.write(&format!("{file}.key"), &key.serialize_pem()) }
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.folder().join(file);
        std::fs::write(&path, text).expect("a file");
        path
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client that trusts this authority alone and offers these protocols.
    pub(crate) fn trusted(&self, protocols: &[&str]) -> Secure {
        self.trusted_with(protocols, rustls::ALL_VERSIONS)
    }

    /// The same with these versions of TLS.
    pub(crate) fn trusted_with(
        &self,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Secure {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(versions).expect("versions");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Secure(Arc::new(config))
    }
}

/// How a client secures its connections.
#[derive(Clone, Debug)]
pub(crate) struct Secure(Arc<ClientConfig>);

impl Secure {
    /// A handshake on a connection, for that host.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).expect("a host");
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }

    /// The names in the certificate that a host shows.
    pub(crate) async fn shown(&self, addr: std::net::SocketAddr, host: &str) -> Vec<u8> {
        let stream = TcpStream::connect(addr).await.expect("it listens");
        let mut stream = self.connect(stream, host).await.expect("a handshake");
        let shown = stream.get_ref().1.peer_certificates().expect("certificates");
        let first = shown[0].as_ref().to_vec();
        let _ = stream.shutdown().await;
        first
    }
}
