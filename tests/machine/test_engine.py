"""What puts an install back runs with Python's own library, and with nothing of portgen's installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from portgen.machine import engine, journal
from portgen.machine.journal import Decided
from tests.limit import HANGS

# Run in place of the engine's own beginning: says which modules it is made of, and where they lie.
SAYS = """\
import sys
sys.path.insert(0, {engine!r})
from portgen.machine import recovery
recovery.main([{folder!r}, "finish"])
for name, module in sorted(sys.modules.items()):
    place = getattr(module, "__file__", None) or ""
    print(name.partition(".")[0], place.startswith({engine!r}))
"""


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """Puts back what is open in a folder, as the unit of the next boot does: without site-packages."""
    place = folder / engine.ENGINE
    place.write_bytes(engine.built())
    text = SAYS.format(engine=str(place), folder=str(folder))
    return subprocess.run(
        (sys.executable, "-I", "-S", "-c", text),
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS,
    )


def test_the_engine_needs_the_standard_library_alone(tmp_path: Path) -> None:
    decided = Decided("1", "box", "/srv/portgen/inventory.yaml", "nothing", (), ())
    journal.begin(tmp_path, decided, {"new": {}, "old": {}})
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    rooms = dict.fromkeys(line for line in done.stdout.splitlines())
    for line in rooms:
        name, inside = line.split()
        if name == "portgen":
            assert inside == "True", line
        else:
            assert name in sys.stdlib_module_names or name == "__main__", line
    assert (tmp_path / "last-result").exists()
    found = journal.load(tmp_path)
    assert found is not None
    assert found.state == journal.REVERTED


class Files:
    """Only what `leave` asks of a host."""

    def __init__(self) -> None:
        self.put_there: dict[str, str] = {}

    def put(self, path: str, data: bytes, mode: int, owner: str) -> None:
        if not path.endswith(engine.ENGINE):
            self.put_there[path] = data.decode()


def test_the_next_boot_wants_the_unit() -> None:
    """systemd ignores a file in a folder `….wants`: it has to be a symlink there."""
    files = Files()
    engine.place(files, ())  # type: ignore[arg-type]
    (wants,) = (path for path, text in files.put_there.items() if f"Wants={engine.UNIT}" in text)
    assert wants.startswith("/etc/systemd/system/multi-user.target.d/")
    assert wants.endswith(".conf")
    assert files.put_there[wants].index("[Unit]") < files.put_there[wants].index("Wants=")
    assert not [path for path in files.put_there if ".wants/" in path]


def test_the_engine_is_the_same_each_time() -> None:
    assert engine.built() == engine.built()


def test_the_engine_has_every_module_that_its_modules_import(tmp_path: Path) -> None:
    """One that is imported late would be missing only when it is needed."""
    place = tmp_path / engine.ENGINE
    place.write_bytes(engine.built())
    with zipfile.ZipFile(place) as file:
        names = [name for name in file.namelist() if name.startswith("portgen/")]
    modules = [
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for name in names
    ]
    text = f"import sys; sys.path.insert(0, {str(place)!r})\n" + "\n".join(
        f"import {module}" for module in modules
    )
    done = subprocess.run(
        (sys.executable, "-I", "-S", "-c", text),
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stderr
