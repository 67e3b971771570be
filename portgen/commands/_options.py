"""The options that every command takes, before its name or after it; and those that several take.

In: click's context. Out: `Settings`; a port's number. What was given is kept in the root context's
object, a dict that `cli.main` makes for each run: options before and after the command's name meet
there, and the later one wins.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from portgen import screen
from portgen.commands import _complete
from portgen.problem import not_a_port
from portgen.settings import (
    FORMATS,
    INVENTORY,
    PROMETHEUS,
    SHELL,
    Settings,
    Style,
    Tell,
    nearest,
    silent,
    wants_color,
)

R = TypeVar("R")

# Those that one command has and others have not, with whose they are.
_OF_ONE = {PROMETHEUS: "of `audit` only", SHELL: "of `install` and `uninstall` only"}
EVERY_FORMAT = (*FORMATS, *_OF_ONE)

_BEFORE_FORMAT = (
    click.option(
        "-C",
        "--directory",
        "folder",
        shell_complete=_complete.folders,
        metavar="DIR",
        help="Work as if started in DIR.",
    ),
    click.option(
        "-i",
        "--inventory",
        "inventory_name",
        shell_complete=_complete.files,
        metavar="FILE",
        help="The inventory.  [default: inventory.yaml, here or in a folder above]",
    ),
    click.option(
        "-o",
        "--output",
        "output_name",
        shell_complete=_complete.folders,
        metavar="DIR",
        help="The output folder.  [default: output]",
    ),
)
_AFTER_FORMAT = (
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        help="Whether to print colours; auto: on a terminal.  [default: auto]",
    ),
)
_QUIET = "Print errors only."
_VERBOSE = "More detail: every note, whole diffs; a traceback for a bug."
_NO_MORE = "A traceback for a bug; nothing else changes."
_ANSWER = "Print the answer, and nothing beside it."

# What the two do to commands that answer a question, by their modules.
_ANSWERING = {
    "explain": (_ANSWER, "Every generated line; a traceback for a bug."),
    "log": (
        "Print the table without notes.",
        "The time of day, and every revision that is skipped; a traceback for a bug.",
    ),
    "completion": (_ANSWER, _NO_MORE),
    "next_": (_ANSWER, _NO_MORE),
    "ports": (_ANSWER, _NO_MORE),
    "reach": (_ANSWER, _NO_MORE),
    "schema": (_ANSWER, _NO_MORE),
    "status": (_ANSWER, _NO_MORE),
}
_NAMES = ("folder", "inventory_name", "output_name", "format_", "color", "quiet", "verbose")

# What commands that write take, too.
yes = click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="Write without asking (without a terminal nothing is asked).",
)
dry_run = click.option(
    "-n", "--dry-run", is_flag=True, help="Show all that would be done; ask and write nothing."
)


class _Port(click.IntRange):
    """A port's number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number. Ends the command with a usage error where it is not a port."""
        text = str(value)
        if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
            self.fail(not_a_port(text), param, ctx)
        return int(text)


PORT = _Port(1, 65535)


def _format(formats: Sequence[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    about = "How to print findings and data"
    for name, whose in _OF_ONE.items():
        if name in formats:
            about += f"; {name}: {whose}"
    kind = click.Choice(formats)
    return click.option("--format", "format_", type=kind, help=f"{about}.  [default: text]")


def _loudness(quiet: str, verbose: str) -> list[Callable[..., Any]]:
    return [
        click.option("-q", "--quiet", "quiet", is_flag=True, default=None, help=quiet),
        click.option("-v", "--verbose", "verbose", is_flag=True, default=None, help=verbose),
    ]


def global_options(
    body: Callable[..., R], formats: Sequence[str] = EVERY_FORMAT
) -> Callable[..., R]:
    """Take the global options off a command's arguments, and keep those that were given."""

    @wraps(body)
    def with_options(*args: Any, **options: Any) -> R:
        given = click.get_current_context().ensure_object(dict)
        for name in _NAMES:
            value = options.pop(name)
            if value is not None:
                given[name] = value
        return body(*args, **options)

    command = body.__module__.rpartition(".")[2]
    taken: list[Callable[..., Any]] = [*_BEFORE_FORMAT, _format(formats), *_AFTER_FORMAT]
    taken += _loudness(*_ANSWERING.get(command, (_QUIET, _VERBOSE)))
    for option in reversed(taken):
        with_options = option(with_options)
    return with_options


def with_settings(body: Callable[..., R], formats: Sequence[str] = FORMATS) -> Callable[..., R]:
    """The global options, and the `Settings` that follow from them as the body's first argument.
    Where no inventory is named, the nearest one in the folders above is used."""

    @wraps(body)
    def with_first(settings: Settings, *args: Any, **options: Any) -> R:
        return body(found(settings), *args, **options)

    return with_settings_here(with_first, formats)


def with_settings_here(
    body: Callable[..., R], formats: Sequence[str] = FORMATS
) -> Callable[..., R]:
    """The same, for a command that needs no inventory: none is looked for. Raises click.UsageError for
    a format, given before its name, that it doesn't have."""

    @wraps(body)
    def with_first(*args: Any, **options: Any) -> R:
        context = click.get_current_context()
        settings = settings_of(context.ensure_object(dict))
        if settings.style.format not in formats:
            context.fail(f"this command has no --format {settings.style.format}")
        screen.begin()
        return body(settings, *args, **options)

    return global_options(with_first, formats)


def found(settings: Settings) -> Settings:
    """The settings with the folder in which the inventory is found: here, as by `-C` and `-i`, or
    in a folder above. Says so where it is not here."""
    given = click.get_current_context().ensure_object(dict)
    if "folder" in given or "inventory_name" in given or os.path.lexists(INVENTORY):
        return settings
    folder, looked = nearest()
    if folder is None:
        return settings._replace(looked=looked)
    given["folder"] = folder  # also for a command that this one calls, and for what goes wrong
    settings = settings_of(given)
    screen.status(f"using {settings.inventory}", settings.style)
    return settings


def asked_format(arguments: Iterable[str]) -> str | None:
    """The format by the words of a command line that can't be read as a whole: the last that is
    named, wherever it stands."""
    found = None
    words = iter(arguments)
    for word in words:
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name == "--format":
            named = value if equals else next(words, "")
            if named in FORMATS:
                found = named
    return found


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings by what was given on the command line; defaults for the rest."""
    folder = given.get("folder", "")
    style = Style(
        format=given.get("format_", "text"),
        color=wants_color(given.get("color", "auto")),
        quiet=bool(given.get("quiet")),
        verbose=bool(given.get("verbose")),
        folder=folder,
    )
    return Settings(
        folder=Path(folder),
        inventory_name=given.get("inventory_name", INVENTORY),
        output_name=given.get("output_name", "output").rstrip("/") or "/",
        style=style,
        stage=_shown_stage if _shows_progress(style) else silent,
    )


def _shows_progress(style: Style) -> bool:
    """Whether somebody sees what takes long: on a terminal that can erase a line."""
    if style.quiet or style.format not in ("text", "markdown") or os.environ.get("CI"):
        return False
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _shown_stage(text: str) -> AbstractContextManager[Tell]:
    from portgen.machine import progress

    return progress.stage(text, screen.one_line)
