"""The end of an uninstall: what portgen keeps on a host for itself goes, too.

In: the journal's folder. Out: neither that folder nor a failed unit of ours; systemd knows only what is
there. What an operator had written in the places of portgen's files, and was kept, stays.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from portgen.machine.placed import KEPT
from portgen.machine.system import System

VARIABLES = "/etc/portgen"
UNITS = ("portgen-*.service", "portgen_*.service")


def clear(system: System, folder: Path) -> None:
    """Take it away. It can be called again, also where nothing is left. Raises OSError."""
    system.run(("systemctl", "daemon-reload"))
    # A unit that failed is remembered, though its file has gone: systemd would not say that all is well.
    system.run(("systemctl", "reset-failed", *UNITS))
    with suppress(OSError):
        os.rmdir(VARIABLES)  # only where nothing else is in it
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name == KEPT:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    with suppress(OSError):
        folder.rmdir()
