"""A container that portgen's override made is there, but the inventory does not have its service any more.

It keeps its address and its ports, and no rule guards them. The guide stops and removes it; what it keeps in
volumes stays. If the team's own compose file still has the service, compose makes it again, without what the
inventory gave it: take it out there, too.

Symptom:
    A service that has left still answers at its old port, or its address is in use when another one takes it.
Ends it:
    sed -n '/^```sh$/,/^```$/{/^```/!p}' /srv/portgen/output/es-docker/docs/INSTALL.md | sh -eu
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    known = {one.id for expected in host.expected for one in expected.there}
    wanted = {(one.override.project, one.planned.compose_service) for one in host.expected}
    for container in host.containers:
        if container.ours is None or container.id in known:
            continue
        if container.one_off and (container.ours, container.service) in wanted:
            continue  # `compose run`, for a service that is there
        name = container.service or None
        where = f"{container.service} of {container.ours}" if name else container.ours
        yield Finding(
            f"{container.name} is left over ({container.state}): the inventory does not have {where}",
            host.key_path(name),
            service=name,
            found=container.state,
            do=_commands.guide(host),
        )
