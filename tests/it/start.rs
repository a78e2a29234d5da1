//! A start waits for nothing that it does not need.

use std::time::Duration;

use crate::{
    drain::{Process, process_yaml},
    harness::{client::Client, trino},
};

/// Whoever opens a pipe that nobody writes waits for good; a start that does needs no longer than this to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_authorities_of_the_machine_are_not_read_where_all_coordinators_speak_plain_http() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("authorities.pem");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let coordinator = trino::trino().await;
    let yaml = process_yaml(&coordinator.url(), "wait: 0s, deadline: 1s");
    let variables = [("SSL_CERT_FILE", pipe.to_str().unwrap())];
    let starting = Process::start_with(&yaml, "info", &variables);
    let process = tokio::time::timeout(PATIENCE, starting).await.expect("it starts");
    let client = Client::new(format!("http://{}", process.data));
    let query =
        client.query("SELECT * FROM sim.rows(20) /* sim: pages=2 rows=10 */").await.unwrap();
    assert_eq!((query.rows.len(), query.error_name()), (20, None));
}
