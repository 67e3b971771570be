"""The guard of a port that docker publishes is not in force, or only a part of it.

docker lets visitors past ufw's rules, and the chain PORTGEN-GUARD keeps out whom the inventory does not
name. It is in two tables, filter and mangle: docker changes the first one itself, and for moments no
packet comes to the chain there.

Symptom:
    More people can reach the service than it declares: docker publishes its port to everybody.
Ends it:
    sh /srv/portgen/output/es-docker/ufw/portgen-ufw.sh
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from portgen.audit import _commands, _guard
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._guard import Declared, Force
from portgen.formats.iptables import Rule
from portgen.plan.types import Guard
from portgen.problem import Severity

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    for family in _guard.families(host):
        wanted = _guard.declared(host, family)
        if not wanted.services:
            continue
        there = _guard.force(family)
        for guard, rules in wanted.services:
            why = _faults(wanted, there, rules)
            if why:
                yield _finding(host, wanted, guard, why)


def _faults(
    wanted: Declared, there: Sequence[Force], rules: Sequence[Rule]
) -> dict[str, list[str]]:
    """What is not in force of one service's guard, by table."""
    forms = [wanted.family.form(rule) for rule in (*wanted.own, *rules)]
    found = {}
    for one in there:
        why = list(one.why)
        if not why and not _guard.has(one, forms):
            why = [
                f"the chain of the table {one.table} lacks its rules, or has them in another order"
            ]
        if why:
            found[one.table] = why
    return found


def _finding(host: Audited, wanted: Declared, guard: Guard, why: dict[str, list[str]]) -> Finding:
    family = wanted.family
    ports = guard.ports6 if family.number == 6 else guard.ports
    what = [f"port {port.endpoint.short}" for port in ports]
    if family.number == 4 and guard.address is not None:
        what.append(str(guard.address))
    if family.number == 6 and guard.subnet6 is not None:
        what.append(str(guard.subnet6))
    how = "open to everybody" if len(why) == len(_guard.TABLES) else "guarded in one table only"
    do = [_commands.firewall(host)]
    if _guard.lacks_docker_user(family):
        jump = _commands.edit(family.iptables, [f"-I FORWARD 1 -j {_guard.DOCKER_USER}"])
        # The script makes the chain where it is missing.
        do.insert(0 if family.has(_guard.DOCKER_USER) else 1, jump)
    reasons = [reason for table in why.values() for reason in table]
    verb = "are" if len(what) > 1 else "is"
    return Finding(
        f"{' and '.join(what)} {verb} {how} by {family.name}: {'; '.join(reasons)}",
        guard.key_path,
        service=guard.service,
        port=ports[0].endpoint if len(ports) == 1 else None,
        declared=[rule.text for rule in wanted.rules],
        found=reasons,
        do=_commands.after_each_other(do),
    )
