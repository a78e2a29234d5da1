//! The level of the log: from the environment, and changed while the program runs.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::drain::{Process, process_yaml};

/// For one line of a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads lines until one is wanted.
async fn until_line(process: &mut Process, wanted: impl Fn(&Value) -> bool) -> Value {
    let reading = async {
        loop {
            let line = process.lines.next_line().await.unwrap().expect("it goes on");
            let line: Value = serde_json::from_str(&line).unwrap();
            if wanted(&line) {
                return line;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("the line comes")
}

async fn level(process: &Process, to: Option<&str>) -> Value {
    let url = format!("http://{}/admin/log-level", process.address("admin").unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = match to {
        Some(level) => client.post(url).json(&json!({ "level": level })),
        None => client.get(url),
    };
    request.send().await.unwrap().json().await.unwrap()
}

/// A malformed request on the health listener is told at debug.
async fn provoke(process: &Process) {
    let health = process.address("health").unwrap();
    let mut raw = crate::harness::raw::Raw::to(health).await;
    raw.send("no request\r\n\r\n").await;
    let _ = raw.answer().await;
}

#[tokio::test]
async fn obs_L3_debug_lines_come_by_the_environment_and_the_level_changes_live() {
    let yaml = process_yaml("http://127.0.0.1:1", "wait: 0s, deadline: 1s");
    let mut process = Process::start(&yaml, "sluice=debug").await;
    let ended = |line: &Value| line["message"] == "connection ended early";
    provoke(&process).await;
    let line = until_line(&mut process, ended).await;
    assert_eq!(line["level"], "DEBUG");
    assert_eq!(level(&process, None).await, json!({ "level": "sluice=debug" }));

    assert_eq!(level(&process, Some("sluice=info")).await, json!({ "level": "sluice=info" }));
    provoke(&process).await;
    assert_eq!(level(&process, None).await, json!({ "level": "sluice=info" }));
    assert_eq!(level(&process, Some("sluice=debug")).await, json!({ "level": "sluice=debug" }));
    provoke(&process).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let of_both = |line: &Value| ended(line) || line["message"] == "log level changed";
        told.push(until_line(&mut process, of_both).await["message"].clone());
    }
    let changed = "log level changed";
    assert_eq!(
        told,
        [changed, changed, "connection ended early"],
        "of two only the second is told"
    );
    assert_eq!(level(&process, None).await, json!({ "level": "sluice=debug" }));
    process.signal("-TERM").await;
    assert!(timeout(PATIENCE, process.child.wait()).await.unwrap().unwrap().success());
}
