"""What git is in the middle of: a merge, a rebase, a cherry-pick, a revert; and what it joins there.

In: a folder. Out: the root of the repository around it; the operation's name, from what lies in the
git directory; and the names of the revisions that it joins. Starts no process; changes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from portgen import whole

MOST_POINTER = 4096  # bytes of a `.git` that names the git directory

# What lies in the git directory meanwhile. A rebase comes first, since it picks and merges commits.
_SIGNS = (
    ("rebase-merge", "rebase"),
    ("rebase-apply/applying", "am"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
)


class Revisions(NamedTuple):
    """What git joins: the changes from `base` to `theirs`, into what `HEAD` has. A name for `git
    merge-base` to find has None as its base."""

    base: str | None
    theirs: str


# By the file that names the commit.
_JOINED = {
    "MERGE_HEAD": Revisions(None, "MERGE_HEAD"),
    "REBASE_HEAD": Revisions("REBASE_HEAD^", "REBASE_HEAD"),
    "CHERRY_PICK_HEAD": Revisions("CHERRY_PICK_HEAD^", "CHERRY_PICK_HEAD"),
    "REVERT_HEAD": Revisions("REVERT_HEAD", "REVERT_HEAD^"),
}


def operation(folder: Path) -> str | None:
    """The git command that is under way around `folder`, such as `rebase`; None where there is none.
    A few looks at the disk: no process."""
    directory = _directory(folder)
    if directory is None:
        return None
    for name, command in _SIGNS:
        if os.path.lexists(f"{directory}/{name}"):
            return command
    return None


def revisions(folder: Path) -> list[Revisions]:
    """What that command joins. `REBASE_HEAD` may be an old rebase's: it counts during one only."""
    directory = _directory(folder)
    found = []
    rebases = operation(folder) == "rebase"
    for name, joined in _JOINED.items():
        if os.path.lexists(f"{directory}/{name}") and (rebases or name != "REBASE_HEAD"):
            found.append(joined)
    return found


def root(folder: Path) -> Path | None:
    """The root of the repository around `folder`, links followed: the nearest folder that holds a
    `.git`, of whatever kind. None outside of a repository."""
    here = os.path.realpath(folder)
    while not os.path.lexists(f"{here}/.git"):
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above
    return Path(here)


def _directory(folder: Path) -> str | None:
    """The git directory of the repository around `folder`: `.git` itself, or what it names in a linked
    work tree or a submodule."""
    here = root(folder)
    if here is None:
        return None
    if os.path.isdir(f"{here}/.git"):
        return f"{here}/.git"
    try:
        data, _ = whole.read(f"{here}/.git", MOST_POINTER)
    except OSError:
        return None
    return os.path.join(here, os.fsdecode(data).removeprefix("gitdir:").strip())
