"""The guard has rules for what is not declared any more.

They keep visitors away from a port or an address that may be somebody else's next; or somebody added a
rule by hand, which lets more people through. portgen's script keeps such rules as long as a container
still has the port or the address: then it says which one.

Symptom:
    A connection to another service's port times out, or more people can reach one than it declares.
Ends it:
    sh /srv/portgen/output/es-docker/ufw/portgen-ufw.sh
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _guard
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity
from portgen.targets.ufw import loading
from portgen.targets.ufw.writing import CHAIN

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    for family in _guard.families(host):
        wanted = _guard.declared(host, family)
        extra = _guard.undeclared(family, wanted)
        for tables, rule in extra:
            yield _finding(
                host, f"the chain {CHAIN} of {tables} has a rule of no service: {rule.text}"
            )
        if wanted.services or extra:
            continue
        path = loading.rules_file("after", family.number)
        if any(family.has(CHAIN, table) for table in _guard.TABLES):
            yield _finding(
                host, f"the chain {CHAIN} of {family.name} is left over: nothing needs it"
            )
        elif loading.BEGIN in host.firewall.texts.get(path, ""):
            yield _finding(host, f"{path} has a guard that nothing needs")


def _finding(host: Audited, message: str) -> Finding:
    return Finding(
        message, host.host.key_path, declared=None, found=message, do=_commands.firewall(host)
    )
