"""docker does not run, and services of the inventory are in its containers.

None of those containers runs, so nothing answers behind their ports and routes: a forwarder accepts a visitor
and closes the connection. With docker the containers come back that have a restart policy; each of the
others is found by the next audit, as `container-stopped`. If docker does not start, `journalctl -u docker`
says why.

Symptom:
    The routes of all services in containers say `502 Bad Gateway`; `docker ps` says `Cannot connect to the
    Docker daemon`.
Ends it:
    systemctl start docker
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity, counted

SOURCES = ("docker",)
UNSEEN = True
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    inside = tuple(service.name for service in host.host.services if service.in_container)
    if "docker" not in host.stopped or not inside:
        return
    yield Finding(
        f"docker does not run, and {counted(len(inside), 'service')} of the inventory "
        f"{_are(inside)} in its containers",
        host.host.key_path,
        declared="running",
        found="stopped",
        do=_commands.start("docker"),
        also=inside,
    )


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"
