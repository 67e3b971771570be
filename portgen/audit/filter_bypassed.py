"""Somebody's rule in the kernel lets visitors in past ufw, or past the guard.

A rule in INPUT, FORWARD or DOCKER-USER is asked before ufw's rules, or before portgen's guard. Or one of
ufw's jumps is missing or out of order there, so that its rules are not asked as they should be. Most such
rules are gone after a reboot; a tool that made one makes it again.

Symptom:
    More people can reach the service than it declares, and `ufw status` does not show why.
Ends it:
    iptables -w -D INPUT -p tcp -m tcp --dport 5007 -j ACCEPT
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Beyond, Family, ports, ports_in_words, who
from portgen.audit._guard import holes
from portgen.formats.iptables import Rule
from portgen.problem import Severity, listed
from portgen.targets.ufw import loading

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    for family in host.firewall.families:
        for direction in loading.DIRECTIONS:
            yield from _jumps(host, family, direction)
    found: dict[tuple[int, Rule], list[Beyond]] = {}
    for beyond in host.firewall.beyond:
        if beyond.ufw is None and _is_past_ufw(beyond):
            found.setdefault((beyond.family.number, beyond.step.rule), []).append(beyond)
    for opened in found.values():
        yield _opened(host, opened)
    for hole in holes(host):
        yield Finding(
            f"a rule lets visitors past the guard: {hole.rule.text}",
            host.key_path(hole.service),
            service=hole.service,
            declared=None,
            found=hole.rule.text,
            do=_commands.delete_rules(hole.family.iptables, [hole.rule], hole.rule.table),
        )


def _is_past_ufw(beyond: Beyond) -> bool:
    """Whether the rule is not one that only ufw's own chains have: what these should not have is
    `rules-not-loaded`."""
    family, rule = beyond.family, beyond.step.rule
    if not family.is_of_ufw(beyond.step):
        return True
    if rule.chain == family.chain("track-input"):
        return False  # ufw's own, where it lets in what no rule denies: `firewall-off`
    there = [family.form(one) for one in family.loaded.rules("filter", rule.chain)]
    return family.form(rule) in there


def _opened(host: Audited, opened: list[Beyond]) -> Finding:
    first = opened[0]
    family, rule = first.family, first.step.rule
    services = {one.service for one in opened}
    opens = ports(opened)
    service = first.service if len(services) == 1 else None
    others = () if service else tuple(sorted(name for name in services if name))
    do = _commands.delete_rules(family.iptables, [rule])
    where = ""
    if family.is_of_ufw(first.step):
        written = _written(family, rule)
        for kind in ("before", "after"):
            path = loading.rules_file(kind, family.number)
            if written.text in host.firewall.texts.get(path, "").split("\n"):
                where = f" of {path}"
                do = _commands.after_each_other((_commands.without_line(path, written.text), do))
    return Finding(
        f"a rule{where} lets {who(opened)} reach {ports_in_words(opens)} past ufw: {rule.text}",
        host.key_path(service),
        service=service,
        port=first.endpoint if service and len(opens) == 1 else None,
        declared=None,
        found=rule.text,
        do=do,
        also=others,
    )


def _written(family: Family, rule: Rule) -> Rule:
    """The rule as ufw's file has it."""
    for one in family.loaded.rules("filter", rule.chain):
        if family.form(one) == family.form(rule):
            return one
    return rule


def _jumps(host: Audited, family: Family, direction: str) -> Iterator[Finding]:
    """ufw's jumps from a built-in chain: each of them, in their order."""
    chain = direction.upper()
    wanted = loading.jumps(direction, family.number)
    texts = [rule.text for rule in family.rules(chain)]
    there = [line for line in wanted if line in texts]
    places = [texts.index(line) for line in there]
    missing = [line for line in wanted if line not in texts]
    if not missing and places == sorted(places):
        return
    message = f"ufw's jumps from {chain} of {family.name} are in another order"
    if missing:
        names = listed([line.rpartition(" ")[2] for line in missing])
        message = (
            f"{chain} of {family.name} does not lead to {names}: ufw's rules are not asked there"
        )
    yield Finding(
        message,
        host.host.key_path,
        declared=wanted,
        found=there,
        do=_commands.edit(family.iptables, _put_right(chain, wanted, texts)),
        everywhere="ufw",
    )


def _put_right(chain: str, wanted: list[str], texts: list[str]) -> Iterator[str]:
    """Lines that take out what is there of ufw's jumps, and put all of them where the first one was."""
    there = [line for line in texts if line in wanted]
    first = texts.index(there[0]) + 1 if there else len(texts) + 1
    for line in there:
        yield f"-D{line[2:]}"
    for place, line in enumerate(wanted, first):
        yield f"-I {chain} {place} {line.partition(f'{chain} ')[2]}"
