//! Drivers against strict doubles, which refuse what their models would: wrong verbs, paths, content types, bodies.
//!
//! What a real API server makes of the same calls is in `tests/it/kubernetes.rs`.

mod commands;
mod double;
mod kubernetes;
mod kubernetes_faults;
mod webhooks;
mod xtrinode_api;

use std::{path::Path, sync::Arc};

use serde_json::Value;
use sluice_routing::{BackendName, GroupName};

use super::{Access, Action, Call, CallError, Driver, Labels, Surroundings, driver_of};
use crate::config::model::Resume;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn call(action: Action) -> Call {
    Call {
        action,
        group: GroupName::parse("etl").unwrap(),
        backend: BackendName::parse("trino-a").unwrap(),
        reason: "no_running_backend",
        wake_id: "wake-1".to_owned(),
        attempt: 2,
        traceparent: Some(TRACE.to_owned()),
    }
}

/// The driver of a `resume` in JSON, with that access to Kubernetes.
fn driver(access: Access, resume: Value) -> Arc<dyn Driver> {
    made(access, resume).unwrap()
}

fn made(access: Access, resume: Value) -> Result<Arc<dyn Driver>, String> {
    let resume: Resume = serde_json::from_value(resume).unwrap();
    let labels = Labels { namespace: "team-a", xtrinode: "analytics" };
    driver_of(&resume, labels, &Surroundings::new(access).unwrap())
}

/// For drivers that do not ask Kubernetes.
fn nowhere() -> Access {
    Access::None("nobody asks for it".to_owned())
}

fn kubeconfig(folder: &Path, server: &str, user: &str) -> Access {
    let path = folder.join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         contexts: [{{name: there, context: {{cluster: x, user: x}}}}, {{name: here, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\nusers: [{{name: u, user: {user}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    Access::Kubeconfig(path)
}

fn permanent(error: &CallError) -> &str {
    match error {
        CallError::Permanent(why) => why,
        other => panic!("{other:?}"),
    }
}

fn transient(error: &CallError) -> &str {
    match error {
        CallError::Transient { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// An address of this host that nobody listens at.
async fn deserted() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
