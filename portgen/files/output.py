"""The output folder: the only reader and writer of what portgen has rendered.

In: `Change`s. Out: files on disk, each whole, old or new, and SHA256SUMS, which says what portgen
wrote. Never decides what to write. Standard library only: the unchanged path of `render --check`
ends here.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from portgen import whole
from portgen.files.diff import SUMS, Change, Output, Present
from portgen.problem import Exit, PortgenError, interrupted

LOCK_WAIT = 10.0  # seconds that a second writer waits for the first

# What opening or reading says of a folder, a pipe or a device, and a socket.
_NOT_A_FILE = (errno.EISDIR, errno.EINVAL, errno.ENXIO)
_SHA256 = re.compile("[0-9a-f]{64}")


def read(out: Path, wanted: Iterable[str]) -> Output:
    """What lies at the `wanted` paths and at those that SHA256SUMS records.

    A link in place of a file that leads out of the folder is not followed: its text then says where
    it leads.

    Raises PortgenError(Exit.MACHINE) for what can't be read, or is not a regular file, and for a
    link in place of a folder: nothing is read or written through it.
    """
    root = f"{os.path.realpath(out)}/"
    sums_file = _read(out / SUMS, root)
    sums = parse_sums(sums_file.data) if sums_file else {}
    paths = {*wanted, *sums}
    _refuse_links(out, paths)
    found = {}
    for path in paths:
        there = _read(f"{out}/{path}", root)
        if there is not None:
            found[path] = there
    return Output(sums, sums_file.data if sums_file else None, found)


def matches(out: Path, sums_digest: str, executable: frozenset[str]) -> int | None:
    """How many files lie there, where all are exactly as SHA256SUMS records, and it is the one that
    `sums_digest` is of; otherwise None. `executable` has the paths of the files that may be run."""
    try:
        recorded, _ = whole.read(out / SUMS, follow=False)
        if hashlib.sha256(recorded).hexdigest() != sums_digest:
            return None
        count = 0
        root = f"{out}/"
        lines = recorded.decode().splitlines()
        if _linked(out, (line[66:] for line in lines)) is not None:
            return None
        for line in lines:
            digest, path = line[:64], line[66:]
            data, status = whole.read(root + path, follow=False)
            if hashlib.sha256(data).hexdigest() != digest:
                return None
            if bool(status.st_mode & 0o100) != (path in executable):
                return None
            count += 1
    except (OSError, UnicodeDecodeError):
        return None
    return count


def recorded(out: Path) -> set[str]:
    """The paths of what portgen has written there: SHA256SUMS and what it names; nothing without a
    SHA256SUMS.

    Raises PortgenError(Exit.MACHINE) where it can't be read.
    """
    sums = _read(out / SUMS, f"{os.path.realpath(out)}/")
    if sums is None:
        return set()
    return {SUMS, *parse_sums(sums.data)}


def digest(sums_text: str) -> str:
    """What `matches` compares SHA256SUMS with."""
    return hashlib.sha256(sums_text.encode()).hexdigest()


def write(out: Path, changes: Sequence[Change]) -> None:
    """Carry out the changes in order. Each file is written beside its place and renamed into it.

    SHA256SUMS comes last; but before the first file is touched it takes in what is about to be
    written, beside what is there. So no interruption, not even a full disk or a killed process,
    makes the next render take portgen's own files for hand edits, whatever has become of the
    inventory in between.

    Raises PortgenError(Exit.MACHINE) when one fails, or PortgenError(Exit.INTERRUPTED): files
    before it are new, the rest are old, each is whole, and the next render takes up from there.
    """
    pending = [change for change in changes if change.path != SUMS]
    done = 0
    path = SUMS
    try:
        sums_before, sums_after = _sums_of(changes)
        paths = {change.path for change in pending}
        for text in (sums_before, sums_after or ""):
            paths |= parse_sums(text.encode()).keys()
        _refuse_links(out, paths)
        out.mkdir(parents=True, exist_ok=True)
        _sweep(out, paths)
        if sums_after is not None and pending:
            _replace(out, SUMS, _both(sums_before, sums_after), 0o644)
        for change in pending:
            path = change.path
            with whole.undisturbed():
                if change.after is None:
                    _remove(out, path)
                else:
                    _replace(out, path, change.after.encode(), change.mode)
                done += 1
        path = SUMS
        if sums_after is not None:
            _replace(out, SUMS, sums_after.encode(), 0o644)
    except OSError as error:
        written = f"{done} of {len(pending)} files were written, each file is whole"
        raise PortgenError(
            f"{out / path}: can't be written: {error.strerror}",
            Exit.MACHINE,
            hint=f"{written}; fix that, then run `portgen render` again",
        ) from None
    except KeyboardInterrupt as by:
        written = f"{done} of {len(pending)} files were written, each whole"
        raise interrupted(by, written, "run `portgen render` again") from None


def _sums_of(changes: Sequence[Change]) -> tuple[str, str | None]:
    """SHA256SUMS before and after; the latter None where it does not change."""
    for change in changes:
        if change.path == SUMS:
            return change.before or "", change.after
    return "", None


def sweep(out: Path) -> None:
    """Remove what a killed run has left beside files that SHA256SUMS names. The caller holds the
    lock. Best effort."""
    with suppress(OSError):
        data, _ = whole.read(out / SUMS, follow=False)
        paths = list(parse_sums(data))
        if _linked(out, paths) is None:
            _sweep(out, paths)


def has_leftovers(out: Path) -> bool:
    """Whether there is something for `sweep` to look at: cheap, for the case in which nothing else
    is to be done."""
    try:
        data, _ = whole.read(out / SUMS, follow=False)
        folders = {out, *(out / os.path.dirname(path) for path in parse_sums(data))}
        for folder in folders:
            if any(name.endswith(whole.TEMPORARY) for name in os.listdir(folder)):
                return True
    except OSError:
        return False
    return False


def _sweep(out: Path, paths: Iterable[str]) -> None:
    """Only names that a write of these paths would have used, and only files: a link, or a folder,
    is somebody else's."""
    missing = suppress(FileNotFoundError, NotADirectoryError)
    for path in {SUMS, *paths}:
        with missing, _folder_of(out, path) as (folder, name):
            left = whole.temporary(name)
            if stat.S_ISREG(os.lstat(left, dir_fd=folder).st_mode):
                os.unlink(left, dir_fd=folder)
                _remove_empty(out, path)


