"""The lint rules: one module each, found by being here.

In: a `Plan`. Out: problems, each at the inventory entry that causes it. A rule is a module whose
name is the rule's name (`port_taken` is `port-taken`), whose docstring is its documentation, with
an example of what it reports and one that is right, and which has

    SEVERITY: Severity
    def check(plan: Plan) -> Iterator[Finding]

or, for a rule about files that other people own, `check_files(plan, read)` instead: `read` gives
the text of a path below the inventory's folder, or None. Only `portgen lint` asks such a rule; what
is rendered does not depend on it.

A service, a project or a host silences a rule with `ignore: {rule: reason}`, or up to a day with
`{rule: {reason: ..., until: 2026-12-01}}`: at itself and at all that is in it, or on it. Not where
the module says `ABSOLUTE = True`: because of what such a rule finds, a rendered file would be
missing, be refused by its program, take another's place or mean something else than the inventory
says (`ignore-unknown` is about `ignore` itself). A rule that never reports a service says what it
is about, `ABOUT = "projects"` or `"hosts"`: only those silence it, and what they are on. One about the
sentences of `expect`, which nobody may silence, says `ABOUT = "expect"`. A rule
names in `UNLESS` those that say enough: where one of them reports an entry, it says nothing about
the same one. Other packages add rules by the entry point group `portgen.rules`; one that can't be
imported fails loudly. Rules do no I/O; `every` finds them with `plugins.load`, which reads folders.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import NamedTuple, Protocol

from portgen import plugins
from portgen.inventory import key_paths
from portgen.plan import ignores
from portgen.plan.types import KeyPath, Plan
from portgen.problem import Location, Problem, Severity, did_you_mean, listed, nearest

PARTS = ("services", "projects", "hosts")  # of an inventory: each is in, or on, the next
MOST_COMPARED = 5000  # names that one rule compares unknown words with, all words together


class Finding(NamedTuple):
    """What a rule found.

    `{line}` in the message or the hint stands for the line of `other`, the entry that it conflicts
    with.
    """

    key_path: KeyPath
    message: str
    hint: str | None = None
    other: KeyPath | None = None
    severity: Severity | None = None


Read = Callable[[str], str | None]


class Rule(Protocol):
    """What a rule module has: one of the two checks."""

    SEVERITY: Severity
    __doc__: str | None

    def check(self, plan: Plan) -> Iterator[Finding]: ...

    def check_files(self, plan: Plan, read: Read) -> Iterator[Finding]: ...


@cache
def every() -> dict[str, Rule]:
    """All rules by name, sorted.

    Raises plugins.Broken for a broken one: it must not pass unseen.
    """
    found: dict[str, Rule] = {}
    for module, rule in plugins.load(sys.modules[__name__]).items():
        name = module.replace("_", "-")
        if name in found:
            raise plugins.broken("rule", name, rule, "a name of its own")
        checks = callable(getattr(rule, "check", None)) or reads_files(rule)
        severe = isinstance(getattr(rule, "SEVERITY", None), Severity)
        if not checks or not severe or not rule.__doc__:
            raise plugins.broken("rule", name, rule, "a docstring, SEVERITY and check(plan)")
        found[name] = rule
    return dict(sorted(found.items()))


def reads_files(rule: Rule) -> bool:
    """Whether the rule is about files that other people own."""
    return callable(getattr(rule, "check_files", None))


def is_absolute(rule: Rule) -> bool:
    """Whether nobody may silence the rule."""
    return bool(getattr(rule, "ABSOLUTE", False))


def about(rule: Rule) -> str:
    """What the rule reports at: `services` too, or only `projects` or `hosts`."""
    return str(getattr(rule, "ABOUT", "services"))


def unless(rule: Rule) -> tuple[str, ...]:
    """The rules that say enough where they report the same entry."""
    return tuple(getattr(rule, "UNLESS", ()))


def can_be_ignored(rule: Rule, by: str = "hosts") -> bool:
    """Whether the `ignore` of `services`, `projects` or `hosts` can silence the rule; of `hosts`:
    whether any can."""
    return not is_absolute(rule) and PARTS.index(about(rule)) <= PARTS.index(by)


class Suggestions:
    """Hints with the likeliest of known names.

    Comparing costs more than the rest of lint: very many words, or words among very many names, get
    none.
    """

    def __init__(self) -> None:
        self.left = MOST_COMPARED

    def __call__(self, word: str, names: Collection[str]) -> str | None:
        return did_you_mean(word, names) if self._in_time(names) else None

    def nearest(self, word: str, names: Collection[str], likeness: float) -> str | None:
        """The likeliest name alone."""
        return nearest(word, names, likeness) if self._in_time(names) else None

    def _in_time(self, names: Collection[str]) -> bool:
        self.left -= len(names)
        return self.left >= 0


class Documentation(NamedTuple):
    """What a rule's docstring says, part by part."""

    summary: str  # its first paragraph, in one line
    text: str  # the paragraphs after it
    # YAML with something that the rule reports; empty where the docstring has no examples.
    wrong: str
    right: str  # the same without it


def documentation(rule: Rule) -> Documentation:
    """The docstring of a rule, part by part.

    It says what the rule reports; then come the lines `Wrong:` and `Right:`, each with an indented
    example. `framed` gives the inventory that an example stands in.
    """
    from inspect import cleandoc

    description, _, examples = cleandoc(rule.__doc__ or "").partition("\nWrong:\n")
    wrong, _, right = examples.partition("\nRight:\n")
    summary, _, text = description.strip().partition("\n\n")
    return Documentation(" ".join(summary.split()), text, _example(wrong), _example(right))


