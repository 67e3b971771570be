"""A firewall rule of the inventory is not in force.

Nobody whom it names can reach the port, unless a wider rule lets them in. The kernel does not have it, or
ufw's file does not: then it is gone after the next change of ufw's rules.

Symptom:
    A connection to the port times out; on the host itself it works.
Ends it:
    sh /srv/portgen/output/es-docker/ufw/portgen-ufw.sh
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family, deletion, families, whole
from portgen.plan.ports import Endpoint
from portgen.plan.reach import in_words
from portgen.plan.types import Opening
from portgen.problem import Severity, listed
from portgen.targets.ufw import loading

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


class Missing(NamedTuple):
    """A rule that the kernel, or ufw's file, does not have. `do`: what brings it back."""

    opening: Opening
    family: Family
    is_open: bool  # the kernel has it
    do: str


def check(host: Audited) -> Iterator[Finding]:
    found: dict[tuple[str, Endpoint], list[Missing]] = {}
    for family in host.firewall.families:
        for opening in host.host.openings:
            if host.firewall.is_of(family, opening) and family.replaced(opening) is None:
                do = _remedy(host, family, opening)
                if do:
                    key = (opening.service, opening.endpoint)
                    is_open = family.has_rule(opening)
                    found.setdefault(key, []).append(Missing(opening, family, is_open, do))
    for missing in found.values():
        yield _finding(host, missing)
    yield from _without_ipv6(host)


def _without_ipv6(host: Audited) -> Iterator[Finding]:
    """Rules for visitors by IPv6 alone, where ufw is set to leave IPv6 alone and keeps it closed."""
    firewall = host.firewall
    family = firewall.all.get(6)
    own = [opening for opening in host.host.openings if families(opening) == (6,)]
    if family is None or family in firewall.families or not firewall.is_enabled or not own:
        return
    loaded = loading.loaded(firewall.texts, {**firewall.settings, "IPV6": "yes"}, 6)
    services = list(dict.fromkeys(opening.service for opening in own))
    service = services[0] if len(services) == 1 else None
    yield Finding(
        f"nobody comes by IPv6 to {listed(services)}: ufw leaves IPv6 alone (IPV6 in {loading.DEFAULTS})",
        host.key_path(service),
        service=service,
        declared=[opening.source for opening in own],
        found=[],
        do=_commands.after_each_other(
            (
                _commands.with_line(loading.DEFAULTS, "IPV6=yes"),
                _commands.edit(family.iptables, whole(loaded)),
                _commands.firewall(host),
            )
        ),
    )


def _remedy(host: Audited, family: Family, opening: Opening) -> str:
    """What brings a rule back; nothing where it is there."""
    kept = family.kept(opening)
    if kept is None:
        return _commands.firewall(host)
    if not family.loads(opening):
        # ufw writes the line for iptables anew with each change of the rule itself.
        delete = _commands.quoted(deletion(family, kept, host.firewall.other(family)))
        return _commands.after_each_other((delete, _commands.firewall(host)))
    if not family.has_rule(opening):
        return _commands.restore(family.iptables, family.user_file)
    return ""


def _finding(host: Audited, missing: list[Missing]) -> Finding:
    opening = missing[0].opening
    sources = list(dict.fromkeys(one.opening.source for one in missing))
    names = sorted({one.family.name for one in missing})
    by = "" if len(names) == len(host.firewall.families) else f" by {names[0]}"
    who = listed([in_words(source) for source in sources])
    port = f"port {opening.endpoint.short} of {opening.service}"
    message = f"{port} is not open to {who}{by}: the rule is missing"
    if all(one.is_open for one in missing):
        message = (
            f"{port} is open to {who}{by} until ufw starts again: "
            f"{missing[0].family.user_file} does not have the rule"
        )
    return Finding(
        message,
        opening.key_path,
        service=opening.service,
        port=opening.endpoint,
        declared=sources,
        found=[one.opening.source for one in missing if one.is_open],
        do=_commands.after_each_other(one.do for one in missing),
    )
