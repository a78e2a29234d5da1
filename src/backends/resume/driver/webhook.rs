//! An HTTP call to whoever can wake the backend: `POST` of a small JSON object.
//!
//! `Idempotency-Key` is the same for all tries of one wake. With `tokenFile` the call carries a bearer token, with
//! `secretFile` the header `X-Sluice-Signature: sha256=<hex>`, the HMAC-SHA256 of the body. 2xx is accepted, 409 says
//! that it is so already, 429 or 503 with `Retry-After` that somebody else has asked.

use std::path::PathBuf;

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;
use sha2::Sha256;

use super::{
    Accepted, Action, Call, CallError, Calling, Driver, How,
    endpoint::{self, Answer, Endpoint, Poster},
};
use crate::{config::model, metrics::Provider};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SIGNATURE: HeaderName = HeaderName::from_static("x-sluice-signature");

/// The driver `webhook`.
#[derive(Debug)]
pub(super) struct Webhook {
    resume: Endpoint,
    suspend: Option<Endpoint>,
    secret_file: Option<PathBuf>,
}

impl Webhook {
    pub(super) fn new(poster: &Poster, webhook: &model::Webhook) -> Result<Self, String> {
        let endpoint = |url: &str| Endpoint::new(poster, url, webhook.token_file.as_deref());
        let resume = endpoint(&webhook.resume_url)?;
        let suspend = webhook.suspend_url.as_deref().map(endpoint).transpose()?;
        let secret_file = webhook.secret_file.as_ref().map(PathBuf::from);
        Ok(Self { resume, suspend, secret_file })
    }

    async fn post(&self, call: &Call) -> Result<Accepted, CallError> {
        let endpoint = match call.action {
            Action::Resume => Some(&self.resume),
            Action::Suspend => self.suspend.as_ref(),
        };
        let endpoint =
            endpoint.ok_or_else(|| CallError::Permanent("webhook has no suspendUrl".to_owned()))?;
        let body = Bytes::from(said(call));
        let mut headers = endpoint::traced(call.traceparent.as_deref());
        insert(&mut headers, IDEMPOTENCY_KEY, &call.wake_id)?;
        if let Some(path) = &self.secret_file {
            let secret = endpoint::secret(path).await?;
            insert(&mut headers, SIGNATURE, &signature(&secret, &body)?)?;
        }
        judge(endpoint, &endpoint.post(headers, body).await?)
    }
}

fn said(call: &Call) -> String {
    json!({
        "group": call.group.as_str(),
        "backend": call.backend.as_str(),
        "reason": call.reason,
        "wakeId": call.wake_id,
        "attempt": call.attempt,
    })
    .to_string()
}

fn judge(endpoint: &Endpoint, answer: &Answer) -> Result<Accepted, CallError> {
    let retry_after = answer.retry_after;
    let how = match answer.status {
        status if status.is_success() => How::Triggered,
        StatusCode::CONFLICT => How::Already,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            if retry_after.is_some() =>
        {
            How::Gated
        }
        // Its body is not quoted: it may repeat what we sent.
        _ => return Err(endpoint.refusal(answer, "")),
    };
    Ok(Accepted { how, retry_after })
}

fn signature(secret: &str, body: &[u8]) -> Result<String, CallError> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mut mac = mac.map_err(|_| CallError::Permanent("the secret cannot sign".to_owned()))?;
    mac.update(body);
    let hex: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256={hex}"))
}

fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) -> Result<(), CallError> {
    let value = HeaderValue::from_str(text)
        .map_err(|_| CallError::Permanent(format!("{name} cannot be sent")))?;
    headers.insert(name, value);
    Ok(())
}

impl Driver for Webhook {
    fn provider(&self) -> Provider {
        Provider::Webhook
    }

    fn call(&self, call: Call) -> Calling<'_> {
        Box::pin(async move { self.post(&call).await })
    }
}
