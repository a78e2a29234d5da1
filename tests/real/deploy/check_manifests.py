"""The Kubernetes examples against the definitions of their kinds: KEDA's and the Prometheus Operator's, unknown keys refused."""

import boards
import jsonschema
import pytest
import yaml

FILES = sorted([*(boards.DEPLOY / "keda").glob("*.yaml"), *(boards.DEPLOY / "kubernetes").glob("*.yaml")])
ENVELOPE = {"apiVersion", "kind", "metadata"}


def problems(crds, manifest):
    """What the definition says against a manifest."""
    schema = crds[(manifest["apiVersion"], manifest["kind"])]
    # `metadata` is an empty object there, since the API server has a schema of its own for it.
    checker = jsonschema.Draft202012Validator(schema)
    return [f"{'/'.join(str(each) for each in error.path)}: {error.message}" for error in checker.iter_errors(manifest)]


def test_there_are_examples_of_each_kind():
    kinds = [yaml.safe_load(file.read_text())["kind"] for file in FILES]
    assert sorted(kinds) == ["PodMonitor", "PrometheusRule", "ScaledObject", "ScaledObject", "ScaledObject", "ServiceMonitor"]


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_they_are_of_their_kind(crds, file):
    manifest = yaml.safe_load(file.read_text())
    assert ENVELOPE < set(manifest)
    assert problems(crds, manifest) == []


def test_the_definitions_see_mistakes(crds):
    """Tests the test."""
    manifest = yaml.safe_load((boards.DEPLOY / "keda/prometheus.yaml").read_text())
    manifest["spec"]["maxReplicas"] = 3
    manifest["spec"]["minReplicaCount"] = "none"
    found = " ".join(problems(crds, manifest))
    assert "maxReplicas" in found and "minReplicaCount" in found


def test_monitors_keep_our_labels_and_call_the_job_sluice():
    for name, key in (("service-monitor", "endpoints"), ("pod-monitor", "podMetricsEndpoints")):
        spec = yaml.safe_load((boards.DEPLOY / f"kubernetes/{name}.yaml").read_text())["spec"]
        (endpoint,) = spec[key]
        assert (endpoint["port"], endpoint["path"], endpoint["honorLabels"]) == ("metrics", "/metrics", True)
        assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("15s", "10s")
        assert {"targetLabel": "job", "replacement": "sluice"} in endpoint["relabelings"]


def test_the_rule_object_has_every_rule():
    spec = yaml.safe_load((boards.DEPLOY / "kubernetes/prometheus-rule.yaml").read_text())["spec"]
    assert sum(len(group["rules"]) for group in spec["groups"]) == len(boards.rules())


def test_scalers_do_not_take_silence_for_zero():
    triggers = {}
    for file in (boards.DEPLOY / "keda").glob("*.yaml"):
        (trigger,) = yaml.safe_load(file.read_text())["spec"]["triggers"]
        triggers[trigger["type"]] = trigger["metadata"]
        assert "fallback" not in yaml.safe_load(file.read_text())["spec"]
    assert (triggers["prometheus"]["ignoreNullValues"], triggers["prometheus"]["activationThreshold"]) == ("false", "0")
    assert triggers["metrics-api"]["valueLocation"] == "demand"
    assert triggers["metrics-api"]["url"].endswith(":9091/api/v1/routing-groups/team-a--analytics/demand")
