#!/usr/bin/env python3
"""A real Kubernetes API server with KEDA's operator on it: nothing is ever scheduled, counts of replicas are all that moves.

    cluster.py run    start one, print its kubeconfig, end with Ctrl-C
"""

import datetime
import http.client
import json
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import kedacore
from api_server import ADMIN, ApiServer
from process import Process, answers, on_free_ports

NAMESPACE = "tests"
OBJECTS = f"/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/scaledobjects"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
SCALERS = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers"
EVENTS = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# What KEDA says when its write of a count from 0 was accepted, in its log and as an event.
WRITTEN, ACTIVATED = "Successfully updated ScaleTarget", "KEDAScaleTargetActivated"
# Seconds for what KEDA does by polls every second, and a busy machine's share.
LIMIT = 60
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
            self._define(file.read_text())
        self.kubeconfig = self._kubeconfig()
        self._certificates()
        self._operator = on_free_ports(3, self._begin)
        self._closing.callback(self._operator.kill)

    def _define(self, text):
        """A custom resource of KEDA's, until the server serves it."""
        name = self.server.make(KINDS, text, "application/yaml")["metadata"]["name"]
        until(f"{name} is served", lambda: established(self.get(f"{KINDS}/{name}")))

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
                if said["msg"] == WRITTEN and said.get("scaledObject.Name") == name:
                    found.append(seconds(said["ts"]))
        return found

    def activated(self, name):
        """When KEDA recorded that it had activated a ScaledObject's target, by its events, in Unix seconds."""
        events = self.get(EVENTS)["items"]
        return [seconds(each["eventTime"]) for each in events if each["reason"] == ACTIVATED and each["regarding"]["name"] == name]

    def log(self):
        """The end of what the operator said."""
        return self._operator.log()

    def watch(self, name):
        """Who tells of each change of a Deployment."""
        return Watch(self.server, name)


class Watch:
    """The changes of a Deployment as they come, each as (Unix seconds, Deployment)."""

    def __init__(self, server, name):
        self.changes = []
        self._asked = 0
        self._changed = threading.Condition()
        version = json.loads(server.ask("GET", DEPLOYMENTS)[1])["metadata"]["resourceVersion"]
        url = urlsplit(server.url)
        trust = ssl.create_default_context(cafile=Path(server.environment["SLUICE_TEST_KUBE_FOLDER"]) / "ca.crt")
        self._connection = http.client.HTTPSConnection(url.hostname, url.port, context=trust)
        headers = {"Authorization": f"Bearer {ADMIN}"}
        path = f"{DEPLOYMENTS}?watch=1&resourceVersion={version}&fieldSelector=metadata.name%3D{name}"
        self._connection.request("GET", path, headers=headers)
        self._socket = self._connection.sock
        answer = self._connection.getresponse()
        threading.Thread(target=self._listen, args=[answer], name="watch", daemon=True).start()

    def _listen(self, answer):
        # What is raised is what we do at the end.
        with suppress(OSError, ValueError, http.client.HTTPException):
            for line in iter(answer.readline, b""):
                told = json.loads(line)
                with self._changed:
                    self.changes.append((time.time(), told["object"]))
                    self._changed.notify_all()

    def first(self, replicas, limit=LIMIT):
        """When it came to a count, waited for."""
        def found():
            return next((at for at, each in self.changes if each["spec"]["replicas"] == replicas), None)

        with self._changed:
            at = self._changed.wait_for(found, limit)
        assert at, f"it did not come to {replicas} in {limit} s"
        return at

    def next(self, limit):
        """The next change that nobody has asked for yet; None when there is none for so long."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.changes) > self._asked, limit)
            if len(self.changes) == self._asked:
                return None
            self._asked += 1
            return self.changes[self._asked - 1][1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # What the thread waits for ends with it.
        self._socket.shutdown(socket.SHUT_RDWR)


def established(kind):
    """Whether a custom resource is served."""
    conditions = (kind or {}).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def seconds(time_of_others):
    """Go's and Kubernetes' times as Unix seconds; Python takes no nanoseconds."""
    whole, _, rest = time_of_others.partition(".")
    digits = "".join(each for each in rest if each.isdigit()) if rest else ""
    begun = datetime.datetime.fromisoformat(whole.removesuffix("Z")).replace(tzinfo=datetime.timezone.utc)
    return begun.timestamp() + float(f"0.{digits or 0}")


def until(what, holds, limit=LIMIT):
    """Waits for a state; what it was found to be."""
    deadline = time.monotonic() + limit
    while not (seen := holds()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)
    return seen


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
