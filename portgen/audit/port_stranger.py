"""Another program listens on a port than the one that the inventory names for it.

Visitors of the port get that other program, and the declared one can't start: its port is in use. Planned
and retired services hold their ports too: nobody may listen there, so that no client of the one meets the
other. A forwarder listens as a process of its own unit. A published port is docker's, for that service's
container. On the host's network a process of the container listens. A program is known by its `unit`,
where the inventory names one.

The command stops the other program. Where that is nginx, docker or ssh, which others need, portgen prints
nothing to run: set another port in its own configuration.

Symptom:
    Another service answers on the port than the one that the inventory names; the declared one does not
    start: `Address already in use`.
Ends it:
    systemctl stop stranger.service && systemctl start portgen-smartnumbers.service
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._listeners import Holding
from portgen.problem import Severity, listed

SOURCES = ("sockets",)
SEVERITY = Severity.ERROR
UNLESS = ("unit-left-over", "forwarder-left-over")


def check(host: Audited) -> Iterator[Finding]:
    for holding in host.listening.holdings:
        if not holding.strangers:
            continue
        who = listed(list(dict.fromkeys(one.who for one in holding.strangers)))
        numbers = sorted({one.endpoint for one in holding.strangers})
        yield Finding(
            f"port {listed([one.short for one in numbers])} {_whose(holding)}, and {who} listens there",
            holding.binding.key_path,
            service=holding.binding.holder,
            port=holding.port,
            declared=_declared(holding),
            found=who,
            do=_remedy(host, holding),
        )


def _whose(holding: Holding) -> str:
    binding = holding.binding
    if holding.is_kept:
        return f"is kept for {binding.holder}, which is {binding.kind}"
    return f"belongs to {binding.holder}"


def _declared(holding: Holding) -> str:
    """Who should listen there."""
    if holding.is_kept:
        return "nobody"
    if holding.forwarder is not None:
        return holding.forwarder.unit
    if holding.service is not None and holding.service.unit is not None:
        return holding.service.unit
    return holding.binding.holder


def _remedy(host: Audited, holding: Holding) -> str:
    away = _commands.release(host, holding.strangers)
    if not away or away == _commands.install(host) or holding.is_kept:
        return away
    back = _commands.bring_back(host, holding)
    return f"{away} && {back}" if back else away
