//! Each kind of server keeps the contract.

use std::{fs, path::Path, time::Duration};

use sluice::store::{Fault, Key, Kind};

use crate::harness::server::{Server, Used, another_port};
use crate::{harness::authority::Authority, store::contract};

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
    let server =
        Server::start(&program, &["--user", "sluice", "on", ">hunter2", "~mine:*", "+@all"]).await;
    let keys =
        format!("url: '{}/3', username: sluice, password: hunter2, prefix: mine", server.url());
    let used = Used::by(&keys);
    contract::holds(&*used.store).await;
    used.stop().await;
}

#[tokio::test]
async fn redis_over_tls_keeps_the_contract_with_who_trusts_it_and_nobody_else() {
    let program = program_or_skip!("SLUICE_TEST_REDIS");
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = ours.local().write(folder.path(), "server");
    let ca = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        fs::write(&path, authority.pem()).unwrap();
        path.display().to_string()
    };
    let (trusted, foreign) = (ca("ours.crt", &ours), ca("others.crt", &others));
    let (port, shown) = (another_port(), |path: &Path| path.display().to_string());
    let (certificate, key) = (shown(&certificate), shown(&key));
    let tls = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let more = ["--tls-ca-cert-file", &trusted, "--tls-auth-clients", "no"];
    let _server = Server::start(&program, &[&tls[..], &more].concat()).await;
    let by = |ca: &str| Used::by(&format!("url: 'rediss://127.0.0.1:{port}', ca: '{ca}'"));
    let used = by(&trusted);
    contract::holds(&*used.store).await;
    used.stop().await;
    let used = by(&foreign);
    let put = used.shared.put(Key::new(Kind::Query, "q"), "1", Duration::from_secs(9)).await;
    assert_eq!(put, Err(Fault::Unavailable));
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
