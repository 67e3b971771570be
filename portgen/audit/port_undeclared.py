"""Something listens on a port of a project that nobody holds by the inventory.

The next service that gets this port can't start, or is not reached. Until then the firewall may let
people in whom nobody chose: the ports that docker publishes bypass ufw. Whoever needs the port gets it
with an entry of their own in the inventory; otherwise stop what listens there. Something that listens on
loopback only is a warning. Ports outside of all projects are somebody else's business, unless a container
of ours publishes them. Where nginx, docker or ssh listens, portgen prints nothing to run: set another
port in its own configuration.

Symptom:
    A new service does not start, since its port is taken; or a port answers that nobody declared.
Ends it:
    systemctl stop stranger.service
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._listeners import Listener, in_words
from portgen.plan import registry
from portgen.plan.ports import EPHEMERAL, Endpoint
from portgen.plan.types import Project
from portgen.problem import Severity

SOURCES = ("sockets",)
SEVERITY = Severity.ERROR
UNLESS = (
    "unit-outdated",
    "unit-left-over",
    "forwarder-left-over",
    "container-network",
    "container-ports",
    "override-unused",
)


class _Stranger(NamedTuple):
    """Listeners of one program on one port."""

    port: Endpoint
    who: str
    listeners: list[Listener]


def check(host: Audited) -> Iterator[Finding]:
    for stranger in _strangers(host):
        owner = _owner(host, stranger)
        service = _service(host, stranger)
        if owner is None and service is None:
            continue
        places = {place for listener in stranger.listeners for place in listener.at}
        at = in_words(places)
        whose = "" if owner is None else f" in the range of {owner.name}"
        severity = None
        if all(listener.is_local for listener in stranger.listeners):
            severity = Severity.WARNING
        yield Finding(
            f"{stranger.who} listens on port {stranger.port.short}{whose} at {at}, and nobody holds it",
            owner.key_path if service is None and owner is not None else host.key_path(service),
            service=service,
            port=None if service is not None else stranger.port,
            found=f"{stranger.who} at {at}",
            do=_commands.release(host, stranger.listeners),
            severity=severity,
        )


def _strangers(host: Audited) -> Iterator[_Stranger]:
    """What nobody's port explains, program by program: IPv4 and IPv6 together."""
    found: dict[tuple[Endpoint, str], list[Listener]] = {}
    for listener in host.listening.others:
        if host.is_left_over(listener.container):
            continue
        found.setdefault((listener.endpoint, listener.who), []).append(listener)
    for (port, who), listeners in sorted(found.items(), key=lambda item: item[0]):
        yield _Stranger(port, who, listeners)


def _owner(host: Audited, stranger: _Stranger) -> Project | None:
    """The project in whose range the port lies, where that is not left to somebody else. A program
    that asks something by udp has a port of its own for as long as that takes."""
    port = stranger.port
    if port.transport == "udp" and port.port in EPHEMERAL:
        return None
    owners = list(registry.owners(host.host, port.port, (port.transport,)))
    if not owners or registry.is_reserved(host.host, port.port, owners):
        return None
    if any(owner.reserved for owner in owners):
        return None
    return owners[0].project


def _service(host: Audited, stranger: _Stranger) -> str | None:
    """The service whose forwarder or container listens there."""
    for listener in stranger.listeners:
        if listener.unit is not None and host.owner(listener.unit) is not None:
            return host.owner(listener.unit)
        if listener.container is not None and host.inside(listener.container) is not None:
            return host.inside(listener.container)
    return None
