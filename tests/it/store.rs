//! The store that replicas share: one contract for every kind of it, and what is left when it is lost.
//!
//! `peers` starts real servers, each on free ports in a folder of its own. It needs SLUICE_TEST_REDIS and
//! SLUICE_TEST_VALKEY, the paths of the servers' programs; `make test` sets them and counts. Without them its tests are
//! skipped.

mod contract;
mod peers;

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract::holds(&sluice::store::Memory::default()).await;
}
