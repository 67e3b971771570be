"""The history of the inventory file, as git has it: which commits changed it, and what it was then.

In: where the inventory lies now. Out: a `Past`, the contents by their hashes, and what each commit says of
itself. The file is followed through renames and links. A fixed number of processes, however many commits:
one lists the commits, one finds the contents' hashes, one finds renames, one reads the contents that are
asked for. Like `git.load` it reads nothing from the work tree, and fetches nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from portgen import whole
from portgen.machine import git
from portgen.machine.git import Repository
from portgen.problem import Exit, PortgenError

MOST_NAMES = 20  # that the file had, one after the other, and that are followed
MOST_ASKED = 1000  # commits of which git looks for renames
MOST_AT_ONCE = 64 << 20  # bytes of contents that one process is asked for
MOST_LACKING = 200  # contents that a partial clone lacks, each of which costs a process
MOST_LINK = 4096  # bytes of where a link leads
# A file leaves its name also where something else takes that name in the same commit: a link, or other
# content (-B). git then calls it a copy (-C), as it does where the file goes on under two names.
_RENAMES = ("-M", "-C", "-B", "--diff-filter=RCTB", "--name-status", "-z")
_TAKEN = re.compile(r"[TM][0-9]*")  # its name has something else
_LACKING = "lacking"


class File(NamedTuple):
    """The inventory in one commit: the hash of its content, its size in bytes. `hash` is "" where the
    clone lacks the content; then `why` says so, as it does of what is not a file."""

    hash: str
    size: int
    why: str = ""


class Commit(NamedTuple):
    """A commit that changed the file, or joined two changes. `parents`: the nearest ones before it that did
    so. `file`: None where there is no such file."""

    name: str
    parents: tuple[str, ...]
    file: File | None


class Past(NamedTuple):
    """The commits that lead to HEAD, the newest first, and no parent before its child. `names`: what the file
    is called, and was called before, below the root. `ends`: those at which a shallow clone ends."""

    repository: Repository
    commits: tuple[Commit, ...]
    names: tuple[str, ...]
    ends: frozenset[str]
    notes: tuple[str, ...] = ()


class About(NamedTuple):
    """What a commit says of itself. `date`: the author's, ISO 8601."""

    short: str
    date: str
    author: str
    subject: str


def past(path: Path) -> Past:
    """The history of the inventory at `path`; without commits where there are none, or none has it.

    Raises PortgenError: Exit.USAGE for what is not a repository, Exit.MACHINE without git, or where git
    can't read its history.
    """
    repository, inside = git.within(path)
    names = [inside]
    real = Path(os.path.realpath(path))
    if real.is_relative_to(repository.root):
        names = list(dict.fromkeys((inside, real.relative_to(repository.root).as_posix())))
    if any("\n" in name for name in names):
        message = f"{inside}: a path with a line break can't be asked for"
        raise PortgenError(message, Exit.USAGE)
    head, shallow = _head(repository)
    if head is None:
        return Past(repository, (), tuple(names), frozenset())
    while True:
        listed = _listed(repository, head, names)
        files = _files(repository, listed, names)
        older = list(_links(repository, files))
        more, notes = _renamed(repository, listed, files, names)
        newest = next(iter(listed), None)
        if newest is None or _first(files, newest, names) is None:
            more += _staged(repository, head, names)
        fresh = [name for name in dict.fromkeys((*older, *more)) if name not in names]
        if len(names) + len(fresh) > MOST_NAMES:
            notes += (
                f"the inventory had more than {MOST_NAMES} names: the others are not followed",
            )
            break
        if not fresh:
            break
        names += fresh
    commits = []
    for name, parents in listed.items():
        commits.append(Commit(name, parents, _first(files, name, names)))
    return Past(repository, tuple(commits), tuple(names), shallow & listed.keys(), notes)


