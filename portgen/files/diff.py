"""What would change: rendered files against what lies in the output folder.

In: `File`s and the `Output` as read. Out: `Change`s, sorted by path, SHA256SUMS last. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from portgen.files.render import File

SUMS = "SHA256SUMS"
MARK = b"portgen"  # stands near the top of every file that portgen renders
Kind = Literal["added", "changed", "removed", "edited"]


class Present(NamedTuple):
    """A file as it lies there."""

    data: bytes
    executable: bool


class Output(NamedTuple):
    """The output folder as read: what SHA256SUMS says, and the files that are ours or in our way.

    A path has two sums where a write was interrupted, or git merged two renders: either one was written by portgen.
    """

    sums: dict[str, frozenset[str]]
    sums_data: bytes | None
    files: dict[str, Present]


class Change(NamedTuple):
    """One file that would change. `edited`: what is there was not written by portgen, or not left as it was."""

    path: str
    before: str | None
    after: str | None
    kind: Kind
    mode: int = 0o644


def sums(files: Iterable[File], present: Output, only: str | None = None) -> str:
    """SHA256SUMS for `files`; with `only`, other targets' lines stay as they are."""
    others = present.sums.items() if only is not None else ()
    lines = [
        (path, digest)
        for path, digests in others
        if not _concerns(path, only)
        for digest in digests
    ]
    lines += [(file.path, _sum(file.text.encode())) for file in files]
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(lines))


def compare(
    files: Iterable[File], present: Output, after_sums: str, only: str | None = None
) -> list[Change]:
    """The changes that turn `present` into `files`. With `only`, other targets' files are left out on both sides."""
    wanted = {file.path: file for file in files}
    changes: list[Change] = []
    for path, file in wanted.items():
        there = present.files.get(path)
        if there is None:
            changes.append(Change(path, None, file.text, "added", file.mode))
            continue
        after = file.text.encode()
        if there.data != after:
            kind: Kind = "changed" if _sum(there.data) in present.sums.get(path, ()) else "edited"
            changes.append(Change(path, _text(there.data), file.text, kind, file.mode))
        elif there.executable != bool(file.mode & 0o100):
            changes.append(Change(path, file.text, file.text, "changed", file.mode))
    for path, digests in present.sums.items():
        there = present.files.get(path)
        if path not in wanted and there is not None and _concerns(path, only):
            # A list of sums may be anybody's: what it names is removed unasked only where it also says that it is ours.
            kind = (
                "removed" if _sum(there.data) in digests and MARK in there.data[:2000] else "edited"
            )
            changes.append(Change(path, _text(there.data), None, kind))
    changes.sort()
    before_sums = None if present.sums_data is None else _text(present.sums_data)
    if before_sums != after_sums:
        foreign = bool(present.files) and not any(
            MARK in there.data[:2000] for there in present.files.values()
        )
        changes.append(
            Change(
                SUMS,
                before_sums,
                after_sums,
                "added" if before_sums is None else "edited" if foreign else "changed",
            )
        )
    return changes


def unified(change: Change, context: int = 3) -> Iterator[str]:
    """The change as a unified diff, current to desired, line by line."""
    before = _lines(change.before)
    after = _lines(change.after)
    from_file = "/dev/null" if change.before is None else f"a/{change.path}"
    to_file = "/dev/null" if change.after is None else f"b/{change.path}"
    if before == after:
        yield f"--- {from_file}\n"
        yield f"+++ {to_file} (mode {change.mode:o})\n"
        return
    if (
        not before or not after
    ):  # nothing to match; and its first line is 0, or `patch` would not find the file
        lines = [*(f"-{line}" for line in before), *(f"+{line}" for line in after)]
        counts = [
            f"{sign}{1 if part else 0},{len(part)}" for sign, part in (("-", before), ("+", after))
        ]
        yield from (f"--- {from_file}\n", f"+++ {to_file}\n", f"@@ {' '.join(counts)} @@\n")
        yield from map(_ended, lines)
        return
    import patiencediff

    # Most of a long file is as it was: only what lies between the first and the last difference is matched.
    head = _alike(before, after)
    tail = _alike(reversed(before[head:]), reversed(after[head:]))
    skipped, left = max(head - context, 0), max(tail - context, 0)
    before, after = before[skipped : len(before) - left], after[skipped : len(after) - left]
    matcher = patiencediff.PatienceSequenceMatcher
    for line in patiencediff.unified_diff(
        before, after, from_file, to_file, n=context, sequencematcher=matcher
    ):
        if line.startswith("@@ "):
            line = re.sub(  # noqa: PLW2901 - the same line, counted from the file's start
                r"([-+])([0-9]+)", lambda start: f"{start[1]}{int(start[2]) + skipped}", line
            )
        yield _ended(line)


def _alike(one: Iterable[str], other: Iterable[str]) -> int:
    """How many items are the same from the start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _ended(line: str) -> str:
    return line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _concerns(path: str, only: str | None) -> bool:
    """Whether a path is of the target `only`: the second part of a path is the target's name."""
    return only is None or path.split("/")[1:2] == [only]


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _lines(text: str | None) -> list[str]:
    """Lines as patch counts them: ended by `\\n` only, or a form feed in a title would shift everything after it."""
    return (
        []
        if not text
        else [line + "\n" for line in text[:-1].split("\n")]
        if text.endswith("\n")
        else text.replace("\n", "\n\0").split("\0")
    )
