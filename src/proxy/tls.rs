//! TLS of the data port: what new connections are secured with, and the handshake.
//!
//! The certificates can be replaced at any time; connections that exist keep what they have. A client that speaks plain
//! HTTP here is told so in words. Nothing is known of HTTP but that, and no client is asked for a certificate.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use rustls::{ServerConfig, crypto::aws_lc_rs::default_provider};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    config::{
        certificates::{self, Wrong},
        model::{Config, Pair},
    },
    proxy::deadlines::Pushed,
};

use self::names::Chooser;

mod names;

/// By ALPN (RFC 7301), in the order in which they are preferred.
const PROTOCOLS: [&[u8]; 2] = [H2, b"http/1.1"];

/// HTTP/2 over TLS.
const H2: &[u8] = b"h2";

/// What a TLS connection begins with: a record of type `handshake` (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 22;

/// What somebody is told who speaks HTTP to a port that wants TLS first.
const NOT_PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 56\r\nconnection: close\r\n\r\nThis port speaks HTTPS, and the request was plain HTTP.\n";

/// A client that is still sending when its connection closes never reads the answer: so long it is listened to.
const LISTENING: Duration = Duration::from_secs(1);

/// What new connections are secured with; without it they are plain HTTP.
#[derive(Debug, Default)]
pub struct Tls(ArcSwapOption<ServerConfig>);

/// Certificates that were read and can be used.
#[derive(Clone, Debug)]
pub struct Ready(Option<Arc<ServerConfig>>);

impl Ready {
    /// Reads what the configuration names.
    pub fn read(config: &Config) -> Result<Self, String> {
        let Some(tls) = &config.data.tls else { return Ok(Self(None)) };
        let first = Pair { certificate: tls.certificate.clone(), key: tls.key.clone() };
        let pairs = std::iter::once(&first).chain(&tls.others).map(|Pair { certificate, key }| {
            certificates::pair(certificate, key)
                .map(Arc::new)
                .map_err(|wrong| format!("data.tls: {}: {}", certificate.display(), words(&wrong)))
        });
        let chooser = Chooser::new(pairs.collect::<Result<Vec<_>, _>>()?);
        secured(chooser).map(|config| Self(Some(Arc::new(config))))
    }
}

fn words(wrong: &[Wrong]) -> String {
    wrong.iter().map(|wrong| wrong.what.as_str()).collect::<Vec<_>>().join("; ")
}

fn secured(chooser: Chooser) -> Result<ServerConfig, String> {
    let provider = Arc::new(default_provider());
    // TLS 1.2 and 1.3.
    let versions =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| format!("data.tls: {error}"))?;
    let mut config = versions.with_no_client_auth().with_cert_resolver(Arc::new(chooser));
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

impl Tls {
    /// Begins with these.
    pub fn new(ready: Ready) -> Self {
        Self(ArcSwapOption::new(ready.0))
    }

    /// Connections from now on get these.
    pub fn replace(&self, ready: Ready) {
        self.0.store(ready.0);
    }

    /// What a new connection gets; nothing: it is plain HTTP.
    pub(crate) fn present(&self) -> Option<Arc<ServerConfig>> {
        self.0.load_full()
    }
}

/// A connection whose handshake is done.
pub(crate) type Secured = TlsStream<Pushed<TcpStream>>;

/// Whether the client chose HTTP/2.
pub(crate) fn is_h2(stream: &Secured) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}

/// The handshake, which must be done within `head`; nothing if there is no connection to serve.
pub(crate) async fn accept(
    config: Arc<ServerConfig>,
    socket: TcpStream,
    peer: SocketAddr,
    (head, write): (Duration, Duration),
) -> Option<Secured> {
    let outcome = timeout(head, async {
        if speaks_http(&socket).await? {
            tracing::warn!(event = "plain_http_refused", %peer, "a client speaks plain HTTP to the data port, which has TLS");
            return refuse(socket).await.map(|()| None);
        }
        TlsAcceptor::from(config).accept(Pushed::new(socket, write)).await.map(Some)
    });
    match outcome.await {
        Ok(Ok(stream)) => stream.inspect(|stream| tell(peer, stream)),
        Ok(Err(error)) => {
            tracing::debug!(event = "tls_refused", %peer, %error, "no TLS connection came about");
            None
        }
        Err(_) => {
            tracing::debug!(event = "tls_refused", %peer, "the handshake took longer than {head:?}");
            None
        }
    }
}

fn tell(peer: SocketAddr, stream: &Secured) {
    let session = stream.get_ref().1;
    let version = session.protocol_version().and_then(|version| version.as_str());
    let protocol = if is_h2(stream) { "h2" } else { "http/1.1" };
    tracing::debug!(event = "tls_accepted", %peer, version, protocol, "TLS connection accepted");
}

/// Whether the first byte is a method's: every one of them begins with a capital letter.
async fn speaks_http(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [HANDSHAKE];
    socket.peek(&mut first).await?;
    Ok(first.iter().all(u8::is_ascii_uppercase))
}

async fn refuse(mut socket: TcpStream) -> io::Result<()> {
    socket.write_all(NOT_PLAIN).await?;
    socket.shutdown().await?;
    let rest = async {
        let mut buffer = [0; 1024];
        while socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    let _ = timeout(LISTENING, rest).await;
    Ok(())
}
