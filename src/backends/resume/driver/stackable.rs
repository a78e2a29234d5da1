//! Stackable's TrinoCluster: `spec.clusterOperation.stopped`.
//!
//! A merge patch, not a forced server-side apply: a field that a GitOps tool owns stays its own.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Action, Call, Calling, Driver,
    kubernetes::{Api, Object},
    merge,
};
use crate::{config::model, metrics::Provider};

/// The driver `stackable`.
#[derive(Debug)]
pub(super) struct Stackable {
    api: Arc<Api>,
    object: Object,
}

impl Stackable {
    pub(super) fn new(api: Arc<Api>, named: &model::Named) -> Self {
        let object = Object {
            group: "trino.stackable.tech".to_owned(),
            version: "v1alpha1".to_owned(),
            resource: "trinoclusters".to_owned(),
            namespace: named.namespace.clone(),
            name: named.name.clone(),
            subresource: None,
        };
        Self { api, object }
    }
}

impl Driver for Stackable {
    fn provider(&self) -> Provider {
        Provider::Stackable
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async move {
            let stopped = call.action == Action::Suspend;
            let patch = json!({ "spec": { "clusterOperation": { "stopped": stopped } } });
            let plan = |present: &Value| merge::needed(present, &patch, false);
            self.api.change(&self.object, call.traceparent.as_deref(), plan).await.map(Into::into)
        })
    }
}
