"""An end for what would hang: a limit on the processor's time, which the load of the machine does not change."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Many times what anything here takes; what walks over all pairs, or over every port, takes minutes.
SECONDS = 5.0


class Hangs(AssertionError):  # noqa: N818 - it reads as a result
    """The code under test did not come to an end."""


@contextmanager
def ends(seconds: float = SECONDS) -> Iterator[None]:
    """Raises Hangs in the code inside after so many seconds of this process's own work."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise Hangs(f"no end after {seconds:g} s of work")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
