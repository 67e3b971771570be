"""What to do next, for the last line of a command.

In: `Settings`, and what a command did. Out: the sentence; the shell commands in it are quoted, and work
from the folder in which portgen was started. Looks at the repository, changes nothing.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from portgen.problem import PortgenError, counted, listed
from portgen.settings import Settings

MOST_HOSTS = 3

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

    root = under_way.root(settings.out)
    if root is None or _is_ignored(settings):
        return None
    paths = [settings.out]
    if inventory and under_way.root(settings.inventory) == root:
        paths.insert(0, settings.inventory)
    git = _git(root)
    names = [str(path) for path in paths]
    if len(git) > 1:
        names = [os.path.relpath(os.path.realpath(path), root) for path in paths]
    return shlex.join([*git, "add", *names])


def to_render(settings: Settings, *, force: bool = False) -> str:
    """How a stale output folder becomes a current one that the next commit has."""
    rendering = portgen(settings, "render", *(["--force"] if force else []))
    adding = git_add(settings)
    if adding is None:
        return f"run `{rendering}`"
    return f"run `{rendering}`, then `{adding}`"


def after_render(settings: Settings, hosts: Collection[str]) -> str | None:
    """What follows a write, for those `hosts` whose files are to be installed. None where nothing
    does."""
    ending = _end_of_merge(settings)
    if ending is not None:
        return ending
    steps = []
    if git_add(settings) is not None:
        steps.append(f"commit {settings.out}/ with {settings.inventory}")
    there = [host for host in sorted(hosts) if (settings.out / host).is_dir()]
    left = sorted(set(hosts) - set(there))
    if there:
        steps.append(_on(settings, there, "install"))
    if left:
        steps.append(_on(settings, left, "uninstall"))
    return f"next: {', then '.join(steps)}" if steps else None


def where_current(settings: Settings, paths: Collection[str]) -> str | None:
    """What follows where nothing had to be written, and the output folder has files at `paths`."""
    ending = _end_of_merge(settings)
    if ending is not None:
        return ending
    # What is about all hosts lies one folder deep: `docs/index.html`.
    hosts = {path.partition("/")[0] for path in paths if path.count("/") > 1}
    if not hosts:
        return None
    return f"next, where that is not done yet, {_on(settings, sorted(hosts), 'install')}"


def to_commit_again(settings: Settings) -> str | None:
    """What follows in a hook that has rendered, and so has stopped the commit."""
    adding = git_add(settings)
    return f"next: `{adding}`, and commit again" if adding else None


def _on(settings: Settings, hosts: Collection[str], verb: str) -> str:
    """What is to be run on each of these hosts."""
    return f"on {listed(hosts, MOST_HOSTS)}: sudo {portgen(settings, verb)}"


def _end_of_merge(settings: Settings) -> str | None:
    """What ends the merge, rebase or the like that is under way; None where nothing is."""
    from portgen.machine import under_way

    operation = under_way.operation(settings.out)
    if operation is None:
        return None
    git = shlex.join(_git(under_way.root(settings.out) or Path()))
    if operation == "rebase" and not under_way.revisions(settings.out):
        # git has not stopped at a commit's changes: to go on might lose that commit.
        return f"next: `{git} status` says where the rebase stands"
    ended = f"{git} {_ENDS.get(operation, f'{operation} --continue')}"
    added = git_add(settings, inventory=True)
    return f"next: {added} && {ended}" if added else f"next: {ended}"


def unmerged(settings: Settings, count: int) -> str:
    """That `count` files which git left are overwritten without --force; and how it need not come to
    that."""
    from portgen.machine import git, under_way

    are = counted(count, "file is as git left it", "files are as git left them")
    said = f"{are}, not edited by hand: taken as out of date"
    if under_way.operation(settings.out) == "merge":
        with suppress(PortgenError):
            if git.configured(settings.out, "merge.portgen.driver") is None:
                installing = portgen(settings, "merge-driver", "--install")
                said += f"\n    hint: `{installing}` lets git merge output/ by itself"
    return said


def _git(root: Path) -> list[str]:
    """How git is called from here for the repository at `root`."""
    if Path(os.path.realpath(".")).is_relative_to(root):
        return ["git"]
    return ["git", "-C", str(root)]


def _is_ignored(settings: Settings) -> bool:
    from portgen.files.diff import SUMS
    from portgen.machine import git

    with suppress(PortgenError):
        return git.ignores(settings.out / SUMS)
    return False
