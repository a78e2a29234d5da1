"""A real Prometheus and a real Alertmanager, of Debian's packages, with the configuration that a caller gives them."""

import json
import shutil
import tempfile
import urllib.parse
from pathlib import Path

import debian
import wire
from process import Process, answers, on_free_ports

# Programs and the package that each comes with.
PACKAGES = {"prometheus": "prometheus", "promtool": "prometheus", "prometheus-alertmanager": "prometheus-alertmanager",
            "amtool": "prometheus-alertmanager"}


def program(name):
    """The path of one of the programs, installed where it is missing."""
    return debian.program(name, PACKAGES[name])


def fetch():
    """Installs all that is missing."""
    return [program(name) for name in PACKAGES]


class Peer:
    """What both have in common: a folder, a process, an API of JSON."""

    name = None

    def __init__(self):
        self.program = program(self.name)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.process = None

    def ask(self, path, **parameters):
        """What its API answers; an error is one of ours, in its words."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        status, _, body = wire.exchange("GET", f"{self.url}{path}?{query}")
        if status != 200:
            raise RuntimeError(f"{self.name} says {status} to {path}?{query}: {body[:1000].decode(errors='replace')}")
        return json.loads(body)

    def until(self, what, holds, limit=60):
        """Waits for a state of it."""
        self.process.until(what, holds, limit)

    def __enter__(self):
        try:
            self.process = on_free_ports(1, self.begin)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Alertmanager(Peer):
    """An Alertmanager with a configuration file of the repository."""

    name = "prometheus-alertmanager"

    def __init__(self, config):
        super().__init__()
        self._config = config

    def begin(self, port):
        """Starts it there."""
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        command = [
            self.program, f"--config.file={self._config}", f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}", "--cluster.listen-address=",
        ]
        return Process(self.name, command, self.folder, lambda: answers(f"{self.url}/-/ready"))

    def alerts(self):
        """All that it has now."""
        return self.ask("/api/v2/alerts")


class Prometheus(Peer):
    """A Prometheus; `files` by their names beside its configuration, which `config` makes when told its own address."""

    name = "prometheus"

    def __init__(self, config, files):
        super().__init__()
        self._config = config
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def begin(self, port):
        """Starts it there."""
        self.url = f"http://127.0.0.1:{port}"
        # JSON is YAML too.
        (self.folder / "prometheus.json").write_text(json.dumps(self._config(f"127.0.0.1:{port}"), indent=2))
        command = [
            self.program, f"--config.file={self.folder / 'prometheus.json'}", f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage",
        ]
        return Process(self.name, command, self.folder, lambda: answers(f"{self.url}/-/ready"))

    def query(self, expression):
        """The samples of an expression now, as (labels, value)."""
        result = self.ask("/api/v1/query", query=expression)["data"]
        if result["resultType"] == "scalar":
            return [({}, float(result["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in result["result"]]

    def range(self, expression, begin, end, step):
        """The series of an expression over a time, as (labels, [(time, value)])."""
        result = self.ask("/api/v1/query_range", query=expression, start=begin, end=end, step=step)["data"]["result"]
        return [(each["metric"], [(time, float(value)) for time, value in each["values"]]) for each in result]

    def alerts(self):
        """(name, state, labels) of each alert that is pending or firing."""
        told = self.ask("/api/v1/alerts")["data"]["alerts"]
        return [(alert["labels"]["alertname"], alert["state"], alert["labels"]) for alert in told]

    def exemplars(self, selector, begin, end):
        """(labels of the series, labels of the exemplar, value) of each exemplar of a time."""
        found = self.ask("/api/v1/query_exemplars", query=selector, start=begin, end=end)["data"]
        return [(each["seriesLabels"], one["labels"], float(one["value"])) for each in found for one in each["exemplars"]]

    def rules(self):
        """Every rule that it has loaded."""
        return [rule for group in self.ask("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]

    def targets(self):
        """The health of what it scrapes, by job."""
        active = self.ask("/api/v1/targets", state="active")["data"]["activeTargets"]
        return {each["labels"]["job"]: (each["health"], each["lastError"]) for each in active}
