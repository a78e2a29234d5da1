//! XTrinode's API server: `POST {base}/resume`.
//!
//! 202 means triggered, 503 with `gated` that somebody's Lease holds further calls back; both are a wake under way.
//! It answers 202 even for a runtime that does not exist, so only readiness tells. It has no suspend.

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use url::Url;

use super::{
    Accepted, Action, Call, CallError, Calling, Driver, How, Labels,
    endpoint::{self, Answer, Endpoint, Poster},
};
use crate::{config::model, metrics::Provider};

/// The service of a usual installation.
const USUAL: &str = "http://xtrinode-api-server.xtrinode-system.svc.cluster.local:8081/api/v1";

/// The driver `xtrinodeApi`.
#[derive(Debug)]
pub(super) struct XtrinodeApi {
    endpoint: Endpoint,
    namespace: String,
    name: String,
}

/// What is read of its answers; all is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Said {
    gated: bool,
    retry_after: Option<u64>,
    error: String,
    code: String,
}

impl XtrinodeApi {
    pub(super) fn new(
        poster: &Poster,
        api: &model::XtrinodeApi,
        labels: Labels<'_>,
    ) -> Result<Self, String> {
        let url = resume_url(api.url.as_deref().unwrap_or(USUAL))?;
        let or = |given: &Option<String>, label: &str| given.clone().unwrap_or(label.to_owned());
        let namespace = or(&api.namespace, labels.namespace);
        let name = or(&api.name, labels.xtrinode);
        if namespace.is_empty() || name.is_empty() {
            let why = "xtrinodeApi needs `namespace` and `name` of the runtime, or a group with these labels";
            return Err(why.to_owned());
        }
        let endpoint = Endpoint::new(poster, &url, api.token_file.as_deref())?;
        Ok(Self { endpoint, namespace, name })
    }

    async fn resume(&self, call: &Call) -> Result<Accepted, CallError> {
        let body = json!({
            "routingGroup": call.group.as_str(),
            "candidate": { "namespace": self.namespace, "name": self.name },
            "reason": call.reason,
        });
        let headers = endpoint::traced(call.traceparent.as_deref());
        let body = Bytes::from(body.to_string());
        let answer = self.endpoint.post(headers, body).await?;
        self.judge(&answer)
    }

    fn judge(&self, answer: &Answer) -> Result<Accepted, CallError> {
        let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
        let retry_after = answer.retry_after.or(said.retry_after.map(Duration::from_secs));
        match answer.status {
            status if status.is_success() => Ok(Accepted { how: How::Triggered, retry_after }),
            StatusCode::SERVICE_UNAVAILABLE if said.gated => {
                Ok(Accepted { how: How::Gated, retry_after })
            }
            _ => Err(self.endpoint.refusal(answer, &format!("{} {}", said.error, said.code))),
        }
    }
}

/// `/api/v1` is added where the base has no path.
fn resume_url(base: &str) -> Result<String, String> {
    let mut url =
        Url::parse(base).map_err(|error| format!("xtrinodeApi: this is no URL: {error}"))?;
    let path = match url.path().trim_end_matches('/') {
        "" => "/api/v1".to_owned(),
        path => path.to_owned(),
    };
    url.set_path(&format!("{path}/resume"));
    Ok(url.into())
}

impl Driver for XtrinodeApi {
    fn provider(&self) -> Provider {
        Provider::XtrinodeApi
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async move {
            match call.action {
                Action::Resume => self.resume(&call).await,
                Action::Suspend => {
                    let why = "XTrinode's API server has no suspend: use the driver `xtrinode`, or XTrinode's own";
                    Err(CallError::Permanent(why.to_owned()))
                }
            }
        })
    }
}
