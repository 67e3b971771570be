"""Files that portgen reads and does not own: a team's compose file, what it extends, nginx's own configuration.

In: a path. Out: its text, or None where it can't be had. Never waits for a FIFO or a device, never reads without a bound.
"""

from __future__ import annotations

import os
import stat

LARGEST = 1 << 20  # bytes: no configuration file is larger


def read(path: str) -> str | None:
    """The text of a regular file; None where there is none, it can't be read, or it is larger than `LARGEST`."""
    try:
        # Without O_NONBLOCK a FIFO would wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = file.read(LARGEST + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return None if len(data) > LARGEST else data.decode("utf-8", "surrogateescape")
