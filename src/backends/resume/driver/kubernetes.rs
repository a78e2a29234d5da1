//! The Kubernetes API, as far as drivers need it: read one object, change it by a merge patch.
//!
//! Where the API is and who we are is read from its files for every request, since tokens and certificates are
//! replaced while we run; only the HTTP client is kept, as long as the certificates stay the same. A write carries the
//! `resourceVersion` that was read, so it changes nothing that somebody else changed meanwhile. No watch: readiness
//! is what probes see.

mod access;
mod kubeconfig;
mod object;
mod refusal;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode, header};
use reqwest::{Certificate, Client, Identity, redirect};
use serde_json::{Value, json};

use self::access::{Entry, Pem, Trust};
use super::{CallError, How, endpoint, words};
use crate::backends::outgoing;

pub use self::access::Access;
pub(super) use self::object::Object;

/// Objects are at most 1.5 MB in etcd; twice that with room to spare.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// How often an object is read again because somebody else changed it between our read and our write.
const CONFLICTS: u32 = 5;

/// Between the calls of one wake a connection may be reused, not for longer: the server may be gone by then.
const IDLE: Duration = Duration::from_secs(10);

/// A client of one API server.
#[derive(Debug)]
pub(super) struct Api {
    access: Access,
    client: Mutex<Option<(Trust, Client)>>,
}

/// An answer: what was asked for, or a status and what the API says of it.
type Answer = Result<Value, (StatusCode, Option<Duration>, Value)>;

/// What is asked of the API server.
struct Request<'a> {
    method: Method,
    object: &'a Object,
    body: Option<&'a Value>,
    traceparent: Option<&'a str>,
}

impl Api {
    pub(super) fn new(access: Access) -> Self {
        Self { access, client: Mutex::new(None) }
    }

    /// Reads an object, and writes what `plan` wants changed, if it wants anything.
    pub(super) async fn change(
        &self,
        object: &Object,
        traceparent: Option<&str>,
        plan: impl Fn(&Value) -> Option<Value> + Send + Sync,
    ) -> Result<How, CallError> {
        for _ in 0..CONFLICTS {
            let get = Request { method: Method::GET, object, body: None, traceparent };
            let present = self.ask(get).await?;
            let present = present.map_err(|refusal| refusal_of(object, "get", refusal))?;
            let Some(mut patch) = plan(&present) else { return Ok(How::Already) };
            guard(&mut patch, &present);
            let body = Some(&patch);
            match self.ask(Request { method: Method::PATCH, object, body, traceparent }).await? {
                Ok(_) => return Ok(How::Triggered),
                Err((StatusCode::CONFLICT, ..)) => {}
                Err(refusal) => return Err(refusal_of(object, "patch", refusal)),
            }
        }
        let why =
            format!("{object} was changed by somebody else {CONFLICTS} times while it was written");
        Err(CallError::transient(why))
    }

    /// One request; after a 401 once more if the token was replaced meanwhile.
    async fn ask(&self, request: Request<'_>) -> Result<Answer, CallError> {
        let entry = self.access.read().await.map_err(CallError::Permanent)?;
        let answer = self.ask_as(&entry, &request).await?;
        if !matches!(answer, Err((StatusCode::UNAUTHORIZED, ..))) {
            return Ok(answer);
        }
        let newer = self.access.read().await.map_err(CallError::Permanent)?;
        if newer.token == entry.token {
            return Ok(answer);
        }
        self.ask_as(&newer, &request).await
    }

    async fn ask_as(&self, entry: &Entry, request: &Request<'_>) -> Result<Answer, CallError> {
        let Request { method, object, body, traceparent } = request;
        let client = self.client(&entry.trust).map_err(CallError::Permanent)?;
        let url = format!("{}{}", entry.server, object.path());
        let mut asked = client
            .request(method.clone(), url)
            .headers(endpoint::traced(*traceparent))
            .header(header::ACCEPT, "application/json");
        if let Some(token) = &entry.token {
            asked = asked.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            let kind = "application/merge-patch+json";
            asked = asked.header(header::CONTENT_TYPE, kind).body(body.to_string());
        }
        let mut answer = asked.send().await.map_err(|error| unreached(&entry.server, error))?;
        let (status, retry_after) = (answer.status(), endpoint::retry_after(answer.headers()));
        let body = endpoint::body(&mut answer, MAX_BODY).await;
        let body = body.map_err(|error| unreached(&entry.server, error))?;
        let json = serde_json::from_slice(&body);
        if !status.is_success() {
            return Ok(Err((status, retry_after, json.unwrap_or_default())));
        }
        json.map(Ok).map_err(|_| {
            let why =
                format!("{} answered {status} with something that is no object", entry.server);
            CallError::Permanent(why)
        })
    }

    /// The client for these certificates; made anew only when they were replaced.
    fn client(&self, trust: &Trust) -> Result<Client, String> {
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = &*kept
            && known == trust
        {
            return Ok(client.clone());
        }
        let client = client(trust)?;
        *kept = Some((trust.clone(), client.clone()));
        Ok(client)
    }
}

fn client(trust: &Trust) -> Result<Client, String> {
    let authorities = trust.authority.as_ref().map(authorities).transpose()?;
    let identity = trust.identity.as_ref().map(identity).transpose()?;
    let builder = || {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .user_agent(outgoing::USER_AGENT);
        if let Some(authorities) = &authorities {
            builder = builder.tls_certs_only(authorities.iter().cloned());
        }
        match &identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    };
    outgoing::client(builder).map_err(|error| {
        format!("no TLS with what the Kubernetes access holds: {}", words::causes(error))
    })
}

fn authorities(pem: &Pem) -> Result<Vec<Certificate>, String> {
    let all = Certificate::from_pem_bundle(&pem.pem).ok().filter(|all| !all.is_empty());
    all.ok_or_else(|| format!("{} holds no certificate in PEM", pem.place))
}

fn identity(pem: &Pem) -> Result<Identity, String> {
    Identity::from_pem(&pem.pem)
        .map_err(|error| format!("{} is no certificate with its key in PEM: {error}", pem.place))
}

/// The write holds only for the version that was read.
fn guard(patch: &mut Value, present: &Value) {
    let Some(version) = present.pointer("/metadata/resourceVersion") else { return };
    let Some(patch) = patch.as_object_mut() else { return };
    let metadata = patch.entry("metadata").or_insert_with(|| json!({}));
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("resourceVersion".to_owned(), version.clone());
    }
}

fn refusal_of(
    object: &Object,
    verb: &str,
    (status, retry_after, said): (StatusCode, Option<Duration>, Value),
) -> CallError {
    refusal::words(object, verb, status, retry_after, &said)
}

/// No answer: only a certificate that is not trusted stays so.
fn unreached(server: &str, error: reqwest::Error) -> CallError {
    let causes = words::causes(error);
    if causes.contains("certificate") {
        let why = format!(
            "the certificate of {server} is not trusted by the CA of the Kubernetes access: {causes}"
        );
        return CallError::Permanent(why);
    }
    CallError::transient(format!("the Kubernetes API at {server} cannot be reached: {causes}"))
}
