//! Who we are: tokens that end and change, certificates of clients, authorities that signed nothing.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sluice::backends::resume::driver::{Access, Action, How};

use super::cluster::{Place, call, driver, permanent};

const ENGINE: &str = "example.com/v1beta2";

/// A custom resource that runs already: a call only reads it.
async fn awake(place: &Place) -> Value {
    let object = json!({"apiVersion": ENGINE, "kind": "Engine", "metadata": {"name": "analytics"}, "spec": {"running": true}});
    place.cluster.make(&place.path(ENGINE, "engines"), &object).await;
    json!({"customResource": {"group": "example.com", "version": "v1beta2", "resource": "engines",
        "namespace": place.namespace, "name": "analytics", "resumePatch": {"spec": {"running": true}}}})
}

#[tokio::test]
async fn real_tokens_end_and_are_replaced() {
    let place = cluster_or_skip!().place(&["custom-resource"]).await;
    let driver = place.driver(awake(&place).await);
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Already);
    for wrong in [place.cluster.expired.as_str(), "nonsense"] {
        place.become_who(wrong);
        let why = permanent(call(&driver, Action::Resume).await);
        assert!(why.contains("does not accept our token") && !why.contains(wrong), "{why}");
    }
    // Kubelet writes another one: the same driver goes on with it.
    let request = json!({"spec": {"expirationSeconds": 600}});
    let account = "/api/v1/namespaces/sluice/serviceaccounts/sluice/token";
    let newer = place.cluster.make(account, &request).await["status"]["token"].clone();
    assert_ne!(newer, json!(place.cluster.token));
    place.become_who(&format!("{}\n", newer.as_str().unwrap()));
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Already);
}

#[tokio::test]
async fn real_authority_that_did_not_sign_is_told() {
    let place = cluster_or_skip!().place(&["custom-resource"]).await;
    let driver = place.driver(awake(&place).await);
    let authority = |name: &str| {
        fs::copy(place.cluster.folder.join(name), place.pod.path().join("ca.crt")).unwrap();
    };
    authority("other-ca.crt");
    let why = permanent(call(&driver, Action::Resume).await);
    assert!(why.contains("is not trusted by the CA") && why.contains("certificate"), "{why}");
    authority("ca.crt");
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Already);
}

fn kubeconfig(place: &Place, cluster: Value, user: Value) -> Access {
    let path = place.pod.path().join("config");
    let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "tests",
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": "ignored"}}],
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "tests", "user": user}]});
    fs::write(&path, text.to_string()).unwrap();
    Access::Kubeconfig(path)
}

/// With files named and with data inside; by token and by a client certificate.
#[tokio::test]
async fn real_kubeconfigs() {
    let place = cluster_or_skip!().place(&["custom-resource"]).await;
    let resume = awake(&place).await;
    let (url, folder) = (place.cluster.url.clone(), place.cluster.folder.clone());
    let data = |name: &str| STANDARD.encode(fs::read(folder.join(name)).unwrap());
    let files = json!({"server": url, "certificate-authority": "ca.crt"});
    let inside = json!({"server": format!("{url}/"), "certificate-authority-data": data("ca.crt")});
    let token = json!({"token": place.cluster.token});
    let token_file = json!({"tokenFile": "token", "token": "passed over"});
    for (cluster, user) in [(&files, token_file), (&inside, token)] {
        let driver = driver(kubeconfig(&place, cluster.clone(), user), resume.clone());
        assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Already);
    }
    let (certificate, key) = (folder.join("client.crt"), folder.join("client.key"));
    let by_files = json!({"client-certificate": certificate, "client-key": key});
    let by_data = json!({"client-certificate-data": data("client.crt"), "client-key-data": data("client.key")});
    for user in [by_files, by_data] {
        let driver = driver(kubeconfig(&place, files.clone(), user), resume.clone());
        // The server knows who it is, and that she may not.
        let why = permanent(call(&driver, Action::Resume).await);
        assert!(why.contains("(403)") && why.contains("User \"ann\""), "{why}");
    }
}
