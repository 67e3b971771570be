"""The commands: one module each, with a click command named `command`; found by being here.

A command's body is a chain of stages (`portgen.chain`) and what it prints. Modules import only click and the standard
library at their top.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from portgen.chain import Settings
from portgen.report import Style, wants_color

P = ParamSpec("P")
R = TypeVar("R")

_given: dict[str, Any] = {}

_OPTIONS = (
    click.option("-C", "folder", metavar="DIR", help="Work as if started in DIR."),
    click.option("-i", "inventory_name", metavar="FILE", help="The inventory.  [default: inventory.yaml]"),
    click.option("-o", "output_name", metavar="DIR", help="The output folder.  [default: output]"),
    click.option(
        "--format", "format_", type=click.Choice(["text", "json", "github", "markdown"]), help="How to print findings and data.  [default: text]"
    ),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), help="[default: auto]"),
    click.option("-q", "quiet", is_flag=True, default=None, help="Errors only."),
    click.option("-v", "verbose", is_flag=True, default=None, help="More detail; a traceback for a bug."),
)


def global_options(body: Callable[..., R]) -> Callable[..., R]:
    """The global options, before the command's name or after it; the later one wins."""

    @wraps(body)
    def with_options(*args: Any, **options: Any) -> R:
        for name in ("folder", "inventory_name", "output_name", "format_", "color", "quiet", "verbose"):
            value = options.pop(name)
            if value is not None:
                _given[name] = value
        return body(*args, **options)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options


def command(body: Callable[..., R]) -> Callable[..., R]:
    """The global options, and the `Settings` that follow from them as the body's first argument."""

    @wraps(body)
    def with_settings(*args: Any, **options: Any) -> R:
        return body(last_settings(), *args, **options)

    return global_options(with_settings)


def last_settings() -> Settings:
    """The settings of the running command."""
    style = Style(
        format=_given.get("format_", "text"),
        color=wants_color(_given.get("color", "auto")),
        quiet=bool(_given.get("quiet")),
        verbose=bool(_given.get("verbose")),
    )
    return Settings(
        folder=Path(_given.get("folder", "")),
        inventory_name=_given.get("inventory_name", "inventory.yaml"),
        output_name=_given.get("output_name", "output"),
        style=style,
    )
