"""Problems and changes as people and machines read them.

In: `Problem`s, `Change`s. Out: text, in one of the formats `text`, `json`, `github`, `markdown`. The only place, with the
commands, that prints; and the only one that knows colours.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

from portgen import markdown
from portgen.files.diff import SUMS, Change, unified
from portgen.problem import Problem, Severity
from portgen.settings import Style
from portgen.visible import visible, visible_json, visible_line

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_KIND_COLOURS = {"added": "green", "changed": "yellow", "removed": "red", "edited": "magenta"}


# What GitHub's runner obeys when a step prints it, also behind blanks.
_RUNNER = re.compile(r"^([^\S\n]*)(?=::|##\[)", re.MULTILINE)


def shown(text: str, style: Style) -> str:
    """Lines from elsewhere as they may be printed: nothing hidden, and on GitHub no command to the runner."""
    text = visible(text)
    if style.format == "github" or os.environ.get("GITHUB_ACTIONS"):
        text = _RUNNER.sub(r"\1\\", text)
    return text


def status(text: str, style: Style) -> None:
    """A line for the person, on stderr; nothing with -q."""
    if not style.quiet:
        click.echo(shown(text, style), err=True)


def failure(message: str, hint: str | None, style: Style) -> None:
    """Why nothing more can be said, on stderr, whatever the format."""
    said = shown(f": {message}" + (f"\n    hint: {hint}" if hint else ""), style)
    click.echo(_styled("error", "red", style) + said, err=True, color=style.color)


def problems(found: Sequence[Problem], style: Style) -> None:
    """Print findings: machine formats on stdout, as the command's data; text on stderr where stdout belongs to a diff."""
    if style.format == "json":
        click.echo(_json({"problems": [as_dict(problem) for problem in found]}))
        return
    for line in problem_lines(found, style):
        click.echo(line, color=style.color)


def problem_lines(found: Sequence[Problem], style: Style) -> Iterator[str]:
    """Findings as lines of `text`, `github` or `markdown`."""
    if style.format == "markdown" and found:
        yield "| place | severity | finding | rule |"
        yield "|---|---|---|---|"
    for problem in found:
        if style.format == "github":
            yield visible(_github(problem, style.folder))
        elif style.format == "markdown":
            hint = f"<br>{markdown.text(problem.hint)}" if problem.hint else ""
            place, message = markdown.code(str(problem.location)), markdown.text(problem.message)
            yield markdown.row((place, problem.severity, message + hint, f"`{problem.rule}`"))
        elif not style.quiet or problem.severity is Severity.ERROR:
            severity = _styled(problem.severity, _COLOURS[problem.severity], style)
            hint = shown(f"\n    hint: {problem.hint}", style) if problem.hint else ""
            yield f"{_styled(str(problem.location), None, style)}: {severity}: {visible_line(problem.message)} [{problem.rule}]{hint}"


def fresh(before: Sequence[Problem], after: Sequence[Problem]) -> list[Problem]:
    """What is found now and was not before, wherever its lines have moved to."""
    known = Counter(map(_essence, before))
    found = []
    for problem in after:
        essence = _essence(problem)
        if known[essence]:
            known[essence] -= 1
        else:
            found.append(problem)
    return found


def _essence(problem: Problem) -> tuple[str, str, str]:
    return problem.rule, problem.severity, re.sub(r"\bline [0-9]+", "line", problem.message)


def as_dict(problem: Problem) -> dict[str, Any]:
    """A finding for `--format json`."""
    place = problem.location
    return {
        "rule": problem.rule,
        "severity": str(problem.severity),
        "message": problem.message,
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "hint": problem.hint,
    }


