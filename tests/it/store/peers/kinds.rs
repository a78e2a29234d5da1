//! Each kind of server keeps the contract.

use super::server::{Server, Used};
use crate::store::contract;

#[tokio::test]
async fn redis_keeps_the_contract() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &[]).await;
    let used = Used::by(&format!("url: '{}'", server.url()));
    contract::holds(&*used.store).await;
    let keys: Vec<String> = server.ask(&["KEYS", "*"]).await;
    assert!(keys.iter().all(|key| key.starts_with("sluice:")), "{keys:?}");
    assert!(server.folder().read_dir().unwrap().next().is_none(), "nothing is on its disk");
    used.stop().await;
}

#[tokio::test]
async fn redis_with_a_password_another_database_and_prefix_keeps_the_contract() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let server = Server::start(&program, &["--user", "sluice on >hunter2 ~mine:* &* +@all"]).await;
    let keys =
        format!("url: '{}/3', username: sluice, password: hunter2, prefix: mine", server.url());
    let used = Used::by(&keys);
    contract::holds(&*used.store).await;
    used.stop().await;
}

#[tokio::test]
async fn valkey_keeps_the_contract() {
    let program = program_or_skip!("SLUICE_TEST_VALKEY");
    let server = Server::start(&program, &[]).await;
    let info: String = server.ask(&["INFO", "server"]).await;
    assert!(info.contains("server_name:valkey"), "{info}");
    let used = Used::by(&format!("url: '{}'", server.url()));
    contract::holds(&*used.store).await;
    used.stop().await;
}
