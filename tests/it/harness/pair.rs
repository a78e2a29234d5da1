//! A group of two coordinators behind one gateway, in each way in which URIs are made right.

use sluice::simulator::{Forwarded, Options, Simulator, Version};

use super::gateway::{Gateway, groups};
use super::trino::trino_with;

/// Two coordinators, `a` and `b`, in the group `adhoc`.
pub(crate) struct Pair {
    /// How their URIs are made right.
    pub(crate) mode: &'static str,
    pub(crate) gateway: Gateway,
    pub(crate) a: Simulator,
    pub(crate) b: Simulator,
}

/// Name, the coordinators' version, what they make of X-Forwarded-*, the setting `uris`.
pub(crate) const MODES: [(&str, Version, Forwarded, &str); 5] = [
    ("forwarded with prefix", Version::V483, Forwarded::Accept, "auto"),
    ("host, own marker", Version::V483, Forwarded::Reject, "auto"),
    ("435, host, own marker", Version::V435, Forwarded::Reject, "auto"),
    ("435, forwarded, own marker", Version::V435, Forwarded::Accept, "auto"),
    ("rewrite", Version::V483, Forwarded::Reject, "rewrite"),
];

impl Pair {
    /// Two of Trino 483 with default settings.
    pub(crate) async fn usual() -> Self {
        Self::start("usual", &Options::default(), "auto", "").await
    }

    /// One pair for each URI mode.
    pub(crate) async fn each_mode(spooling: bool) -> Vec<Self> {
        let mut pairs = Vec::new();
        for (mode, version, forwarded, uris) in MODES {
            let options = Options { version, forwarded, spooling, ..Options::default() };
            pairs.push(Self::start(mode, &options, uris, "").await);
        }
        pairs
    }

    /// Two coordinators of that kind; `more` is the rest of the configuration.
    pub(crate) async fn start(
        mode: &'static str,
        options: &Options,
        uris: &str,
        more: &str,
    ) -> Self {
        let (a, b) = (trino_with(options.clone()).await, trino_with(options.clone()).await);
        let backends = groups(&[a.url(), b.url()], &format!(", uris: {uris}"));
        let gateway = Gateway::start(&format!("{backends}{more}")).await;
        gateway.until_healthy(2).await;
        Self { mode, gateway, a, b }
    }

    /// The coordinator that has the query.
    pub(crate) fn owner(&self, id: &str) -> &Simulator {
        if self.a.state_of(id).is_some() { &self.a } else { &self.b }
    }

    /// The other one.
    pub(crate) fn other(&self, id: &str) -> &Simulator {
        if self.a.state_of(id).is_some() { &self.b } else { &self.a }
    }

    pub(crate) async fn stop(self) {
        self.gateway.stop().await;
    }
}
