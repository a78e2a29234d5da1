//! The gateway as a process, and its clients.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::sleeper::{self, Hook, Sleeper};

/// A running gateway; it ends with its owner.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) client: Client,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Gateway {
    /// Groups `called-N` that are woken in vain, `woken-N` with these coordinators, and `crowd`.
    pub(crate) async fn start(hook: &Hook, called: usize, sleepers: &[Sleeper]) -> Self {
        let data = free();
        let mut config = format!(
            "data: {{ bind: '{data}' }}\nmetrics: {{ bind: '127.0.0.1:0' }}\nadmin: {{ bind: '127.0.0.1:0' }}\n\
             health: {{ bind: '127.0.0.1:0', interval: 30s }}\nlog: {{ level: warn }}\n\
             queries: {{ idleDemandAfter: 60s }}\nroutingGroups:\n"
        );
        let mut group = |name: &str, address: &str, wait: &str| {
            writeln!(
                config,
                "- {{ name: {name}, coldStart: {{ {wait} }}, backends: [{{ name: {name}, url: 'http://{address}', \
                 resume: {{ webhook: {{ resumeUrl: 'http://{}/resume' }} }} }}] }}",
                hook.address
            )
            .unwrap();
        };
        for number in 0..called {
            group(&format!("called-{number}"), &sleeper::nowhere(number), "mode: reject");
        }
        for (number, sleeper) in sleepers.iter().enumerate() {
            group(&format!("woken-{number}"), &sleeper.address.to_string(), "holdFor: 8s");
        }
        let wide =
            "holdFor: 200ms, maxWaiting: 20000, maxWaitingPerUser: 20000, maxWaitingBytes: 1GiB";
        group("crowd", &sleeper::nowhere(called), wide);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sluice.yaml");
        fs::write(&file, config).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let mut gateway = Self { url: format!("http://{data}"), client, process, _folder: folder };
        gateway.until_it_answers().await;
        gateway
    }

    async fn until_it_answers(&mut self) {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        while self.client.get(format!("{}/v1/info", self.url)).send().await.is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "the gateway did not start");
            pause.tick().await;
        }
        // The first probe of each backend ends at once, refused.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }

    /// Posts a statement to a group and reads its answer.
    pub(crate) async fn post(&self, group: &str) -> Value {
        posted(self.client.clone(), self.url.clone(), group.to_owned()).await
    }

    /// The same, while the caller does something else.
    pub(crate) fn hold(&self, group: &str) -> JoinHandle<Value> {
        tokio::spawn(posted(self.client.clone(), self.url.clone(), group.to_owned()))
    }

    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap().flatten();
        let nanos = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }

    /// Memory in RAM, in bytes.
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn posted(client: Client, url: String, group: String) -> Value {
    let asked = client
        .post(format!("{url}/v1/statement"))
        .header("X-Trino-User", "bench")
        .header("X-Trino-Routing-Group", group)
        .body("SELECT 1");
    let answer = asked.send().await.unwrap();
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
