"""nginx does not run.

None of its ports is listened on, so no route leads anywhere. After a failed restart the reason is in
`journalctl -u nginx`: mostly a file that it refuses, or a port that another program holds.

Symptom:
    Connection refused for every page.
Ends it:
    systemctl start nginx
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.types import NGINX
from portgen.problem import Severity, listed

SOURCES = ("sockets",)
SEVERITY = Severity.ERROR
UNLESS = ("port-stranger",)


def check(host: Audited) -> Iterator[Finding]:
    ports = [one.endpoint for one in host.host.bindings if one.kind == NGINX]
    # Without root the program of a socket is not known: the one of a team's own block may be any.
    hidden = any(socket.program is None for socket in host.sockets)
    declared = any(one.declared for one in host.listening.holdings if one.binding.kind == NGINX)
    if not ports or host.nginx.listeners or (hidden and not declared):
        return
    yield Finding(
        f"nginx does not run: nothing listens on {listed([port.short for port in ports])}",
        host.key_path(NGINX),
        service=NGINX,
        declared=[str(port) for port in ports],
        found=[],
        do=_commands.start("nginx"),
        everywhere="nginx",
    )
