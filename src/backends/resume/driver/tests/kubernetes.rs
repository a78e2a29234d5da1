//! The Kubernetes drivers: exact requests, idempotence, conflicts, tokens.

use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};

use super::{
    Access, Action, call,
    double::{Asked, Double, Reply, reply},
    driver, kubeconfig, transient,
};
use crate::backends::resume::driver::{How, merge};

const SCALE: &str = "/apis/apps/v1/namespaces/team-a/deployments/trino/scale";

/// One object behind an API that is as strict as the real one; other hands may change it before a write.
#[derive(Clone)]
struct Objects {
    path: &'static str,
    object: Arc<Mutex<Value>>,
    /// What somebody else does just before each of our next writes.
    meddling: Arc<Mutex<Vec<Value>>>,
}

impl Objects {
    fn new(path: &'static str, object: Value) -> Self {
        Self { path, object: Arc::new(Mutex::new(object)), meddling: Arc::default() }
    }

    async fn serve(&self) -> Double {
        let objects = self.clone();
        Double::start(move |asked| objects.answer(asked)).await
    }

    fn answer(&self, asked: &Asked) -> Reply {
        if asked.header("authorization") != "Bearer secret" {
            return reply(401, &json!({"kind": "Status", "message": "Unauthorized"}));
        }
        if asked.path != self.path {
            return reply(
                404,
                &json!({"message": "the server could not find the requested resource"}),
            );
        }
        match asked.method {
            Method::GET => reply(200, &self.object.lock().unwrap()),
            Method::PATCH => self.patch(asked),
            _ => reply(405, &json!({})),
        }
    }

    fn patch(&self, asked: &Asked) -> Reply {
        if asked.header("content-type") != "application/merge-patch+json" {
            return reply(
                415,
                &json!({"message": "the body of the request was in an unknown format"}),
            );
        }
        if let Some(change) = self.meddling.lock().unwrap().pop() {
            self.change(&change);
        }
        let patch = asked.json();
        let version = self.object.lock().unwrap()["metadata"]["resourceVersion"].clone();
        if patch["metadata"]["resourceVersion"] != version {
            return reply(
                409,
                &json!({"reason": "Conflict", "message": "the object has been modified"}),
            );
        }
        self.change(&patch);
        reply(200, &self.object.lock().unwrap())
    }

    fn change(&self, patch: &Value) {
        let mut object = self.object.lock().unwrap();
        merged(&mut object, patch);
        let version: u64 = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
    }

    fn spec(&self) -> Value {
        self.object.lock().unwrap()["spec"].clone()
    }
}

fn merged(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    for (key, value) in patch {
        merged(&mut object[key], value);
    }
}

fn scale(spec: &Value) -> Value {
    json!({"kind": "Scale", "metadata": {"name": "trino", "resourceVersion": "7"}, "spec": spec, "status": {"replicas": 0}})
}

async fn stage(objects: &Objects) -> (Double, Access, tempfile::TempDir) {
    let (api, folder) = (objects.serve().await, tempfile::tempdir().unwrap());
    let access = kubeconfig(folder.path(), &api.url, "{token: secret}");
    (api, access, folder)
}

