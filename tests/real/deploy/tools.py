"""The tools that the checks run, each pinned and installed by its package's name through the modules of tests/real."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cache
import golang
import node
import yaml
from cache import REPOSITORY, Missing
from debian import install
from prometheus import program

__all__ = ["compose", "crds", "curl", "grafana_types", "hadolint", "program", "run", "sluice"]

HERE = Path(__file__).resolve().parent
# Modules that carry the definitions of custom resources, with the checksums that Go's database has for them.
DEFINITIONS = {
    "github.com/kedacore/keda/v2@v2.21.0": (
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        ["config/crd/bases/keda.sh_scaledobjects.yaml"],
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        [
            f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
            for kind in ("servicemonitors", "podmonitors", "prometheusrules")
        ],
    ),
}
PROFILES = ("quick", "release", "debug")


def run(*words, folder=REPOSITORY, environment=None, limit=120):
    """Runs a program; its status and all that it said."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
    )
    return done.returncode, done.stdout


def hadolint():
    """The linter of Dockerfiles lies beside this Python."""
    return Path(sys.executable).parent / "hadolint"


def curl():
    """What the page of operations has people type."""
    if not shutil.which("curl") and not (install("curl") and shutil.which("curl")):
        raise Missing("curl is missing (Debian: curl): install it")


def grafana_types():
    """A folder whose node_modules hold @grafana/schema and a compiler."""
    return node.packages(HERE / "node")


def compose():
    """The loader of compose files, as a function of profiles."""
    source = HERE / "compose"
    # The program's own text is no part of go.mod: it stands in the flags, so that a change builds anew.
    digest = hashlib.sha256((source / "main.go").read_bytes()).hexdigest()[:12]
    loader = golang.programs(source, ["-ldflags", f"-s -w -X main.revision={digest}"], {"compose": "."}) / "compose"
    secrets = {"SLUICE_ADMIN_TOKEN": "of the check", "GRAFANA_ADMIN_PASSWORD": "of the check"}

    def load(*profiles, file=REPOSITORY / "docker-compose.yml", environment=secrets):
        status, said = run(loader, file, *profiles, environment=environment)
        if status != 0:
            raise ValueError(said)
        return json.loads(said)

    return load


def crds():
    """The definition of each kind, as a JSON Schema that refuses unknown keys."""
    digest = hashlib.sha256(repr(DEFINITIONS).encode()).hexdigest()[:12]
    with cache.made_once(f"crds-{digest}") as half:
        if half:
            for module, (checksum, files) in DEFINITIONS.items():
                take(module, checksum, files, half)
    schemas = {}
    for file in (cache.ROOT / f"crds-{digest}").glob("*.yaml"):
        spec = yaml.safe_load(file.read_text())["spec"]
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            schemas[key] = strict(version["schema"]["openAPIV3Schema"])
    return schemas


def take(module, checksum, files, folder):
    """Copies files of a module; Go checks it against its database, and we against our own note."""
    places = {"GOMODCACHE": str(folder / "modules"), "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    go = golang.find()
    (folder / "go.mod").write_text("module definitions\n")
    done = subprocess.run(
        [go, "mod", "download", "-json", module], cwd=folder, env={**os.environ, **places}, stdin=subprocess.DEVNULL, capture_output=True
    )
    if done.returncode != 0:
        raise Missing(f"{module} could not be fetched: {(done.stdout + done.stderr).decode(errors='replace')[-500:]}")
    told = json.loads(done.stdout)
    if told["Sum"] != checksum:
        raise RuntimeError(f"{module} is {told['Sum']}, pinned is {checksum}")
    for file in files:
        shutil.copy(Path(told["Dir"]) / file, folder)
    shutil.rmtree(folder / "modules", ignore_errors=True)


def strict(schema):
    """The same schema, but an object that lists its keys takes no others; Kubernetes' int-or-string is spelt out."""
    if not isinstance(schema, dict):
        return schema
    made = {key: strict_part(key, value) for key, value in schema.items()}
    if made.get("x-kubernetes-int-or-string"):
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if schema.get("type") == "object" and schema.get("properties") and not open_ended:
        made["additionalProperties"] = False
    return made


def strict_part(key, value):
    """The parts of a schema that are schemas."""
    if key == "properties":
        return {name: strict(each) for name, each in value.items()}
    if key in ("allOf", "anyOf", "oneOf"):
        # They repeat keys of the schema around them.
        return value
    return strict(value) if isinstance(value, dict) else value


def sluice():
    """The binary: SLUICE_BIN, else the newest that cargo has built here."""
    named = os.environ.get("SLUICE_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    built = [Path(named)] if named else [target / profile / "sluice" for profile in PROFILES]
    built = [path for path in built if path.exists()]
    if not built:
        raise Missing("the gateway is not built (cargo build --profile quick), and SLUICE_BIN names none")
    return max(built, key=lambda path: path.stat().st_mtime)
