"""What an audit says of each port: as declared, differs, ignored, or not seen.

In: an `Outcome` of a host, and its plan. Out: a `Standing` for each port of each service, and for each
service without one. Pure. What was not seen is never as declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from portgen.audit._outcome import Found, Outcome
from portgen.plan.ports import Endpoint, PlannedPort
from portgen.plan.types import NGINX, Host, Service
from portgen.problem import Severity

State = Literal["declared", "differs", "ignored", "unseen"]


class Standing(NamedTuple):
    """Of a port, or of a service without one: its state, the findings about it, those of them that are
    ignored, those that are about all that a source says, and what of it was not seen."""

    service: str
    port: Endpoint | None
    state: State
    findings: tuple[Found, ...]
    ignored: tuple[Found, ...]
    everywhere: tuple[tuple[Found, str], ...]  # with how it concerns this port, in words
    unseen: tuple[str, ...]


def standings(host: Host, outcome: Outcome) -> list[Standing]:
    """One for each line of the port page."""
    found = []
    for service, port, sources in _lines(host):
        findings = [one for one in outcome.findings if _is_about(one, service, port)]
        ignored = [one.found for one in outcome.ignored if _is_about(one.found, service, port)]
        wide = tuple(_everywhere(outcome.findings, service, sources))
        ignored_wide = tuple(_everywhere((one.found for one in outcome.ignored), service, sources))
        unseen = tuple(_unseen(outcome, sources))
        state: State = "declared"
        if findings or wide:
            state = "differs"
        elif ignored or ignored_wide:
            state = "ignored"
        elif unseen:
            state = "unseen"
        found.append(
            Standing(
                service, port, state, tuple(findings), tuple(ignored), wide + ignored_wide, unseen
            )
        )
    return found


def rest(outcome: Outcome, found: list[Standing]) -> list[Found]:
    """The findings that are about no port of the page, but about the host."""
    placed = {id(one) for standing in found for one in standing.findings}
    return [one for one in outcome.findings if id(one) not in placed]


def _lines(host: Host) -> Iterator[tuple[str, Endpoint | None, tuple[str, ...]]]:
    """Each service and port, with the sources that say how it is."""
    for project in host.projects:
        for service in project.services:
            if not service.ports:
                yield service.name, None, _sources(service, None)
            for port in service.ports:
                yield service.name, port.endpoint, _sources(service, port)
    for binding in host.bindings:
        if binding.kind == NGINX:
            yield NGINX, binding.endpoint, ("sockets", "systemd", "ufw", "nginx")


def _sources(service: Service, port: PlannedPort | None) -> tuple[str, ...]:
    """What has to be seen before one can say that it is as declared."""
    if service.status != "active":
        return () if port is None else ("sockets",)
    needed = []
    if port is not None:
        needed += ["sockets", "ufw"]
        if service.routes:
            needed.append("nginx")
        if port.health:
            needed.append("health")
    if service.in_container:
        needed.append("docker")
    if service.all_units:
        needed.append("systemd")
    return tuple(needed)


def _is_about(found: Found, service: str, port: Endpoint | None) -> bool:
    finding = found.finding
    if service in finding.also:
        return True  # it shares the container, or the network: whatever port is named
    if finding.service != service:
        return False
    return finding.port is None or (port is not None and finding.port.overlaps(port))


def _everywhere(
    findings: Iterable[Found], service: str, sources: tuple[str, ...]
) -> Iterator[tuple[Found, str]]:
    """What is wrong for each port that needs a source. nginx's own faults reach a port as far as its
    routes go: the port itself may answer."""
    for one in findings:
        source = one.finding.everywhere
        if source not in sources or one.severity is not Severity.ERROR:
            continue
        if service != one.finding.service:
            yield one, "its routes" if source == "nginx" else "the whole host"


def _unseen(outcome: Outcome, sources: tuple[str, ...]) -> Iterator[str]:
    for source in sources:
        if source not in outcome.sources:
            yield f"{source}: not asked for"
        for why in outcome.why_not(source):
            yield f"{source}: {why}"
