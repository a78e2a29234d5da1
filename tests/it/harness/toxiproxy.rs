//! A real toxiproxy as a process of its own, with one proxy that is told by its API what to spoil.

use std::{net::TcpListener, path::Path, process::Stdio};

use http::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::{client::Client, wait};

/// A proxy before one address; its process is gone with its guard.
pub(crate) struct Toxiproxy {
    _child: Child,
    api: Client,
    address: String,
}

impl Toxiproxy {
    /// Passes everything on to that port of this machine, as long as nothing else is wished.
    pub(crate) async fn before(program: &Path, port: u16) -> Self {
        let own = port_to_keep();
        let mut command = Command::new(program);
        command.args(["-host", "127.0.0.1", "-port", &own.to_string()]).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let api = Client::new(format!("http://127.0.0.1:{own}"));
        let is_there = async || api.get("/version").await.is_ok_and(|answer| answer.status == 200);
        wait::until_async("an API that answers", is_there).await;
        let upstream = format!("127.0.0.1:{port}");
        let wanted = json!({ "name": "store", "listen": format!("127.0.0.1:{}", port_to_keep()), "upstream": upstream });
        let made = ask(&api, Method::POST, "/proxies", &wanted).await;
        let address = made["listen"].as_str().expect("where it listens").to_owned();
        Self { _child: child, api, address }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Spoils what servers answer, in that way; on connections that are open too.
    pub(crate) async fn spoil(&self, kind: &str, attributes: Value) {
        let toxic =
            json!({ "name": "it", "type": kind, "stream": "downstream", "attributes": attributes });
        ask(&self.api, Method::POST, "/proxies/store/toxics", &toxic).await;
    }

    /// Ends all connections and refuses new ones.
    pub(crate) async fn disable(&self) {
        ask(&self.api, Method::POST, "/proxies/store", &json!({ "enabled": false })).await;
    }

    /// Everything passes again.
    pub(crate) async fn heal(&self) {
        let answer = self.api.send(Method::POST, "/reset", "").await.unwrap();
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
}

/// One that the kernel gives nobody else before the program has it, or while its proxy is disabled: it lies below those that
/// it gives away.
fn port_to_keep() -> u16 {
    let mut some = std::iter::repeat_with(|| fastrand::u16(15_000..32_000));
    some.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

async fn ask(api: &Client, method: Method, path: &str, wanted: &Value) -> Value {
    let answer = api.send(method, path, wanted.to_string()).await.unwrap();
    assert!([200, 201].contains(&answer.status.into()), "{path}: {}", answer.text());
    answer.json().unwrap()
}