def _example(indented: str) -> str:
    text = textwrap.dedent(indented).strip("\n")
    if not text:
        return ""
    return f"{text}\n"


# What the examples leave out.
_FRAME = {
    "hosts": (
        "hosts:\n"
        "  box:\n"
        "    zones: {lan: [192.168.0.0/16]}\n"
        "    nginx: {server_name: box.example.com}\n"
    ),
    "ports": "ports: 5000-5099\n",
    "network": "network: {name: shop, subnet: 172.30.0.0/24}\n",
}


def framed(example: str) -> str:
    """The whole inventory that an example of a rule's docstring stands in.

    An example without `hosts` and `projects` is a part of the project `shop` on the host `box`,
    which has a zone, ports and a network unless the example has others. What stands behind `---` is
    another file. `5000, …, 5099` is a list in full.
    """
    example = re.sub(r"([^\s,\[]+), …, ([^\s,\]]+)", _in_full, example.partition("---\n")[0])
    has = set(re.findall(r"^\w+(?=:)", example, re.MULTILINE))
    text = "version: 1\n"
    if "hosts" not in has:
        text += _FRAME["hosts"]
    if has & {"hosts", "projects"}:
        return text + example
    missing = [_FRAME[key] for key in ("ports", "network") if key not in has]
    return f"{text}projects:\n  shop:\n" + textwrap.indent("".join(missing) + example, "    ")


def _in_full(ends: re.Match[str]) -> str:
    """All from one number, or name with a number in it, to another."""
    first, last = (re.split(r"([0-9]+)", end) for end in ends.groups())
    at = [one == other for one, other in zip(first, last, strict=True)].index(False)
    numbers = range(int(first[at]), int(last[at]) + 1)
    return ", ".join("".join((*first[:at], str(number), *first[at + 1 :])) for number in numbers)


def check(
    plan: Plan, at: Callable[[KeyPath], Location], chosen: Mapping[str, Rule] | None = None
) -> list[Problem]:
    """The findings that nobody ignores, sorted by place.

    Those of every rule that needs the plan alone, or of the `chosen` ones, by name. `at` is the
    Source's own: only it knows lines.
    """
    found: dict[str, tuple[Rule, Iterator[Finding]]] = {}
    for name, rule in (every() if chosen is None else chosen).items():
        if not reads_files(rule):
            found[name] = rule, rule.check(plan)
    return _problems(plan, at, found)


def check_files(
    plan: Plan,
    at: Callable[[KeyPath], Location],
    read: Read,
    chosen: Mapping[str, Rule] | None = None,
) -> list[Problem]:
    """The same of the rules that are about files which other people own."""
    found: dict[str, tuple[Rule, Iterator[Finding]]] = {}
    for name, rule in (every() if chosen is None else chosen).items():
        if reads_files(rule):
            found[name] = rule, rule.check_files(plan, read)
    return _problems(plan, at, found)


def _blamed(name: str, rule: Rule, findings: Iterator[Finding]) -> Iterator[Finding]:
    """The findings; a rule of another package that raises is named. Raises plugins.Broken."""
    with plugins.blamed("rule", name, rule):
        yield from findings


def _problems(
    plan: Plan,
    at: Callable[[KeyPath], Location],
    found: Mapping[str, tuple[Rule, Iterator[Finding]]],
) -> list[Problem]:
    idle: dict[tuple[str | int, str], list[str]] = {}  # who ignores a rule, by project and rule
    for service in plan.services:
        for name, entry in service.ignore.items():
            if entry.at == service.key_path:
                idle.setdefault((service.project, name), []).append(service.name)
    kept = _not_ignored(plan, found)
    enough = {(name, finding.key_path) for name, finding, _ in kept}
    problems = []
    for name, finding, ended in kept:
        rule, path = found[name][0], finding.key_path
        if any((other, path) in enough for other in unless(rule)):
            continue
        message, hint = finding.message, finding.hint
        if finding.other is not None:
            line = f"line {at(finding.other).line}"
            message = message.replace("{line}", line)
            hint = hint and hint.replace("{line}", line)
        if key_paths.is_default(path):
            hint = _with_idle_ignores(hint, idle.get((path[1], name), ()))
        if ended is not None:
            message += f"; {ended}"
        severity = finding.severity or rule.SEVERITY
        problems.append(Problem(name, severity, message, at(path), hint))
    problems.sort(key=lambda problem: problem.order)
    return problems


def _not_ignored(
    plan: Plan, found: Mapping[str, tuple[Rule, Iterator[Finding]]]
) -> list[tuple[str, Finding, str | None]]:
    """What the rules found, each with its rule's name, without what is ignored; and where that has
    ended, since when."""
    known = ignores.everywhere(plan)
    kept: list[tuple[str, Finding, str | None]] = []
    for name, (rule, findings) in found.items():
        counts = {} if is_absolute(rule) else known
        for finding in _blamed(name, rule, findings):
            entry = ignores.of_finding(counts, name, finding.key_path)
            if entry is None:
                kept.append((name, finding, None))
            elif entry.over:
                kept.append((name, finding, entry.ended))
    return kept


def _with_idle_ignores(hint: str | None, names: Collection[str]) -> str | None:
    """The hint of a finding in a project's `defaults`, and which services ask in vain for
    silence."""
    if not names:
        return hint
    idle = f"this is a project's default: the `ignore` of {listed(names, 3)} does not silence it"
    idle += ", one of the project would"
    return f"{hint}; {idle}" if hint else idle
