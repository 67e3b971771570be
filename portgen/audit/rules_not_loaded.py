"""The kernel's rules are not what ufw's files say, in one direction or the other.

Somebody changed the kernel's rules, or a file of ufw's, and not both. What is in force now is not what is
in force after the next boot. `ufw reload` is not the way out: for seconds it leaves the whole host open.

Symptom:
    `ufw status` does not show what visitors meet; after a reboot other ports are open.
Ends it:
    iptables-restore -w --noflush </etc/ufw/user.rules
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family
from portgen.formats.iptables import NO_POLICY, Rule
from portgen.formats.iptables_forms import Form
from portgen.problem import Severity, counted, listed
from portgen.targets.ufw import loading
from portgen.targets.ufw.writing import CHAIN

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    for family in host.firewall.families:
        yield from _cut_off(host, family)
        waiting = _not_yet_loaded(family)
        for (table, chain), rules in family.loaded.chains.items():
            if chain == CHAIN or chain in waiting:
                continue  # the guard has checks of its own; the others decide nothing yet
            if table == "filter" and chain.startswith(f"{family.prefix}-"):
                yield from _exact(host, family, chain, rules)
            else:
                yield from _contained(host, family, table, rules)
        yield from _settings(host, family)
    for family in host.firewall.all.values():
        if family in host.firewall.families or not host.firewall.is_taken(family):
            yield from _policies(host, family)


# --- a chain of ufw's: each of its rules ----------------------------------------------------------


class Change(NamedTuple):
    """How a chain of the kernel's differs from the files, and the lines that make it the same."""

    missing: list[Rule]
    extra: list[Rule]
    lines: list[str]


def _not_yet_loaded(family: Family) -> set[str]:
    """The two chains of `limit` as ufw leaves them when it is enabled for the first time without a rule of
    that family: it loads its package's file, which has nothing for them, and then writes their rules into it.
    Without a `limit` nobody gets there. With one, nobody would be let in."""
    limit, accept = family.chain("user-limit"), family.chain("user-limit-accept")
    if not family.has(limit) or not family.has(accept) or family.rules(accept):
        return set()
    if any(rule.value("-j") != "LOG" for rule in family.rules(limit)):
        return set()
    for tables in (family.tables, family.loaded):
        for rules in tables.chains.values():
            if any((rule.value("-j") or rule.value("-g")) in (limit, accept) for rule in rules):
                return set()
    return {limit, accept}


def _exact(host: Audited, family: Family, chain: str, wanted: Sequence[Rule]) -> Iterator[Finding]:
    if not family.has(chain):
        lines = [f":{chain} - [0:0]", *(rule.appended(chain) for rule in wanted)]
        do = _commands.edit(family.iptables, lines)
        yield _finding(host, f"the chain {chain} is not in the kernel", wanted, [], do)
        return
    change = _change(family, chain, wanted, family.rules(chain))
    # What the inventory has, and the file or the kernel lacks, is reported with its service.
    declared = host.firewall.is_declared
    missing = [rule for rule in change.missing if not declared(family, rule)]
    forms = {family.form(rule) for rule in wanted}
    extra = [
        rule for rule in change.extra if family.form(rule) in forms or not declared(family, rule)
    ]
    if missing or extra:
        do = _commands.edit(family.iptables, change.lines)
        if "-user-" in chain:
            do = _commands.restore(family.iptables, family.user_file)
        yield _finding(host, _message(chain, missing, extra), missing, extra, do)


def _change(family: Family, chain: str, wanted: Sequence[Rule], found: Sequence[Rule]) -> Change:
    forms = [family.form(rule) for rule in wanted]
    there = [family.form(rule) for rule in found]
    missing: list[int] = []  # their places
    extra: list[int] = []
    matcher = SequenceMatcher(None, forms, there, autojunk=False)
    for kind, first, last, low, high in matcher.get_opcodes():
        if kind != "equal" and not _are_alike(forms[first:last], there[low:high]):
            missing += range(first, last)
            extra += range(low, high)
    lines = []
    times = Counter(there)
    for place in reversed(extra):
        # By what it says, so that no other is hit if somebody changes the chain meanwhile.
        what = found[place].asked if times[there[place]] == 1 else str(place + 1)
        lines.append(f"-D {chain} {what}")
    lines += [f"-I {chain} {place + 1} {wanted[place].asked}" for place in missing]
    return Change([wanted[place] for place in missing], [found[place] for place in extra], lines)


def _are_alike(forms: Sequence[Form], there: Sequence[Form]) -> bool:
    """Whether they differ only in how options are written that have more than one form."""
    if len(forms) != len(there):
        return False
    return all(one.is_like(other) for one, other in zip(forms, there, strict=True))


