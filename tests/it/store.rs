//! The store that replicas share: one contract for every kind of it, and what is left when it is lost.
//!
//! `peers` starts real servers, each on free ports in a folder of its own. It needs SLUICE_TEST_REDIS,
//! SLUICE_TEST_VALKEY and SLUICE_TEST_TOXIPROXY, the paths of their programs; `make test` sets them and counts. Without them its tests are
//! skipped.

#![allow(non_snake_case, reason = "tests bear the ids of the facts")]

use crate::harness::gateway::Gateway;

mod contract;
mod first;
mod marks;
mod peers;

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract::holds(&sluice::store::Memory::default()).await;
}

/// What gateways share in a test.
#[derive(Clone)]
enum Ground {
    /// Memory of this process.
    Memory(std::sync::Arc<sluice::store::Memory>),
    /// A server, by the lines of the configuration that name it.
    Server(String),
}

impl Ground {
    fn memory() -> Self {
        Self::Memory(std::sync::Arc::default())
    }

    /// One more gateway with this configuration.
    async fn gateway(&self, yaml: &str) -> Gateway {
        match self {
            Self::Memory(store) => {
                Gateway::sharing(yaml, std::sync::Arc::<sluice::store::Memory>::clone(store)).await
            }
            Self::Server(lines) => Gateway::start(&format!("{lines}\n{yaml}")).await,
        }
    }
}
