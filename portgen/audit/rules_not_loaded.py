"""The kernel's rules are not what ufw's files say, in one direction or the other.

Somebody changed the kernel's rules, or a file of ufw's, and not both. What is in force now is not what is
in force after the next boot. `ufw reload` is not the way out: for seconds it leaves the whole host open.

Symptom:
    `ufw status` does not show what visitors meet; after a reboot other ports are open.
Ends it:
    iptables-restore -w --noflush </etc/ufw/user.rules
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family
from portgen.formats.iptables import NO_POLICY, Rule
from portgen.formats.iptables_forms import Form
from portgen.problem import Severity, counted
from portgen.targets.ufw import loading
from portgen.targets.ufw.writing import CHAIN

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR
_SHOWN = 3


def check(host: Audited) -> Iterator[Finding]:
    if not host.firewall.is_enabled:
        return
    for family in host.firewall.families:
        yield from _cut_off(host, family)
        for (table, chain), rules in family.loaded.chains.items():
            if chain == CHAIN:
                continue  # the guard has checks of its own
            if table == "filter" and chain.startswith(f"{family.prefix}-"):
                yield from _exact(host, family, chain, rules)
            elif (table, chain) in family.loaded.policies or chain.isupper():
                yield from _contained(host, family, table, rules)
    for family in host.firewall.all.values():
        yield from _policies(host, family)


# --- a chain of ufw's: each of its rules ----------------------------------------------------------


class Change(NamedTuple):
    """How a chain of the kernel's differs from the files, and the lines that make it the same."""

    missing: list[Rule]
    extra: list[Rule]
    lines: list[str]


def _exact(host: Audited, family: Family, chain: str, wanted: Sequence[Rule]) -> Iterator[Finding]:
    found = family.rules(chain)
    if not family.has(chain):
        lines = [f":{chain} - [0:0]", *(rule.appended(chain) for rule in wanted)]
        do = _commands.edit(family.iptables, lines)
        yield _finding(host, f"the chain {chain} is not in the kernel", wanted, [], do)
        return
    change = _change(family, chain, wanted, found)
    missing = [rule for rule in change.missing if not host.firewall.is_declared(family, rule)]
    if not missing and not change.extra:
        return  # what is missing of the inventory's is reported with its service
    do = _commands.edit(family.iptables, change.lines)
    of_user = any(rule.line for rule in missing) and "-user-" in chain
    if of_user:
        do = _commands.restore(family.iptables, family.user_file)
    yield _finding(host, _message(chain, missing, change.extra), missing, change.extra, do)


def _change(family: Family, chain: str, wanted: Sequence[Rule], found: Sequence[Rule]) -> Change:
    change = Change([], [], [])
    forms = [family.form(rule) for rule in wanted]
    there = [family.form(rule) for rule in found]
    place = 1  # in the kernel's chain, as it is after the lines so far
    matcher = SequenceMatcher(None, forms, there, autojunk=False)
    for kind, first, last, low, high in matcher.get_opcodes():
        if kind == "equal" or _are_alike(forms[first:last], there[low:high]):
            place += high - low
            continue
        for rule in found[low:high]:
            change.extra.append(rule)
            is_single = there.count(family.form(rule)) == 1
            change.lines.append(f"-D {chain} {rule.asked if is_single else place}")
        for rule in wanted[first:last]:
            change.missing.append(rule)
            change.lines.append(f"-I {chain} {place} {rule.asked}")
            place += 1
    return change


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
    shown = "; ".join(rule.asked for rule in rules[:_SHOWN])
    if len(rules) > _SHOWN:
        shown += f"; and {len(rules) - _SHOWN} more"
    return shown


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
            )


def _cut_off(host: Audited, family: Family) -> Iterator[Finding]:
    for kind in ("before", "after", "user"):
        path = loading.rules_file(kind, family.number)
        text = host.firewall.texts.get(path, "")
        if "\nCOMMIT" not in text:
            yield Finding(
                f"{path} is cut off, or empty: ufw loads nothing of it",
                host.host.key_path,
                declared="COMMIT",
                found=text.rstrip("\n").rpartition("\n")[2],
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
    )
