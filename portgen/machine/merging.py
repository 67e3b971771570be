"""A merge under way, as git sees it: what it merges, and the tree that comes out of it.

In: the environment in which git starts a merge driver. Out: the merged tree, what conflicts in it,
its files in a temporary folder, and the text merge that git itself would do. Asks git to merge a
second time, without the driver, so that the inventory is merged exactly as git merges it. Never
touches the work tree, the index or a branch; the merged tree's objects are those that git writes
anyway.

The branch that is merged may be a stranger's: of its tree only regular files are read, up to a
limit, and only below names that lead nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from portgen import whole
from portgen.machine import git, under_way
from portgen.problem import Exit, PortgenError

_FILES = ("100644", "100755")  # how git writes the modes of regular files
_HEAD = "GITHEAD_"  # `git merge` names each head that it merges: GITHEAD_<hash>=<branch>
_OURS, _THEIRS = 2, 3  # git's numbers of the two sides of a conflict


class Question(NamedTuple):
    """What git asks a driver: three files with the versions, the path that they are of, and how
    long conflict markers are. The answer replaces `ours`."""

    base: Path
    ours: Path
    theirs: Path
    path: str  # from the root of the repository
    marker_size: int = 7


class Entry(NamedTuple):
    """A file in a tree."""

    mode: str
    name: str  # its hash
    size: int


class Heads(NamedTuple):
    """What `git merge` is merging: two commits, by their hashes."""

    ours: str
    theirs: str


class Merged(NamedTuple):
    """The tree that comes out, and the hashes of both sides of each path that conflicts; None for
    a side that has no such file."""

    tree: str
    conflicts: dict[str, tuple[str | None, str | None]]


# --- which merge ----------------------------------------------------------------------------------


def repository(folder: Path) -> git.Repository | None:
    """The repository around `folder`; None where there is none. Raises PortgenError where git does
    not trust it."""
    root = under_way.root(folder)
    if root is None:
        return None
    return git.Repository(root, git.git_directory(root))


def heads(where: git.Repository) -> Heads | None:
    """The two commits of the `git merge` that has started this process. None for anything else: a
    rebase, a cherry-pick and a stash name no head, an octopus merge names several."""
    named = [name.removeprefix(_HEAD) for name in os.environ if name.startswith(_HEAD)]
    if len(named) != 1:
        return None
    theirs = named[0]
    if not theirs.isalnum():
        return None
    asked = git.run(where, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if asked.returncode != 0:
        return None
    return Heads(asked.stdout.strip(), theirs)


def merge(where: git.Repository, both: Heads) -> Merged:
    """Have git merge the two commits, without writing anything but objects.

    Raises PortgenError(Exit.MACHINE) where it can't: before git 2.38, or where a clone lacks
    something.
    """
    asked = git.run(
        where,
        "-c",
        "merge.portgen.driver=false",
        "merge-tree",
        "--write-tree",
        "--no-messages",
        "--allow-unrelated-histories",
        "-z",
        both.ours,
        both.theirs,
    )
    if asked.returncode not in (0, 1):
        why = asked.stderr.strip().partition("\n")[0].removeprefix("fatal: ")
        hint = "portgen's merge driver needs git 2.38 or newer"
        raise PortgenError(f"git can't merge ahead: {why}", Exit.MACHINE, hint=hint)
    tree, *lines = asked.stdout.rstrip("\0").split("\0")
    conflicts: dict[str, tuple[str | None, str | None]] = {}
    for line in lines:
        described, _, path = line.partition("\t")
        _, name, stage = described.split(" ")
        ours, theirs = conflicts.get(path, (None, None))
        if int(stage) == _OURS:
            ours = name
        elif int(stage) == _THEIRS:
            theirs = name
        conflicts[path] = (ours, theirs)
    return Merged(tree, conflicts)


def hash_of(data: bytes, like: str) -> str:
    """What git calls a file with these bytes: by SHA-1 or SHA-256, as `like`, a hash."""
    text = b"blob %d\0%b" % (len(data), data)
    if len(like) == 64:
        return hashlib.sha256(text).hexdigest()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def is_of(entry: Entry, data: bytes, mode: int) -> bool:
    """Whether it is a file with these bytes, and one that may be run if `mode` says so."""
    return has_mode(entry, mode) and hash_of(data, entry.name) == entry.name


def has_mode(entry: Entry, mode: int) -> bool:
    """Whether it is a file that may be run if `mode` says so, and only then."""
    return entry.mode in _FILES and (entry.mode == "100755") == bool(mode & 0o100)


# --- the merged tree ------------------------------------------------------------------------------


def entries(where: git.Repository, tree: str, paths: Sequence[str]) -> dict[str, Entry]:
    """What `tree` has at `paths`, and below those that are folders. Links and submodules too: their
    modes say what they are."""
    # Literal: a folder may be called `:ops`.
    listing = ("--literal-pathspecs", "ls-tree", "-r", "-z", "-l", "--full-tree", tree)
    asked = git.run(where, *listing, "--", *paths)
    if asked.returncode != 0:
        raise PortgenError(f"git can't list a tree: {asked.stderr.strip()}", Exit.MACHINE)
    found = {}
    for line in asked.stdout.split("\0")[:-1]:
        described, _, path = line.partition("\t")
        mode, _, name, size = described.split()
        found[path] = Entry(mode, name, int(size) if size.isdigit() else 0)
    return found


def text(where: git.Repository, path: str, entry: Entry) -> bytes:
    """The bytes of a file that is UTF-8. Raises PortgenError for what is not, for what is not a
    regular file, and for what is larger than an inventory may be."""
    if entry.mode not in _FILES:
        raise PortgenError(f"{path} is a link or a submodule, not a file", Exit.INVENTORY)
    if entry.size > whole.MOST_INVENTORY:
        limit = f"{whole.MOST_INVENTORY >> 20} MB"
        raise PortgenError(f"{path} is larger than {limit}", Exit.INVENTORY)
    asked = git.run(where, "cat-file", "blob", entry.name)
    if asked.returncode != 0:
        raise git.absent(path)
    data = asked.stdout.encode()
    if hash_of(data, entry.name) != entry.name:  # a byte was replaced when it was read as UTF-8
        raise PortgenError(f"{path} is not UTF-8", Exit.INVENTORY)
    return data


@contextmanager
def extracted(where: git.Repository, files: Mapping[str, Entry]) -> Iterator[Path]:
    """A temporary folder with these files of a tree, at their paths, for as long as it is needed.

    Raises PortgenError(Exit.INVENTORY) for what is not a regular file, and for a path that leads
    elsewhere.
    """
    folder = Path(tempfile.mkdtemp(prefix="portgen-merge-"))  # mode 0700
    try:
        for path, entry in files.items():
            if not {"", ".", "..", ".git"}.isdisjoint(path.split("/")):
                raise PortgenError(f"{path!r} is not a path that portgen reads", Exit.INVENTORY)
            data = text(where, path, entry)
            place = folder / path
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                with open(place, "xb") as file:
                    file.write(data)
            except OSError as error:
                message = f"{place}: can't be written: {error.strerror}"
                raise PortgenError(message, Exit.MACHINE) from None
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- the answer -----------------------------------------------------------------------------------


def is_about(question: Question, ours: str, theirs: str) -> bool:
    """Whether the two versions that git gives are those with these hashes. Raises
    PortgenError(Exit.MACHINE) where they can't be read."""
    for path, name in ((question.ours, ours), (question.theirs, theirs)):
        data = _read(path)
        if hash_of(data, name) != name:
            return False
    return True


