"""ufw does not filter, so every port of the host is as open as its program makes it.

ufw is not installed or not enabled, its chains are not in the kernel, or the kernel lets in what no rule
denies. As long as one of these is so, nothing else is said of the firewall's rules. Before it is enabled, a
rule has to let in whoever works on the host by ssh: `ufw show added` lists the rules.

Symptom:
    Anybody can reach every port, from everywhere; `ufw status` says `inactive`.
Ends it:
    ufw --force enable
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family, Firewall
from portgen.problem import Severity
from portgen.targets.ufw import loading

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    firewall = host.firewall
    if not firewall.is_needed:
        return
    if not firewall.is_installed:
        yield _finding(
            host, "ufw is not installed: no rule keeps anybody out", "installed", "missing"
        )
        return
    missing = [family for family in firewall.all.values() if _is_missing(firewall, family)]
    if not firewall.is_enabled:
        now = (
            "" if missing else ", and its rules, which are in the kernel now, are gone after a boot"
        )
        message = f"ufw is not enabled{now}"
        yield _finding(host, message, "enabled", "disabled", _commands.enable_ufw())
        return
    for family in missing:
        message = f"ufw's chains of {family.name} are not in the kernel: no rule keeps anybody out"
        do = _commands.enable_ufw()
        if family.number == 6 and len(missing) == 1:
            do = _commands.edit(family.iptables, _lines(family))  # ufw finds itself started already
        yield _finding(host, message, "loaded", "missing", do)
    for family in firewall.all.values():
        if family not in missing:
            yield from _policy(host, firewall, family)


def _is_missing(firewall: Firewall, family: Family) -> bool:
    taken = family.number == 4 or firewall.takes_ipv6
    return taken and not family.has(family.chain("user-input"))


def _policy(host: Audited, firewall: Firewall, family: Family) -> Iterator[Finding]:
    found = family.tables.policies.get(("filter", "INPUT"), "ACCEPT")
    if found != "ACCEPT":
        return
    taken = family.number == 4 or firewall.takes_ipv6
    do = _commands.policy(family.iptables, "INPUT", "DROP")
    because = "the policy of INPUT is ACCEPT"
    if taken and loading.policy(firewall.settings, "input") == "ACCEPT":
        do = "ufw default deny incoming"
        because = f"DEFAULT_INPUT_POLICY in {loading.DEFAULTS} is ACCEPT"
    message = f"{because}: by {family.name}, whoever no rule denies is let in"
    yield _finding(host, message, "DROP", found, do)


def _lines(family: Family) -> Iterator[str]:
    """All that ufw loads of a family."""
    for (table, chain), policy in family.loaded.policies.items():
        if table == "filter":
            yield f":{chain} {policy} [0:0]"
    for (table, chain), rules in family.loaded.chains.items():
        for rule in rules:
            if table == "filter":
                yield rule.appended(chain)


def _finding(host: Audited, message: str, declared: str, found: str, do: str = "") -> Finding:
    return Finding(message, host.host.key_path, declared=declared, found=found, do=do)
