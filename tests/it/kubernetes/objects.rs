//! XTrinode, Stackable and any other kind, behind schemas.

use serde_json::{Value, json};
use sluice::backends::resume::driver::{Action, How};

use super::cluster::{Place, call, permanent};

const XTRINODE: &str = "analytics.xtrinode.io/v1";
const STACKABLE: &str = "trino.stackable.tech/v1alpha1";
const ENGINE: &str = "example.com/v1beta2";

async fn made(place: &Place, version: &str, kind: &str, plural: &str, spec: Value) {
    let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "analytics"}, "spec": spec});
    place.cluster.make(&place.path(version, plural), &object).await;
}

fn named(place: &Place) -> Value {
    json!({"namespace": place.namespace, "name": "analytics"})
}

#[tokio::test]
async fn real_xtrinode_wakes_and_sleeps() {
    let place = cluster_or_skip!().place(&["xtrinode"]).await;
    made(&place, XTRINODE, "XTrinode", "xtrinodes", json!({"suspended": true, "size": "s"})).await;
    let driver = place.driver(json!({"xtrinode": named(&place)}));
    let object = async || place.read(XTRINODE, "xtrinodes/analytics").await;
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Triggered);
    assert_eq!(object().await["spec"], json!({"suspended": false, "size": "s"}));
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Already);
    // Its operator suspended it without touching the field.
    let status = json!({"status": {"phase": "Suspended"}});
    place.meddle(XTRINODE, "xtrinodes/analytics/status", status).await;
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Triggered);
    let annotation = "xtrinode.analytics.xtrinode.io/resume-requested";
    assert_eq!(object().await["metadata"]["annotations"][annotation], json!("true"));
    assert_eq!(call(&driver, Action::Suspend).await.unwrap().how, How::Triggered);
    assert_eq!(object().await["spec"]["suspended"], json!(true));
    assert_eq!(call(&driver, Action::Suspend).await.unwrap().how, How::Already);
}

#[tokio::test]
async fn real_stackable_wakes_and_sleeps() {
    let place = cluster_or_skip!().place(&["stackable"]).await;
    let spec = json!({"clusterOperation": {"stopped": true, "reconciliationPaused": true}});
    made(&place, STACKABLE, "TrinoCluster", "trinoclusters", spec).await;
    let driver = place.driver(json!({"stackable": named(&place)}));
    for (action, how) in [
        (Action::Resume, How::Triggered),
        (Action::Resume, How::Already),
        (Action::Suspend, How::Triggered),
        (Action::Suspend, How::Already),
    ] {
        assert_eq!(call(&driver, action).await.unwrap().how, how, "{action:?}");
        let operation =
            &place.read(STACKABLE, "trinoclusters/analytics").await["spec"]["clusterOperation"];
        let stopped = action == Action::Suspend;
        assert_eq!(*operation, json!({"stopped": stopped, "reconciliationPaused": true}));
    }
}

fn engine(place: &Place, resume: Value) -> Value {
    json!({"customResource": {"group": "example.com", "version": "v1beta2", "resource": "engines",
        "namespace": place.namespace, "name": "analytics", "resumePatch": resume,
        "suspendPatch": {"spec": {"workers": 0, "running": false}}}})
}

#[tokio::test]
async fn real_custom_resource_is_raised_and_never_lowered() {
    let place = cluster_or_skip!().place(&["custom-resource"]).await;
    made(&place, ENGINE, "Engine", "engines", json!({"workers": 7, "running": false})).await;
    let driver = place.driver(engine(&place, json!({"spec": {"workers": 2, "running": true}})));
    let spec = async || place.read(ENGINE, "engines/analytics").await["spec"].clone();
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Triggered);
    assert_eq!(spec().await, json!({"workers": 7, "running": true}));
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Already);
    assert_eq!(call(&driver, Action::Suspend).await.unwrap().how, How::Triggered);
    assert_eq!(spec().await, json!({"workers": 0, "running": false}));
    assert_eq!(call(&driver, Action::Resume).await.unwrap().how, How::Triggered);
    assert_eq!(spec().await, json!({"workers": 2, "running": true}));
}

#[tokio::test]
async fn real_schema_and_missing_kinds_are_told() {
    let place = cluster_or_skip!().place(&["custom-resource"]).await;
    made(&place, ENGINE, "Engine", "engines", json!({"workers": 0})).await;
    let wrong = place.driver(engine(&place, json!({"spec": {"workers": 11}})));
    let why = permanent(call(&wrong, Action::Resume).await);
    assert!(why.contains("422") && why.contains("less than or equal to 10"), "{why}");
    let unread = place.driver(json!({"xtrinode": named(&place)}));
    let why = permanent(call(&unread, Action::Resume).await);
    assert!(
        why.contains("the verb `get` on `xtrinodes` of API group `analytics.xtrinode.io`"),
        "{why}"
    );
}
