"""A word in `allow` that is not a zone of the host, a project or a CIDR; or a zone or a project whose
name means something else there.

Wrong:
    services:
      web: {port: 5000, allow: [lna]}
Right:
    services:
      web: {port: 5000, allow: [lan]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.inventory.values import parse_cidr
from portgen.plan.types import ANY, Plan
from portgen.problem import Severity
from portgen.rules import Finding, Suggestions, listed

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    projects = {project.name for project in plan.projects}
    for project in plan.projects:
        if project.name == ANY:
            yield Finding(
                project.key_path, "the project `any` has the name of everybody", "rename it"
            )
    for host in plan.hosts:
        for zone in host.zones:
            if zone == ANY or zone in projects:
                yield Finding(
                    (*host.key_path, "zones", zone),
                    f"the zone `{zone}` has the name of {'everybody' if zone == ANY else 'a project'}",
                    "rename it",
                )
    known = {host.name: {ANY, *host.zones, *projects} for host in plan.hosts}
    did_you_mean = Suggestions()
    for place, host_name, words in plan.allows:
        names = known.get(host_name)
        if names is None:
            continue
        for index, word in enumerate(words):
            if word in names:
                continue
            fault = _fault(word)
            if fault:
                known_here = f"known here: {listed(sorted(names))}, or a CIDR"
                yield Finding((*place, index), fault, did_you_mean(word, names) or known_here)


def _fault(word: str) -> str | None:
    """What is wrong with a word that is not a name; None for a CIDR."""
    try:
        parse_cidr(word)
    except ValueError as error:
        return (
            f"`{word}` is not a CIDR: {error}"
            if any(sign in word for sign in ".:/")
            else f"`{word}` is neither a zone nor a project"
        )
    return None
