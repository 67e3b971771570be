"""A word in `allow` that is not a zone of the host, a project or a CIDR; or a zone or a project
whose name means something else there.

Wrong:
    services:
      web: {port: 5000, allow: [lna]}
Right:
    services:
      web: {port: 5000, allow: [lan]}
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator

from portgen.inventory.hints import allowed
from portgen.inventory.networks import parse_cidr
from portgen.inventory.values import Refused
from portgen.plan.reach import ANY
from portgen.plan.types import Plan
from portgen.plan.visitors import HOST
from portgen.problem import Severity, listed
from portgen.rules import Finding, Suggestions

SEVERITY = Severity.ERROR

_RESERVED = {ANY: "it means everybody", HOST: "in `expect` it means the host itself"}


def check(plan: Plan) -> Iterator[Finding]:
    yield from _names(plan)
    projects = {project.name for project in plan.projects}
    known = {host.name: {ANY, *host.zones, *projects} for host in plan.hosts}
    owners = {service.name: service.project for service in plan.services}
    hosts = [host.name for host in plan.hosts]
    did_you_mean = Suggestions()
    for place, host_name, words in plan.allows:
        names = known.get(host_name)
        if names is None:
            continue
        for index, word in enumerate(words):
            fault = None
            if word not in names:
                fault = _fault(word)
            if fault is None:
                continue
            hint = _hint(word, owners, hosts) or fault.hint or did_you_mean(word, names)
            known_here = f"known here: {listed(sorted(names))}, or a CIDR"
            yield Finding((*place, index), str(fault), hint or known_here)


def _hint(word: str, owners: dict[str, str], hosts: Collection[str]) -> str | None:
    """What a word that is neither a zone nor a project was meant for."""
    network = _network(word)
    if network is not None:
        return f"write `{network}` for the network, `{word.partition('/')[0]}` for the one address"
    if word in owners:
        return f"{word} is a service: allow its project, `{owners[word]}`"
    if word in hosts:
        return f"{word} is a host: allow its address"
    return allowed(word)


def _network(word: str) -> str | None:
    """The network of an address with a prefix length that says more than the network."""
    try:
        return str(parse_cidr(str(ipaddress.ip_network(word, strict=False))))
    except ValueError:
        return None


def _names(plan: Plan) -> Iterator[Finding]:
    """Zones and projects with a name that means something else in `allow`, or in `expect`."""
    projects = {project.name: project for project in plan.projects}
    for word, why in _RESERVED.items():
        if word in projects:
            yield Finding(
                projects[word].key_path, f"`{word}` is reserved ({why}): rename the project"
            )
    for host in plan.hosts:
        for zone in host.zones:
            place = (*host.key_path, "zones", zone)
            if zone in _RESERVED:
                why = _RESERVED[zone]
                yield Finding(place, f"`{zone}` is reserved ({why}): rename the zone")
            elif zone in projects:
                message = f"zone `{zone}` has the same name as project {zone}: rename the zone"
                yield Finding(place, message)


def _fault(word: str) -> Refused | None:
    """What is wrong with a word that is not a name; None for a CIDR."""
    try:
        parse_cidr(word)
    except ValueError as error:
        if re.search(r"[.:/]", word):
            return Refused(str(error), getattr(error, "hint", None))
        return Refused(f"`{word}` is neither a zone nor a project")
    return None
