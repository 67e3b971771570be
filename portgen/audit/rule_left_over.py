"""A rule of portgen's is left over: the inventory does not have it any more.

The service, its port or whom it lets in has changed, and portgen's script has not run since. A port may be
open that somebody else gets next.

Symptom:
    `ufw status` lists a rule with a comment `portgen:` and a service that is gone, as before the change.
Ends it:
    sh /srv/portgen/output/es-docker/ufw/portgen-ufw.sh
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import identity, identity_of, is_ours
from portgen.formats.ufw import Rule as UfwRule
from portgen.problem import Severity
from portgen.targets.ufw.writing import MARK

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    firewall = host.firewall
    wider = {tuple(one.ufw.words) for one in firewall.beyond if one.ufw is not None and one.service}
    found: dict[tuple[str, ...], UfwRule] = {}
    for family in firewall.families:
        declared = {}
        for opening in host.host.openings:
            if firewall.is_of(family, opening):
                declared[identity_of(opening)] = f"{MARK}{opening.service}"
        for rule in family.tuples:
            if not is_ours(rule) or declared.get(identity(rule)) == rule.comment:
                continue
            if tuple(rule.words) not in wider:  # `rule-wider` reports those
                found.setdefault((rule.comment or "", *rule.words), rule)
    for rule in found.values():
        yield _finding(host, rule)


def _finding(host: Audited, rule: UfwRule) -> Finding:
    name = (rule.comment or "").removeprefix(MARK)
    service = name if name in host.services else None
    written = f"ufw {' '.join(rule.words)}"
    return Finding(
        f"portgen's rule for {name} is left over: {written}",
        host.key_path(service),
        service=service,
        declared=None,
        found=written,
        do=_commands.firewall(host),
    )
