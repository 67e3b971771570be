"""The lint rules: one module each, found by being here.

In: a `Plan`. Out: problems, each at the inventory entry that causes it. A rule is a module whose name is the rule's name
(`port_taken` is `port-taken`), whose docstring is its documentation, and which has

    SEVERITY: Severity
    def check(plan: Plan) -> Iterator[Finding]

or, for a rule about files that other people own, `check_files(plan, read)` instead: `read` gives the text of a path below the
inventory's folder, or None. Only `portgen lint` asks such a rule; what is rendered does not depend on it.

A service silences a rule with `ignore: {rule: reason}`, unless the module says `ABSOLUTE = True`: what such a rule finds can't be
rendered at all, or would break out of its syntax. Other packages add rules by the entry point group
`portgen.rules`; one that can't be imported fails loudly. Rules do no I/O.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple, Protocol

from portgen import plugins
from portgen.inventory import key_paths
from portgen.plan.types import KeyPath, Plan
from portgen.problem import Location, Problem, Severity, did_you_mean

MOST_COMPARED = 5000  # names that one rule compares unknown words with, all words together
MOST_LISTED = 20  # names that a hint lists


class Finding(NamedTuple):
    """What a rule found: `{line}` in the message stands for the line of `other`, the entry that it conflicts with."""

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
    """All rules by name, sorted. Raises ImportError or AttributeError for a broken one: it must not pass unseen."""
    found: dict[str, Rule] = {
        name.replace("_", "-"): rule for name, rule in plugins.load(sys.modules[__name__]).items()
    }
    for name, rule in found.items():
        checks = callable(getattr(rule, "check", None)) or reads_files(rule)
        if (
            not checks
            or not isinstance(getattr(rule, "SEVERITY", None), Severity)
            or not rule.__doc__
        ):
            raise AttributeError(f"the rule {name} needs a docstring, SEVERITY and check(plan)")
    return dict(sorted(found.items()))


def reads_files(rule: Rule) -> bool:
    """Whether the rule is about files that other people own."""
    return callable(getattr(rule, "check_files", None))


def is_absolute(rule: Rule) -> bool:
    """Whether nobody may silence the rule."""
    return bool(getattr(rule, "ABSOLUTE", False))


class Suggestions:
    """Hints with the likeliest of known names. Comparing costs more than the rest of lint: very many words, or words
    among very many names, get none."""

    def __init__(self) -> None:
        self.left = MOST_COMPARED

    def __call__(self, word: str, names: Collection[str]) -> str | None:
        self.left -= len(names)
        if self.left < 0:
            return None
        return did_you_mean(word, names)


def listed(names: Collection[str]) -> str:
    """Names as a hint lists them: of very many the first ones, and how many more there are."""
    text = ", ".join(islice(names, MOST_LISTED))
    more = len(names) - MOST_LISTED
    return f"{text} and {more} more" if more > 0 else text


def check(plan: Plan, at: Callable[[KeyPath], Location]) -> list[Problem]:
    """The findings that no service ignores, sorted by place, of every rule that needs the plan alone. `at` is the Source's own:
    only it knows lines."""
    return _problems(
        plan,
        at,
        {name: rule.check(plan) for name, rule in every().items() if not reads_files(rule)},
    )


def check_files(plan: Plan, at: Callable[[KeyPath], Location], read: Read) -> list[Problem]:
    """The same of the rules that are about files which other people own."""
    return _problems(
        plan,
        at,
        {name: rule.check_files(plan, read) for name, rule in every().items() if reads_files(rule)},
    )


def _problems(
    plan: Plan, at: Callable[[KeyPath], Location], found: dict[str, Iterator[Finding]]
) -> list[Problem]:
    ignored: dict[KeyPath | None, dict[str, str]] = {
        service.key_path: service.ignore for service in plan.services if service.ignore
    }
    problems = []
    for name, findings in found.items():
        rule = every()[name]
        silent = bool(ignored) and not is_absolute(rule)
        for finding in findings:
            path = finding.key_path
            if silent and name in ignored.get(key_paths.service_around(path), ()):
                continue
            message = finding.message
            if finding.other is not None:
                message = message.replace("{line}", f"line {at(finding.other).line}")
            problems.append(
                Problem(name, finding.severity or rule.SEVERITY, message, at(path), finding.hint)
            )
    problems.sort(key=lambda problem: problem.order)
    return problems
