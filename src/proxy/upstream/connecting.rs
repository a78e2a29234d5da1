//! How a connection to a coordinator is opened: TCP, then TLS where its URL is `https`, each within its deadline.
//!
//! What it opens speaks HTTP/1.1; a connection over TLS is made under one backend's settings and pooled with its likes.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::pki_types::ServerName;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::wire::Wire;
use crate::{
    config::trust::{NoTls, Trust},
    metrics::{Metrics, Step},
    proxy::port::{KEEPALIVE, KEEPALIVE_INTERVAL, KEEPALIVE_RETRIES},
};

pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// Opens connections, and says how long that took.
#[derive(Clone)]
pub(super) struct Connecting {
    connector: HttpConnector,
    tls: Option<TlsConnector>,
    within: Duration,
    metrics: Arc<Metrics>,
}

impl Connecting {
    /// Over plain TCP, or with TLS on it.
    pub(super) fn new(trust: Option<&Trust>, within: Duration, metrics: &Arc<Metrics>) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(trust.is_none());
        connector.set_nodelay(true);
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
        connector.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
        connector.set_connect_timeout(Some(within));
        let tls = trust.map(|trust| TlsConnector::from(Arc::clone(trust.client())));
        Self { connector, tls, within, metrics: Arc::clone(metrics) }
    }
}

impl Service<Uri> for Connecting {
    type Response = TokioIo<Wire>;
    type Error = Cause;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Wire>, Cause>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        Service::<Uri>::poll_ready(&mut self.connector, cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (tls, within) = (self.tls.clone(), self.within);
        let name = tls.as_ref().map(|_| name(&uri));
        let (connecting, metrics) = (self.connector.call(uri), Arc::clone(&self.metrics));
        Box::pin(async move {
            let began = Instant::now();
            let connected = async {
                let plain = connecting.await?;
                match (tls, name) {
                    (Some(tls), Some(name)) => secured(tls, name?, plain, within).await,
                    _ => Ok(Wire::Plain(plain.into_inner())),
                }
            };
            let connected = connected.await;
            metrics.step(Step::UpstreamConnect, began.elapsed());
            connected.map(TokioIo::new)
        })
    }
}

async fn secured(
    tls: TlsConnector,
    name: ServerName<'static>,
    plain: TokioIo<TcpStream>,
    within: Duration,
) -> Result<Wire, Cause> {
    match timeout(within, tls.connect(name, plain.into_inner())).await {
        Ok(Ok(stream)) => Ok(Wire::Tls(Box::new(stream))),
        // A connection that merely ended is one that did not come about: a proxy before nobody ends it so, too.
        Ok(Err(error)) => Err(match NoTls::find(&error) {
            Some(no_tls) => no_tls.into(),
            None => error.into(),
        }),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "TLS handshake").into()),
    }
}

/// The name that the certificate must bear: that of the URL.
fn name(uri: &Uri) -> Result<ServerName<'static>, NoTls> {
    let host = uri.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned()).map_err(|_| NoTls {
        brief: "its name is none that a certificate may bear",
        words: format!("`{bare}` is no name that a certificate may bear"),
    })
}
