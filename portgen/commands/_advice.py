"""What to do next, for the last line of a command.

In: `Settings`. Out: shell commands that work from the folder in which portgen was started, quoted; and
the sentence that they stand in. Looks at the repository, changes nothing.
"""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path

from portgen.problem import PortgenError
from portgen.settings import Settings

# What brings an operation of git's to its end, once its files are added.
_ENDS = {"merge": "commit"}


def portgen(settings: Settings, *words: str) -> str:
    """`portgen render`, with the options that say where things lie."""
    given = []
    defaults = Settings()
    if settings.folder != defaults.folder:
        given += ["-C", str(settings.folder)]
    if settings.inventory_name != defaults.inventory_name:
        given += ["-i", settings.inventory_name]
    if settings.output_name != defaults.output_name:
        given += ["-o", settings.output_name]
    return shlex.join(["portgen", *given, *words])


def git_add(settings: Settings, *, inventory: bool = False) -> str | None:
    """`git add output`; None outside of a repository, and where it ignores the folder. With
    `inventory` that one is added too, if it lies in the same repository."""
    from portgen.machine import under_way

    root = under_way.root(settings.out.parent)
    if root is None or _is_ignored(settings):
        return None
    paths = [settings.out]
    if inventory and under_way.root(settings.inventory.parent) == root:
        paths.insert(0, settings.inventory)
    git, here = _git(root)
    return shlex.join([*git, "add", *(os.path.relpath(path, here) for path in paths)])


def after_merge(settings: Settings, operation: str) -> str:
    """What ends the `operation` of git's that is under way, once portgen has rendered."""
    from portgen.machine import under_way

    git, _ = _git(under_way.root(settings.out.parent) or ".")
    ended = shlex.join(git) + " " + _ENDS.get(operation, f"{operation} --continue")
    added = git_add(settings, inventory=True)
    return f"{added} && {ended}" if added else ended


def _git(root: str) -> tuple[list[str], str]:
    """How git is called from here, and the folder that its paths are relative to."""
    here = os.path.realpath(".")
    if Path(here).is_relative_to(root):
        return ["git"], "."
    return ["git", "-C", root], root


def _is_ignored(settings: Settings) -> bool:
    from portgen.files.diff import SUMS
    from portgen.machine import git

    with suppress(PortgenError):
        return git.ignores(settings.out / SUMS)
    return False
