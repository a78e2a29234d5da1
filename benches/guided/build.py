#!/usr/bin/env python3
"""A release that is built by what a gateway was seen to do: rustc's profile-guided optimisation.

    build.py    builds a gateway that counts its own steps, lets it work, builds it again by the counts, and prints where it is

What it needs beyond cargo is `llvm-profdata`, which `rustup component add llvm-tools` brings; it is asked for if it is
missing. Two builds of everything: some twenty minutes of two cores. The counts are taken anew each time: they are of this
code, and no file of them is kept in the repository.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target") / "guided"


def main():
    """The whole way; the path of what came of it is the last line."""
    host = said_by_rustc("-vV").split("host: ")[1].split()[0]
    profdata = tool(host)
    # Where they are written is built into the gateway.
    counts = TARGET / "counts"
    counting = built("counting", host, f"-Cprofile-generate={counts}")
    shutil.rmtree(counts, ignore_errors=True)
    command = [sys.executable, HERE / "work.py"]
    subprocess.run(command, env={**os.environ, "SLUICE_BIN": str(counting)}, stdout=sys.stderr, check=True)
    seen = sorted(counts.glob("*.profraw"))
    if not seen:
        raise SystemExit("the gateway that counts has left no counts")
    merged = TARGET / "seen.profdata"
    subprocess.run([profdata, "merge", "-o", merged, *seen], check=True)
    # A function that never ran has no counts, and is no mistake.
    print(built("made", host, f"-Cprofile-use={merged} -Cllvm-args=-pgo-warn-missing-function=false"))


def said_by_rustc(*words):
    """What the compiler says."""
    return subprocess.run(["rustc", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def tool(host):
    """The program that merges counts, of the compiler's own version of LLVM."""
    path = Path(said_by_rustc("--print", "sysroot").strip()) / "lib/rustlib" / host / "bin/llvm-profdata"
    if not path.exists():
        subprocess.run(["rustup", "component", "add", "llvm-tools"], cwd=REPOSITORY, stdout=sys.stderr, check=True)
    return path


def built(name, host, flags):
    """A release with these flags, in a target folder of its own: each change of flags would build everything anew."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET / name), "RUSTFLAGS": flags}
    # With a target named, what only builds (scripts, macros) is not counted.
    command = ["cargo", "build", "--locked", "--release", "--bin", "sluice", "--target", host]
    subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=sys.stderr, check=True)
    return TARGET / name / host / "release/sluice"


if __name__ == "__main__":
    main()
