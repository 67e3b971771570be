"""An end for what would hang. What works is limited by the processor's time, what waits by `HANGS`:
the load of the machine changes neither."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Seconds by the clock, for whatever waits for something: it only ends what would wait for ever.
HANGS = 600.0
# Seconds of the processor's time: many times what anything here takes. What walks over all pairs,
# or over every port, takes minutes.
SECONDS = 5.0


class Hangs(AssertionError):  # noqa: N818 - it reads as a result
    """The code under test did not come to an end."""


@contextmanager
def ends(seconds: float = SECONDS) -> Iterator[None]:
    """Raises Hangs in the code inside after so many seconds of this process's own work, or after HANGS."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise Hangs(f"no end after {seconds:g} s of work, or {HANGS:g} s of waiting")

    timers = (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, HANGS),
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


def until(ready: Callable[[], object], why: Callable[[], str] = str) -> None:
    """Back when `ready()` is true. After HANGS it raises Hangs with the text of `why()`."""
    end = time.monotonic() + HANGS
    while not ready():
        if time.monotonic() > end:
            raise Hangs(f"not ready after {HANGS:g} s: {why()}")
        time.sleep(0.01)