def _linked(out: Path, paths: Iterable[str]) -> str | None:
    """A folder on the way to one of the paths that is a link; None where there is none."""
    folders: set[str] = set()
    for path in paths:
        folder = os.path.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    for folder in sorted(folders):
        if os.path.islink(f"{out}/{folder}"):
            return folder
    return None


def _refuse_links(out: Path, paths: Iterable[str]) -> None:
    folder = _linked(out, paths)
    if folder is not None:
        target = os.readlink(f"{out}/{folder}")
        link = f"{out}/{folder}: is a link (to {target})"
        elsewhere = (
            f"to keep all of {out} elsewhere, name that by `-o`, or make {out} itself a link"
        )
        raise PortgenError(
            f"{link}, and portgen follows no link inside its output",
            Exit.MACHINE,
            hint=f"move it away; {elsewhere}",
        )


@contextmanager
def locked(out: Path, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the output folder for oneself. The lock is on the folder around it, so that no lock file
    is left behind.

    `waiting` is called with the holder's name when there is one to wait for. Raises
    PortgenError(Exit.MACHINE) after LOCK_WAIT seconds, naming the holder.
    """
    folder = out.absolute().parent
    while not folder.is_dir():
        folder = folder.parent
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise PortgenError(f"{folder}: can't be locked: {error.strerror}", Exit.MACHINE) from None
    try:
        until = time.monotonic() + LOCK_WAIT
        announced = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                    # A file system without locks: the user must see to it that one run writes at a
                    # time.
                    break
            holder = _holder(os.fstat(descriptor))
            if time.monotonic() > until:
                message = f"{out}: {holder} is writing there"
                raise PortgenError(message, Exit.MACHINE, hint="wait for it, then try again")
            if not announced and waiting is not None:
                waiting(holder)
                announced = True
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _holder(status: os.stat_result) -> str:
    """Who holds the lock, from /proc/locks: `1: FLOCK ADVISORY WRITE 4242 fe:00:1234 0 EOF`."""
    try:
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if len(words) < 6 or words[1] != "FLOCK":
                continue
            inode = words[5].rpartition(":")[2]
            if inode == str(status.st_ino):
                return f"another portgen (pid {words[4]})"
    except OSError:
        pass
    return "another portgen"


def _read(path: Path | str, root: str) -> Present | None:
    """What lies at a path. A link that leads out of `root` is not followed: its text says where it
    leads."""
    try:
        if _leads_out(path, root):
            shown = f"a link to {os.readlink(path)}\n"
            return Present(shown.encode("utf-8", "surrogateescape"), executable=False)
        data, status = whole.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        hint = None
        message = f"{path}: can't be read: {error.strerror}"
        if error.errno in _NOT_A_FILE:
            message = f"{path}: exists and is not a regular file"
        if error.errno in _NOT_A_FILE or isinstance(error, whole.Unreadable):
            hint = "move it away"
        raise PortgenError(message, Exit.MACHINE, hint=hint) from None
    return Present(data, bool(status.st_mode & 0o100))


def _leads_out(path: Path | str, root: str) -> bool:
    """Whether it is a link to something that lies outside of `root`."""
    if not os.path.islink(path) or not os.path.exists(path):
        return False
    return not os.path.realpath(path).startswith(root)


# --- SHA256SUMS -----------------------------------------------------------------------------------


def parse_sums(data: bytes) -> dict[str, frozenset[str]]:
    """The sums of each path, in the lines that portgen could have written. Others mean an unknown
    origin, and never lead out of the folder."""
    sums: dict[str, frozenset[str]] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        digest_part, gap, path = line[:64], line[64:66], line[66:]
        if gap == "  " and _SHA256.fullmatch(digest_part) and _is_inside(path):
            sums[path] = sums.get(path, frozenset()) | {digest_part}
    return sums


def _is_inside(path: str) -> bool:
    """Whether it is the path of a file below a host's folder: `es/nginx/portgen.conf`."""
    parts = path.split("/")
    return len(parts) > 1 and not {"", ".", ".."} & set(parts)


def _both(before: str, after: str) -> bytes:
    """SHA256SUMS while files change: every line of before and after."""
    lines = set()
    for text in (before, after):
        for path, digests in parse_sums(text.encode()).items():
            for one in digests:
                lines.add((path, one))
    return "".join(f"{one}  {path}\n" for path, one in sorted(lines)).encode()


# --- one file -------------------------------------------------------------------------------------


@contextmanager
def _folder_of(out: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The folder of a path below `out`, open, and the path's last name.

    What is done with these two stays in that folder, whatever is put in its place meanwhile. With
    `make` folders that are missing are made. Raises OSError, also where one is a link.
    """
    *folders, name = path.split("/")
    here = os.open(out, whole.FOLDER)
    try:
        for folder in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=here)
            below = os.open(folder, whole.FOLDER | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        yield here, name
    finally:
        os.close(here)


def _replace(out: Path, path: str, data: bytes, mode: int) -> None:
    with _folder_of(out, path, make=True) as (folder, name):
        whole.replace(folder, name, data, mode=mode)


def _remove(out: Path, path: str) -> None:
    with suppress(FileNotFoundError), _folder_of(out, path) as (folder, name):
        os.unlink(name, dir_fd=folder)
    _remove_empty(out, path)


def _remove_empty(out: Path, path: str) -> None:
    """The folders on the way to a path in which nothing is left."""
    while path := os.path.dirname(path):
        try:
            with _folder_of(out, path) as (above, name):
                os.rmdir(name, dir_fd=above)
        except OSError:
            break  # something is left in it
