//! XTrinode's resource itself: `spec.suspended`.
//!
//! Its operator also suspends by itself, which need not show in `spec.suspended`: then a patch of that field would
//! change nothing, so a resume is asked for by the annotations that XTrinode's own API server writes. The newest of
//! these wins over its automatic suspend.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Action, Call, Calling, Driver,
    kubernetes::{Api, Object},
    merge,
};
use crate::{config::model, metrics::Provider};

/// The driver `xtrinode`.
#[derive(Debug)]
pub(super) struct Xtrinode {
    api: Arc<Api>,
    object: Object,
}

impl Xtrinode {
    pub(super) fn new(api: Arc<Api>, named: &model::Named) -> Self {
        let object = Object {
            group: "analytics.xtrinode.io".to_owned(),
            version: "v1".to_owned(),
            resource: "xtrinodes".to_owned(),
            namespace: named.namespace.clone(),
            name: named.name.clone(),
            subresource: None,
        };
        Self { api, object }
    }
}

fn plan(action: Action, present: &Value) -> Option<Value> {
    let suspended = action == Action::Suspend;
    let is_suspended = present.pointer("/spec/suspended") == Some(&Value::Bool(true));
    let sleeps = present.pointer("/status/phase").and_then(Value::as_str) == Some("Suspended");
    match action {
        Action::Resume if !is_suspended && sleeps => Some(requested()),
        Action::Resume if !is_suspended => None,
        _ => merge::needed(present, &json!({ "spec": { "suspended": suspended } }), false),
    }
}

fn requested() -> Value {
    json!({ "metadata": { "annotations": {
        "xtrinode.analytics.xtrinode.io/resume-requested": "true",
        "xtrinode.analytics.xtrinode.io/resume-requested-at": now(),
    } } })
}

/// RFC 3339 in whole seconds, as Go writes it.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Driver for Xtrinode {
    fn provider(&self) -> Provider {
        Provider::Xtrinode
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async move {
            let changed = self.api.change(&self.object, call.traceparent.as_deref(), |present| {
                plan(call.action, present)
            });
            changed.await.map(Into::into)
        })
    }
}
