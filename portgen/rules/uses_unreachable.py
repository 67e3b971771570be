"""A service that its caller can't reach. A container reaches its host from the addresses of its own
network, so what it calls has to listen there and to allow them.

A process, and a container on the host's network, reach everything on their host; a container reaches
those of its own network. Whom another host's firewall lets in is not looked at.

Wrong:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, uses: [database]}
      data:
        services:
          database: {port: 5432, via: process, protocol: tcp}
Right:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, uses: [database]}
      data:
        services:
          database: {port: 5432, via: process, protocol: tcp, allow: [shop]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.calls import Call
from portgen.plan.facts import Key
from portgen.plan.ignores import silences
from portgen.plan.types import KeyPath, Plan, Service
from portgen.problem import Severity, listed
from portgen.rules import Finding

SEVERITY = Severity.WARNING


# A place, and what is wrong there: found once, with all who have it.
Found = dict[KeyPath, tuple[Call, list[Service]]]


def check(plan: Plan) -> Iterator[Finding]:
    services = {Key(service.host, service.name): service for service in plan.services}
    found: Found = {}
    for caller in plan.services:
        if caller.status != "active" or silences(caller.ignore, "uses-unreachable"):
            continue
        for call in caller.calls:
            if call.first.obstacle is not None:
                # With and without a container in between, a default stands at one place.
                found.setdefault(call.key_path, (call, []))[1].append(caller)
    for place, (call, callers) in found.items():
        yield _finding(place, call, callers, services[Key(call.host, call.service)])


def _finding(place: KeyPath, call: Call, callers: list[Service], callee: Service) -> Finding:
    caller, end = callers[0], call.first
    project, allowed_at = caller.project, callee.place(end.port.allow_path)
    start = f"{listed([one.name for one in callers], 2)} can't reach {call.name}"
    allow = f"write `allow: [{project}]` for {call.name} ({{line}})"
    if end.port.allow:
        allow = f"add `{project}` to the `allow` of {call.name} ({{line}})"
    if end.obstacle == "no-network":
        message = f"{start}: by which address a container of {project} finds the host is not known"
        return Finding(place, message, f"give {project} a `network`")
    if end.obstacle == "no-subnet":
        message = (
            f"{start}: the subnet of the network {caller.network}, and so its gateway, is not known"
        )
        hint = (
            f"write its `subnet` in {project} (`docker network inspect {caller.network}` prints it)"
        )
        return Finding(place, message, hint)
    if end.obstacle == "family":
        message = (
            f"{start}: that listens at {end.address}, and the network of {project} has no IPv6"
        )
        return Finding(place, message, f"give the network of {project} a `subnet6`")
    if end.obstacle == "name":
        name, network = callee.compose_service, callee.network
        message = f"{start} for sure: in the network {network} several containers are called {name}"
        return Finding(
            place,
            message,
            f"write another `compose_service` for {call.name}, or the network's `subnet`",
        )
    if end.obstacle == "loopback" and caller.host != callee.host:
        message = f"{start}: on {callee.host} it listens on 127.0.0.1 only ({{line}})"
        hint = f"give {call.name} an `allow` with the address of {caller.host}"
        return Finding(place, message, hint, allowed_at)
    if end.obstacle == "loopback":
        message = f"{start}: that listens on 127.0.0.1 only, which in a container is the container"
    elif end.obstacle == "policy":
        message = f"{start} where ufw refuses what no rule allows: {call.name} has no `allow`"
    elif end.obstacle == "closed":
        message = f"{start}: without an `allow`, nobody but the host comes to {end.where}"
    else:
        message = f"{start}: its `allow` leaves out the network of {project}"
    return Finding(place, message, allow, allowed_at)
