//! TLS on the data port: who is shown which certificate, what is spoken then, and that all of it is Trino's protocol.

mod certificates;
mod protocols;
mod requests;
mod strangers;
mod streams;

use sluice::simulator::Simulator;

use crate::harness::{
    client::Client,
    gateway::{Gateway, groups},
    secure::{Authority, Files},
};

/// Everything that a client may ask for by ALPN; without the first, nothing.
const PROTOCOLS: [&[&str]; 3] = [&["h2", "http/1.1"], &["http/1.1"], &[]];

/// A gateway that is secured.
struct Door {
    gateway: Gateway,
    authority: Authority,
    pair: Files,
}

impl Door {
    /// Before one coordinator.
    async fn before(coordinator: &Simulator) -> Self {
        Self::with(&groups(&[coordinator.url()], ""), "", 1).await
    }

    /// With that configuration, and more of `data`; ready when so many backends are.
    async fn with(yaml: &str, data: &str, backends: usize) -> Self {
        let authority = Authority::new();
        let pair = authority.signs("gateway", &["127.0.0.1", "localhost"]);
        let data = data_of(&pair.yaml(), data);
        let gateway = Gateway::start(&format!("{data}{yaml}")).await;
        gateway.until_healthy(backends).await;
        Self { gateway, authority, pair }
    }

    /// Where clients connect.
    fn url(&self) -> String {
        format!("https://{}", self.gateway.addresses.data)
    }

    /// A strict client of it that offers these protocols.
    fn client(&self, protocols: &[&str]) -> Client {
        Client::new(self.url()).secured(self.authority.trusted(protocols))
    }

    async fn stop(self) {
        self.gateway.stop().await;
    }
}

/// A data listener with these keys of `tls`, and more.
fn data_of(tls: &str, more: &str) -> String {
    format!("data: {{ bind: \"127.0.0.1:0\", workers: 2, tls: {{ {tls} }}{more} }}\n")
}
