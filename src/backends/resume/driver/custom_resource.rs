//! A custom resource of any kind, by merge patches from the configuration.
//!
//! Numbers in `resumePatch` are least ones: where the resource has more, a resume leaves it so.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Action, Call, CallError, Calling, Driver,
    kubernetes::{Api, Object},
    merge,
};
use crate::{config::model, metrics::Provider};

/// The driver `customResource`.
#[derive(Debug)]
pub(super) struct CustomResource {
    api: Arc<Api>,
    object: Object,
    resume: Value,
    suspend: Option<Value>,
}

impl CustomResource {
    pub(super) fn new(api: Arc<Api>, custom: &model::CustomResource) -> Self {
        let object = Object {
            group: custom.group.clone(),
            version: custom.version.clone(),
            resource: custom.resource.clone(),
            namespace: custom.namespace.clone(),
            name: custom.name.clone(),
            subresource: None,
        };
        let (resume, suspend) = (custom.resume_patch.clone(), custom.suspend_patch.clone());
        Self { api, object, resume, suspend }
    }

    fn patch(&self, action: Action) -> Result<&Value, CallError> {
        let patch = match action {
            Action::Resume => Some(&self.resume),
            Action::Suspend => self.suspend.as_ref(),
        };
        patch.ok_or_else(|| CallError::Permanent("customResource has no suspendPatch".to_owned()))
    }
}

impl Driver for CustomResource {
    fn provider(&self) -> Provider {
        Provider::CustomResource
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async move {
            let patch = self.patch(call.action)?;
            let only_up = call.action == Action::Resume;
            let plan = |present: &Value| merge::needed(present, patch, only_up);
            self.api.change(&self.object, call.traceparent.as_deref(), plan).await.map(Into::into)
        })
    }
}
