"""What each revision of the inventory holds, out of git or out of the cache.

In: `Settings`. Out: a `Read`: the history, and what one should know of it. A text is read once, however many
revisions have it, and what it holds is kept by its hash.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from portgen import chain, whole
from portgen.problem import PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine.history import File
    from portgen.machine.history import Past as Commits
    from portgen.plan.holdings import Holdings, Together
    from portgen.plan.holdings import Read as OfText
    from portgen.review.history import History

_GONE = "its content is not here"
_ABSENT = "it does not have the inventory: whether that was removed or renamed is not known"


class Read(NamedTuple):
    """A history. `skipped`: the revisions that can't be loaded, and why; `notes`: what else could not be
    seen."""

    history: History
    commits: Commits
    skipped: list[tuple[str, str]]
    notes: tuple[str, ...]


def read(settings: Settings) -> Read:
    """The history of the inventory, up to what lies here. Raises PortgenError where there is no repository,
    git can't be asked, or there never was such an inventory."""
    from portgen.machine import history as past
    from portgen.review.history import History
    from portgen.review.tenures import WORK_TREE, Past

    with settings.stage("reading the history"):
        try:
            commits = past.past(settings.inventory)
        except PortgenError:
            if not settings.inventory.exists():
                chain.load(settings)  # says more
            raise
    here, note = _here(settings)
    if not commits.commits and note:
        chain.load(settings)  # says what is wrong
    known = _holdings(settings, commits, here)
    parents: dict[str, tuple[str, ...]] = {}
    holdings: dict[str, Holdings] = {}
    skipped: list[tuple[str, str]] = []

    def take(name: str, file: File) -> None:
        found = known.get(file.hash, _GONE) if file.hash else file.why
        if isinstance(found, str):
            skipped.append((name, found))
        else:
            holdings[name] = found

    if here is not None:
        if not commits.commits and isinstance(known[_hash(here, "")], str):
            chain.load(settings)
        newest = commits.commits[0].name if commits.commits else ""
        parents[WORK_TREE] = tuple(commit.name for commit in commits.commits[:1])
        take(WORK_TREE, past.File(_hash(here, newest), len(here)))
    gone = _gone(commits)
    for commit in commits.commits:
        parents[commit.name] = commit.parents
        if commit.file is not None:
            take(commit.name, commit.file)
        elif commit.name in gone:
            skipped.append((commit.name, _ABSENT))
    head = next(iter(parents), None)
    history = History(Past(head, parents, holdings, commits.ends))
    return Read(history, commits, skipped, (*commits.notes, *filter(None, (note,))))


def _gone(commits: Commits) -> set[str]:
    """The commits that don't have the inventory, and come from one that has it."""
    having = {commit.name for commit in commits.commits if commit.file is not None}
    found = set()
    for commit in commits.commits:
        if commit.file is None and having.intersection(commit.parents):
            found.add(commit.name)
    return found


def _here(settings: Settings) -> tuple[bytes | None, str]:
    """The inventory as it lies here; None, and a note, where it can't be read."""
    try:
        return whole.read(settings.inventory, whole.MOST_INVENTORY)[0], ""
    except OSError as error:
        reason = error.strerror or "can't be read"
        name = settings.inventory_name
        note = f"{name} here can't be read ({reason}): only what is committed is shown"
        if isinstance(error, FileNotFoundError):
            note += "; if it has another name now, ask with -i"
        return None, note


def _hash(data: bytes, like: str) -> str:
    """A content's name, as git would call it in a repository with such hashes."""
    new = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return new(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _holdings(settings: Settings, commits: Commits, here: bytes | None) -> dict[str, OfText]:
    """What each text holds, by its hash; why it can't be loaded, where it can't."""
    from portgen.files.kept_holdings import Kept
    from portgen.machine import history as past
    from portgen.plan.holdings import Together

    kept = Kept(settings.inventory)
    known = kept.read()
    together = Together()
    found: dict[str, OfText] = {}
    wanted: dict[str, int] = {}
    if here is not None:
        newest = commits.commits[0].name if commits.commits else ""
        name = _hash(here, newest)
        found[name] = known[name] if name in known else _of(here, together)
    for commit in commits.commits:
        file = commit.file
        if file is None or not file.hash or file.hash in found:
            continue
        if file.hash in known:
            found[file.hash] = known[file.hash]
        else:
            wanted[file.hash] = file.size
    if wanted:
        with settings.stage(f"reading {len(wanted):,} revisions"):
            for name, data in past.contents(commits, wanted):
                found[name] = _of(data, together)
    kept.write(found)
    return found


def _of(data: bytes, together: Together) -> OfText:
    from portgen.inventory import source
    from portgen.plan import planner

    try:
        return together.of(planner.make(source.parse(data, "").inventory))
    except PortgenError as error:
        if not error.problems:
            return str(error)
        first = error.problems[0]
        return f"line {first.location.line}: {first.message}"
