#!/usr/bin/env python3
"""A real Jaeger that keeps its traces in memory: takes spans over gRPC and over HTTP, gives them back by its API.

    jaeger.py install   build it if that was not done
    jaeger.py run       start one, print its addresses, end with Ctrl-C
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import golang
import wire
from process import Process, answers, on_free_ports

SOURCE = Path(__file__).resolve().parent / "jaeger"
VERSION = "1.76.0"
PACKAGES = {"jaeger": "github.com/jaegertracing/jaeger/cmd/jaeger"}
FLAGS = ["-ldflags", "-s -w"]


def install():
    """Builds it unless that was done; the program."""
    return golang.programs(SOURCE, FLAGS, PACKAGES) / "jaeger"


class Jaeger:
    """One Jaeger; `grpc` and `http` are where spans are sent."""

    def __init__(self):
        self._program = install()
        self._folder = Path(tempfile.mkdtemp(prefix="jaeger-"))
        self._process = None

    def _begin(self, grpc, http, api, internal):
        self.grpc, self.http = f"http://127.0.0.1:{grpc}", f"http://127.0.0.1:{http}"
        self.api = f"http://127.0.0.1:{api}"
        config = self._folder / "jaeger.json"
        # JSON is YAML too.
        config.write_text(json.dumps(settings(grpc, http, api, internal), indent=2))
        command = [self._program, "--config", f"file:{config}"]
        return Process("jaeger", command, self._folder, lambda: answers(f"{self.api}/api/v3/services"))

    def trace(self, trace_id):
        """The spans of a trace as OTLP's JSON has them, each with the attributes of its resource; none where it is unknown."""
        status, _, body = wire.exchange("GET", f"{self.api}/api/v3/traces/{trace_id}")
        if status == 404:
            return []
        if status != 200:
            raise RuntimeError(f"Jaeger says {status}: {body[:500]!r}")
        found = []
        for resource in json.loads(body)["result"]["resourceSpans"]:
            of = attributes(resource["resource"])
            found += [{**span, "resource": of} for scope in resource["scopeSpans"] for span in scope["spans"]]
        return found

    def services(self):
        """Who has sent spans."""
        return json.loads(wire.exchange("GET", f"{self.api}/api/v3/services")[2]).get("services", [])

    def until(self, what, holds):
        """Waits for a state of it."""
        self._process.until(what, holds)

    def __enter__(self):
        self._process = on_free_ports(4, self._begin)
        return self

    def __exit__(self, *_):
        self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def attributes(of):
    """The attributes of a span, an event or a resource as a dictionary."""
    return {each["key"]: next(iter(each["value"].values()), None) for each in of.get("attributes", [])}


def settings(grpc, http, api, internal):
    """Its configuration: all in memory, everything on loopback, no metrics of its own."""
    receiver = {"grpc": {"endpoint": f"127.0.0.1:{grpc}"}, "http": {"endpoint": f"127.0.0.1:{http}"}}
    pipeline = {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["jaeger_storage_exporter"]}
    query = {"http": {"endpoint": f"127.0.0.1:{api}"}, "grpc": {"endpoint": f"127.0.0.1:{internal}"}}
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": pipeline},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_query": {"storage": {"traces": "memory"}, **query},
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 100_000}}}},
        },
        "receivers": {"otlp": {"protocols": receiver}},
        "processors": {"batch": {"timeout": "100ms"}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    }


def main(words):
    """Reads the command line; exits 2 when it is not understood."""
    match words:
        case ["install"]:
            print(install())
            return 0
        case ["run"]:
            with Jaeger() as jaeger:
                print(f"spans: {jaeger.grpc} (gRPC), {jaeger.http} (HTTP); API: {jaeger.api}", flush=True)
                try:
                    sys.stdin.read()
                except KeyboardInterrupt:
                    pass
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
