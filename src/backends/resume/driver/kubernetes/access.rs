//! Where the Kubernetes API is and who we are there: the mounted service account, or a kubeconfig.
//!
//! A kubeconfig that `KUBECONFIG` names comes first, then the cluster that we run in, then `~/.kube/config`. Files
//! are read for each request: kubelet replaces the token within its lifetime, and a person logs in anew.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::kubeconfig;

/// Where kubelet mounts the service account.
const MOUNTED: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Where the access is looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// In a pod.
    InCluster {
        /// `https://host:port`.
        server: String,
        /// With `token` and `ca.crt`.
        folder: PathBuf,
    },
    /// A file for one's own machine; its current context counts.
    Kubeconfig(PathBuf),
    /// None, for this reason.
    None(String),
}

/// What the files say at the moment.
#[derive(Debug)]
pub(super) struct Entry {
    /// Without a slash at its end.
    pub(super) server: String,
    pub(super) trust: Trust,
    pub(super) token: Option<Secret>,
}

/// The certificates of a connection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Trust {
    /// Who vouches for the server; `None`: the system's authorities.
    pub(super) authority: Option<Pem>,
    /// Who we are, where that is not a token.
    pub(super) identity: Option<Pem>,
}

/// Text in PEM, and where it came from.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Pem {
    pub(super) place: String,
    pub(super) pem: Vec<u8>,
}

/// It may hold a private key.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A text that is never shown.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Secret(String);

impl Secret {
    /// Without the line end that editors add.
    pub(super) fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Access {
    /// Looks where an environment says; nothing is opened yet.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|text| !text.is_empty());
        if let Some(named) = variable("KUBECONFIG") {
            let mut paths = std::env::split_paths(&named).filter(|path| path != Path::new(""));
            return match (paths.next(), paths.next()) {
                (Some(path), None) => Self::Kubeconfig(path),
                _ => Self::None("KUBECONFIG names several files, and only one is read".to_owned()),
            };
        }
        if let (Some(host), Some(port)) =
            (variable("KUBERNETES_SERVICE_HOST"), variable("KUBERNETES_SERVICE_PORT"))
        {
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            let server = format!("https://{host}:{port}");
            return Self::InCluster { server, folder: MOUNTED.into() };
        }
        match variable("HOME") {
            Some(home) => Self::Kubeconfig(Path::new(&home).join(".kube/config")),
            None => Self::None(
                "there is no Kubernetes access: not in a cluster, no KUBECONFIG, no HOME"
                    .to_owned(),
            ),
        }
    }

    /// Reads it; fails in words.
    pub(super) async fn read(&self) -> Result<Entry, String> {
        match self {
            Self::InCluster { server, folder } => {
                let token = read(&folder.join("token")).await?;
                let token = String::from_utf8_lossy(&token);
                let authority = Some(pem(&folder.join("ca.crt")).await?);
                let trust = Trust { authority, identity: None };
                Ok(Entry { server: server.clone(), trust, token: Some(Secret::new(&token)) })
            }
            Self::Kubeconfig(path) => kubeconfig::read(path).await,
            Self::None(why) => Err(why.clone()),
        }
    }
}

/// A file in PEM.
pub(super) async fn pem(path: &Path) -> Result<Pem, String> {
    Ok(Pem { place: path.display().to_string(), pem: read(path).await? })
}

/// A file.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(path)
        .await
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Access {
        Access::find(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn it_is_looked_for_in_order() {
        let pod = [("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("KUBERNETES_SERVICE_PORT", "443")];
        let home = ("HOME", "/home/ann");
        let in_pod =
            Access::InCluster { server: "https://10.0.0.1:443".into(), folder: MOUNTED.into() };
        assert_eq!(find(&[pod[0], pod[1], home]), in_pod);
        assert_eq!(find(&[pod[0], pod[1], ("KUBECONFIG", "/k")]), Access::Kubeconfig("/k".into()));
        assert_eq!(
            find(&[home, ("KUBECONFIG", "")]),
            Access::Kubeconfig("/home/ann/.kube/config".into())
        );
        assert!(
            matches!(find(&[("KUBECONFIG", "/a:/b")]), Access::None(why) if why.contains("several"))
        );
        assert!(matches!(find(&[]), Access::None(_)));
    }

    #[test]
    fn an_address_of_version_six_stands_in_brackets() {
        let found =
            find(&[("KUBERNETES_SERVICE_HOST", "fd00::1"), ("KUBERNETES_SERVICE_PORT", "6443")]);
        assert!(
            matches!(found, Access::InCluster { server, .. } if server == "https://[fd00::1]:6443")
        );
    }
}
