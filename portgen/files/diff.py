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
_HUNK = r"([-+])([0-9]+)"  # where a hunk begins, in its `@@ -3,7 +3,8 @@`
Kind = Literal["added", "changed", "removed", "edited"]


class Present(NamedTuple):
    """A file as it lies there."""

    data: bytes
    executable: bool


class Output(NamedTuple):
    """The output folder as read: what SHA256SUMS says, and the files at its paths and at
    those that are about to be written.

    A path has two sums where a write was interrupted, or git merged two renders: either one was
    written by portgen.
    """

    sums: dict[str, frozenset[str]]
    sums_data: bytes | None
    files: dict[str, Present]


class Place(NamedTuple):
    """Whose a file of the output folder is. `es/ufw/portgen-ufw.sh` is of the host `es` and the
    target `ufw`; `docs/index.html` is of the target `docs` and about all hosts: its host is None.
    `path` is below the host's folder."""

    host: str | None
    target: str
    path: str


def place(path: str) -> Place:
    """The place of a path below the output folder. What is about all hosts has two parts, what is a
    host's has more, so a host may have the name of a target."""
    host, _, rest = path.partition("/")
    if "/" in rest:
        return Place(host, rest.partition("/")[0], rest)
    return Place(None, host, path)


class Change(NamedTuple):
    """One file that would change. `edited`: what is there was not written by portgen, or not left
    as it was."""

    path: str
    before: str | None
    after: str | None
    kind: Kind
    mode: int = 0o644


def sums(files: Iterable[File], present: Output, only: str | None = None) -> str:
    """SHA256SUMS for `files`; with `only`, other targets' lines stay as they are."""
    lines = [(file.path, _sum(file.text.encode())) for file in files]
    if only is not None:
        for path, digests in present.sums.items():
            if not _concerns(path, only):
                lines += [(path, digest) for digest in digests]
    lines.sort()
    return "".join(f"{digest}  {path}\n" for path, digest in lines)


def compare(
    files: Iterable[File], present: Output, after_sums: str, only: str | None = None
) -> list[Change]:
    """The changes that turn `present` into `files`, sorted, SHA256SUMS (`after_sums`) last. With
    `only`, other targets' files are left out on both sides."""
    wanted = {file.path: file for file in files}
    changes: list[Change] = []
    for file in wanted.values():
        change = _to_write(file, present)
        if change is not None:
            changes.append(change)
    for path in present.sums:
        if path not in wanted and path in present.files and _concerns(path, only):
            changes.append(_to_remove(path, present))
    changes.sort()
    sums_change = _of_sums(present, after_sums)
    if sums_change is not None:
        changes.append(sums_change)
    return changes


def _to_write(file: File, present: Output) -> Change | None:
    """What a rendered file changes; None where it lies there already."""
    there = present.files.get(file.path)
    if there is None:
        return Change(file.path, None, file.text, "added", file.mode)
    if there.data != file.text.encode():
        kind: Kind = "edited"
        if _sum(there.data) in present.sums.get(file.path, ()):
            kind = "changed"
        return Change(file.path, _text(there.data), file.text, kind, file.mode)
    if there.executable != bool(file.mode & 0o100):
        return Change(file.path, file.text, file.text, "changed", file.mode)
    return None


def _to_remove(path: str, present: Output) -> Change:
    """The removal of a file that SHA256SUMS names and nothing renders any more."""
    data = present.files[path].data
    kind: Kind = "edited"
    # A list of sums may be anybody's: what it names is removed unasked only where it also says that
    # it is portgen's.
    if _sum(data) in present.sums[path] and _has_mark(data):
        kind = "removed"
    return Change(path, _text(data), None, kind)


def _of_sums(present: Output, after_sums: str) -> Change | None:
    """What changes in SHA256SUMS itself, which counts as edited where no file is portgen's."""
    if present.sums_data is None:
        return Change(SUMS, None, after_sums, "added")
    before = _text(present.sums_data)
    if before == after_sums:
        return None
    kind: Kind = "changed"
    if present.files and not any(_has_mark(there.data) for there in present.files.values()):
        kind = "edited"
    return Change(SUMS, before, after_sums, kind)


def _has_mark(data: bytes) -> bool:
    return MARK in data[:2000]


def unified(change: Change, context: int = 3) -> Iterator[str]:
    """The change as a unified diff, current to desired, line by line."""
    before = _lines(change.before)
    after = _lines(change.after)
    path = change.path.lstrip("/")
    from_file = "/dev/null" if change.before is None else f"a/{path}"
    to_file = "/dev/null" if change.after is None else f"b/{path}"
    if before == after:
        yield f"--- {from_file}\n"
        yield f"+++ {to_file} (mode {change.mode:o})\n"
        return
    if not before or not after:
        yield from (f"--- {from_file}\n", f"+++ {to_file}\n")
        yield from _one_sided(before, after)
    else:
        yield from _matched(before, after, from_file, to_file, context)


def _one_sided(before: list[str], after: list[str]) -> Iterator[str]:
    """One hunk, of a side that has no lines and one that has. What has none begins at line 0, or
    `patch` would not find the file."""
    removed = f"-{min(len(before), 1)},{len(before)}"
    added = f"+{min(len(after), 1)},{len(after)}"
    yield f"@@ {removed} {added} @@\n"
    for line in before:
        yield _ended(f"-{line}")
    for line in after:
        yield _ended(f"+{line}")


def _matched(
    before: list[str], after: list[str], from_file: str, to_file: str, context: int
) -> Iterator[str]:
    import patiencediff

    # Most of a long file is as it was: only what lies between the first and the last difference is
    # matched, with the lines around it that are shown.
    head = _alike(before, after)
    tail = _alike(reversed(before[head:]), reversed(after[head:]))
    skipped = max(head - context, 0)
    left = max(tail - context, 0)
    lines = patiencediff.unified_diff(
        before[skipped : len(before) - left],
        after[skipped : len(after) - left],
        from_file,
        to_file,
        n=context,
        sequencematcher=patiencediff.PatienceSequenceMatcher,
    )
    for line in lines:
        if line.startswith("@@ "):
            yield re.sub(_HUNK, lambda start: f"{start[1]}{int(start[2]) + skipped}", line)
        else:
            yield _ended(line)


def _alike(one: Iterable[str], other: Iterable[str]) -> int:
    """How many items are the same from the start."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _ended(line: str) -> str:
    return line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _concerns(path: str, only: str | None) -> bool:
    """Whether a path is of the target `only`."""
    return only is None or place(path).target == only


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _lines(text: str | None) -> list[str]:
    """Lines as patch counts them: ended by `\\n` only, or a form feed in a title would shift
    everything after it."""
    if not text:
        return []
    lines = [line + "\n" for line in text.split("\n")]
    if text.endswith("\n"):
        lines.pop()
    else:
        lines[-1] = lines[-1][:-1]
    return lines
