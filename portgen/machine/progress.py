"""What a command that takes long is doing, on the last line of the terminal: `rendering 3,000 services`.

In: a text for each stage. Out: that line on stderr, from a second after the first stage began, and
erased when its stage ends, however it ends. While a stage runs nothing else is printed, so nothing is
printed beside the line.

A timer of the kernel says when to draw, and the main thread draws: there is no thread that a fork
could meet at a bad moment, and a fork has no timer.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

DELAY = 1.0  # seconds of work without a word; 0 draws at once
SETTLED = 0.1  # seconds of each later stage: a short one does not flicker
STEP = 0.2  # seconds from one look at the text to the next

_ERASED = "\r\x1b[K"


class Line:
    """The last line of the terminal."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.shown = ""
        self.began: float | None = None

    def draw(self, *_signal: object) -> None:
        """Show the innermost stage, unless it is shown already. What a signal calls."""
        if self.stages and self.shown != self.stages[-1]:
            self.shown = self.stages[-1]
            write(_ERASED + _cut(self.shown))

    def erase(self) -> None:
        if self.shown:
            self.shown = ""
            write(_ERASED)

    def wait(self) -> None:
        """Draw after a while, and then as often as the text may have changed."""
        now = time.monotonic()
        if self.began is None:
            self.began = now
            # For good: a signal that is still on its way must find it.
            signal.signal(signal.SIGALRM, self.draw)
        left = max(SETTLED, self.began + DELAY - now)
        signal.setitimer(signal.ITIMER_REAL, left, STEP)


line = Line()


@contextmanager
def stage(text: str, shown: Callable[[str], str]) -> Iterator[Callable[[str], None]]:
    """A stage of the work. Gives a function that replaces its text, with a count for example.
    `shown` makes a text fit to be printed in one line."""
    stages = line.stages

    def tell(text: str) -> None:
        stages[-1] = shown(text)
        if not DELAY:
            line.draw()

    stages.append("")
    try:
        tell(text)
        line.wait()
        yield tell
    finally:
        stages.pop()
        if not stages:
            signal.setitimer(signal.ITIMER_REAL, 0)
        line.erase()


def _cut(text: str) -> str:
    """The text within the terminal's width: a line that wraps can't be erased."""
    columns = 80
    with suppress(OSError):
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or columns
    return text if len(text) < columns else text[: columns - 2] + "…"


def write(text: str) -> None:
    """Past Python's buffers: a signal may come while they are in use."""
    with suppress(OSError):
        os.write(sys.stderr.fileno(), text.encode())
