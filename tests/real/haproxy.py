"""The load balancer of the tests: Debian's HAProxy, installed where it is missing."""

import debian


def program():
    """Its path."""
    return debian.program("haproxy")
