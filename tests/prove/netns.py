"""Network namespaces by name, inside the copy of a host: made, entered, and gone with its mounts.

Python has `os.setns` from 3.12 on; here the C library is called. A socket stays in the namespace in which it
was made, so one process may have sockets in many.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

FOLDER = Path("/run/netns")
_NET = 0x40000000  # CLONE_NEWNET
_BIND = 4096  # MS_BIND
_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def keep(name: str) -> None:
    """Give the namespace that this thread is in a name, which `ip netns` knows as well."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / name
    path.touch()
    _checked(_libc.mount(_OWN.encode(), bytes(path), None, _BIND, None), name)


def make(names: Iterable[str], prepare: Callable[[str], None]) -> None:
    """A new namespace for each name; this thread stays where it is. `prepare` is called in each, before there
    is any link: what a link does with IPv6 is decided when it comes."""
    with Namespaces() as known:
        for name in names:
            _checked(_libc.unshare(_NET), name)
            keep(name)
            prepare(name)
            known.back()


class Namespaces:
    """Enters namespaces by their names; "" is the one of whoever made this."""

    def __init__(self) -> None:
        self._open = {"": os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)}
        self._here = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.back()
        for descriptor in self._open.values():
            os.close(descriptor)

    def enter(self, name: str) -> None:
        """From now on this thread makes its sockets and processes there."""
        if name == self._here:
            return
        if name not in self._open:
            self._open[name] = os.open(FOLDER / name, os.O_RDONLY | os.O_CLOEXEC)
        _checked(_libc.setns(self._open[name], _NET), name)
        self._here = name

    def back(self) -> None:
        """To where it began, wherever this thread is now."""
        _checked(_libc.setns(self._open[""], _NET), "back")
        self._here = ""


@contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread, in a namespace for a while."""
    with Namespaces() as known:
        known.enter(name)
        yield
