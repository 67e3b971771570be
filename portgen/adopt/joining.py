"""New ports of containers and projects that an inventory has already: those that it can't have as services of
their own.

In: a `Sighted`, its `Draft`, the inventory. Out: the same draft without them; each is left with the reason,
and with what a person writes instead. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.adopt.draft import Draft, Entry, Port
from portgen.adopt.into import Onto, holder_of, name_apart
from portgen.adopt.sighted import Left, Sighted
from portgen.edits.style import Quotes, written_value
from portgen.inventory import ranges
from portgen.plan.types import Project, Service


def drop_unfit(found: Sighted, draft: Draft, base: Onto) -> None:
    """Leave new ports that lint would refuse, with all that is new beside them; the others of a known
    container stay in its project."""
    name_apart(draft, base)
    for entry in draft.entries:
        known = [holder_of(base, entry, port) for port in entry.ports]
        service = next(filter(None, known), None)
        if service is not None and entry.box is not None and service.in_container:
            entry.project = service.project
            entry.address = ""  # the container's is the inventory's
    for entry, port in list(draft.ports()):
        if holder_of(base, entry, port) is not None:
            continue
        why = _why_unfit(base, entry, port)
        if why:
            found.left += [Left(said, why) for said in port.said]
            draft.elsewhere.append(port.endpoint)
            draft.drop(entry, port)


def _why_unfit(base: Onto, entry: Entry, port: Port) -> str:
    """Why a new port can't be one of a service of its own; "" where it can."""
    project = next((one for one in base.host.projects if one.name == entry.project), None)
    if project is None:
        return ""
    other = _at_another_address(base, project, port)
    if other is not None and "projects-overlap" not in project.ignore:
        return (
            f"{other.name} of {other.project} has this number at another address: write it by hand, and "
            f"`ignore: {{projects-overlap: …}}` in {project.name}"
        )
    if entry.box is None or entry.to:
        return ""
    for service in _in_container(project, entry):
        why = _why_not_beside(service, entry, port)
        if why:
            return why
    if entry.via == "socat" and (project.network is None or project.network.pool is None):
        return (
            f"a forwarder needs a container with a fixed address: give {project.name} a `network` with a "
            "`subnet`, and import again"
        )
    return ""


def _at_another_address(base: Onto, project: Project, port: Port) -> Service | None:
    """The service of another project of the inventory that has the same number."""
    for service in base.host.services:
        is_others = service.project != project.name
        if is_others and any(port.endpoint.overlaps(one.endpoint) for one in service.ports):
            return service
    return None


def _in_container(project: Project, entry: Entry) -> Iterator[Service]:
    """The services of the inventory that are in an entry's container."""
    for service in project.services:
        is_in = service.in_container and service.status != "retired"
        if entry.box is not None and is_in and service.compose_service == entry.box.service:
            yield service


def _why_not_beside(service: Service, entry: Entry, port: Port) -> str:
    """Why a port can't be one of a second service in a container; "" where it can."""
    if (service.via == "host") != (entry.via == "host"):
        return f"{service.name} is in this container, with `via: {service.via}`"
    if not service.has_mapping:
        return ""
    for known in service.ports:
        is_one = known.transport == port.endpoint.transport
        if is_one and ranges.overlap(known.container_ports, port.inside_ports):
            held = f"port {port.inside} of the container is {service.name}'s"
            return f"{held}: {_by_hand(service, entry, port)}"
    return ""


def _by_hand(service: Service, entry: Entry, port: Port) -> str:
    """What a person writes for a second port of a service."""
    if service.via != entry.via:
        return f"an inventory has one way to it, and that is `via: {service.via}`"
    one = port.endpoint
    fields: dict[str, str | int] = {"port": f"{one.port}-{one.last}" if one.last else one.port}
    fields["container_port"] = port.inside
    if one.transport == "udp":
        fields["protocol"] = "udp"
    if one.address:
        fields["bind"] = port.bind
    return f"write it as one of its `ports`: {written_value(fields, Quotes())}"
