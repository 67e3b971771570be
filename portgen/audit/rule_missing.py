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

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family, families
from portgen.plan.reach import in_words
from portgen.plan.types import Opening
from portgen.problem import Severity, listed

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    found: dict[tuple[str, object], list[tuple[Opening, Family, bool]]] = {}
    for family in host.firewall.families:
        for opening in host.host.openings:
            if family.number not in families(opening):
                continue
            in_file = family.keeps(opening)
            is_loaded = family.form(family.accepting(opening)) in family.user_forms
            if family.replaced(opening) is None and not (in_file and is_loaded):
                key = (opening.service, opening.endpoint)
                found.setdefault(key, []).append((opening, family, in_file))
    for missing in found.values():
        yield _finding(host, missing)


def _finding(host: Audited, missing: list[tuple[Opening, Family, bool]]) -> Finding:
    opening = missing[0][0]
    sources = list(dict.fromkeys(one.source for one, _, _ in missing))
    names = sorted({family.name for _, family, _ in missing})
    by = "" if len(names) == len(host.firewall.families) else f" by {names[0]}"
    who = listed([in_words(source) for source in sources])
    do = []
    for _, family, in_file in missing:
        command = _commands.firewall(host)
        if in_file:
            command = _commands.restore(family.iptables, family.user_file)
        do.append(command)
    return Finding(
        f"port {opening.endpoint.short} is not open to {who}{by}: the rule is missing",
        opening.key_path,
        service=opening.service,
        port=opening.endpoint,
        declared=sources,
        found=[],
        do=_commands.after_each_other(do),
    )
