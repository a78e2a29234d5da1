#!/usr/bin/env python3
"""A real Kubernetes API server with KEDA's operator on it: nothing is ever scheduled, counts of replicas are all that moves.

    cluster.py run    start one, print its kubeconfig, end with Ctrl-C
"""

import datetime
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import kedacore
from api_server import ADMIN, ApiServer
from process import Process, answers, on_free_ports
from watching import Watch, until

NAMESPACE = "tests"
OBJECTS = f"/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/scaledobjects"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
SCALERS = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
EVENTS = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
# What KEDA says when its write of a count from 0 was accepted, in its log and as an event.
WRITTEN, ACTIVATED = "Successfully updated ScaleTarget", "KEDAScaleTargetActivated"
# As an event, when it was not.
FAILED = "KEDAScaleTargetActivationFailed"
# Deployments have these, and nobody here ever runs them.
LABELS = {"app": "nothing"}


class Cluster:
    """The API server, the operator, and the namespace `tests`."""

    def __init__(self):
        self._programs = kedacore.install()
        self.server = ApiServer()
        self._closing = ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *_):
        self._closing.close()

    def _start(self):
        self._closing.enter_context(self.server)
        self.folder = Path(tempfile.mkdtemp(prefix="keda-"))
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._secrets = Path(self.server.environment["SLUICE_TEST_KUBE_FOLDER"])
        for name in ("keda", NAMESPACE):
            self.server.make("/api/v1/namespaces", json.dumps({"metadata": {"name": name}}))
        for file in sorted((self._programs / "bases").glob("*.yaml")):
            self.server.define(file.read_text())
        self.kubeconfig = self._kubeconfig()
        self._certificates()
        self._operator = on_free_ports(3, self._begin)
        self._closing.callback(self._operator.kill)

    def _kubeconfig(self):
        """For the operator, and for the gateway's driver: the administrator, since rights are the drivers' own tests' matter."""
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
            "clusters": [{"name": "tests", "cluster": {
                "server": self.server.environment["SLUICE_TEST_KUBE_URL"], "certificate-authority": str(self._secrets / "ca.crt"),
            }}],
            "users": [{"name": "tests", "user": {"token": ADMIN}}],
        }))
        return path

    def _certificates(self):
        """Of the port where KEDA's metrics adapter would ask; nobody does."""
        (self.folder / "certificates").mkdir()
        for own, here in (("ca.crt", "ca.crt"), ("server.crt", "tls.crt"), ("server.key", "tls.key")):
            shutil.copy(self._secrets / own, self.folder / "certificates" / here)

    def _begin(self, metrics, health, service):
        flags = [
            f"--kubeconfig={self.kubeconfig}", f"--cert-dir={self.folder / 'certificates'}",
            f"--metrics-bind-address=127.0.0.1:{metrics}", f"--health-probe-bind-address=127.0.0.1:{health}",
            f"--metrics-service-bind-address=127.0.0.1:{service}", "--enable-webhook-patching=false",
            "--enable-apiservice-patching=false", "--zap-encoder=json", "--zap-time-encoding=rfc3339nano",
        ]
        # In UTC, so that its times are.
        places = ["TZ=UTC", "POD_NAMESPACE=keda", "WATCH_NAMESPACE=", "KEDA_CLUSTER_OBJECT_NAMESPACE=keda"]
        command = ["env", *places, self._programs / "keda-operator", *flags]
        return Process("keda-operator", command, self.folder, lambda: answers(f"http://127.0.0.1:{health}/readyz"))

    def get(self, path):
        """An object or list; None where there is none."""
        status, said = self.server.ask("GET", path)
        assert status in (200, 404), (path, status, said)
        return json.loads(said) if status == 200 else None

    def deployment(self, name):
        """A Deployment of 0."""
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "nothing", "image": "nothing"}]}}
        spec = {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": template}
        self.server.make(DEPLOYMENTS, json.dumps({"metadata": {"name": name}, "spec": spec}))

    def replicas(self, name):
        """How many are wanted of a Deployment."""
        return self.get(f"{DEPLOYMENTS}/{name}")["spec"]["replicas"]

    def status(self, name, replicas):
        """What its controller would write."""
        counts = {each: replicas for each in ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")}
        answer = self.server.ask("PATCH", f"{DEPLOYMENTS}/{name}/status", json.dumps({"status": counts}), "application/merge-patch+json")
        assert answer[0] == 200, answer

    def scale(self, made, **spec):
        """Gives KEDA a ScaledObject with some of its keys changed, and waits until KEDA would heed a push for it."""
        made["spec"].update(spec)
        name = made["metadata"]["name"]
        self.server.make(OBJECTS, json.dumps(made))
        # Before that it drops activations.
        until(f"{name} has its metrics", lambda: self.get(f"{OBJECTS}/{name}").get("status", {}).get("externalMetricNames"))
        return name

    def release(self, name, target):
        """Takes a ScaledObject and its Deployment away."""
        for path in (f"{OBJECTS}/{name}", f"{DEPLOYMENTS}/{target}"):
            status, said = self.server.ask("DELETE", path)
            assert status == 200, said
        until("KEDA has let go of it", lambda: self.get(f"{OBJECTS}/{name}") is None)

    def condition(self, name, kind):
        """The status of a condition of a ScaledObject."""
        conditions = self.get(f"{OBJECTS}/{name}").get("status", {}).get("conditions") or []
        return next((each["status"] for each in conditions if each["type"] == kind), None)

    def written(self, name):
        """When KEDA's writes of that ScaledObject's count from 0 were accepted, by its log, in Unix seconds."""
        found = []
        for line in (self.folder / "keda-operator.log").read_text().splitlines():
            if line.startswith("{") and WRITTEN in line:
                said = json.loads(line)
                if said["msg"] == WRITTEN and said.get("scaledobject.Name") == name:
                    found.append(seconds(said["ts"]))
        return found

    def recorded(self, name, reason):
        """When KEDA made events of a ScaledObject for that reason, in Unix seconds."""
        events = self.get(EVENTS)["items"]
        return [seconds(each["eventTime"]) for each in events if each["reason"] == reason and each["regarding"]["name"] == name]

    def secret(self, name, texts):
        """As long as it holds, there is a Secret."""
        return self._made(f"/api/v1/namespaces/{NAMESPACE}/secrets", {"metadata": {"name": name}, "stringData": texts})

    def authentication(self, made):
        """As long as it holds, there is a TriggerAuthentication."""
        return self._made(f"/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/triggerauthentications", made)

    @contextmanager
    def _made(self, path, body):
        """As long as it holds, there is an object."""
        self.server.make(path, json.dumps(body))
        try:
            yield
        finally:
            status, said = self.server.ask("DELETE", f"{path}/{body['metadata']['name']}")
            assert status == 200, said

    @contextmanager
    def refusing(self, name):
        """As long as it holds, the API server accepts no count for a Deployment."""
        policy = {"metadata": {"name": name}, "spec": refusal(name)}
        binding = {"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}
        policies = f"{ADMISSION}/validatingadmissionpolicies"
        with self._made(policies, policy), self._made(f"{ADMISSION}/validatingadmissionpolicybindings", binding):
            until("the API server refuses", lambda: not self._writable(name))
            yield
        until("the API server accepts again", lambda: self._writable(name))

    def _writable(self, name):
        """Whether a count would be accepted."""
        path, body = f"{DEPLOYMENTS}/{name}/scale?dryRun=All", json.dumps({"spec": {"replicas": 0}})
        return self.server.ask("PATCH", path, body, "application/merge-patch+json")[0] == 200

    def log(self):
        """The end of what the operator said."""
        return self._operator.log()

    def watch(self, name):
        """Who tells of each change of a Deployment."""
        return Watch(self.server, DEPLOYMENTS, name)


def refusal(name):
    """An admission policy that takes no count for a Deployment."""
    rule = {
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments/scale"],
        "resourceNames": [name],
    }
    return {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "false", "message": "not now"}]}


def seconds(time_of_others):
    """Go's and Kubernetes' times as Unix seconds; Python takes no nanoseconds."""
    whole, _, rest = time_of_others.partition(".")
    digits = "".join(each for each in rest if each.isdigit()) if rest else ""
    begun = datetime.datetime.fromisoformat(whole.removesuffix("Z")).replace(tzinfo=datetime.timezone.utc)
    return begun.timestamp() + float(f"0.{digits or 0}")


def main(words):
    """Reads the command line; exits 2 when it is not understood."""
    if words != ["run"]:
        print(__doc__, file=sys.stderr)
        return 2
    with Cluster() as cluster:
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
        try:
            sys.stdin.read()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
