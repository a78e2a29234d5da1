//! What the API's refusals mean, in words that say what to do.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::Object;
use crate::backends::resume::driver::{CallError, words};

/// A status that is no success, for one verb on one object.
pub(super) fn words(
    object: &Object,
    verb: &str,
    status: StatusCode,
    retry_after: Option<Duration>,
    said: &Value,
) -> CallError {
    let said = said.get("message").and_then(Value::as_str).map(words::beginning);
    let said = said.map(|said| format!(" (the API says: {said})")).unwrap_or_default();
    let why = match status {
        StatusCode::UNAUTHORIZED => {
            format!("the Kubernetes API does not accept our token or certificate (401){said}")
        }
        StatusCode::FORBIDDEN => {
            let (resource, group, namespace) = (object.in_rbac(), &object.group, &object.namespace);
            format!(
                "the Kubernetes API forbids it (403): a Role must grant the verb `{verb}` on `{resource}` of \
                 API group `{group}` in namespace `{namespace}`{said}"
            )
        }
        StatusCode::NOT_FOUND => format!("the Kubernetes API knows no {object} (404){said}"),
        _ => format!("the Kubernetes API answered {status} to {verb} of {object}{said}"),
    };
    let passes = status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if passes { CallError::Transient { why, retry_after } } else { CallError::Permanent(why) }
}