def change_lines(changes: Sequence[Change], style: Style) -> Iterator[str]:
    """A summary line a file, then the unified diff. SHA256SUMS is named, and shown only where nothing else changes; a page
    for the browser is shown with -v only, since nobody reads its source.
    """
    for change in changes:
        note = " by hand; --force overwrites it" if change.kind == "edited" else ""
        if change.before == change.after:
            note += f" (mode {change.mode:o})"
        yield f"{_styled(f'{change.kind:8}', _KIND_COLOURS[change.kind], style)} {visible_line(change.path)}{note}\n"
    shown = [change for change in changes if change.path != SUMS] or list(changes)
    for change in shown:
        if change.path.endswith(".html") and not style.verbose and len(shown) > 1:
            yield f"\n{visible_line(change.path)}: -v shows how it changes\n"
            continue
        yield "\n"
        for line in unified(change):
            yield _diff_line(line, style)


def counted(changes: Sequence[Change]) -> str:
    """`29 files: 27 added, 2 changed`; SHA256SUMS is not counted unless it is alone."""
    files = [change for change in changes if change.path != SUMS] or list(changes)
    kinds = [
        (kind, sum(change.kind == kind for change in files))
        for kind in ("added", "changed", "removed", "edited")
    ]
    parts = ", ".join(
        f"{count} {kind}{' by hand' if kind == 'edited' else ''}" for kind, count in kinds if count
    )
    return f"{len(files)} file{'s' if len(files) != 1 else ''}: {parts}"


def changes_json(changes: Sequence[Change], found: Sequence[Problem]) -> str:
    """Changes and findings for `--format json`."""
    return _json(
        {
            "problems": [as_dict(problem) for problem in found],
            "changes": [
                {"path": change.path, "kind": change.kind, "diff": "".join(unified(change))}
                for change in changes
            ],
        }
    )


def diff_block(change: Change, style: Style) -> str:
    """One change for Markdown, whatever its lines are."""
    return markdown.fenced(shown("".join(unified(change)), style), "diff")


def data(value: object) -> None:
    """Print a command's data for `--format json`."""
    click.echo(_json(value))


def strong(text: str, style: Style) -> str:
    """A heading, or a name that the eye should find."""
    return _styled(text, None, style)


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], style: Style, width: int | None = None
) -> Iterator[str]:
    """Rows as aligned columns, or as a Markdown table. Where `width` is given and exceeded, the widest columns are cut short."""
    if style.format == "markdown":
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)
        for row in rows:
            yield markdown.row(map(markdown.text, row))
        return
    rows = [[visible_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    while width is not None and sum(widths) + 2 * len(widths) - 2 > width and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    yield _styled(_aligned(head, widths), None, style)
    for row in rows:
        yield _aligned(row, widths)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    cut = (
        cell if len(cell) <= width else cell[: width - 1] + "…"
        for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(f"{cell:{width}}" for cell, width in zip(cut, widths, strict=True)).rstrip()


def _diff_line(line: str, style: Style) -> str:
    line = shown(line, style)
    if not style.color:
        return line
    body = line.rstrip("\n")
    if line.startswith(("--- ", "+++ ")):
        return click.style(body, bold=True) + "\n"
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(body, fg=colour) + "\n" if colour else line


def _styled(text: str, colour: str | None, style: Style) -> str:
    text = visible_line(text)
    return click.style(text, fg=colour, bold=True) if style.color else text


def _github(problem: Problem, folder: str) -> str:
    """A workflow command. GitHub takes paths from the repository's root, wherever in it the step runs."""
    kind = {"note": "notice"}.get(problem.severity, str(problem.severity))
    message = problem.message + (f" ({problem.hint})" if problem.hint else "")
    place = problem.location
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    file = os.path.relpath(
        os.path.join(folder, place.file), os.environ.get("GITHUB_WORKSPACE") or None
    )
    file = file.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return (
        f"::{kind} file={file},line={place.line},col={place.column},title={problem.rule}::{escaped}"
    )


def _json(value: object) -> str:
    import json

    return visible_json(json.dumps(value, indent=2, ensure_ascii=False))