def _message(chain: str, missing: Sequence[Rule], extra: Sequence[Rule]) -> str:
    said = []
    if missing:
        said.append(
            f"lacks {counted(len(missing), 'rule')} that ufw's files have ({_texts(missing)})"
        )
    if extra:
        said.append(f"has {counted(len(extra), 'rule')} that they don't have ({_texts(extra)})")
    return f"the kernel's chain {chain} {' and '.join(said)}"


def _texts(rules: Sequence[Rule]) -> str:
    return listed([rule.asked for rule in rules], 3, rest="; and {} more", separator="; ")


# --- what ufw's files put into chains that others use, too ----------------------------------------


def _contained(
    host: Audited, family: Family, table: str, wanted: Sequence[Rule]
) -> Iterator[Finding]:
    """ufw's own jumps are not meant: `filter-bypassed` reports those."""
    for rule in wanted:
        if rule.value("-j") is not None and str(rule.value("-j")).startswith(family.prefix):
            continue
        there = [family.form(one) for one in family.rules(rule.chain, table)]
        if not any(family.form(rule).is_like(one) for one in there):
            do = _commands.edit(family.iptables, [rule.appended(rule.chain)], table)
            message = f"the kernel lacks a rule that ufw's files have: {rule.text}"
            yield _finding(host, message, [rule], [], do)


# --- policies, and files that are cut off ---------------------------------------------------------


def _policies(host: Audited, family: Family) -> Iterator[Finding]:
    for (table, chain), found in family.tables.policies.items():
        if found == NO_POLICY:
            continue
        wanted = "ACCEPT"
        if table == "filter":
            wanted = family.loaded.policies.get((table, chain), found)
            by_docker = chain == "FORWARD" and found == "DROP"
            if by_docker or (chain == "INPUT" and found == "ACCEPT"):
                continue  # docker sets it, too; or `firewall-off` reports it
        if found != wanted:
            yield Finding(
                f"the policy of {chain} in the table {table} of {family.name} is {found}",
                host.host.key_path,
                declared=wanted,
                found=found,
                do=_commands.policy(family.iptables, chain, wanted, table),
                everywhere="ufw",
            )


def _cut_off(host: Audited, family: Family) -> Iterator[Finding]:
    """Files that ufw can't load as a whole, or would load twice."""
    for kind in ("before", "after", "user"):
        path = loading.rules_file(kind, family.number)
        lines = host.firewall.texts.get(path, "").split("\n")
        if "COMMIT" not in lines:
            last = "\n".join(lines).rstrip("\n").rpartition("\n")[2]
            message = f"{path} is cut off, or empty: ufw loads nothing of it"
            yield Finding(
                message, host.host.key_path, declared="COMMIT", found=last, everywhere="ufw"
            )
            continue
        for chain in loading.emptied(kind, family.number):
            if not any(line.startswith(f":{chain} ") for line in lines):
                yield Finding(
                    f"{path} does not declare the chain {chain}: ufw loads its rules once more each time",
                    host.host.key_path,
                    declared=f":{chain} - [0:0]",
                    found=None,
                    do=_commands.with_first_line(path, "\\*filter", f":{chain} - [0:0]"),
                    everywhere="ufw",
                )


def _settings(host: Audited, family: Family) -> Iterator[Finding]:
    """What ufw does not do any more when it starts the next time."""
    firewall = host.firewall
    line, message = "", ""
    if family.number == 6 and not firewall.takes_ipv6:
        line = "IPV6=yes"
        message = (
            f"IPV6 in {loading.DEFAULTS} is not yes: ufw's rules of IPv6, which are in the kernel now, are "
            "gone after the next boot"
        )
    if message:
        do = _commands.with_line(loading.DEFAULTS, line)
        yield Finding(
            message, host.host.key_path, declared=line, found=None, do=do, everywhere="ufw"
        )
    for direction in ("output", "forward"):
        if family.number == 4 and not loading.has_policy(firewall.settings, direction):
            found = family.tables.policies.get(("filter", direction.upper()), "DROP")
            line = loading.set_policy(direction, found)
            yield Finding(
                f"{loading.DEFAULTS} does not have the policy of {direction}: ufw can't start",
                host.host.key_path,
                declared=line,
                found=None,
                do=_commands.with_line(loading.DEFAULTS, line),
                everywhere="ufw",
            )


def _finding(
    host: Audited,
    message: str,
    wanted: Sequence[Rule],
    found: Sequence[Rule],
    do: str,
) -> Finding:
    return Finding(
        message,
        host.host.key_path,
        declared=[rule.text for rule in wanted],
        found=[rule.text for rule in found],
        do=do,
        everywhere="ufw",
    )
