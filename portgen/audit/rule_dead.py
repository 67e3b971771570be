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

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Allowed, Family, Firewall, deletion
from portgen.formats import filtering
from portgen.formats.filtering import Sources, Step
from portgen.formats.iptables import Rule
from portgen.formats.ufw import Rule as UfwRule
from portgen.inventory import ranges
from portgen.plan.ports import interface_of
from portgen.plan.reach import ANY, in_words
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
        for allowed in firewall.allowed:
            for kept in _kept(firewall, family, allowed):
                what = (
                    kept.ufw.words if kept.ufw is not None else [str(kept.rule and kept.rule.text)]
                )
                found.setdefault((allowed.service, allowed.endpoint, *what), kept)
    for kept in found.values():
        yield _finding(host, kept)


def _kept(firewall: Firewall, family: Family, allowed: Allowed) -> Iterator[Kept]:
    own = [one for one in allowed.openings if firewall.is_of(family, one)]
    if not own:
        return
    steps: dict[str, list[Step]] = {}
    for opening in own:
        replaced = family.replaced(opening)
        if replaced is not None:
            yield Kept(opening, family, None, replaced, whole=True)
            continue
        if family.form(family.accepting(opening)) not in family.user_forms:
            continue  # `rule-missing`
        by = interface_of(opening.source)
        for interface in family.filter.interfaces if by is None else (by,):
            if interface not in steps:
                steps[interface] = family.steps(allowed.endpoint, interface)
            blocked = _blocked(family, opening, steps[interface])
            if blocked is not None:
                step, whole = blocked
                yield Kept(opening, family, step.rule, family.tuple_of(step.rule), whole)
                break


def _blocked(family: Family, opening: Opening, steps: Sequence[Step]) -> tuple[Step, bool] | None:
    """The first rule that keeps them out, and whether it keeps all of them out."""
    coming: Sources = filtering.everyone(family.number)
    if opening.source != ANY and interface_of(opening.source) is None:
        coming = [filtering.addresses(opening.source)]
    for step in steps:
        hit = ranges.common(coming, ranges.joined(step.sources))
        if step.lets_in and step.sure:
            coming = ranges.without(coming, ranges.joined(step.sources))
        elif not step.lets_in and hit:
            whole = hit == list(coming)
            if _counts(family, step, hit, whole):
                return step, whole and step.sure
    return None


def _counts(family: Family, step: Step, hit: Sources, whole: bool) -> bool:
    """A ban of one address is an operator's decision about a visitor; so is a limit in somebody else's
    chain."""
    if step.rule.chain.startswith(f"{family.prefix}-"):
        return whole or any(part.stop - part.start > 1 for part in hit)
    return whole and step.sure


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
    return Finding(
        f"port {opening.endpoint.short} {closed} {who} by {family.name}: an earlier rule comes first"
        f" ({shown})",
        opening.key_path,
        service=opening.service,
        port=opening.endpoint,
        declared=[opening.source],
        found=shown,
        do=do,
    )
