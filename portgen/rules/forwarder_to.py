"""A `to` that no forwarder can follow: without `via: socat`, for several ports, beside what describes a
container, from udp to a socket, to IPv6 from a host without it, or back to the forwarder itself: straight,
by an address of its host, or by other forwarders.

`to` says where the forwarder of one port leads, in place of a container.

Wrong:
    services:
      ollama: {port: 5000, via: process, to: 127.0.0.1:11434}
Right:
    services:
      ollama: {port: 5000, via: socat, to: 127.0.0.1:11434}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.destinations import Destination
from portgen.plan.rings import rings
from portgen.plan.types import Plan, Service
from portgen.problem import Severity, listed
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        if service.to is not None:
            yield from _misplaced(service, service.to)
            yield from _by_ipv6(plan, service, service.to)
            yield from _beside(service)
    for ring in rings(plan):
        yield _without_end(ring)


def _misplaced(service: Service, to: Destination) -> Iterator[Finding]:
    """What keeps the forwarder from leading there."""
    place = (*service.key_path, "to")
    if service.via != "socat":
        yield Finding(
            service.place(service.via_path),
            f"{service.name} leads to {to}, and only a forwarder can: it is `via: {service.via}`",
            "write `via: socat`, or leave `to` out",
        )
    elif not service.ports:
        yield Finding(place, f"{service.name} leads to {to} from no port", "give it a `port`")
    elif len(service.ports) > 1:
        numbers = ", ".join(port.endpoint.short for port in service.ports)
        yield Finding(
            place,
            f"{service.name} has several ports ({numbers}), and `to` leads from one",
            "make a service for each, with a `to` of its own",
        )
    elif to.path and service.ports[0].transport == "udp":
        yield Finding(
            place, f"{to} is a socket for connections: udp can't lead there", "write an address"
        )


def _by_ipv6(plan: Plan, service: Service, to: Destination) -> Iterator[Finding]:
    host = plan.host(service.host)
    if host is not None and not host.ipv6 and to.is_ipv6:
        yield Finding(
            (*service.key_path, "to"),
            f"{to} is an IPv6 address, but {host.name} has `ipv6: false`",
            "write an IPv4 address, or leave `ipv6` out",
        )


def _without_end(ring: tuple[Service, ...]) -> Finding:
    """At the one that leads back to the first."""
    last = ring[-1]
    place, hint = (*last.key_path, "to"), "write where the program listens"
    if len(ring) == 1:
        message = f"{last.to} is where this forwarder itself listens: it would connect to itself without end"
        return Finding(place, message, hint)
    way = listed([service.name for service in ring])
    message = (
        f"{last.to} leads back to {ring[0].name} ({{line}}): "
        f"{way} would connect to each other without end"
    )
    return Finding(place, message, hint, (*ring[0].key_path, "to"))


def _beside(service: Service) -> Iterator[Finding]:
    """Fields that describe a container, where there is none."""
    for port in service.ports:
        if port.container_port != port.port:
            yield _without_container(service, port.container_path)
    if service.address_is_pinned:
        yield _without_container(service, (*service.key_path, "address"))
    if service.compose_service != service.name:
        yield _without_container(service, (*service.key_path, "compose_service"))


def _without_container(service: Service, place: tuple[str | int, ...]) -> Finding:
    return Finding(
        place,
        f"`{place[-1]}` is about a container, and {service.name} leads to {service.to}",
        f"leave `{place[-1]}` out, or `to`",
    )
