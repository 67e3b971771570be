"""A firewall rule of the inventory has no effect: an earlier one keeps the same visitors out.

ufw asks its rules from the top, and the first one that matches decides. An earlier `deny`, `reject` or
`limit`, or a rule that somebody put into the kernel's chains, comes before the inventory's. One that keeps a
single address out is taken for a ban, and not reported.

Symptom:
    A connection to the port is refused or times out, although `ufw status` lists the rule that allows it.
Ends it:
    ufw delete deny proto tcp from 192.168.0.0/16 to any port 5007
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family, blocked, deletion
from portgen.formats.iptables import Rule
from portgen.formats.ufw import Rule as UfwRule
from portgen.plan.reach import in_words
from portgen.plan.types import Opening
from portgen.problem import Severity

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


class Kept(NamedTuple):
    """Whom an earlier rule keeps out. `rule`: the kernel's; `ufw`: as ufw has it."""

    opening: Opening
    family: Family
    rule: Rule | None
    ufw: UfwRule | None
    whole: bool


def check(host: Audited) -> Iterator[Finding]:
    found: dict[tuple[object, ...], Kept] = {}
    firewall = host.firewall
    for family in firewall.families:
        for opening in host.host.openings:
            if firewall.is_of(family, opening):
                for kept in _kept(family, opening):
                    by = kept.ufw.words if kept.ufw is not None else (family, kept.rule)
                    found.setdefault((opening.service, opening.endpoint, *by), kept)
    for kept in found.values():
        yield _finding(host, kept)


def _kept(family: Family, opening: Opening) -> Iterator[Kept]:
    replaced = family.replaced(opening)
    if replaced is not None:
        yield Kept(opening, family, None, replaced, whole=True)
    elif family.has_rule(opening):
        found = blocked(family, opening)  # what is not there is `rule-missing`
        if found is not None:
            step, whole = found
            yield Kept(opening, family, step.rule, family.tuple_of(step), whole)


def _finding(host: Audited, kept: Kept) -> Finding:
    opening, family = kept.opening, kept.family
    who = in_words(opening.source)
    shown = kept.rule.text if kept.rule is not None else ""
    do = _commands.delete_rules(family.iptables, [kept.rule] if kept.rule is not None else [])
    if kept.ufw is not None:
        other = host.firewall.other(family)
        words = deletion(family, kept.ufw, other)
        shown = f"ufw {' '.join(kept.ufw.words)}"
        do = _commands.quoted(words)
        if kept.rule is None:
            do = _commands.after_each_other((do, _commands.firewall(host)))
    closed = "is closed to" if kept.whole else "is not open to all of"
    port = f"port {opening.endpoint.short} of {opening.service}"
    return Finding(
        f"{port} {closed} {who} by {family.name}: an earlier rule comes first ({shown})",
        opening.key_path,
        service=opening.service,
        port=opening.endpoint,
        declared=[opening.source],
        found=shown,
        do=do,
    )
