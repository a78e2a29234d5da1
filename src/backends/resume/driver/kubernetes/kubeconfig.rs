//! A kubeconfig's current context: server, CA, and a token, a token's file or a client certificate.
//!
//! Whatever else a kubeconfig may ask for (programs that log in, proxies, other identities) is refused in words
//! instead of being passed over: without it the calls would go elsewhere, or as somebody else.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use url::{Host, Url};

use super::access::{Entry, Pem, Secret, Trust, pem, read as read_file};

/// What of a cluster is understood, or does not matter.
const CLUSTER: [&str; 6] = [
    "server",
    "certificate-authority",
    "certificate-authority-data",
    "insecure-skip-tls-verify",
    "disable-compression",
    "extensions",
];

/// What of a user is understood, or does not matter.
const USER: [&str; 7] = [
    "token",
    "tokenFile",
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "extensions",
];

/// Reads the file and those that it names.
pub(super) async fn read(path: &Path) -> Result<Entry, String> {
    let text = read_file(path).await.map_err(|why| format!("no access to Kubernetes: {why}"))?;
    let file = File { path, folder: path.parent().unwrap_or(Path::new("")) };
    file.entry(&text).await.map_err(|why| format!("kubeconfig {}: {why}", path.display()))
}

struct File<'a> {
    path: &'a Path,
    /// Relative paths begin here.
    folder: &'a Path,
}

impl File<'_> {
    async fn entry(&self, text: &[u8]) -> Result<Entry, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is no text")?;
        // The parser's own words may quote a secret.
        let all: Value = serde_saphyr::from_str(text).map_err(|_| "it is no YAML")?;
        let context = string(&all, "current-context").ok_or("it has no current-context")?;
        let context = named(&all, "contexts", "context", context)?;
        let cluster = string(context, "cluster").ok_or("its context names no cluster")?;
        let cluster = named(&all, "clusters", "cluster", cluster)?;
        understood(cluster, &CLUSTER, "its cluster")?;
        let server = server(cluster)?;
        let authority = self.pem(cluster, "certificate-authority").await?;
        let Some(user) = string(context, "user") else {
            let trust = Trust { authority, identity: None };
            return Ok(Entry { server, trust, token: None });
        };
        let user = named(&all, "users", "user", user)?;
        understood(user, &USER, "its user")?;
        let identity = self.identity(user).await?;
        let token = self.token(user).await?;
        Ok(Entry { server, trust: Trust { authority, identity }, token })
    }

    /// The token; a file wins over a text, as with kubectl.
    async fn token(&self, user: &Value) -> Result<Option<Secret>, String> {
        if let Some(path) = string(user, "tokenFile") {
            let token = read_file(&self.folder.join(path)).await?;
            return Ok(Some(Secret::new(&String::from_utf8_lossy(&token))));
        }
        Ok(string(user, "token").map(Secret::new))
    }

    async fn identity(&self, user: &Value) -> Result<Option<Pem>, String> {
        let certificate = self.pem(user, "client-certificate").await?;
        let key = self.pem(user, "client-key").await?;
        match (certificate, key) {
            (None, None) => Ok(None),
            (Some(mut certificate), Some(key)) => {
                certificate.pem.push(b'\n');
                certificate.pem.extend(key.pem);
                Ok(Some(certificate))
            }
            _ => Err("a client-certificate needs its client-key".to_owned()),
        }
    }

    /// What stands under `key-data` in base64, else the file that `key` names.
    async fn pem(&self, of: &Value, key: &str) -> Result<Option<Pem>, String> {
        let data = format!("{key}-data");
        if let Some(text) = string(of, &data) {
            let bytes = STANDARD.decode(text.trim()).map_err(|_| format!("{data} is no base64"))?;
            let place = format!("{data} in {}", self.path.display());
            return Ok(Some(Pem { place, pem: bytes }));
        }
        match string(of, key) {
            Some(path) => pem(&self.folder.join(path)).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The server's URL without a slash at its end; only one's own machine may be spoken to without TLS (`kubectl proxy`).
fn server(cluster: &Value) -> Result<String, String> {
    let text = string(cluster, "server").ok_or("its cluster has no server")?;
    let url = Url::parse(text).map_err(|_| "the server is no URL")?;
    let own = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a password in the server's URL is not used".to_owned());
    }
    match url.scheme() {
        "https" => {}
        "http" if own => {}
        _ => return Err("the server must be https://, or http:// on this machine".to_owned()),
    }
    if cluster.get("insecure-skip-tls-verify") == Some(&Value::Bool(true)) {
        return Err(
            "insecure-skip-tls-verify is not supported: name the certificate-authority".to_owned()
        );
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Refuses keys that would change who is spoken to, or as whom.
fn understood(of: &Value, known: &[&str], what: &str) -> Result<(), String> {
    let keys = of.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let foreign: Vec<&str> =
        keys.map(|(key, _)| key.as_str()).filter(|key| !known.contains(key)).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let keys = foreign.join(", ");
    Err(format!(
        "{what} uses {keys}, which Sluice does not; it uses token, tokenFile or a client certificate"
    ))
}

/// The entry of a list that has this name.
fn named<'a>(all: &'a Value, list: &str, key: &str, name: &str) -> Result<&'a Value, String> {
    let entries = all.get(list).and_then(Value::as_array).into_iter().flatten();
    entries
        .filter(|entry| string(entry, "name") == Some(name))
        .find_map(|entry| entry.get(key))
        .ok_or_else(|| format!("{list} has no `{name}`"))
}

fn string<'a>(of: &'a Value, key: &str) -> Option<&'a str> {
    of.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}
