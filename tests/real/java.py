"""Finds the Java that a Trino needs, among what is on the machine; Java 17 and Maven also by package name."""

import os
import re
import shutil
import subprocess
from glob import glob
from pathlib import Path

from cache import Missing
from debian import install

# JAVA_HOME first, then the names that CI images set, then the places where packages put JDKs.
PLACES = ["/usr/lib/jvm/*", "/usr/java/*", "/opt/java/*", "/opt/jdk*", "/Library/Java/JavaVirtualMachines/*/Contents/Home"]
HOME_PLACES = [".sdkman/candidates/java/*", ".jdks/*", ".local/share/mise/installs/java/*", ".asdf/installs/java/*"]


def candidates(version):
    """Folders that may hold a JDK of that version, the likeliest first."""
    names = ["JAVA_HOME", f"JDK{version}", f"JDK_{version}", f"JAVA_HOME_{version}_X64", f"JAVA_HOME_{version}"]
    found = [os.environ[name] for name in names if os.environ.get(name)]
    if java := shutil.which("java"):
        found.append(str(Path(java).resolve().parents[1]))
    for place in PLACES + [str(Path.home() / place) for place in HOME_PLACES]:
        found += sorted(glob(place))
    return [Path(folder) for folder in dict.fromkeys(found)]


def major(home):
    """The feature version of a JDK, from its `release` file; None where there is none."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    match = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release, re.MULTILINE)
    return int(match[1]) if match else None


def find(version, module=None, program="java"):
    """The home of a Java of exactly that version with that module and program, or None."""
    for home in candidates(version):
        if major(home) == version and (home / "bin" / program).exists() and has_module(home, module):
            return home
    return None


def has_module(home, module):
    """Whether the runtime knows a module; some repackaged ones leave the incubating ones out."""
    if module is None:
        return True
    listed = subprocess.run([home / "bin/java", "--list-modules"], capture_output=True, text=True)
    return module in listed.stdout


def jdk25():
    """A JDK for Trino 483; no package of Debian 12 has one, so it must be there."""
    home = find(25, module="jdk.incubator.vector", program="javac")
    if home is None:
        raise Missing("Trino 483 needs a full JDK 25 (with the module jdk.incubator.vector): install one and set JAVA_HOME or JDK25 to it")
    return home


def java17():
    """A Java for Trino 435, installed by Debian's package where it is missing."""
    home = find(17, program="javac")
    if home is None and install("openjdk-17-jdk-headless"):
        home = find(17, program="javac")
    if home is None:
        raise Missing("Trino 435 needs a JDK 17 (Debian: openjdk-17-jdk-headless): install it, or set JDK17 to one")
    return home


def any_jdk():
    """A JDK on which today's Java clients run and are compiled: what is there, else Java 17."""
    return find(17, program="javac") or find(25, program="javac") or java17()


def maven():
    """The path of Maven, installed by Debian's package where it is missing."""
    found = shutil.which("mvn") or (install("maven") and shutil.which("mvn"))
    if not found:
        raise Missing("the real coordinators come by Maven (Debian: maven): install it")
    return found
