"""An `allow` of which nothing is left: a project whose addresses are not known, an empty zone, IPv6 sources
where there is only IPv4. nginx, and a program that binds its port itself, would be as open as ufw's default
policy says. What portgen binds listens on 127.0.0.1 then, and a route is closed.

A project of processes on the same host does come to such a port, over loopback.

Wrong:
    hosts:
      box:
        nginx: {server_name: box.example.com, allow: [shop]}
    projects:
      shop:
        network: {name: proxy, external: true}
Right:
    hosts:
      box:
        nginx: {server_name: box.example.com, allow: [shop]}
    projects:
      shop:
        network: {name: proxy, external: true, subnet: 172.30.0.0/24}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.networks import hides_containers
from portgen.plan.types import Host, KeyPath, Plan, Service
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR
ABSOLUTE = True
UNLESS = ("zone-unknown",)
OPEN = "as open as ufw's default policy says"
HINT = "write who may come: `any`, networks, or a zone that has some; a project's network needs its `subnet`"


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        server = host.server
        if server is not None and server.allow and server.reach.kind == "policy":
            yield Finding(
                (*server.key_path, "allow", 0),
                f"`allow` lets in nobody that portgen knows: nginx would be {OPEN}",
                HINT,
            )
        local = _on_the_host_itself(host)
        seen: set[KeyPath] = set()
        for service in host.services:
            yield from _ports(service, local, seen)


def _ports(service: Service, local: set[str], seen: set[KeyPath]) -> Iterator[Finding]:
    for port in service.ports:
        place = service.place(port.allow_path)
        if not port.allow or port.reach.kind != "policy" or place in seen:
            continue
        if local.isdisjoint(port.allow):
            seen.add(place)
            yield Finding(
                place if port.allow_is_default else (*place, 0),
                f"`allow` lets in nobody that portgen knows: "
                f"{service.name}'s port {port.endpoint.short} would be {OPEN}",
                HINT,
            )


def _on_the_host_itself(host: Host) -> set[str]:
    """The projects that come over loopback."""
    found = set()
    for project in host.projects:
        if project.network is None and not hides_containers(project):
            found.add(project.name)
    return found