def contents(past: Past, hashes: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    """The contents with these hashes, whose sizes are given; those that the clone has. By one process, but
    where they are very large together."""
    together: list[str] = []
    size = 0
    for name, bytes_ in hashes.items():
        if together and size + bytes_ > MOST_AT_ONCE:
            yield from git.blobs(past.repository, together)
            together, size = [], 0
        together.append(name)
        size += bytes_
    if together:
        yield from git.blobs(past.repository, together)


def about(past: Past, names: Iterable[str]) -> dict[str, About]:
    """What these commits say of themselves. Raises PortgenError(Exit.MACHINE) where git can't read them."""
    asked = "".join(f"{name}\n" for name in dict.fromkeys(names))
    if not asked:
        return {}
    shown = git.run(
        past.repository,
        "rev-list",
        "--no-walk=unsorted",
        "--stdin",
        "--encoding=UTF-8",
        "--format=%h%x00%aI%x00%an%x00%s",
        stdin=asked,
    )
    if shown.returncode != 0:
        raise _unreadable(past.repository, shown.stderr)
    found = {}
    lines = iter(shown.stdout.split("\n"))  # `commit HASH`, and what was asked for
    for line, words in zip(lines, lines, strict=False):
        short, date, author, subject = words.split("\0", 3)
        found[line.removeprefix("commit ").lstrip("-")] = About(short, date, author, subject)
    return found


def _head(repository: Repository) -> tuple[str | None, frozenset[str]]:
    """The commit of HEAD, None where there is none yet; and those whose parents a shallow clone lacks."""
    asked = git.run(
        repository, "rev-parse", "--git-path", "shallow", "--verify", "--quiet", "HEAD^{commit}"
    )
    lines = asked.stdout.split("\n")
    if asked.returncode != 0 or len(lines) < 2:
        return None, frozenset()
    shallow: frozenset[str] = frozenset()
    try:
        data, _ = whole.read(repository.root / lines[0])
        shallow = frozenset(data.decode("ascii", "replace").split())
    except OSError:
        pass  # not a shallow clone
    return lines[1], shallow


def _listed(repository: Repository, head: str, names: list[str]) -> dict[str, tuple[str, ...]]:
    """The commits that changed one of these files, the newest first, each with its parents among them. A side
    branch of which nothing came to a merge is left out, as `git log FILE` does."""
    found = git.run(
        repository,
        "--literal-pathspecs",
        "rev-list",
        "--parents",
        "--topo-order",
        head,
        "--",
        *names,
    )
    if found.returncode != 0:
        raise _unreadable(repository, found.stderr)
    listed = {}
    for line in found.stdout.splitlines():
        name, *parents = line.split()
        listed[name] = tuple(dict.fromkeys(parents))
    return listed


def _unreadable(repository: Repository, why: str) -> PortgenError:
    reason = why.strip().removeprefix("fatal: ") or "git gives no reason"
    return PortgenError(f"git can't read the history of {repository.root}: {reason}", Exit.MACHINE)


# --- what the file was in each commit --------------------------------------------------------------


_Place = tuple[str, str]  # a commit, and a name in it


class _Files(NamedTuple):
    """By commit and name: the file, links followed; and the hash of what is there itself."""

    files: dict[tuple[str, str], File]
    there: dict[tuple[str, str], str]


def _first(files: _Files, commit: str, names: list[str]) -> File | None:
    """The inventory in a commit: by the newest of its names."""
    for name in names:
        found = files.files.get((commit, name))
        if found is not None:
            return found
    return None


def _files(
    repository: Repository, listed: Mapping[str, tuple[str, ...]], names: list[str]
) -> _Files:
    asked = [(commit, name) for commit in listed for name in names]
    files: dict[tuple[str, str], File] = {}
    there: dict[tuple[str, str], str] = {}
    missing: list[_Place] = []
    for place, words in _checked(repository, asked, "--follow-symlinks"):
        if len(words) == 3 and words[1] == "blob":
            files[place] = _sized(words[0], int(words[2]))
        elif words[-1] == _LACKING:
            files[place] = File("", 0, "its content is not here: a partial clone")
        elif words[-1] != "missing":
            files[place] = File("", 0, "it is not a file, or a link that leads to none")
        else:
            missing.append(place)
    for place in _lost(repository, listed, names, missing):
        files[place] = File("", 0, "its content is not here: git can't read it")
    found = [place for place in asked if place in files and files[place].hash]
    for place, words in _checked(repository, found):
        if len(words) == 3:
            there[place] = words[0]
    return _Files(files, there)


def _lost(
    repository: Repository,
    listed: Mapping[str, tuple[str, ...]],
    names: list[str],
    missing: list[_Place],
) -> Iterator[_Place]:
    """Those of the missing places that a commit does have: git says the same of a file that is not there and
    of one whose content is damaged or gone. What a commit does not change it has from its parents."""
    if not missing:
        return
    changed: dict[_Place, bool] = {}
    arguments = ("-r", "-m", "--root", "--no-renames", "--name-status", "-z")
    for commit, words in _compared(repository, listed, arguments, names):
        for kind, name in zip(words[::2], words[1::2], strict=False):
            changed[commit, name] = kind != "D"
    known: dict[_Place, bool] = {}
    for commit in reversed(list(listed)):  # parents first
        for name in names:
            before = any(known.get((parent, name), False) for parent in listed[commit])
            known[commit, name] = changed.get((commit, name), before)
    yield from (place for place in missing if known[place])


def _sized(name: str, size: int) -> File:
    if size > whole.MOST_INVENTORY:
        limit = f"{whole.MOST_INVENTORY >> 20} MiB"
        return File("", size, f"it is larger than {limit}: that is not an inventory")
    return File(name, size)


def _checked(
    repository: Repository, places: Sequence[_Place], *options: str
) -> Iterator[tuple[_Place, list[str]]]:
    """What git says of each place, in words: a hash, a kind, a size; or, last, `missing`. In a partial clone
    git ends at the first content that is not there, and is asked again for what comes after it. Raises
    PortgenError(Exit.MACHINE) where that is so too often, or git can't read something else."""
    left = list(places)
    for _ in range(MOST_LACKING):
        asked = git.run(
            repository,
            "cat-file",
            "--batch-check",
            *options,
            stdin="".join(f"{commit}:{name}\n" for commit, name in left),
            undecodable="surrogateescape",
        )
        answers = list(_answers(asked.stdout.encode("utf-8", "surrogateescape")))
        yield from zip(left, answers, strict=False)
        if asked.returncode == 0:
            return
        left = left[len(answers) :]
        if not left or "promisor" not in asked.stderr:
            raise _unreadable(repository, asked.stderr)
        yield left[0], [_LACKING]
        del left[0]
    message = f"a partial clone: more than {MOST_LACKING} of its revisions are not here"
    hint = (
        "portgen fetches nothing; `git fetch --refetch --no-filter` does, or clone without --filter"
    )
    raise PortgenError(message, Exit.MACHINE, hint=hint)


def _answers(said: bytes) -> Iterator[list[str]]:
    at = 0
    while at < len(said):
        end = said.index(b"\n", at)
        words = said[at:end].decode("utf-8", "surrogateescape").split(" ")
        at = end + 1
        if words[-1] != "missing" and words[0] in ("symlink", "dangling", "loop", "notdir"):
            at += int(words[1]) + 1  # where it leads, on a line of its own
            yield ["", words[0]]
        else:
            yield words


# --- what else the file was called -----------------------------------------------------------------


def _links(repository: Repository, files: _Files) -> Iterator[str]:
    """Where links lead, in any commit: changes of the file itself are there."""
    leading: dict[str, str] = {}
    for (commit, name), itself in files.there.items():
        found = files.files.get((commit, name))
        if found is not None and found.hash != itself and found.size <= whole.MOST_INVENTORY:
            leading[itself] = name
    if not leading:
        return
    for itself, data in git.blobs(repository, list(leading)[:MOST_ASKED]):
        target = os.fsdecode(data)
        inside = os.path.normpath(os.path.join(os.path.dirname(leading[itself]), target))
        leads_out = os.path.isabs(target) or inside.startswith("..")
        if len(data) < MOST_LINK and not leads_out and not {"\n", "\0"} & set(inside):
            yield inside


def _renamed(
    repository: Repository,
    listed: Mapping[str, tuple[str, ...]],
    files: _Files,
    names: list[str],
) -> tuple[list[str], tuple[str, ...]]:
    """What files of these names were called before, where git sees a rename; and a note where it can't."""
    born = []
    for commit, parents in listed.items():
        if _first(files, commit, names) is None:
            continue
        before = [_first(files, parent, names) for parent in parents]
        if not before or None in before:
            born.append(commit)
    if not born:
        return [], ()
    found: list[str] = []
    arguments = ("-r", "-m", *_RENAMES)
    try:
        for _, words in _compared(repository, born[:MOST_ASKED], arguments, ()):
            found += _before(words, names)
    except PortgenError as error:
        return [], (f"whether the inventory had another name can't be seen: {error}",)
    return found, ()


def _staged(repository: Repository, head: str, names: list[str]) -> Iterator[str]:
    """What HEAD calls files of these names that were renamed since, for the next commit."""
    arguments = ("diff-index", "--cached", *_RENAMES, head)
    compared = git.run(repository, *arguments, undecodable="surrogateescape")
    yield from _before(compared.stdout.split("\0"), names)


def _before(words: Sequence[str], names: list[str]) -> Iterator[str]:
    """The old names of these in what git says of renames: `R100` or `C100`, the old name, the new one. A copy
    of what stays where it was is another file."""
    left = iter(words)
    found = []
    gone = set()
    for kind in left:
        old = next(left, "")
        if kind[:1] in ("R", "C"):
            new = next(left, "")
            if new in names and "\n" not in old:
                found.append(old)
        if kind.startswith("R") or _TAKEN.fullmatch(kind):
            gone.add(old)
    yield from (name for name in found if name in gone)


def _compared(
    repository: Repository,
    commits: Iterable[str],
    arguments: tuple[str, ...],
    names: Iterable[str],
) -> Iterator[tuple[str, list[str]]]:
    """What `git diff-tree -z` says of each commit. Raises PortgenError where it can't."""
    wanted = dict.fromkeys(commits)
    compared = git.run(
        repository,
        "--literal-pathspecs",
        "diff-tree",
        "--stdin",
        *arguments,
        "--",
        *names,
        stdin="".join(f"{commit}\n" for commit in wanted),
        undecodable="surrogateescape",
    )
    if compared.returncode != 0:
        raise _unreadable(repository, compared.stderr)
    commit = ""
    words: list[str] = []
    for word in compared.stdout.split("\0")[:-1]:
        if word in wanted:
            if words:
                yield commit, words
            commit, words = word, []
        else:
            words.append(word)
    if words:
        yield commit, words
