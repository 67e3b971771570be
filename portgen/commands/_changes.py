"""How the commands print changes of files.

In: `Change`s. Out: text: what changes, then the diff.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import click

from portgen import screen
from portgen.files.diff import SUMS, Change, unified
from portgen.settings import Style

_COLOURS = {"added": "green", "changed": "yellow", "removed": "red", "edited": "magenta"}
_KINDS = {
    "added": "added",
    "changed": "changed",
    "removed": "removed",
    "edited": "edited by hand",
}


def lines(changes: Sequence[Change], style: Style) -> Iterator[str]:
    """A line a file, then the unified diffs: real files first, documentation last. Where real files
    change too, documentation has a line a file in place of its diff, unless -v asks for it or
    somebody edited it; so has a page for the browser that is not alone, since nobody reads its
    source."""
    real, documentation = _parted(changes)
    shown = [*real, *documentation]
    for change in shown:
        yield _listed(change, style)
    for change in real:
        yield from _diff(change, style)
    short = []
    for change in documentation:
        is_page = change.path.endswith(".html") and len(shown) > 1
        in_full = style.verbose or change.kind == "edited" or change.before == change.after
        if in_full or not (real or is_page):
            yield from _diff(change, style)
        else:
            short.append(_summary(change))
    if short:
        yield "\n"
    yield from short


def page(meaning: str, lines: Sequence[str], style: Style) -> None:
    """Print what a change means, and its diff; by a pager if the terminal is too short."""
    if _is_long(meaning.count("\n") + len(lines)):
        os.environ.setdefault("LESS", "-FRX")
        click.echo_via_pager([meaning, *lines], color=style.color)
    else:
        screen.show(meaning + screen.block("".join(lines), "diff", style), style)


def _is_long(count: int) -> bool:
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        return False
    return count > os.get_terminal_size().lines - 2


def _parted(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Real files, and documentation; SHA256SUMS only where nothing else changes."""
    from portgen import targets

    real: list[Change] = []
    documentation: list[Change] = []
    for change in _without_sums(changes):
        part = documentation if targets.is_documentation(change.path) else real
        part.append(change)
    return real, documentation


def _listed(change: Change, style: Style) -> str:
    kind = screen.strong(f"{change.kind:8}", style, _COLOURS[change.kind])
    note = ""
    if change.kind == "edited":
        note = " by hand; --force overwrites it"
    if change.before == change.after:
        note += f" (mode {change.mode:o})"
    return f"{kind} {screen.one_line(change.path)}{note}\n"


def _diff(change: Change, style: Style) -> Iterator[str]:
    yield "\n"
    for line in unified(change):
        yield screen.diff_line(line, style)


def _summary(change: Change) -> str:
    """`es/docs/PORTS.md: documentation, 12 lines change; -v shows them`."""
    before, after = (Counter((text or "").split("\n")) for text in (change.before, change.after))
    # Without a diff, which takes long for a large page: how many lines one side has and the other
    # lacks.
    count = max((after - before).total(), (before - after).total())
    what, them = f"{count} lines change", "them"
    if count == 1:
        what, them = "1 line changes", "it"
    if change.before is None or change.after is None:
        what, them = f"{count} lines", "them"
    return f"{screen.one_line(change.path)}: documentation, {what}; -v shows {them}\n"


def block(change: Change, style: Style) -> str:
    """One change; in Markdown its diff alone."""
    if style.format == "markdown":
        return screen.block(screen.shown("".join(unified(change)), style), "diff", style)
    return "".join([_listed(change, style), *_diff(change, style)])


def counted(changes: Sequence[Change]) -> str:
    """`29 files: 27 added, 2 changed`; SHA256SUMS is not counted unless it is alone."""
    count = len(_without_sums(changes))
    if count == 1:
        return f"1 file: {by_kind(changes)}"
    return f"{count} files: {by_kind(changes)}"


def by_kind(changes: Sequence[Change]) -> str:
    """`27 added, 2 changed`, of the same files."""
    counts: Counter[str] = Counter(change.kind for change in _without_sums(changes))
    return ", ".join(f"{counts[kind]} {name}" for kind, name in _KINDS.items() if counts[kind])


def _without_sums(changes: Sequence[Change]) -> Sequence[Change]:
    return [change for change in changes if change.path != SUMS] or changes
