"""The load balancer of the tests: Debian's HAProxy, installed where it is missing."""

import shutil

from cache import Missing
from debian import SEARCHED, install


def program():
    """Its path."""
    found = shutil.which("haproxy", path=SEARCHED)
    if not found and install("haproxy"):
        found = shutil.which("haproxy", path=SEARCHED)
    if not found:
        raise Missing("HAProxy is missing (Debian: haproxy): install it")
    return found
