#!/usr/bin/env python3
"""A real Kubernetes API server with its etcd: RBAC on, no controllers, nothing ever scheduled.

    api_server.py install   build it if that was not done
    api_server.py run       start one, print what the tests are told about it, end with Ctrl-C

Two users: an administrator by a fixed token, and the service account `sluice/sluice`, which may do nothing until
the tests apply what deploy/rbac holds. The resource kinds of kubernetes/crds.yaml are there.
"""

import http.client
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import certificates
import golang
import wire

SOURCE = Path(__file__).resolve().parent / "kubernetes"
VERSION = "1.36.3"
ADMIN = "administrator-of-the-tests"
# Who logs in by a client certificate.
PERSON = "ann"
PACKAGES = {"kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver", "etcd": "go.etcd.io/etcd/server/v3"}
# Without it the server takes itself for 0.0.0 and refuses to start.
STAMP = "k8s.io/component-base/version"
FLAGS = ["-ldflags", f"-s -w -X {STAMP}.gitVersion=v{VERSION} -X {STAMP}.gitMajor=1 -X {STAMP}.gitMinor=36"]
KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# Seconds; about 3 on an idle machine.
START_LIMIT = 120
ATTEMPTS = 3
# Answers that another try would not change; what is not ready yet says 429 or 5xx.
DECIDED = {200, 201, 400, 401, 403, 404, 409, 415, 422}


class Ended(RuntimeError):
    """One of the programs ended by itself."""


def install():
    """Builds both programs unless that was done; the folder that they are in."""
    return golang.programs(SOURCE, FLAGS, PACKAGES)


class ApiServer:
    """One API server on free ports; `environment` is what the Rust tests want to know."""

    def __init__(self):
        self._programs = install()
        self._folder = Path(tempfile.mkdtemp(prefix="kubernetes-"))
        self._running = []
        self.environment = {}

    def start(self):
        """Starts both, waits until they answer, makes what all tests need."""
        certificates.make(self._folder, PERSON)
        (self._folder / "tokens.csv").write_text(f'{ADMIN},administrator,1,"system:masters"\n')
        for left in range(ATTEMPTS)[::-1]:
            try:
                self._begin()
                break
            except Ended as ended:
                # On a busy machine somebody else may have taken a port since we saw that it was free.
                self._end()
                if not left:
                    raise
                print(f"another try: {ended}", file=sys.stderr, flush=True)
        self._fill()
        return self

    def _begin(self):
        client, peer, api = wire.free_ports(3)
        self.url = f"https://127.0.0.1:{api}"
        self._run("etcd", *etcd(client, peer))
        self._run("kube-apiserver", *kube_apiserver(client, api))
        self._until("readyz", lambda: self.ask("GET", "/readyz")[0] == 200)

    def _end(self):
        """Ends both, the server before its store."""
        for _, process in reversed(self._running):
            process.kill()
            process.wait()
        self._running = []
        shutil.rmtree(self._folder / "etcd", ignore_errors=True)

    def _run(self, program, *flags):
        with open(self._folder / f"{program}.log", "ab") as log:
            command = [str(self._programs / program), *flags]
            process = subprocess.Popen(command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._running.append((program, process))

    def _until(self, what, holds):
        deadline = time.monotonic() + START_LIMIT
        while not holds():
            ended = [program for program, process in self._running if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "\n".join((self._folder / f"{program}.log").read_text()[-3000:] for program, _ in self._running)
                kind = Ended if ended else RuntimeError
                raise kind(f"the Kubernetes API server did not come to {what} (ended: {ended}):\n{logs}")
            time.sleep(0.1)

    def ask(self, method, path, body=None, kind="application/json"):
        """One request as the administrator; (status, body), (0, None) without an answer."""
        trust = ssl.create_default_context(cafile=self._folder / "ca.crt")
        headers = {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind}
        data = body.encode() if body else None
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, None

    def make(self, path, body, kind="application/json"):
        """Makes an object; what the server says of it."""
        answers = []
        self._until(f"POST {path}", lambda: answers.append(self.ask("POST", path, body, kind)) or answers[-1][0] in DECIDED)
        status, said = answers[-1]
        if status not in (200, 201):
            raise RuntimeError(f"POST {path}: {status} {said}")
        return json.loads(said)

    def _fill(self):
        """The service account with a token and an expired one, and the resource kinds."""
        self.make("/api/v1/namespaces", json.dumps({"metadata": {"name": "sluice"}}))
        accounts = "/api/v1/namespaces/sluice/serviceaccounts"
        self.make(accounts, json.dumps({"metadata": {"name": "sluice"}}))
        token = self.make(f"{accounts}/sluice/token", json.dumps({"spec": {"expirationSeconds": 3600}}))["status"]["token"]
        for text in (SOURCE / "crds.yaml").read_text().split("\n---\n"):
            self.define(text)
        self.environment = {
            "SLUICE_TEST_KUBE_URL": self.url,
            "SLUICE_TEST_KUBE_FOLDER": str(self._folder),
            "SLUICE_TEST_KUBE_ADMIN": ADMIN,
            "SLUICE_TEST_KUBE_TOKEN": token,
            "SLUICE_TEST_KUBE_EXPIRED": certificates.expired(self._folder, token),
        }

    def define(self, text):
        """Makes a kind of resource and waits until it is served."""
        name = self.make(KINDS, text, "application/yaml")["metadata"]["name"]
        self._until(name, lambda: self._established(f"{KINDS}/{name}"))

    def _established(self, path):
        status, said = self.ask("GET", path)
        # Null, until somebody has looked at it.
        conditions = json.loads(said)["status"].get("conditions") or [] if status == 200 else []
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

    def stop(self):
        """Ends both and removes what they wrote."""
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


def etcd(client, peer):
    """Its flags."""
    own = f"http://127.0.0.1:{client}"
    return [
        "--data-dir=etcd", f"--listen-client-urls={own}", f"--advertise-client-urls={own}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}", "--unsafe-no-fsync",
    ]


def kube_apiserver(store, port):
    """Its flags."""
    return [
        f"--etcd-servers=http://127.0.0.1:{store}", f"--secure-port={port}", "--bind-address=127.0.0.1",
        "--tls-cert-file=server.crt", "--tls-private-key-file=server.key", "--client-ca-file=ca.crt", "--cert-dir=made",
        "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=sa.key",
        "--service-account-signing-key-file=sa.key", "--token-auth-file=tokens.csv", "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16", "--disable-admission-plugins=ServiceAccount",
    ]


def main(words):
    """Reads the command line; exits 2 when it is not understood."""
    match words:
        case ["install"]:
            print(install())
            return 0
        case ["run"]:
            with ApiServer() as server:
                print("\n".join(f"export {name}={value}" for name, value in server.environment.items()), flush=True)
                try:
                    sys.stdin.read()
                except KeyboardInterrupt:
                    pass
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
