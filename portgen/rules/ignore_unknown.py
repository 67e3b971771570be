"""An `ignore` that silences nothing: it names something that is not a rule and not a check of `audit`, a
rule that nobody may silence, or one that never reports what it stands at.

Wrong:
    ports: 514
    services:
      syslog: {port: 514, protocol: udp, ignore: {port-priviledged: routers send there}}
Right:
    ports: 514
    services:
      syslog: {port: 514, protocol: udp, ignore: {port-privileged: routers send there}}
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from portgen.plan import ignores
from portgen.plan.ignores import Ignored
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding, Rule, Suggestions, about, can_be_ignored, every, is_absolute

SEVERITY = Severity.ERROR
ABSOLUTE = True


def check(plan: Plan) -> Iterator[Finding]:
    rules = every()
    known = {*rules, *plan.checks}
    did_you_mean = Suggestions()
    for name, entry in ignores.own(plan):
        if name in rules:
            yield from _refused(name, rules[name], entry)
        elif name not in known:
            yield Finding(
                entry.key_path,
                f"`{name}` is not a rule",
                did_you_mean(name, known) or _lists(plan.checks),
            )


def _lists(checks: Collection[str]) -> str:
    """Where one finds what an `ignore` may name."""
    hint = "`portgen lint --rules` lists them"
    return f"{hint}, docs/troubleshooting.md those of `audit`" if checks else hint


def _refused(name: str, rule: Rule, entry: Ignored) -> Iterator[Finding]:
    """Where the entry stands, the rule can't be silenced."""
    if about(rule) == "expect":
        message = f"`{name}` can't be ignored: `expect` says what must be so"
        yield Finding(entry.key_path, message, "take back the sentence that is not meant")
    elif is_absolute(rule):
        yield Finding(
            entry.key_path,
            f"`{name}` can't be ignored, it guards against broken output",
            "fix what it reports",
        )
    elif not can_be_ignored(rule, _part(entry)):
        whose = about(rule)
        yield Finding(
            entry.key_path,
            f"`{name}` can't be ignored here: it reports {whose}, never a {_part(entry)[:-1]}",
            f"say it in the `ignore` of the {whose[:-1]}",
        )


def _part(entry: Ignored) -> str:
    """The part of the inventory that an entry stands in."""
    if entry.at[0] == "projects" and len(entry.at) > 2:
        return "services"
    return str(entry.at[0])
