//! An API that refuses, hangs or is not there, and access that is wrong: always in words, never with a secret.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::{
    Access, Action, CallError, call, deserted,
    double::{Double, Reply, reply, with},
    driver, kubeconfig, made, permanent, transient,
};
use crate::backends::resume::driver::How;

fn resume() -> Value {
    json!({"callTimeout": "20s", "kubernetesScale": {"namespace": "team-a", "deployment": "trino"}})
}

fn woken() -> Reply {
    reply(200, &json!({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 1}}))
}

fn says(status: u16, message: &str) -> Reply {
    reply(status, &json!({"kind": "Status", "message": message}))
}

/// The error of a resume where the API answers so.
async fn refused(answer: impl Fn() -> Reply + Send + Sync + 'static) -> CallError {
    let api = Double::start(move |_| answer()).await;
    let folder = tempfile::tempdir().unwrap();
    let access = kubeconfig(folder.path(), &api.url, "{token: hunter2}");
    let error = driver(access, resume()).call(call(Action::Resume)).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    error
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let error = refused(|| says(401, "Unauthorized")).await;
    assert!(permanent(&error).contains("does not accept our token"), "{error}");
    let error = refused(|| says(403, "deployments.apps \"trino\" is forbidden")).await;
    let wanted = "a Role must grant the verb `get` on `deployments/scale` of API group `apps` in namespace `team-a`";
    assert!(permanent(&error).contains(wanted), "{error}");
    let error = refused(|| says(404, "not found")).await;
    assert!(
        permanent(&error).contains("knows no deployments.apps `trino` in namespace `team-a`"),
        "{error}"
    );
    let error = refused(|| says(422, "spec.replicas: Invalid value")).await;
    assert!(permanent(&error).contains("Invalid value"), "{error}");
    let error = refused(|| says(500, "etcdserver: leader changed")).await;
    assert!(transient(&error).contains("leader changed"), "{error}");
    let error = refused(|| with(says(429, "too many requests"), "retry-after", "3")).await;
    let CallError::Transient { retry_after, .. } = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_secs(3)));
    let error = refused(|| with(reply(302, &json!({})), "location", "https://elsewhere")).await;
    assert!(permanent(&error).contains("302"), "{error}");
    let error = refused(|| reply(200, &json!("")).map(|it| it.map(|_| "<html>".into()))).await;
    assert!(permanent(&error).contains("no object"), "{error}");
}

#[tokio::test]
async fn hanging_and_refusing_end_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let hanging = Double::start(|_| None).await;
    let mut short = resume();
    short["callTimeout"] = json!("50ms");
    let access = kubeconfig(folder.path(), &hanging.url, "{token: secret}");
    let error = driver(access, short).call(call(Action::Resume)).await.unwrap_err();
    assert_eq!(error, CallError::Timeout);
    let access = kubeconfig(folder.path(), &deserted().await, "{token: secret}");
    let error = driver(access, resume()).call(call(Action::Resume)).await.unwrap_err();
    assert!(transient(&error).contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn a_token_is_read_anew_for_each_call() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    let api = Double::start(|_| woken()).await;
    let access = kubeconfig(folder.path(), &api.url, "{tokenFile: token}");
    let driver = driver(access, resume());
    for text in ["one\n", "two"] {
        std::fs::write(&token, text).unwrap();
        assert_eq!(driver.call(call(Action::Resume)).await.unwrap().how, How::Already);
    }
    let sent: Vec<_> = api.asked().iter().map(|it| it.header("authorization").to_owned()).collect();
    assert_eq!(sent, ["Bearer one", "Bearer two"]);
}

#[tokio::test]
async fn a_token_that_expired_on_the_way_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "old").unwrap();
    // Kubelet replaces it between our reading and the API's answer.
    let api = Double::start(move |asked| {
        std::fs::write(&token, "new").unwrap();
        if asked.header("authorization") == "Bearer new" { woken() } else { says(401, "expired") }
    });
    let api = api.await;
    let access = kubeconfig(folder.path(), &api.url, "{tokenFile: token}");
    let driver = driver(access, resume());
    assert_eq!(driver.call(call(Action::Resume)).await.unwrap().how, How::Already);
    assert_eq!(api.lines().len(), 2);
}

#[tokio::test]
async fn what_a_kubeconfig_asks_for_and_is_not_done_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = async |server: &str, user: &str| {
        let access = kubeconfig(folder.path(), server, user);
        let error = driver(access, resume()).call(call(Action::Resume)).await.unwrap_err();
        permanent(&error).to_owned()
    };
    let here = deserted().await;
    assert!(told(&here, "{exec: {command: aws}}").await.contains("its user uses exec"));
    assert!(told(&here, "{username: a, password: hunter2}").await.contains("password, username"));
    assert!(told(&here, "{tokenFile: missing}").await.contains("missing cannot be read"));
    assert!(told(&here, "{client-certificate-data: eA==}").await.contains("needs its client-key"));
    assert!(
        told(&here, "{client-key-data: '%', client-certificate-data: eA==}")
            .await
            .contains("no base64")
    );
    let both = "{client-key-data: eA==, client-certificate-data: eA==}";
    assert!(told(&here, both).await.contains("no certificate with its key"));
    assert!(told("http://10.0.0.1", "{token: a}").await.contains("must be https://"));
    assert!(
        told("https://10.0.0.1\", proxy-url: \"x", "{}")
            .await
            .contains("its cluster uses proxy-url")
    );
    let skipped = "https://10.0.0.1\", insecure-skip-tls-verify: true, tls-server-name: \"";
    assert!(told(skipped, "{}").await.contains("tls-server-name"));
    assert!(
        told("https://10.0.0.1\", certificate-authority: \"nowhere.pem", "{}")
            .await
            .contains("nowhere.pem")
    );
    let no_pem = "https://127.0.0.1:1\", certificate-authority-data: \"eA==";
    assert!(told(no_pem, "{}").await.contains("holds no certificate in PEM"));
}

#[tokio::test]
async fn access_that_is_not_there_is_told() {
    let told = async |access: Access| {
        let error = driver(access, resume()).call(call(Action::Resume)).await.unwrap_err();
        permanent(&error).to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        Access::Kubeconfig(path)
    };
    assert!(told(Access::None("there is none".into())).await.contains("there is none"));
    assert!(told(Access::Kubeconfig("/nowhere".into())).await.contains("/nowhere cannot be read"));
    assert!(told(file("[")).await.contains("no YAML"));
    assert!(told(file("{}")).await.contains("no current-context"));
    assert!(told(file("{current-context: a}")).await.contains("contexts has no `a`"));
    let pod =
        Access::InCluster { server: "https://127.0.0.1:1".into(), folder: folder.path().into() };
    assert!(told(pod.clone()).await.contains("token cannot be read"));
    std::fs::write(folder.path().join("token"), "hunter2").unwrap();
    std::fs::write(folder.path().join("ca.crt"), "none").unwrap();
    assert!(told(pod).await.contains("ca.crt holds no certificate in PEM"));
}

#[test]
fn a_resume_without_a_driver_is_refused() {
    let access = || Access::Kubeconfig(Path::new("/nowhere").into());
    assert!(made(access(), json!({})).unwrap_err().contains("no driver"));
    assert!(
        made(access(), json!({"kubernetesScale": {"namespace": "a"}}))
            .unwrap_err()
            .contains("either")
    );
    assert!(made(access(), json!({"command": {"resume": []}})).unwrap_err().contains("no program"));
}
