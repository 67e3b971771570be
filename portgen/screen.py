"""What people and machines read: text, colours, tables, findings.

In: `Problem`s, cells, plain values. Out: text on stdout or stderr, in one of the formats `text`,
`json`, `github`, `markdown`. With the commands the only place that prints; and the only one that
knows colours.

With `--format json` a run prints one document, at its end: until then `data` keeps the command's
record, in the object of click's context, which lives as long as the run.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from portgen.problem import PortgenError, Problem, Severity
from portgen.settings import SHELL, Style
from portgen.visible import visible, visible_json, visible_line

MOST_ALIKE = 10  # findings of a rule with the same words, in text
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}

# What GitHub's runner obeys when a step prints it, also after blanks.
_RUNNER = re.compile(r"^([^\S\n]*)(?=::|##\[)", re.MULTILINE)


# --- text -----------------------------------------------------------------------------------------


def shown(text: str, style: Style) -> str:
    """Foreign lines as they may be printed: nothing hidden, no command to GitHub's runner."""
    text = visible(text)
    if style.format == "github" or os.environ.get("GITHUB_ACTIONS"):
        text = _RUNNER.sub(r"\1\\", text)
    return text


def readable(text: str) -> str:
    """Text with everything hidden spelled out."""
    return visible(text)


def one_line(text: str) -> str:
    """The same for a single line: line feeds are spelled out too."""
    return visible_line(text)


def status(text: str, style: Style) -> None:
    """A line for the person, on stderr; nothing with -q."""
    if not style.quiet:
        click.echo(shown(text, style), err=True)


def failure(message: str, hint: str | None, style: Style) -> None:
    """Why the command ends here, on stderr, whatever the format."""
    rest = f": {message}"
    if hint:
        rest += f"\n    hint: {hint}"
    start = strong("error", style, "red")
    click.echo(start + shown(rest, style), err=True, color=style.color)


def show(text: str, style: Style) -> None:
    """A command's text on stdout, as it is."""
    click.echo(text, nl=False, color=style.color)


def strong(text: str, style: Style, colour: str | None = None) -> str:
    """A heading, or a name that the eye should find."""
    text = visible_line(text)
    return click.style(text, fg=colour, bold=True) if style.color else text


def heading(text: str, style: Style) -> str:
    """The heading of a table."""
    if style.format == "markdown":
        from portgen import markdown

        return f"### {markdown.text(text)}\n"
    return strong(text, style)


def items(lines: Iterable[str], style: Style, *, with_code: bool = False) -> str:
    """Lines that belong together: in Markdown a list. `with_code`: what stands between backticks is code."""
    if style.format == "markdown":
        from portgen import markdown

        escaped = markdown.with_code if with_code else markdown.text
        return "".join(f"- {escaped(line)}\n" for line in lines)
    return "".join(f"{shown(line, style)}\n" for line in lines)


def block(text: str, language: str, style: Style) -> str:
    """Text that keeps its lines and columns: in Markdown fenced."""
    if style.format != "markdown":
        return text
    from portgen import markdown

    return markdown.fenced(text, language)


def diff_line(line: str, style: Style) -> str:
    """A line of a unified diff."""
    line = shown(line, style)
    if not style.color:
        return line
    body = line.rstrip("\n")
    if line.startswith(("--- ", "+++ ")):
        return click.style(body, bold=True) + "\n"
    colour = _DIFF_COLOURS.get(line[:1])
    return click.style(body, fg=colour) + "\n" if colour else line


def width() -> int | None:
    """A terminal's columns; None where stdout is not one: a pipe gets everything whole."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def wrapped(text: str, columns: int) -> str:
    """Paragraphs in lines of at most so many columns; of a list, each item by itself."""
    import textwrap

    paragraphs = []
    for paragraph in text.strip().split("\n\n"):
        items = []
        for item in re.split(r"\n(?=\s*- )", paragraph):
            indent = "  " if item.lstrip().startswith("- ") else ""
            items.append(
                textwrap.fill(
                    " ".join(item.split()),
                    columns,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
        paragraphs.append("\n".join(items))
    return "\n\n".join(paragraphs)


# --- the document of `--format json` --------------------------------------------------------------

_RECORD = "record"  # where a run keeps it; there, and None, from the moment that a command begins


def begin() -> None:
    """A command begins, all its options read: from now on it has a document."""
    _run().setdefault(_RECORD, None)


def has_begun(run: Mapping[str, Any]) -> bool:
    """Whether a command has begun in this run."""
    return _RECORD in run


def data(record: Mapping[str, object]) -> None:
    """Keep a command's record; it is printed when the command has ended. Raises RuntimeError for a
    second one: what a run tells is one record."""
    run = _run()
    if run.get(_RECORD) is not None:
        raise RuntimeError("a run has one record, and this is the second")
    run[_RECORD] = dict(record)


def add(**fields: object) -> None:
    """What becomes known of the record that is kept; nothing in the other formats, which have
    none."""
    record = _run().get(_RECORD)
    if record is not None:
        record.update(fields)


@contextmanager
def part(name: str) -> Iterator[None]:
    """Around a command that another one runs: its record becomes the field `name` of the other's."""
    run = _run()
    whole = run.pop(_RECORD)
    try:
        yield
    finally:
        found = run.get(_RECORD)
        run[_RECORD] = whole
        if whole is not None:
            whole[name] = found


