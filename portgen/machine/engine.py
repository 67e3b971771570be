"""What an install leaves on the host so that it can be put back: portgen's own modules for that, in one
file, and a unit that runs them at the next boot.

In: a `System`, the journal's folder. Out: `engine.pyz`, `portgen_recovery.service`, a watching unit. Its
names begin otherwise than those of forwarders, which are `portgen-…`. Standard library only.
"""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import portgen
from portgen.install.operations import UNIT as THING
from portgen.install.operations import UNITS, Operation, touches
from portgen.machine.journal import FOLDER
from portgen.machine.system import LONG, System
from portgen.problem import Exit, PortgenError

UNIT = "portgen_recovery.service"
PATH = f"{UNITS}/{UNIT}"
WANTED = f"{UNITS}/multi-user.target.d/portgen_recovery.conf"
PYTHON = "/usr/bin/python3"  # ufw is written in Python, so every host has it
ENGINE = "engine.pyz"
MODULES = (
    "__init__",
    "problem",
    "whole",
    "install/__init__",
    "install/operations",
    "machine/__init__",
    "machine/programs",
    "machine/system",
    "machine/journal",
    "machine/containers",
    "machine/transaction",
    "machine/engine",
    "machine/placed",
    "machine/recovery",
)
_MAIN = """\
import sys
from portgen.machine import recovery
sys.exit(recovery.main(sys.argv[1:]))
"""
_TEXT = """\
# Written by `portgen install`: it puts back what was not finished, or not confirmed, before this boot.
[Unit]
Description=portgen: put back what was not confirmed
ConditionPathExists={folder}/{engine}
# Only a boot starts it: nginx and the forwarders wait for it, so it could not reload those that run.
RefuseManualStart=yes
After=local-fs.target docker.service ufw.service
Before={before}

[Service]
Type=oneshot
ExecStart={python} -I {folder}/{engine} {folder} recover
TimeoutStartSec=900
"""
# In multi-user.target.wants/ systemd ignores what is not a symlink.
_WANTS = f"""\
# Written by `portgen install`.
[Unit]
Wants={UNIT}
"""


def built() -> bytes:
    """The modules as one file that Python runs."""
    root = Path(portgen.__file__).parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name in MODULES:
            entry = zipfile.ZipInfo(
                f"portgen/{name}.py"
            )  # without a date: the same bytes each time
            file.writestr(entry, (root / f"{name}.py").read_bytes())
        file.writestr(zipfile.ZipInfo("__main__.py"), _MAIN)
    return buffer.getvalue()


def place(system: System, operations: tuple[Operation, ...], folder: Path = FOLDER) -> None:
    """Put the engine and its unit in their places: whatever happens from now on, the next boot puts it back.
    Raises OSError."""
    system.put(f"{folder}/{ENGINE}", built(), 0o600, "root:root")
    waiting = {"nginx.service"}
    for operation in operations:
        units = [thing for thing in touches(operation) if thing.startswith(THING)]
        waiting.update(thing.removeprefix(THING) for thing in units)
    text = _TEXT.format(
        folder=folder, engine=ENGINE, python=PYTHON, before=" ".join(sorted(waiting))
    )
    system.put(PATH, text.encode(), 0o644, "root:root")
    # As `systemctl enable` would, without having systemd read all of its files: the next boot does.
    system.put(WANTED, _WANTS.encode(), 0o644, "root:root")


def withdraw(system: System) -> None:
    """Nothing is open any more: nothing has to be done at the next boot. Raises OSError."""
    system.remove(WANTED)
    system.remove(PATH)


def watch(system: System, identity: str, folder: Path = FOLDER) -> None:
    """Have systemd watch over the install, whatever becomes of the session that began it. Raises
    PortgenError(Exit.MACHINE)."""
    unit = f"portgen_confirm_{identity}"
    words = (
        *("systemd-run", "--quiet", "--collect", f"--unit={unit}"),
        *(
            "--property=Restart=on-failure",
            f"--property=RestartPreventExitStatus={int(Exit.STUCK)}",
        ),
        "--property=KillMode=process",
        *(PYTHON, "-I", f"{folder}/{ENGINE}", str(folder), "watch", identity),
    )
    done = system.run(words, timeout=LONG)
    if done.returncode != 0:
        raise PortgenError(f"systemd-run failed: {done.stderr.strip()}", Exit.MACHINE)


def now() -> float:
    """Seconds since this boot, whatever becomes of the clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot() -> str:
    """Which boot this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
