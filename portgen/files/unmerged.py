"""What git left of generated files in a merge: which of them are out of date, not edited by hand.

In: the `Output` as it lies there, and the output folder as each side of the merge has it. Out: the
same `Output` with the sums of such files beside those that SHA256SUMS has, so that a comparison takes
them for what portgen rendered. These count: a file with conflict markers; one that is as portgen
rendered it for either side; and one that has the lines of both, as git joins them where it sees no
conflict. What else differs was edited by hand. Pure.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from portgen.files.diff import SUMS, Output
from portgen.files.output import parse_sums
from portgen.inventory import conflicts

Files = Mapping[str, bytes]  # by path below the output folder


class Sides(NamedTuple):
    """The output folder in the three revisions that git joins, SHA256SUMS among its files."""

    base: Files
    ours: Files
    theirs: Files


def has_conflict(data: bytes) -> bool:
    """Whether git left conflict markers in a file."""
    found, _ = conflicts.find(data.decode("utf-8", "replace"))
    return bool(found)


def paths(sides: Sequence[Sides]) -> set[str]:
    """The files that portgen rendered for one side at least: git may have left them, though the
    merged SHA256SUMS does not name them any more."""
    found: set[str] = set()
    for side in sides:
        found |= rendered(side.ours).keys() | rendered(side.theirs).keys()
    return found


def settled(present: Output, sides: Sequence[Sides]) -> Output:
    """`present`, in which all that git left of generated files counts as rendered by portgen.

    Without `sides` the conflict markers alone decide.
    """
    merges = [_Merge(side) for side in sides]
    sums = dict(present.sums)
    for path, there in present.files.items():
        recorded = sums.get(path, frozenset())
        own = _sum(there.data)
        if own in recorded:
            continue
        has_edit = any(path in merge.edited for merge in merges)
        # Between the markers may be what a person wrote on one of the branches.
        of_git = has_conflict(there.data) and not has_edit
        of_git = of_git or any(merge.left(path, there.data) for merge in merges)
        if of_git:
            sums[path] = recorded | {own}
        elif path not in sums and any(path in merge.rendered for merge in merges):
            sums[path] = recorded  # named by a side: a file that is nobody's but a hand edit
    return present._replace(sums=sums)


class _Merge:
    """One merge: what portgen rendered on both of its sides."""

    def __init__(self, sides: Sides) -> None:
        self.base = sides.base
        self.ours = rendered(sides.ours)
        self.theirs = rendered(sides.theirs)
        self.rendered = self.ours.keys() | self.theirs.keys()
        self.edited = edited(sides.ours) | edited(sides.theirs)

    def left(self, path: str, data: bytes) -> bool:
        """Whether git put `data` at `path`: from one side, or out of both."""
        if data in (self.ours.get(path), self.theirs.get(path)):
            return True
        return any(_is_joined(data, *origin) for origin in self._origins(path))

    def _origins(self, path: str) -> Iterator[tuple[bytes, bytes, bytes]]:
        """What git may have joined at `path`: base, ours, theirs. A file that one side has renamed is
        the other side's under its old name, and git finds that out by likeness."""
        ours, theirs = self.ours.get(path), self.theirs.get(path)
        base = self.base.get(path)
        if base is not None and ours is not None and theirs is not None:
            yield base, ours, theirs
        if base is not None:
            return
        if ours is not None:
            for old in self.base.keys() & self.theirs.keys() - self.ours.keys():
                yield self.base[old], ours, self.theirs[old]
        if theirs is not None:
            for old in self.base.keys() & self.ours.keys() - self.theirs.keys():
                yield self.base[old], self.ours[old], theirs


def rendered(files: Files) -> dict[str, bytes]:
    """Those that are as the SHA256SUMS beside them says: nobody has edited them."""
    found = {}
    for path, digests in parse_sums(files.get(SUMS, b"")).items():
        if path in files and _sum(files[path]) in digests:
            found[path] = files[path]
    return found


def edited(files: Files) -> set[str]:
    """Those that the SHA256SUMS beside them names, and that are not as it says: edited by hand."""
    named = parse_sums(files.get(SUMS, b"")).keys() & files.keys()
    return named - rendered(files).keys()


def _is_joined(data: bytes, base: bytes, ours: bytes, theirs: bytes) -> bool:
    """Whether each line is there as often as a merge without conflict leaves it: what both sides add
    to the base and take away from it, added up. What both of them did alike may count once.

    The order of the lines is not looked at: which lines git matches depends on its settings.
    """
    if len({base, ours, theirs}) < 3:  # git takes one side as it is
        return False
    there, before, one, other = (Counter(text.split(b"\n")) for text in (data, base, ours, theirs))
    for line in there | before | one | other:
        change, change_ours, change_theirs = (
            count[line] - before[line] for count in (there, one, other)
        )
        both = change_ours + change_theirs
        least = most = both
        if change_ours * change_theirs > 0:
            least, most = sorted((both, max(change_ours, change_theirs, key=abs)))
        if not least <= change <= most:
            return False
    return True


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
