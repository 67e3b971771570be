"""Ctrl-C, SIGTERM, and a terminal that has gone, while a host is being changed.

In: signals. Out: one exception at most: the first signal ends what is under way, and nothing disturbs what
then puts the host back.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from portgen.problem import Terminated

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def once() -> Iterator[None]:
    """Inside, the first of these signals raises KeyboardInterrupt or Terminated, and the others are ignored
    from then on. What somebody has ignored before stays so."""
    before = {}
    for number in SIGNALS:
        there = signal.getsignal(number)
        if there is not signal.SIG_IGN:
            before[number] = there or signal.SIG_DFL
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore() -> None:
    """From here to the end of `once` nothing interrupts."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, _frame: object) -> None:
    ignore()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(signal.Signals(number).name)


def in_words(by: BaseException) -> str:
    """`interrupted by SIGHUP`."""
    name = by.args[0] if by.args else "Ctrl-C"
    return f"interrupted by {name}"