def document(run: Mapping[str, Any], error: PortgenError | None) -> None:
    """Print the one document of a run that has ended: what its command kept, and the reason where
    it did not come to its end."""
    import json

    from portgen.review import records

    record: Mapping[str, object] = run.get(_RECORD) or {}
    if error is not None:
        record = records.ended(record, error)
    # A command with nothing to tell has no problems.
    click.echo(visible_json(json.dumps(record or records.lint(()), indent=2, ensure_ascii=False)))


def _run() -> dict[str, Any]:
    return click.get_current_context().ensure_object(dict)


# --- findings -------------------------------------------------------------------------------------


def problems(found: Sequence[Problem], style: Style, *, beside: bool = False) -> None:
    """Print findings, the one way for every command.

    Findings are the command's own data, and go to stdout. `beside`: its data is something else,
    such as a diff. Then text goes to stderr, as it always does beside shell commands, which somebody may
    run. JSON prints nothing then, nor where a record is kept: that has the findings too.
    """
    if style.format == "json":
        if not beside and _run().get(_RECORD) is None:
            from portgen.review import records

            data(records.lint(found))
        return
    aside = style.format == SHELL or (beside and style.format == "text")
    for line in problem_lines(found, style):
        click.echo(line, err=aside, color=style.color)


def problem_lines(found: Sequence[Problem], style: Style) -> Iterator[str]:
    """Findings as lines of `text`, `github` or `markdown`."""
    if style.format == "markdown" and found:
        yield "| place | severity | finding | rule |"
        yield "|---|---|---|---|"
    if style.format in ("text", SHELL) and not style.verbose:
        found = list(_counted(found))
    for problem in found:
        if style.format == "github":
            yield visible(_github(problem, style.folder))
        elif style.format == "markdown":
            yield _markdown_row(problem)
        elif not style.quiet or problem.severity is Severity.ERROR:
            yield _text(problem, style)


def _counted(found: Sequence[Problem]) -> Iterator[Problem]:
    """The findings, with one note for all notes of a rule: the first, and how many more there are; and
    with the first ten of others of a rule that say the same. Many would hide what has to be done."""
    alike = Counter(map(_alike, found))
    shown_of: Counter[tuple[object, ...]] = Counter()
    notes = Counter(problem.rule for problem in found if problem.severity is Severity.NOTE)
    for problem in found:
        if problem.severity is not Severity.NOTE:
            kind = _alike(problem)
            shown_of[kind] += 1
            beyond = alike[kind] - MOST_ALIKE
            if shown_of[kind] == MOST_ALIKE and beyond > 0:
                yield problem._replace(
                    message=f"{problem.message}; and {beyond} more: -v shows all"
                )
            elif shown_of[kind] <= MOST_ALIKE:
                yield problem
            continue
        number = notes.pop(problem.rule, 0)
        if number > 1:
            more = f"{problem.message}; {number - 1} more like it: -v shows all"
            yield problem._replace(message=more)
        elif number:
            yield problem


def _alike(problem: Problem) -> tuple[object, ...]:
    """What is the same of findings that differ in their place only."""
    return problem.rule, problem.severity, problem.message


def _text(problem: Problem, style: Style) -> str:
    place = strong(str(problem.location), style)
    severity = strong(problem.severity, style, _COLOURS[problem.severity])
    line = f"{place}: {severity}: {visible_line(problem.message)} [{problem.rule}]"
    if problem.hint:
        line += shown(f"\n    hint: {problem.hint}", style)
    return line


def _markdown_row(problem: Problem) -> str:
    from portgen import markdown

    message = markdown.text(problem.message)
    if problem.hint:
        for line in problem.hint.split("\n"):
            message += f"<br>{markdown.text(line)}"
    place = markdown.code(str(problem.location))
    return markdown.row((place, problem.severity, message, f"`{problem.rule}`"))


def _github(problem: Problem, folder: str) -> str:
    """A workflow command. GitHub takes paths from the repository's root."""
    kind = "notice" if problem.severity is Severity.NOTE else problem.severity
    message = problem.message
    if problem.hint:
        message += f" ({problem.hint})"
    message = _of_command(message)
    place = problem.location
    root = os.environ.get("GITHUB_WORKSPACE") or None
    file = os.path.relpath(os.path.join(folder, place.file), root)
    file = file.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    where = f"file={file},line={place.line},col={place.column}"
    return f"::{kind} {where},title={problem.rule}::{message}"


def command(message: str) -> str:
    """A remark of no file, as GitHub's runner takes it."""
    return visible(f"::warning::{_of_command(message)}")


def _of_command(message: str) -> str:
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


# --- tables ---------------------------------------------------------------------------------------


GAP = 2  # columns between those of a table


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], style: Style, width: int | None = None
) -> Iterator[str]:
    """Rows as aligned columns, or as a Markdown table. `width`: where given and exceeded, the
    widest columns are cut short."""
    if style.format == "markdown":
        from portgen import markdown

        yield markdown.row(head)
        yield "|" + "---|" * len(head)
        for row in rows:
            yield markdown.row(map(markdown.text, row))
        return
    lines = [[visible_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    if width is not None:
        _narrow(widths, width - GAP * (len(widths) - 1))
    yield strong(_aligned(head, widths), style)
    for line in lines:
        yield _aligned(line, widths)


def _narrow(widths: list[int], columns: int) -> None:
    """Take columns off the widest until all fit; none becomes narrower than 8."""
    while sum(widths) > columns and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for cell, width in zip(cells, widths, strict=True):
        text = cell
        if len(cell) > width:
            text = cell[: width - 1] + "…"
        parts.append(f"{text:{width}}")
    return (" " * GAP).join(parts).rstrip()
