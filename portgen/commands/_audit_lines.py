"""How `audit` prints what it found.

In: an `Outcome`, the places of key paths, notes. Out: text on stdout, in each format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from portgen import screen
from portgen.commands._audited import SOURCES
from portgen.problem import Problem, Severity, counted, listed
from portgen.settings import PROMETHEUS, Style

if TYPE_CHECKING:
    from portgen.audit import Found, Outcome
    from portgen.inventory.key_paths import KeyPath
    from portgen.problem import Location

    At = Callable[[KeyPath], Location]


def show(
    outcome: Outcome, at: At, notes: Sequence[str], seconds: float | None, style: Style
) -> None:
    """Print it. `seconds`: how long the audit took, of a live one."""
    from portgen import audit

    if style.format == "json":
        screen.data(audit.record(outcome, at, notes))
        return
    if style.format == PROMETHEUS:
        screen.show(audit.metrics(outcome, _asked(outcome), seconds), style)
        return
    for line in _notes(notes, bool(outcome.findings), style):
        click.echo(line)
    lines = {"github": _github, "markdown": _markdown}.get(style.format, _text)
    for line in lines(outcome, at, style):
        click.echo(line, color=style.color)
    if style.format == "markdown":
        click.echo(screen.items([_last_line(outcome, style)], style), nl=False)
    else:
        screen.status(_last_line(outcome, style), style)


def _notes(notes: Sequence[str], found: bool, style: Style) -> Iterator[str]:
    """What one should know before the findings, and that they come without commands."""
    if style.quiet:
        return
    for note in notes:
        text = f"note: {note}"
        if found:
            text += ", then audit again; until then no commands are printed"
        if style.format == "github":
            yield screen.command(text)
        else:
            yield screen.items([text], style).rstrip("\n")


def problem(found: Found, at: At) -> Problem:
    """A finding as all commands print them; its command is the hint."""
    finding = found.finding
    place = at(finding.key_path)
    return Problem(found.rule, found.severity, finding.message, place, finding.do or None)


def _sorted(found: Sequence[Found], at: At) -> list[Problem]:
    return sorted((problem(one, at) for one in found), key=lambda one: one.order)


def _asked(outcome: Outcome) -> dict[str, str]:
    """The checks whose sources were asked for and seen, with their severities."""
    from portgen import audit

    unseen = {gap.source for gap in outcome.gaps}
    asked = {}
    for name, check in audit.every().items():
        if all(source in outcome.sources and source not in unseen for source in check.SOURCES):
            asked[name] = str(check.SEVERITY)
    return asked


# --- the formats ----------------------------------------------------------------------------------


def _text(outcome: Outcome, at: At, style: Style) -> Iterator[str]:
    for one in _sorted(outcome.findings, at):
        for line in screen.problem_lines([one._replace(hint=None)], style):
            yield line
            for command in (one.hint or "").splitlines():
                yield screen.shown(f"    {command}", style)
    yield from _ignored(outcome, at, style)
    for source, why in _unseen(outcome):
        yield screen.shown(f"not seen: {source}: {why}", style)


def _github(outcome: Outcome, at: At, style: Style) -> Iterator[str]:
    yield from screen.problem_lines(_sorted(outcome.findings, at), style)
    for source, why in _unseen(outcome):
        yield screen.command(f"not seen: {source}: {why}")


def _markdown(outcome: Outcome, at: At, style: Style) -> Iterator[str]:
    """A table, then the commands: in a cell of it nobody could copy one."""
    found = _sorted(outcome.findings, at)
    yield from screen.problem_lines([one._replace(hint=None) for one in found], style)
    ends: dict[str, list[str]] = {}
    for one in found:
        if one.hint:
            ends.setdefault(one.hint, []).append(f"`{one.rule}` at `{one.location}`")
    for command, rules in ends.items():
        yield f"\nThis ends {', '.join(dict.fromkeys(rules))}:\n"
        yield screen.block(f"{screen.readable(command)}\n", "sh", style).rstrip("\n")
    rest = [*_ignored(outcome, at, style)]
    rest += [f"not seen: {source}: {why}" for source, why in _unseen(outcome)]
    if rest:
        yield "\n" + screen.items(rest, style).rstrip("\n")


def _ignored(outcome: Outcome, at: At, style: Style) -> Iterator[str]:
    """With -v, what the inventory ignores."""
    if not style.verbose:
        return
    for found, why in sorted(outcome.ignored, key=lambda one: problem(one.found, at).order):
        until = f" until {why.until}" if why.until else ""
        shown = f"{found.finding.message} [{found.rule}]: ignored{until}: {why.reason}"
        yield screen.one_line(f"{at(found.finding.key_path)}: {shown}")


def _unseen(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for source in outcome.sources:
        for why in outcome.why_not(source):
            yield source, why


def _last_line(outcome: Outcome, style: Style) -> str:
    host = outcome.host
    said = f"{host} is as declared"
    if set(outcome.sources) != set(SOURCES):
        said = f"{host}: {listed(outcome.sources)} as declared, nothing else was looked at"
    if outcome.findings:
        said = f"{host}: {_counts(outcome.findings)}"
    elif not outcome.saw_everything:
        said = f"{host}: no finding"
    if not outcome.saw_everything:
        said += ", but not everything was seen"
    if outcome.ignored:
        said += f"; {counted(len(outcome.ignored), 'ignored finding')}"
        if not style.verbose:
            said += " more, which -v lists" if outcome.findings else ", which -v lists"
    return said


def _counts(found: Sequence[Found]) -> str:
    """`3 findings: 2 errors, 1 warning`."""
    counts = Counter(one.severity for one in found)
    kinds = [counted(counts[kind], str(kind)) for kind in Severity if counts[kind]]
    return f"{counted(len(found), 'finding')}: {', '.join(kinds)}"
