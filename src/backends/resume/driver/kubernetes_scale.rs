//! The scale subresource of a Deployment or StatefulSet: from 0 to the configured count, and back to 0.
//!
//! A count that is there is left alone, whatever it is: somebody else (an autoscaler, a person) chose it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Action, Call, Calling, Driver,
    kubernetes::{Api, Object},
};
use crate::{config::model, metrics::Provider};

/// The driver `kubernetesScale`.
#[derive(Debug)]
pub(super) struct KubernetesScale {
    api: Arc<Api>,
    object: Object,
    replicas: u32,
}

impl KubernetesScale {
    pub(super) fn new(api: Arc<Api>, scale: &model::KubernetesScale) -> Result<Self, String> {
        let (resource, name) = match (&scale.deployment, &scale.stateful_set) {
            (Some(name), None) => ("deployments", name),
            (None, Some(name)) => ("statefulsets", name),
            _ => {
                return Err("kubernetesScale needs either `deployment` or `statefulSet`".to_owned());
            }
        };
        let object = Object {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            resource: resource.to_owned(),
            namespace: scale.namespace.clone(),
            name: name.clone(),
            subresource: Some("scale"),
        };
        Ok(Self { api, object, replicas: scale.replicas.unwrap_or(1).max(1) })
    }

    /// What to write; nothing where it is already so.
    fn plan(&self, action: Action, scale: &Value) -> Option<Value> {
        // A count of 0 is left out of the answer.
        let present = scale.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(0);
        let wanted = match action {
            Action::Resume => self.replicas,
            Action::Suspend => 0,
        };
        let change = (present == 0) == (action == Action::Resume);
        change.then(|| json!({ "spec": { "replicas": wanted } }))
    }
}

impl Driver for KubernetesScale {
    fn provider(&self) -> Provider {
        Provider::KubernetesScale
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async move {
            let changed = self.api.change(&self.object, call.traceparent.as_deref(), |scale| {
                self.plan(call.action, scale)
            });
            changed.await.map(Into::into)
        })
    }
}
