"""A rule of ufw's opens more than the inventory declares.

It lets more people reach a service's port than its `allow` names, or it opens ports of a project that no
service has: whatever is started there is open at once. portgen's script leaves other people's rules alone.
Where such a rule is meant, say so by an `ignore` in the inventory.

Symptom:
    More people can reach the service than it declares.
Ends it:
    ufw delete allow proto tcp from any to any port 5000:5399
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Beyond, deletion, is_ours, ports, ports_in_words, who
from portgen.formats.ufw import Rule as UfwRule
from portgen.problem import Severity

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    found: dict[tuple[str, ...], list[tuple[UfwRule, Beyond]]] = {}
    for beyond in host.firewall.beyond:
        if beyond.ufw is not None and (beyond.service or not is_ours(beyond.ufw)):
            # One of portgen's own for a port that nobody has is `rule-left-over`.
            key = (beyond.ufw.comment or "", *beyond.ufw.words)
            found.setdefault(key, []).append((beyond.ufw, beyond))
    for opened in found.values():
        yield _finding(host, [one for _, one in opened], opened[0][0])


def _finding(host: Audited, opened: list[Beyond], rule: UfwRule) -> Finding:
    first = opened[0]
    services = {one.service for one in opened}
    opens = ports(opened)
    service = port = None
    of = ""
    if len(services) == 1 and first.service is not None:
        service, of = first.service, f" of {first.service}"
        port = first.endpoint if len(opens) == 1 else None
    elif services == {None}:
        of = ", which no service has"
    do = _commands.quoted(deletion(first.family, rule, host.firewall.other(first.family)))
    whose = f"ufw {' '.join(rule.words)}"
    if is_ours(rule):
        whose = f"portgen's own rule of an older inventory ({whose})"
        do = _commands.firewall(host)
    return Finding(
        f"{whose} lets {who(opened)} reach {ports_in_words(opens)}{of}: wider than declared",
        host.key_path(service),
        service=service,
        port=port,
        declared=_declared(host, opened),
        found=f"ufw {' '.join(rule.words)}",
        do=do,
    )


def _declared(host: Audited, opened: list[Beyond]) -> dict[str, list[str]]:
    """Who may come to each of these ports."""
    found: dict[str, list[str]] = {}
    opens = {one.endpoint for one in opened}
    for allowed in host.firewall.allowed:
        if allowed.endpoint in opens:
            found[str(allowed.endpoint)] = [opening.source for opening in allowed.openings]
    return found
