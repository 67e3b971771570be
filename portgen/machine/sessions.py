"""From where this host is being worked on: the ssh connection, and the ports of sshd.

In: /proc; `sshd -T`. Out: SSH_CONNECTION of the session, ports. sudo removes the variable, so it is looked
for in the processes above, too.
"""

from __future__ import annotations

import os
from pathlib import Path

from portgen.machine import programs
from portgen.problem import PortgenError

VARIABLE = "SSH_CONNECTION"
_DEEPEST = 40  # processes above this one


def connection() -> str:
    """`192.168.1.7 51234 192.168.1.5 22`: client and server. "" where nobody came by ssh."""
    found = os.environ.get(VARIABLE, "")
    pid = os.getppid()
    for _ in range(_DEEPEST):
        if found or pid <= 1:
            break
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            break
        for entry in environment.split(b"\0"):
            name, _, value = entry.partition(b"=")
            if name == VARIABLE.encode():
                found = value.decode("ascii", "replace")
        pid = int(status.rpartition(")")[2].split()[1])
    return found


def ports() -> frozenset[int]:
    """The ports at which sshd listens; none where it does not say."""
    found = set()
    try:
        said = programs.run(("sshd", "-T"), timeout=10.0).stdout
    except PortgenError:
        return frozenset()
    for line in said.splitlines():
        name, _, value = line.partition(" ")
        if name == "port" and value.isdecimal():
            found.add(int(value))
    return frozenset(found)
