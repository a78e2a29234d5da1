#!/usr/bin/env python3
"""A network for a measurement alone: a loopback, with the congestion control that Linux comes with.

    loopback.py COMMAND ARGUMENT...    runs the command there

Where a machine is set to pace what it sends (`bbr`), its kernel programs a timer for each burst. On a loopback that takes more of a
proxy's time than its own work, and the more, the larger its writes are (docs/decisions/0009). A namespace has a setting of its own, and the
machine keeps the one it has. Where no namespace can be had, the command runs in the machine's network, and a word is said.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

INSIDE = "--inside"
# What asks for the least first.
WAYS = (["unshare", "--net"], ["unshare", "--net", "--map-root-user"])
# Linux's own default, and what no module must be loaded for.
CONTROL = "cubic"
SETTING = Path("/proc/sys/net/ipv4/tcp_congestion_control")

# <linux/sockios.h>, <linux/if.h>
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def loopback_up():
    """A new namespace has a loopback that is down."""
    with socket.socket() as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def way():
    """How a namespace can be had here, if it can."""
    for command in WAYS:
        try:
            tried = subprocess.run([*command, sys.executable, __file__, INSIDE, "true"], capture_output=True)
        except OSError:
            return None
        if tried.returncode == 0:
            return command
    return None


def main():
    """Within the namespace when called so, else into one."""
    command = sys.argv[1:]
    if command[:1] == [INSIDE]:
        loopback_up()
        SETTING.write_text(CONTROL)
        os.execvp(command[1], command[1:])
    namespace = way()
    if namespace is None:
        print("no network namespace can be had: measured in the machine's own network", file=sys.stderr)
        os.execvp(command[0], command)
    os.execvp(namespace[0], [*namespace, sys.executable, __file__, INSIDE, *command])


if __name__ == "__main__":
    main()