#[tokio::test]
async fn a_deployment_is_scaled_from_zero_by_the_documented_requests() {
    let objects = Objects::new(SCALE, scale(&json!({})));
    let (api, access, _folder) = stage(&objects).await;
    let driver =
        driver(access, json!({"kubernetesScale": {"namespace": "team-a", "deployment": "trino"}}));
    assert_eq!(driver.call(call(Action::Resume)).await.unwrap(), How::Triggered.into());
    assert_eq!(api.lines(), [format!("GET {SCALE}"), format!("PATCH {SCALE}")]);
    let body = json!({"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 1}});
    assert_eq!(api.asked()[1].json(), body);
    // Again: nothing is written.
    assert_eq!(driver.call(call(Action::Resume)).await.unwrap(), How::Already.into());
    assert_eq!(api.lines().len(), 3);
}

#[tokio::test]
async fn an_existing_count_is_left_alone() {
    for present in [1, 5] {
        let objects = Objects::new(SCALE, scale(&json!({"replicas": present})));
        let (api, access, _folder) = stage(&objects).await;
        let resume = json!({"kubernetesScale": {"namespace": "team-a", "deployment": "trino", "replicas": 3}});
        let answer = driver(access, resume).call(call(Action::Resume)).await.unwrap();
        assert_eq!((answer.how, objects.spec()), (How::Already, json!({"replicas": present})));
        assert_eq!(api.lines(), [format!("GET {SCALE}")]);
    }
}

#[tokio::test]
async fn a_conflict_is_read_again_and_what_others_did_stands() {
    let objects = Objects::new(SCALE, scale(&json!({})));
    objects.meddling.lock().unwrap().push(json!({"spec": {"replicas": 4}}));
    let (_api, access, _folder) = stage(&objects).await;
    let driver =
        driver(access, json!({"kubernetesScale": {"namespace": "team-a", "deployment": "trino"}}));
    assert_eq!(driver.call(call(Action::Resume)).await.unwrap(), How::Already.into());
    assert_eq!(objects.spec(), json!({"replicas": 4}));
}

#[tokio::test]
async fn a_conflict_that_changes_nothing_of_ours_is_written_again() {
    let objects = Objects::new(SCALE, scale(&json!({})));
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    objects.meddling.lock().unwrap().extend([label.clone(), label.clone()]);
    let (api, access, _folder) = stage(&objects).await;
    let driver = driver(
        access,
        json!({"kubernetesScale": {"namespace": "team-a", "deployment": "trino", "replicas": 2}}),
    );
    assert_eq!(driver.call(call(Action::Resume)).await.unwrap(), How::Triggered.into());
    assert_eq!((objects.spec(), api.lines().len()), (json!({"replicas": 2}), 6));
    // Without an end it is told, and may be tried again.
    driver.call(call(Action::Suspend)).await.unwrap();
    objects.meddling.lock().unwrap().extend(std::iter::repeat_n(label, 9));
    let error = driver.call(call(Action::Resume)).await.unwrap_err();
    assert!(transient(&error).contains("changed by somebody else 5 times"), "{error}");
}

#[tokio::test]
async fn a_stateful_set_is_suspended_to_zero_once() {
    let path = "/apis/apps/v1/namespaces/team-a/statefulsets/trino/scale";
    let objects = Objects::new(path, scale(&json!({"replicas": 3})));
    let (api, access, _folder) = stage(&objects).await;
    let driver =
        driver(access, json!({"kubernetesScale": {"namespace": "team-a", "statefulSet": "trino"}}));
    assert_eq!(driver.call(call(Action::Suspend)).await.unwrap(), How::Triggered.into());
    assert_eq!(objects.spec(), json!({"replicas": 0}));
    assert_eq!(driver.call(call(Action::Suspend)).await.unwrap(), How::Already.into());
    assert_eq!(api.lines().len(), 3);
}

async fn changed(
    path: &'static str,
    object: Value,
    resume: Value,
    action: Action,
) -> (How, Vec<Value>) {
    let mut object = object;
    object["metadata"]["resourceVersion"] = json!("1");
    let objects = Objects::new(path, object);
    let (api, access, _folder) = stage(&objects).await;
    let how = driver(access, resume).call(call(action)).await.unwrap().how;
    let written = api.asked().into_iter().filter(|asked| asked.method == Method::PATCH);
    let bodies = written.map(|asked| asked.json()).collect();
    (how, bodies)
}

#[tokio::test]
async fn xtrinode_and_stackable_get_their_patches() {
    let named = json!({"namespace": "prod", "name": "a"});
    let version = json!({"resourceVersion": "1"});
    let path = "/apis/analytics.xtrinode.io/v1/namespaces/prod/xtrinodes/a";
    let xtrinode = json!({"xtrinode": named});
    let asleep = json!({"spec": {"suspended": true, "size": "s"}});
    let (how, written) = changed(path, asleep.clone(), xtrinode.clone(), Action::Resume).await;
    assert_eq!(
        (how, &written[..]),
        (How::Triggered, &[json!({"metadata": version, "spec": {"suspended": false}})][..])
    );
    assert_eq!(
        changed(path, asleep, xtrinode.clone(), Action::Suspend).await,
        (How::Already, vec![])
    );
    let awake = json!({"spec": {}, "status": {"phase": "Ready"}});
    assert_eq!(
        changed(path, awake.clone(), xtrinode.clone(), Action::Resume).await.0,
        How::Already
    );
    let written = changed(path, awake, xtrinode, Action::Suspend).await.1;
    assert_eq!(written, [json!({"metadata": version, "spec": {"suspended": true}})]);
    let path = "/apis/trino.stackable.tech/v1alpha1/namespaces/prod/trinoclusters/a";
    let stopped = json!({"spec": {"clusterOperation": {"stopped": true}}});
    let written = changed(path, stopped, json!({"stackable": named}), Action::Resume).await.1;
    assert_eq!(
        written,
        [json!({"metadata": version, "spec": {"clusterOperation": {"stopped": false}}})]
    );
    let written =
        changed(path, json!({"spec": {}}), json!({"stackable": named}), Action::Suspend).await.1;
    assert_eq!(
        written,
        [json!({"metadata": version, "spec": {"clusterOperation": {"stopped": true}}})]
    );
}

#[tokio::test]
async fn xtrinode_that_its_operator_suspended_is_asked_by_annotations() {
    let path = "/apis/analytics.xtrinode.io/v1/namespaces/prod/xtrinodes/a";
    let asleep = json!({"spec": {"suspended": false}, "status": {"phase": "Suspended"}});
    let resume = json!({"xtrinode": {"namespace": "prod", "name": "a"}});
    let (how, written) = changed(path, asleep, resume, Action::Resume).await;
    let annotations = &written[0]["metadata"]["annotations"];
    assert_eq!(
        (how, &annotations["xtrinode.analytics.xtrinode.io/resume-requested"]),
        (How::Triggered, &json!("true"))
    );
    let at = annotations["xtrinode.analytics.xtrinode.io/resume-requested-at"].as_str().unwrap();
    assert!(at.len() == 20 && at.ends_with('Z') && at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    assert!(written[0].get("spec").is_none());
}

#[tokio::test]
async fn a_custom_resource_gets_what_of_its_patch_it_lacks() {
    let path = "/apis/example.com/v2/namespaces/prod/engines/a";
    let resume = |patch: Value| {
        json!({"customResource": {"group": "example.com", "version": "v2", "resource": "engines", "namespace": "prod",
            "name": "a", "resumePatch": patch, "suspendPatch": {"spec": {"workers": 0, "on": false}}}})
    };
    let present = json!({"spec": {"workers": 5, "on": false}});
    let wake = resume(json!({"spec": {"workers": 2, "on": true}}));
    let written = changed(path, present.clone(), wake.clone(), Action::Resume).await.1;
    let version = json!({"resourceVersion": "1"});
    assert_eq!(written, [json!({"metadata": version, "spec": {"on": true}})], "5 workers stay");
    let written = changed(path, present, wake, Action::Suspend).await.1;
    assert_eq!(written, [json!({"metadata": version, "spec": {"workers": 0}})]);
    let annotated = json!({"metadata": {"annotations": {"paused": "0"}}});
    let unpause = resume(json!({"metadata": {"annotations": {"paused": null}}}));
    let written = changed(path, annotated, unpause, Action::Resume).await.1;
    assert_eq!(
        written,
        [json!({"metadata": {"annotations": {"paused": null}, "resourceVersion": "1"}})]
    );
    assert_eq!(
        merge::needed(&json!({}), &json!({"metadata": {"annotations": {"paused": null}}}), true),
        None
    );
}
