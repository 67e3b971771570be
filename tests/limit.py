"""An end for what would hang: a limit on the processor's time, which the load of the machine does not
change."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Many times what anything here takes; what walks over all pairs, or over every port, takes minutes.
SECONDS = 5.0
WAITING = 60.0  # seconds by the clock, for what does no work: it waits for somebody who never comes


class Hangs(AssertionError):  # noqa: N818 - it reads as a result
    """The code under test did not come to an end."""


@contextmanager
def ends(seconds: float = SECONDS) -> Iterator[None]:
    """Raises Hangs in the code inside after so many seconds of this process's own work, or after WAITING
    without an end."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise Hangs(f"no end after {seconds:g} s of work, or {WAITING:g} s of waiting")

    timers = (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, WAITING),
    )
    before = [signal.signal(number, give_up) for number, _, _ in timers]
    for _, timer, limit in timers:
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
