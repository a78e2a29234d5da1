//! The API server as its administrator sees it, and drivers that are only the service account.

use std::{env, fs, path::PathBuf, sync::Arc};

use http::Method;
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use sluice::{
    backends::resume::driver::{
        Accepted, Access, Action, Call, CallError, Driver, Labels, Surroundings, driver_of,
    },
    config::model::Resume,
};
use sluice_routing::{BackendName, GroupName};

/// The server, and what it was told to know.
pub(super) struct Cluster {
    http: Client,
    pub(super) url: String,
    /// With `ca.crt`, `other-ca.crt`, `client.crt`, `client.key`.
    pub(super) folder: PathBuf,
    admin: String,
    pub(super) token: String,
    pub(super) expired: String,
}

/// A namespace of one test, and the files of a pod in it.
pub(super) struct Place {
    pub(super) cluster: Cluster,
    pub(super) namespace: String,
    pub(super) pod: tempfile::TempDir,
}

impl Cluster {
    pub(super) fn of_the_environment() -> Option<Self> {
        let read = |name: &str| env::var(format!("SLUICE_TEST_KUBE_{name}"));
        let url = read("URL").ok()?;
        let folder = PathBuf::from(read("FOLDER").unwrap());
        let authority = Certificate::from_pem(&fs::read(folder.join("ca.crt")).unwrap()).unwrap();
        let http = Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
        let [admin, token, expired] = ["ADMIN", "TOKEN", "EXPIRED"].map(|name| read(name).unwrap());
        Some(Self { http, url, folder, admin, token, expired })
    }

    /// One request of the administrator; an error is the test's.
    pub(super) async fn ask(&self, method: Method, path: &str, kind: &str, body: String) -> Value {
        let asked = self.http.request(method.clone(), format!("{}{path}", self.url));
        let asked = asked.bearer_auth(&self.admin).header("content-type", kind).body(body);
        let answer = asked.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(super) async fn make(&self, path: &str, object: &Value) -> Value {
        let path = format!("{path}?fieldValidation=Strict");
        self.ask(Method::POST, &path, "application/json", object.to_string()).await
    }

    /// A namespace where the service account has the rights of these manifests.
    pub(super) async fn place(self, manifests: &[&str]) -> Place {
        let made =
            self.make("/api/v1/namespaces", &json!({"metadata": {"generateName": "test-"}})).await;
        let namespace = made["metadata"]["name"].as_str().unwrap().to_owned();
        let pod = tempfile::tempdir().unwrap();
        fs::copy(self.folder.join("ca.crt"), pod.path().join("ca.crt")).unwrap();
        let place = Place { cluster: self, namespace, pod };
        place.become_who(&place.cluster.token);
        for manifest in manifests {
            place.apply(&manifest_text(manifest)).await;
        }
        place
    }
}

/// A file of `deploy/rbac`.
pub(super) fn manifest_text(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("deploy/rbac/{name}.yaml"));
    fs::read_to_string(path).unwrap()
}

impl Place {
    /// As `kubectl apply --server-side -n` does.
    pub(super) async fn apply(&self, manifest: &str) {
        for text in manifest.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(text).unwrap();
            let kind = object["kind"].as_str().unwrap().to_lowercase();
            let name = object["metadata"]["name"].as_str().unwrap();
            let path = format!(
                "/apis/{}/namespaces/{}/{kind}s/{name}?fieldManager=tests&force=true&fieldValidation=Strict",
                object["apiVersion"].as_str().unwrap(),
                self.namespace
            );
            self.cluster
                .ask(Method::PATCH, &path, "application/apply-patch+yaml", text.to_owned())
                .await;
        }
    }

    /// The path of a namespaced resource.
    pub(super) fn path(&self, group: &str, rest: &str) -> String {
        format!("/apis/{group}/namespaces/{}/{rest}", self.namespace)
    }

    pub(super) async fn read(&self, group: &str, rest: &str) -> Value {
        self.cluster
            .ask(Method::GET, &self.path(group, rest), "application/json", String::new())
            .await
    }

    /// What somebody else changes.
    pub(super) async fn meddle(&self, group: &str, rest: &str, patch: Value) -> Value {
        let kind = "application/merge-patch+json";
        self.cluster.ask(Method::PATCH, &self.path(group, rest), kind, patch.to_string()).await
    }

    /// The token that the pod's file holds from now on.
    pub(super) fn become_who(&self, token: &str) {
        fs::write(self.pod.path().join("token"), token).unwrap();
    }

    /// As a process in that pod finds it.
    pub(super) fn access(&self) -> Access {
        Access::InCluster { server: self.cluster.url.clone(), folder: self.pod.path().to_owned() }
    }

    pub(super) fn driver(&self, resume: Value) -> Arc<dyn Driver> {
        driver(self.access(), resume)
    }
}

pub(super) fn driver(access: Access, mut resume: Value) -> Arc<dyn Driver> {
    // A busy machine answers late, and that is not what is tested.
    resume["callTimeout"] = json!("60s");
    let resume: Resume = serde_json::from_value(resume).unwrap();
    let labels = Labels { namespace: "", xtrinode: "" };
    driver_of(&resume, labels, &Surroundings::new(access).unwrap()).unwrap()
}

/// Calls a driver once.
pub(super) async fn call(driver: &Arc<dyn Driver>, action: Action) -> Result<Accepted, CallError> {
    let call = Call {
        action,
        group: GroupName::parse("etl").unwrap(),
        backend: BackendName::parse("trino-a").unwrap(),
        reason: "no_running_backend",
        wake_id: "wake-1".to_owned(),
        attempt: 1,
        traceparent: None,
    };
    driver.call(call).await
}

pub(super) fn permanent(answer: Result<Accepted, CallError>) -> String {
    match answer {
        Err(CallError::Permanent(why)) => why,
        other => panic!("{other:?}"),
    }
}
