//! `kubernetesScale`: from 0 to 1 and back, never down by a resume, and in words what is forbidden.

use serde_json::{Value, json};
use sluice::backends::resume::driver::{Action, CallError, How};

use super::cluster::{Place, call, manifest_text, permanent};

const APPS: &str = "apps/v1";

async fn workload(place: &Place, kind: &str, replicas: u32) {
    let labels = json!({"app": "trino"});
    let mut spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "trino", "image": "trino"}]}},
    });
    if kind == "StatefulSet" {
        spec["serviceName"] = json!("trino");
    }
    let object = json!({"apiVersion": APPS, "kind": kind, "metadata": {"name": "trino-coordinator"}, "spec": spec});
    place.cluster.make(&place.path(APPS, &format!("{}s", kind.to_lowercase())), &object).await;
}

async fn replicas(place: &Place, plural: &str) -> Value {
    place.read(APPS, &format!("{plural}/trino-coordinator")).await["spec"]["replicas"].clone()
}

fn deployment(place: &Place, replicas: u32) -> Value {
    json!({"kubernetesScale": {"namespace": place.namespace, "deployment": "trino-coordinator", "replicas": replicas}})
}

#[tokio::test]
async fn real_deployment_and_stateful_set_wake_and_sleep() {
    for (kind, plural, key) in [
        ("Deployment", "deployments", "deployment"),
        ("StatefulSet", "statefulsets", "statefulSet"),
    ] {
        let place = cluster_or_skip!().place(&["kubernetes-scale"]).await;
        workload(&place, kind, 0).await;
        let mut scale = json!({"namespace": place.namespace});
        scale[key] = json!("trino-coordinator");
        let driver = place.driver(json!({"kubernetesScale": scale}));
        for (action, how, count) in [
            (Action::Suspend, How::Already, 0),
            (Action::Resume, How::Triggered, 1),
            (Action::Resume, How::Already, 1),
            (Action::Suspend, How::Triggered, 0),
            (Action::Suspend, How::Already, 0),
        ] {
            assert_eq!(call(&driver, action).await.unwrap().how, how, "{kind} {action:?}");
            assert_eq!(replicas(&place, plural).await, json!(count), "{kind} {action:?}");
        }
    }
}

#[tokio::test]
async fn real_count_is_never_lowered() {
    let place = cluster_or_skip!().place(&["kubernetes-scale"]).await;
    workload(&place, "Deployment", 3).await;
    for wanted in [1, 3, 5] {
        let driver = place.driver(deployment(&place, wanted));
        assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Already);
        assert_eq!(replicas(&place, "deployments").await, json!(3));
    }
}

/// Many gateways wake at once, while somebody else changes the object: one count, no error but a conflict.
#[tokio::test]
async fn real_conflicts_end_in_one_count() {
    let place = cluster_or_skip!().place(&["kubernetes-scale"]).await;
    workload(&place, "Deployment", 0).await;
    let drivers: Vec<_> = (0..8).map(|_| place.driver(deployment(&place, 2))).collect();
    let mut calls = tokio::task::JoinSet::new();
    for driver in drivers {
        calls.spawn(async move { call(&driver, Action::Resume).await });
    }
    for turn in 0..5 {
        let label = json!({"metadata": {"labels": {"turn": turn.to_string()}}});
        place.meddle(APPS, "deployments/trino-coordinator", label).await;
    }
    let answers = calls.join_all().await;
    let triggered =
        answers.iter().filter(|it| it.as_ref().is_ok_and(|it| it.how == How::Triggered));
    assert_eq!(triggered.count(), 1, "{answers:?}");
    let fine = |answer: &Result<_, CallError>| match answer {
        Ok(_) => true,
        Err(error) => error.to_string().contains("changed by somebody else"),
    };
    assert!(answers.iter().all(fine), "{answers:?}");
    assert_eq!(replicas(&place, "deployments").await, json!(2));
}

#[tokio::test]
async fn real_missing_verbs_are_named() {
    let manifest = manifest_text("kubernetes-scale");
    for (verbs, missing, action) in [
        ("[get]", "patch", Action::Resume),
        ("[patch]", "get", Action::Resume),
        ("[get]", "patch", Action::Suspend),
    ] {
        let place = cluster_or_skip!().place(&[]).await;
        place.apply(&manifest.replace("[get, patch]", verbs)).await;
        workload(&place, "Deployment", u32::from(action == Action::Suspend)).await;
        let why = permanent(call(&place.driver(deployment(&place, 1)), action).await);
        let wanted = format!(
            "a Role must grant the verb `{missing}` on `deployments/scale` of API group `apps` in namespace `{}`",
            place.namespace
        );
        assert!(why.contains(&wanted) && why.contains("forbidden"), "{why}");
    }
}

/// The manifests give no more than they say.
#[tokio::test]
async fn real_other_objects_stay_out_of_reach() {
    let place = cluster_or_skip!().place(&["kubernetes-scale"]).await;
    let other = json!({"kubernetesScale": {"namespace": place.namespace, "deployment": "other"}});
    assert!(permanent(call(&place.driver(other), Action::Resume).await).contains("(403)"));
    let elsewhere =
        json!({"kubernetesScale": {"namespace": "kube-system", "deployment": "trino-coordinator"}});
    assert!(permanent(call(&place.driver(elsewhere), Action::Resume).await).contains("(403)"));
}

#[tokio::test]
async fn real_object_that_is_not_there() {
    let place = cluster_or_skip!().place(&["kubernetes-scale"]).await;
    let why = permanent(call(&place.driver(deployment(&place, 1)), Action::Resume).await);
    assert!(
        why.contains("knows no deployments.apps `trino-coordinator`") && why.contains("not found"),
        "{why}"
    );
}
