"""Where a team's own compose file and portgen's override contradict each other.

In: the plan of an override, and the team's file as read. Out: `Contradiction`s, each at the
inventory's entry and with the file's line. Pure.

The override comes last. `network_mode` of the team's file is replaced by it, `ports` are added to
its own. So what differs is refused here, by name. What is about the network is in `team_networks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from portgen.formats import compose
from portgen.formats.compose import PortMapping, TeamFile
from portgen.inventory import key_paths
from portgen.inventory.ranges import overlap
from portgen.plan import team_networks
from portgen.plan.addresses import collide
from portgen.plan.contradiction import Contradiction, is_unknown, shown
from portgen.plan.ignores import silences
from portgen.plan.ports import EVERYWHERE
from portgen.plan.types import Binding, Container, Host, Override, Project, Service
from portgen.problem import Severity

# By this name an `ignore` silences what is found here, in `lint` and in `verify`.
RULE = "compose-file"


def contradictions(host: Host, override: Override, team: TeamFile) -> Iterator[Contradiction]:
    """All that is found, except what a service, its project or its host ignores."""
    ignoring = {service.key_path for service in host.services if silences(service.ignore, RULE)}
    for project in host.projects:
        if silences(project.ignore, RULE):
            ignoring.add(project.key_path)
    for finding in _found(host, override, team):
        around = key_paths.service_around(finding.key_path) or finding.key_path[:2]
        if around not in ignoring:
            yield finding
    for project in host.projects:
        if project.name == override.project:
            yield from left_over(project, team)


def left_over(project: Project, team: TeamFile) -> Iterator[Contradiction]:
    """Retired services that the team's file still has: `up` would start them again, with an address
    that docker chooses. For a project without an override this is all that is asked."""
    needed = set()
    for service in project.services:
        if service.status != "retired":
            needed.add(service.compose_service)
    for service in project.services:
        name = service.compose_service
        retired = service.status == "retired" and service.in_container and name not in needed
        if not retired or name not in team.services or silences(service.ignore, RULE):
            continue
        if _sleeping(team.services[name], team):
            continue
        yield Contradiction(
            service.key_path,
            f"{team.at('services', name)} still has {name}, which is retired: `up` starts it again",
            f"take it out of {team.name}, or give it a profile there that nobody starts",
            Severity.WARNING,
        )


def _sleeping(entry: Mapping[str, Any], team: TeamFile) -> list[str]:
    """The profiles of a service that a plain `up` does not start; none where it starts it."""
    written = entry.get("profiles")
    if not isinstance(written, list):
        return []
    profiles = [str(name) for name in written if name]
    if team.profiles & {*profiles, "*"}:
        return []
    return profiles


def _found(host: Host, override: Override, team: TeamFile) -> Iterator[Contradiction]:
    yield from _unseen(override, team)
    for container in override.containers:
        theirs = team.services.get(container.compose_service)
        if theirs is None:
            if not team.includes:
                yield Contradiction(
                    container.key_path,
                    f"{team.name} has no service {container.compose_service}",
                    f"add it to {team.name}, or name it with `compose_service:`",
                )
            continue
        yield from _of_ports(container, theirs, team)
        yield from _of_network_mode(container, theirs, team)
        yield from _of_copies(container, theirs, team)
        yield from _of_profiles(container, theirs, team)
    if override.network is not None:
        yield from team_networks.contradictions(override, override.network, team)
    yield from _of_names(override, team)
    yield from _of_other_ports(host, override, team)


def _unseen(override: Override, team: TeamFile) -> Iterator[Contradiction]:
    place = override.base_path
    if team.includes:
        yield Contradiction(
            place,
            f"{team.at('include')} includes other files, which were not read",
            "what they publish or say of the network is not checked",
            Severity.NOTE,
        )
    for service, path in dict.fromkeys(team.unread):
        where = team.at("services", service, "extends")
        yield Contradiction(
            place,
            f"{where} extends a service of {path}, which can't be read",
            "what it publishes or says of the network is not checked",
            Severity.NOTE,
        )


def _of_ports(
    container: Container, theirs: Mapping[str, Any], team: TeamFile
) -> Iterator[Contradiction]:
    if not theirs.get("ports"):
        return
    written = "not a list"
    if isinstance(theirs["ports"], list):
        written = ", ".join(map(shown, theirs["ports"]))
    where = team.at("services", container.compose_service, "ports")
    if container.host_network:
        consequence = "a container on the host's network publishes nothing"
    elif container.published:
        consequence = "compose appends the inventory's to them, and docker binds both"
    else:
        consequence = "docker would bind them past its forwarder, and past ufw"
    yield Contradiction(
        container.key_path,
        f"{where} has `ports:` for {container.compose_service} ({written}): {consequence}",
        f"remove them there; {container.service}'s ports are the inventory's",
    )


def _of_network_mode(
    container: Container, theirs: Mapping[str, Any], team: TeamFile
) -> Iterator[Contradiction]:
    """Ours would replace theirs, or compose refuses both together."""
    name = container.compose_service
    mode = theirs.get("network_mode")
    if container.host_network and theirs.get("networks"):
        where = team.at("services", name, "networks")
        message = (
            f"{where} has `networks:` for {name}, which the inventory puts on the host's network"
        )
        yield Contradiction(container.key_path, message, "compose refuses both: remove them there")
    if not isinstance(mode, str) or not mode:
        return
    ours = _contradicted(container, mode)
    if ours is not None:
        where = team.at("services", name, "network_mode")
        message = f"{where} has `network_mode: {mode}` for {name}, {ours}"
        yield Contradiction(container.key_path, message, _mode_hint(container, mode))


def _contradicted(container: Container, mode: str) -> str | None:
    """What the inventory says of a container against its `network_mode`; None where both say the
    same."""
    if container.host_network:
        if mode == "host":
            return None
        return "which the inventory puts on the host's network: the override would replace it"
    if container.address is not None:
        return "which the inventory gives an address in a network"
    if container.published and mode != "bridge":
        return "whose ports the inventory publishes"
    return None


def _mode_hint(container: Container, mode: str) -> str:
    kind, _, other = mode.partition(":")
    if kind == "service":
        todo = f"name `compose_service: {other}` here, and leave `network_mode` there"
        return f"it listens in the network of {other}, whose ports they are: {todo}"
    if kind == "container":
        todo = "give the inventory's entry to the service that runs that one"
        return f"it listens in the network of the container {other}: {todo}"
    if mode == "none":
        todo = f"remove it there, or take {container.service} out of the inventory"
        return f"a container without a network has no ports: {todo}"
    if mode == "host" and not container.host_network:
        return "compose refuses both: remove it there, or say `via: host` here"
    return "remove it there"


def _of_copies(
    container: Container, theirs: Mapping[str, Any], team: TeamFile
) -> Iterator[Contradiction]:
    name = container.compose_service
    wanted = {"scale": theirs.get("scale")}
    if isinstance(theirs.get("deploy"), dict):
        wanted["deploy"] = theirs["deploy"].get("replicas")
    for key, value in wanted.items():
        if not re.fullmatch("[0-9]{1,6}", str(value)) or int(str(value)) < 2:
            continue
        yield Contradiction(
            container.key_path,
            f"{team.at('services', name, key)} runs {value} copies of {name}",
            "only one can have its address and its ports: "
            "run one, or give each copy a service of its own",
        )
        return


def _of_profiles(
    container: Container, theirs: Mapping[str, Any], team: TeamFile
) -> Iterator[Contradiction]:
    profiles = _sleeping(theirs, team)
    if not profiles:
        return
    name = container.compose_service
    where = team.at("services", name, "profiles")
    yield Contradiction(
        container.key_path,
        f"{where} puts {name} into the profile {' or '.join(profiles)}: "
        "a plain `up` does not start it",
        "remove `profiles:` there, or name one in COMPOSE_PROFILES of the `.env` beside that file",
        Severity.WARNING,
    )


def _of_names(override: Override, team: TeamFile) -> Iterator[Contradiction]:
    """Two containers of one name: `config` accepts them, and docker refuses the second."""
    ours = {container.compose_service: container.key_path for container in override.containers}
    first: dict[str, str] = {}
    for service, entry in team.services.items():
        name = entry.get("container_name")
        if not isinstance(name, str) or is_unknown(name):
            continue
        other = first.setdefault(name, service)
        if other != service and (service in ours or other in ours):
            where = team.at("services", service, "container_name")
            yield Contradiction(
                ours.get(service) or ours[other],
                f"{where} names the container of {service} {name}, as {other}'s is named: "
                "docker refuses the second",
                "give each a `container_name` of its own there, or none",
            )


# --- ports of services that are not the inventory's -----------------------------------------------


def _of_other_ports(host: Host, override: Override, team: TeamFile) -> Iterator[Contradiction]:
    ours = {container.compose_service for container in override.containers}
    names: dict[str, set[str]] = {}
    for one in _services(host, override):
        names.setdefault(one.compose_service, {one.compose_service}).add(one.name)
    for service, entry in team.services.items():
        if service in ours or not isinstance(entry.get("ports"), list):
            continue
        for index, mapping in enumerate(entry["ports"]):
            published = compose.mapping(mapping)
            if published is None:
                continue
            keys: tuple[str | int, ...] = ("services", service, "ports", index)
            if "extends" in entry:  # the port may be that of a service in another file
                keys = ("services", service)
            for holder in host.bindings:
                if holder.holder in names.get(service, {service}):
                    continue
                if not _collide(published, holder):
                    continue
                yield Contradiction(
                    holder.key_path,
                    f"{team.at(*keys)} publishes {holder.endpoint} for {service} ({shown(mapping)}), "
                    f"which {holder.holder} holds",
                    f"give {service} a port of its own, and an entry in the inventory",
                )


def _services(host: Host, override: Override) -> Iterator[Service]:
    for project in host.projects:
        if project.name == override.project:
            yield from project.services


def _collide(published: PortMapping, holder: Binding) -> bool:
    """Whether docker could not bind what the other one holds."""
    if holder.transport != published.transport:
        return False
    if not overlap(holder.endpoint.ports, published.published):
        return False
    return collide(published.address or EVERYWHERE, holder.address)
