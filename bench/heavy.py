"""What `portgen lint` costs for the inventories that ask for most, as a multiple of `portgen --help`, in the
processor's time.

The aim is ten for any inventory of 20 KB. Run by `make bench`; the tests only end what hangs, since a ratio
depends on the machine.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.heavy import FAMILY

AIM = 10
SHOWN = 10
MOST = 60  # seconds of the processor's time, after which a run is stopped


def cost(folder: Path, *arguments: str) -> float:
    """Seconds of the processor's time of one run, start-up included, with nothing remembered."""
    cache = tempfile.mkdtemp(dir=folder)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "portgen", *arguments],
        check=False,
        cwd=folder,
        env={
            **os.environ,
            "XDG_CACHE_HOME": cache,
            "PYTHONPATH": str(Path(__file__).parent.parent),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (MOST, MOST)),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        usual = min(cost(folder, "--help") for _ in range(10))
        found = []
        for inventory, build in FAMILY.items():
            (folder / "inventory.yaml").write_text(build())
            found.append((min(cost(folder, "lint") for _ in range(2)) / usual, inventory))
    found.sort(reverse=True)
    print(
        f"portgen --help: {usual * 1000:.0f} ms; lint of the {SHOWN} heaviest "
        f"of {len(found)} inventories of 20 KB, as a multiple:"
    )
    for ratio, inventory in found[:SHOWN]:
        print(f"{ratio:6.1f}  {inventory}")
    return int(found[0][0] > AIM)


if __name__ == "__main__":
    raise SystemExit(main())