def answer(question: Question, data: bytes) -> None:
    """Give `data` as the merged file. Raises PortgenError(Exit.MACHINE)."""
    place = Path(os.path.abspath(question.ours))
    try:
        _, status = whole.read(place, follow=False)
        folder = os.open(place.parent, whole.FOLDER)
        try:
            whole.replace(folder, place.name, data, like=status)
        finally:
            os.close(folder)
    except OSError as error:
        raise PortgenError(f"{place}: can't be written: {error.strerror}", Exit.MACHINE) from None


def leave(question: Question, where: git.Repository | None) -> bool:
    """Merge the file as git itself would: as text, with its markers where the two sides conflict.
    Returns whether they don't. Nothing of either side is lost; a render tells what git has joined
    out of two renders from a hand edit.

    Raises PortgenError(Exit.MACHINE).
    """
    before = _read(question.ours)
    options = ["merge-file", "--quiet", f"--marker-size={question.marker_size}"]
    for label in ("ours", "base", _label_of_theirs()):
        options += ["-L", label]
    # Absolute: git runs a driver at the root, and so do we run git.
    files = [os.path.abspath(path) for path in (question.ours, question.base, question.theirs)]
    if where is None:
        merged = git.ask(Path.cwd(), (*options, *files), environment={})
    else:
        merged = git.run(where, *options, *files)
    if merged.returncode >= 128:  # not text
        answer(question, before)
    return merged.returncode == 0


def _read(path: Path) -> bytes:
    try:
        return whole.read(path, follow=False)[0]
    except OSError as error:
        raise PortgenError(f"{path}: can't be read: {error.strerror}", Exit.MACHINE) from None


def _label_of_theirs() -> str:
    names = [name for name in os.environ if name.startswith(_HEAD)]
    if len(names) != 1:
        return "theirs"
    return os.environ[names[0]]


# --- the set-up -----------------------------------------------------------------------------------


def missing(where: git.Repository, values: Mapping[str, str]) -> list[str]:
    """Those of `values` that the repository's own configuration does not have."""
    found = []
    for name, value in values.items():
        asked = git.run(where, "config", "--local", "--get-all", name)
        if asked.stdout != f"{value}\n":
            found.append(name)
    return found


def configure(where: git.Repository, values: Mapping[str, str]) -> None:
    """Set `values` in the repository's own configuration. Raises PortgenError(Exit.MACHINE)."""
    for name, value in values.items():
        done = git.run(where, "config", "--local", "--replace-all", name, value)
        if done.returncode != 0:
            why = done.stderr.strip().removeprefix("error: ")
            message = f"{where.root}: git can't set {name}: {why}"
            hint = "the repository's config must be a file that you may write to"
            raise PortgenError(message, Exit.MACHINE, hint=hint)
