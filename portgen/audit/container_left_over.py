"""A container that portgen's override made is there, but the inventory does not have its service any more.

It keeps its address and its ports, and no rule guards them. `portgen install` stops and removes it; what it
keeps in volumes stays. If the team's own compose file still has the service, compose makes it again,
without what the inventory gave it: take it out there, too.

Symptom:
    A service that has left still answers at its old port, or its address is in use when another one takes it.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.types import KeyPath
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
        where = container.ours
        if container.service:
            where = f"{container.service} of {container.ours}"
        yield Finding(
            f"{container.name} is left over ({container.state}): the inventory does not have {where}",
            *_place(host, container.service),
            found=container.state,
            do=_commands.install(host),
        )


def _place(host: Audited, name: str) -> tuple[KeyPath, str | None]:
    """The entry of a service that is planned or retired; of one that has none any more, the host."""
    for project in host.host.projects:
        for service in project.services:
            if service.name == name:
                return service.key_path, name
    return host.host.key_path, None
