"""How the commands print changes of files.

In: `Change`s. Out: text: what changes, then the diff.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

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
    """A line a file, then the unified diffs. SHA256SUMS is shown only where nothing else changes; a
    page for the browser only with -v, since nobody reads its source."""
    for change in changes:
        kind = screen.strong(f"{change.kind:8}", style, _COLOURS[change.kind])
        note = ""
        if change.kind == "edited":
            note = " by hand; --force overwrites it"
        if change.before == change.after:
            note += f" (mode {change.mode:o})"
        yield f"{kind} {screen.one_line(change.path)}{note}\n"
    shown = _without_sums(changes)
    for change in shown:
        if change.path.endswith(".html") and not style.verbose and len(shown) > 1:
            yield f"\n{screen.one_line(change.path)}: -v shows how it changes\n"
            continue
        yield "\n"
        for line in unified(change):
            yield screen.diff_line(line, style)


def block(change: Change, style: Style) -> str:
    """One change; in Markdown its diff alone."""
    if style.format == "markdown":
        return screen.block(screen.shown("".join(unified(change)), style), "diff", style)
    return "".join(lines([change], style))


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
