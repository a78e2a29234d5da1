"""KEDA as programs, built from its pinned module: the operator, and its scaler clients behind lines of JSON; and its CRDs."""

import hashlib
from pathlib import Path

import golang

SOURCE = Path(__file__).resolve().parent
VERSION = "2.21.0"
MODULE = "github.com/kedacore/keda/v2"
PACKAGES = {"keda-operator": f"{MODULE}/cmd/operator", "keda-scalers": "./scalers"}


def install():
    """The folder with both programs and the folder `bases` of CRDs, built if they are not there yet (about 700 CPU seconds)."""
    # The program's own text is no part of go.mod: it stands in the flags, so that a change builds anew.
    digest = hashlib.sha256()
    for file in sorted((SOURCE / "scalers").glob("*.go")):
        digest.update(file.read_bytes())
    flags = ["-ldflags", f"-s -w -X {MODULE}/version.Version={VERSION} -X main.revision={digest.hexdigest()[:12]}"]
    return golang.programs(SOURCE, flags, PACKAGES, [(MODULE, "config/crd/bases")])
