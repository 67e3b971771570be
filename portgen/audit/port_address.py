"""A declared port listens at other addresses than the inventory says.

At a wider one - `0.0.0.0` in place of `127.0.0.1` - people reach it whom nobody let in: by a published
port also past the firewall. At another one, or by IPv4 only where IPv6 is declared too, those whom the
inventory lets in don't reach it. IPv4 and IPv6 are compared apart. Where a program listens by itself,
only a written `bind` says where. That it listens on loopback besides does no harm.

A published port gets its address back by `portgen install`. Of a program, set the address in its own
settings, and restart it.

Symptom:
    More people reach the port than should; or a visitor of one network or family gets `Connection
    refused`.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._listeners import Holding, covers, in_words
from portgen.plan.ports import is_loopback
from portgen.plan.types import NGINX
from portgen.problem import Severity

SOURCES = ("sockets",)
SEVERITY = Severity.ERROR
UNLESS = (
    "docker-stopped",
    "unit-outdated",
    "container-network",
    "container-ports",
    "override-unused",
)


def check(host: Audited) -> Iterator[Finding]:
    for holding in host.listening.holdings:
        if holding.binding.kind != NGINX and holding.own and holding.declared:
            yield from _of(host, holding)


def _of(host: Audited, holding: Holding) -> Iterator[Finding]:
    found = {place for listener in holding.own for place in listener.at}
    wider = [
        place
        for place in found
        if not covers(holding.declared, place) and not (place[1] and is_loopback(place[1]))
    ]
    if not wider and not holding.missing:
        return
    holder = holding.binding.holder
    declared, there = in_words(holding.declared), in_words(found)
    yield Finding(
        f"port {holding.port.everywhere.short} of {holder} listens at {there}, and should listen at "
        f"{declared}",
        holding.binding.key_path,
        service=holder,
        port=holding.port,
        declared=declared,
        found=there,
        do=_remedy(host, holding),
    )


def _remedy(host: Audited, holding: Holding) -> str:
    """What a program listens at is in its own settings."""
    if holding.forwarder is not None:
        return _commands.restart(holding.forwarder.unit)
    if holding.binding.kind == "docker":
        return _commands.install(host)
    return ""
