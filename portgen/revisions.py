"""The inventory as it was: read from git, never from the work tree.

In: a revision, and where the inventory lies now. Out: a `Source`. Asks git for one blob; checks nothing out, and works from a
subfolder, a linked work tree, a submodule or a bare repository.
"""

from __future__ import annotations

import os
from pathlib import Path

from portgen import host, inventory
from portgen.inventory import Source
from portgen.problem import Exit, PortgenError

TIMEOUT = 60.0  # seconds; git may have to fetch the blob into a partial clone


def load(revision: str, path: Path, shown: str) -> Source:
    """The inventory at `path` as `revision` has it, named `revision:shown` in messages.

    Raises PortgenError: Exit.USAGE for what is no repository or no revision, Exit.INVENTORY where the revision has no such
    file or it can't be loaded, Exit.MACHINE without git.
    """
    folder, inside = _within(Path(os.path.realpath(path)))
    tree = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}")
    if tree.returncode != 0:
        why = tree.stderr.strip().removeprefix("fatal: ")
        if why:
            raise PortgenError(f"{folder}: git can't read it: {why}", Exit.USAGE)
        hint = "two revisions are two arguments" if ".." in revision else "a branch, a tag or a commit; in CI, fetch the history too (fetch-depth: 0)"
        raise PortgenError(f"no such revision: {revision}", Exit.USAGE, hint=hint)
    # Relative to the folder in a work tree; a bare repository has no folders to be relative to.
    bare = _git(folder, "rev-parse", "--is-inside-work-tree").stdout.strip() != "true"
    name = f"{tree.stdout.strip()}:{'' if bare else './'}{inside}"
    blob = _git(folder, "cat-file", "blob", name)
    if blob.returncode != 0:
        raise PortgenError(
            f"{shown} is not in {revision}", Exit.INVENTORY, hint="it came later, or lay elsewhere then: `-i FILE` names it, relative to the folder"
        )
    return inventory.parse(_bytes(blob.stdout, folder, name, shown, revision), f"{revision}:{shown}")


def _within(path: Path) -> tuple[Path, str]:
    """The nearest folder that is there now, and the rest of the path: a revision may have folders that the work tree lacks."""
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    return folder, path.relative_to(folder).as_posix()


def _bytes(text: str, folder: Path, name: str, shown: str, revision: str) -> bytes:
    """What git printed, as bytes. A replacement character may be the file's own, or stand for bytes that were no UTF-8: its
    hash tells."""
    data = text.encode()
    if "\ufffd" in text and _git(folder, "hash-object", "--stdin", stdin=data).stdout != _git(folder, "rev-parse", name).stdout:
        raise PortgenError(f"{revision}:{shown} is not UTF-8", Exit.INVENTORY)
    return data


def _git(folder: Path, *arguments: str, stdin: bytes | None = None) -> host.Finished:
    return host.run(("git", *arguments), timeout=TIMEOUT, cwd=folder, stdin=stdin)


def names(path: Path) -> list[str]:
    """The branches and tags of the repository around `path`; none where there is no repository. Raises PortgenError without git."""
    folder, _ = _within(Path(os.path.realpath(path)))
    return _git(folder, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes").stdout.split()
